"""Single constructs where the tools are known to differ, each with the answer of the tool that defines the figure."""

from __future__ import annotations

from textwrap import dedent

import pytest

import rust_core
from tests.rust_core.agreement import differences_of_source

BODIES = {
    "a straight line": "return 1",
    "if, elif, else": "if a:\n    x\nelif b:\n    y\nelse:\n    z",
    "a loop with else": "for a in b:\n    x\nelse:\n    y\nwhile c:\n    break\nelse:\n    z",
    "boolean operators": "return a and b or not c and d",
    "a conditional expression": "return a if b else c if d else e",
    "comprehensions": "return [a for a in b if c if d for e in f], {a: b for a in c}, (a for a in b), {a for a in b}",
    "try with everything": "try:\n    a\nexcept A:\n    b\nexcept B:\n    c\nelse:\n    d\nfinally:\n    if e:\n        f",
    "try and finally alone": "try:\n    if a:\n        b\nfinally:\n    while c:\n        d",
    "except*": "try:\n    a\nexcept* A:\n    if b:\n        c\nelse:\n    if d:\n        e",
    "with": "with a as b, c as d:\n    if e:\n        f",
    "assert": "assert a and b, c if d else e",
    "lambda": "return lambda a=b or c: a if a else d",
    "a match with a default": "match a:\n    case 1:\n        b\n    case _:\n        c",
    "a match without one": "match a:\n    case 1 | 2:\n        b\n    case [c, *d]:\n        e",
    "a match whose default stands first": "match a:\n    case b if c:\n        d\n    case {'e': 1, **f}:\n        g",
    "a match on a name": "match a:\n    case A(b=1) as c:\n        d\n    case e:\n        if f:\n            g",
    "a match on an irrefutable alternative": "match a:\n    case 1 | _:\n        b",
    "a guarded wildcard last": "match a:\n    case 1:\n        b\n    case _ if c:\n        d",
    "a nested function": "def g():\n    if a:\n        b\n    def h():\n        while c:\n            d\nif e:\n    f",
    "a class inside": "class A:\n    if a:\n        b\n    def g(self):\n        if c:\n            d\n"
    "    class B:\n        def h(self):\n            e or f",
    "a function under finally": "try:\n    a\nfinally:\n    def g():\n        if b:\n            c",
    "decorators and defaults inside": "@a(b or c)\ndef g(d=e or f) -> h or i:\n    j\n"
    "@k(l or m)\nclass A(n or o):\n    p = q or r",
    "chained comparisons": "return 1 < a <= b != c is not None in d",
    "operands that Python holds equal": "return 1 + True, 1.0 + 1, 0j + False, x + 'x', x.x + b'x', 10**22 + 1e22, 0x1_0 + 16",
    "operands that are unlike": "return f() + f(), [1] + [1], 'a' 'b' + 'ab', f'{a + b}' + f'{a + b}', -1 + -1, ... + ...",
    "large numbers": "return 18446744073709551616 + 18446744073709551616.0 + 0x10000000000000000 + 1e400 + 1e400",
    "escapes and surrogates": "return '\\ud800' + '\\ud801' + '\\x41' + 'A' + '\\N{DIGIT ONE}' + '1'",
    "augmented assignment": "a += b\na.b -= c[d]\na[e] @= -f\nx = ~y; z = +w; v = not u",
    "names in another script": "ﬁ = fi + ﬁ\nº = 1",
    "walrus and starred": "if (n := len(a)) > 10: return [*a, *b]\nprint(**c or d)",
    "async": "async with a as b:\n    async for c in d:\n        await e\n    return [f async for f in g if await h]",
    "annotations": "a: int or str = b or c\nd: e if f else g",
    "docstrings": "'''One.\n\nTwo.\n'''\n'single'\nx = '''not\na docstring'''\n'''a'''; 'b'",
    "semicolons and colons": "if a: b; c\nwhile d: pass;\nx = {1: 2}; y = z[1:2]; w = lambda: 3;\nfor e in f: g",
    "comments everywhere": "# one\n\nx = [  # two\n    # three\n\n    1,\n]  # four\n\n    # five\nreturn x",
    "continued lines": "x = 1 + \\\n    2\nassert x, \\\n    'y'\nif a and \\\n   b: return",
    "a form feed": "x = 1\n\x0c\ny = 2",
}


def source_of(body: str) -> str:
    inner = "\n".join(f"    {line}" if line else "" for line in body.split("\n"))
    is_async = "async " in body or "await " in body
    return f"{'async ' if is_async else ''}def outer():\n{inner}\n"


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_counts_what_ruff_radon_and_mccabe_count(body: str):
    assert differences_of_source(source_of(body)) == []


def test_names_functions_as_python_does():
    found = rust_core.audit_source(source_of(BODIES["a class inside"]))
    assert [
        (one["qualname"], one["name"], one["kind"], one["line"], one["end_line"])
        for one in found["functions"]
    ] == [
        ("outer", "outer", "function", 1, 10),
        ("outer.<locals>.A.g", "g", "method", 5, 7),
        ("outer.<locals>.A.B.h", "h", "method", 9, 10),
    ]


def test_reports_the_line_of_the_name_below_decorators():
    found = rust_core.audit_source("@a\n@b(\n  c)\nasync def f(): pass\n")
    assert [(one["line"], one["end_line"], one["is_async"]) for one in found["functions"]] == [(4, 4, True)]


def test_reads_syntax_that_is_newer_than_this_python():
    source = dedent("""
        type Pair[T] = tuple[T, T]
        def f[T: int = str](a: T) -> T:
            x = f'{a!r:>{'10'}} {f"{'nested'}"}'
            try:
                pass
            except A, B:
                return t'{x}'
    """)
    found = rust_core.audit_source(source)
    assert found["errors"] == []
    assert [(one["name"], one["cyclomatic"]) for one in found["functions"]] == [("f", 2)]


def test_gives_an_empty_source_the_index_of_nothing():
    found = rust_core.audit_source(b"")
    assert (found["maintainability_index"], found["raw"]["loc"], found["functions"]) == (100.0, 0, [])
