//! Figures of small sources, worked out by hand from the rules that ruff, mccabe and radon follow.

use rust_core::codehealth::{FileAudit, FunctionAudit, Root, audit, audit_paths, outline};

fn audit_python(source: &str) -> FileAudit {
    audit(source.as_bytes(), Some("python"))
}

/// (qualified name, ruff's C901, mccabe's, radon's) of every function.
fn figures(source: &str) -> Vec<(String, u32, u32, u32)> {
    let functions = audit_python(source).functions.into_iter();
    functions
        .map(|one| {
            let (mccabe, radon) = (one.cyclomatic_mccabe.unwrap(), one.complexity_radon.unwrap());
            (one.qualname, one.cyclomatic, mccabe, radon)
        })
        .collect()
}

fn figures_of_body(body: &str) -> (u32, u32, u32) {
    let source = format!("def f():\n    {}\n", body.replace('\n', "\n    "));
    let (_, cyclomatic, mccabe, radon) = figures(&source).swap_remove(0);
    (cyclomatic, mccabe, radon)
}

#[test]
fn counts_branches() {
    assert_eq!(figures_of_body("pass"), (1, 1, 1));
    assert_eq!(figures_of_body("if a: b\nelif c: d\nelse: e"), (3, 3, 3));
    assert_eq!(figures_of_body("for a in b: c\nelse: d"), (2, 2, 3));
    assert_eq!(figures_of_body("while a and b: c"), (2, 2, 3));
}

#[test]
fn counts_expressions_for_radon_only() {
    assert_eq!(figures_of_body("return a and b or c"), (1, 1, 3));
    assert_eq!(figures_of_body("return a if b else c"), (1, 1, 2));
    assert_eq!(figures_of_body("return [a for a in b if c if d]"), (1, 1, 4));
    assert_eq!(figures_of_body("assert a and b"), (1, 1, 2));
}

#[test]
fn tells_the_dialects_of_try_and_match_apart() {
    assert_eq!(figures_of_body("try: a\nexcept B: c\nelse: d\nfinally:\n    if e: f"), (4, 3, 4));
    assert_eq!(figures_of_body("try: a\nfinally: b"), (1, 2, 1));
    assert_eq!(figures_of_body("try: a\nexcept* B: c"), (2, 1, 1));
    assert_eq!(figures_of_body("match a:\n    case 1: b\n    case _: c"), (2, 1, 2));
    assert_eq!(figures_of_body("match a:\n    case b if c: d\n    case 1: e"), (3, 1, 2));
}

#[test]
fn adds_nested_functions_to_the_outer_one_but_not_for_radon() {
    let source = "def f():\n    def g():\n        if a: b\n    class C:\n        def h(self): pass\n";
    let expected = [("f", 4, 4, 1), ("f.<locals>.g", 2, 2, 2), ("f.<locals>.C.h", 1, 1, 1)]
        .map(|(name, a, b, c)| (name.to_string(), a, b, c));
    assert_eq!(figures(source), expected);
}

/// The audit of the first function of a source.
fn first(source: &str) -> FunctionAudit {
    audit_python(source).functions.swap_remove(0)
}

/// Cognitive complexity of a body.
fn cognitive(body: &str) -> u32 {
    first(&format!("def f(a, b, c, d):\n    {}\n", body.replace('\n', "\n    "))).cognitive
}

#[test]
fn follows_the_rules_of_the_paper() {
    assert_eq!(cognitive("pass"), 0);
    assert_eq!(cognitive("if a: b\nelif c: d\nelse: e"), 3);
    assert_eq!(cognitive("for x in a:\n  while x:\n    if x: b"), 1 + 2 + 3);
    assert_eq!(cognitive("for x in a: b\nelse:\n  if c: d"), 1 + 1 + 2);
    assert_eq!(cognitive("try: a\nexcept B:\n  if c: d\nexcept D: e\nelse: f\nfinally: g"), 1 + 2 + 1 + 1);
    assert_eq!(cognitive("match a:\n  case 1:\n    if b: c\n  case _: d"), 1 + 2);
    assert_eq!(cognitive("with a:\n  if b: c"), 1);
    assert_eq!(cognitive("return a if b else (c if d else a)"), 1 + 2);
    assert_eq!(cognitive("return lambda: a if b else c"), 2);
    assert_eq!(cognitive("return [x for x in a if b]"), 0);
}

#[test]
fn counts_runs_of_operators() {
    assert_eq!(cognitive("return a and b and c"), 1);
    assert_eq!(cognitive("return a and b or c and d"), 3);
    assert_eq!(cognitive("return a or b and c or d"), 3);
    assert_eq!(cognitive("return a and (b and c)"), 1);
    assert_eq!(cognitive("return a and not (b and c)"), 2);
    assert_eq!(cognitive("return a and g(b and c) and d"), 2);
    assert_eq!(cognitive("return a and b, c and d"), 2);
}

