/* Macros that no grammar knows: the body is sound, so the function counts. */
//> decorated function 4 2 1 1 1 0
INLINE static __must_check int decorated(int a)
{
	if (a) return 1; return 0;
}
