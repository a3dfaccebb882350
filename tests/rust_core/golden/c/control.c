/* Figures: qualified name, kind, lines, cyclomatic, cognitive, nesting, parameters, fan-out. */
#include <stdio.h>
#define TWICE(x) ((x) && (x) ? 2 : 1)

int declared(int a);

//> branches function 14 6 8 1 2 1
static int *branches(int a, const char *b)
{
	if (a && b) {
		return 0;
	} else if (a)
		goto end;
	else
		printf("%s", a ? "?" : "&&");
	/* cognitive: if 1, && 1, else if 1, goto 1, else 1, ternary 2, if 1 */
	if (!b)
		a = 1;
end:
	return 0;
}

//> loops function 14 5 7 2 0 1
int loops(void)
{
	int i;
	for (i = 0; i < 3; i++) {
		do {
			continue;
		} while (i);
	}
	while (1) { /* cognitive: for 1, do 2, while 1, #ifdef 2, recursion 1 */
#ifdef DEBUG
		loops();
#endif
	}
}

//> switches function 13 4 2 1 1 0
int switches(int a, ...)
{
	switch (a) {
	case 1:
	case 2:
		return 1;
	default:
		return a == 3
			|| a == 4;
	}
	/* cognitive: switch 1, || 1 */
	return 0;
}

//> older function 5 1 0 0 2 0
int older(a, b)
	int a, b;
{
	return a + b;
}

//> pointer function 1 1 0 0 1 0
void (*pointer(int a))(double, int) { return 0; }