#[test]
fn nests_functions_but_not_decorators_nor_methods() {
    assert_eq!(cognitive("def g():\n  if a: b\nx = 1"), 2);
    assert_eq!(cognitive("if a:\n  def g():\n    if a: b"), 1 + 3);
    assert_eq!(cognitive("def g():\n  if a: b\nreturn g"), 1);
    assert_eq!(cognitive("class C:\n  def g(self):\n    if a: b"), 1);
    assert_eq!(audit_python("def f():\n  x\n  def g():\n    if a: b\n").functions[1].cognitive, 1);
}

#[test]
fn counts_recursion() {
    assert_eq!(cognitive("return f(a)"), 1);
    assert_eq!(cognitive("return f(a) + f(b)"), 1);
    assert_eq!(cognitive("return self.f(a)"), 0);
    let method = "class C:\n  def f(self):\n    return self.f()\n  def open(self):\n    return open()\n";
    let found: Vec<u32> = audit_python(method).functions.iter().map(|function| function.cognitive).collect();
    assert_eq!(found, [1, 0]);
}

#[test]
fn counts_nesting_parameters_calls_and_lines() {
    let body = "for x in a:\n  if x: b()\n  elif y: x.b()\n  else:\n    try: x.b()\n    finally: f()()";
    let source = format!("def f(a, /, b=g(), *c, d, **e):\n    {}\n", body.replace('\n', "\n    "));
    let found = first(&source);
    assert_eq!((found.nesting, found.parameters, found.fan_out, found.lines()), (3, 5, 3, 7));
}

#[test]
fn tells_a_method_of_something_nameless_from_a_function_of_that_name() {
    assert_eq!(first("def f():\n  g().c()\n  c()\n  ''.c()\n  a.c()\n").fan_out, 4);
}

#[test]
fn counts_operators_of_each_function() {
    let source = "def f():\n  a + b\n  def g():\n    a + c\n    a - a\n";
    let [outer, inner] = &audit_python(source).functions[..] else { panic!() };
    let (outer, inner) = (outer.halstead.unwrap(), inner.halstead.unwrap());
    // The name `a` is another operand in another function.
    assert_eq!((inner.h1, inner.h2, inner.n1, inner.n2), (2, 2, 2, 4));
    assert_eq!((outer.h1, outer.h2, outer.n1, outer.n2), (2, 4, 3, 6));
    let two = audit_python("def f():\n  a + b\ndef f():\n  a + b\n");
    assert_eq!(two.functions[1].halstead.unwrap().h2, 2);
    assert_eq!(two.halstead.unwrap().h2, 2);
}

#[test]
fn counts_operators_and_operands() {
    let halstead = audit_python("x = a + a * 1 - True\ny = -'a'\n").halstead.unwrap();
    // Operators Add, Mult, Sub, USub; operands: a (also as a string), 1 (also as True), and two sums of their own kind.
    assert_eq!((halstead.h1, halstead.n1, halstead.n2), (4, 4, 7));
    assert_eq!(halstead.h2, 4);
}

#[test]
fn counts_lines() {
    let raw = audit_python("'''A\n\nB'''\n\n# one\nx = [1,  # two\n\n2]; y = 3\nif x: y\n").raw;
    assert_eq!((raw.loc, raw.sloc, raw.lloc), (9, 3, 5));
    assert_eq!((raw.comments, raw.single_comments, raw.multi, raw.blank), (2, 1, 2, 3));
}

#[test]
fn gives_the_index_only_to_what_parses() {
    assert_eq!(audit_python("").maintainability_index, Some(100.0));
    // 171 - 5.2 ln(3 log2 3) - 0.23, scaled to 0-100.
    let index = audit_python("x = a + b\n").maintainability_index.unwrap();
    assert!((index - 95.12).abs() < 0.01, "{index}");
    assert_eq!(audit_python("x = (").maintainability_index, None);
}

#[test]
fn frees_deep_trees_on_a_small_stack() {
    let deep = format!("x = {}a\n", "a + ".repeat(100_000));
    let work = move || (audit_python(&deep).errors.len(), outline(deep.as_bytes()).is_parsed);
    let thread = std::thread::Builder::new().stack_size(512 * 1024).spawn(work).unwrap();
    assert_eq!(thread.join().unwrap(), (0, true));
}

#[test]
fn audits_in_the_order_of_the_paths() {
    let folder = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let root = Root::beneath(&folder).unwrap();
    let names = ["rust_core.pyi", "absent.py", "Cargo.toml"].map(std::path::PathBuf::from);
    let audits = audit_paths(&names, &root, Some(2), None).unwrap();
    assert_eq!(
        audits.iter().map(|audit| audit.language).collect::<Vec<_>>(),
        [Some("python"), Some("python"), None]
    );
    assert_eq!(audits.iter().map(|audit| audit.errors.len()).collect::<Vec<_>>(), [0, 1, 0]);
}
