// Figures: qualified name, kind, lines, cyclomatic, cognitive, nesting, parameters, fan-out.
//> straight function 3 1 0 0 0 1
function straight() {
  log("a && b || c ? d : e");
}

//> branches function 11 6 8 3 2 2
function branches(a, b) {
  if (a) {
    first();
  } else if (b) {
    second();
  } else {
    for (const x of a) if (x) break;
  }
  // cognitive: if 1, else if 1, else 1, for 2, if 3
  return a ?? b;
}

//> loops function 13 9 15 4 1 1
function loops(n) {
  outer: for (let i = 0; i < n; i++) {
    while (i) {
      do {
        if (i && n || !(i && n)) continue outer;
      } while (n);
    }
  }
  for (const key in n) {
    log(key);
  }
  // cognitive: for 1, while 2, do 3, if 4, && 1, || 1, inner && 1, continue label 1, for 1
}

//> switches function 13 6 4 2 2 0
function switches(a, b = 1) {
  switch (a) {
    case 1:
    case 2:
      return b;
    default:
      try {
        a.b.c;
      } catch (error) {
        return error?.code || null;
      }
  }
}

//> fallbacks function 4 5 0 0 1 0
function fallbacks({ a = 1, b: [c = 2] }) {
  a ||= c;
  b ??= c;
}

//> factorial function 3 2 2 0 1 1
function factorial(n) {
  return n ? n * factorial(n - 1) : n > 0;
}

//> Shape.constructor method 3 1 0 0 1 1
//> Shape.area method 3 2 1 0 0 0
//> Shape.#hidden method 1 1 0 0 0 0
//> Shape.handle method 1 3 2 0 1 1
//> Shape.walk method 3 2 2 1 1 1
class Shape extends Base {
  constructor(size) {
    super(size);
  }
  get area() {
    return this.a ? 1 : 2;
  }
  static async *#hidden() {}
  handle = (event) => event && this.run(event) || 0;
  async walk(node) {
    for await (const child of node) this.walk(child);
  }
}

//> namespace function 8 1 2 0 0 0
//> namespace.inner closure 3 2 1 1 1 1
//> namespace.arrow closure 1 2 1 0 1 0
function namespace() {
  // It has no control flow of its own, so what it holds is not nested.
  function inner(a) {
    if (a) arrow(a);
  }
  const arrow = (a) => a ? 1 : 2;
  return { inner, arrow };
}

//> nesting function 6 2 3 1 1 1
//> nesting.<anonymous> closure 3 2 1 1 1 1
function nesting(list) {
  if (!list) return;
  list.forEach((item) => {
    if (item) log(item);
  });
}

//> method method 3 1 0 0 0 0
//> exported function 1 1 0 0 0 0
//> generator function 3 1 0 0 0 0
const api = {
  method() {
    return 1;
  },
};
api.exported = function () {};
const generator = function* () {
  yield 1;
};
