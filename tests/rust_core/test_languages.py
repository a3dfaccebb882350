"""Every language but Python: figures worked out by hand, written above the functions that they belong to."""

from __future__ import annotations

from pathlib import Path

import pytest

import rust_core

GOLDEN = Path(__file__).with_name("golden")
FILES = sorted(path for path in GOLDEN.rglob("*") if path.is_file())
FIGURES = ("cyclomatic", "cognitive", "nesting", "parameters", "fan_out")


def expected_functions(lines: list[str]) -> list[tuple[str, ...]]:
    """Return the lines that begin with `//>`: qualified name, kind, number of lines, then the figures."""
    return [tuple(line.strip()[4:].rsplit(" ", 7)) for line in lines if line.strip().startswith("//> ")]


def found_functions(audit: dict) -> list[tuple[str, ...]]:
    return [
        (
            one["qualname"],
            one["kind"],
            str(one["end_line"] - one["line"] + 1),
            *(str(one[figure]) for figure in FIGURES),
        )
        for one in audit["functions"]
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(GOLDEN)))
def test_counts_what_a_person_counts(path: Path):
    text = path.read_text()
    assert found_functions(rust_core.audit_source(text, path=path)) == expected_functions(text.splitlines())


def test_counts_lines():
    raw = rust_core.audit_source((GOLDEN / "javascript/lines.jsx").read_text(), language="javascript")["raw"]
    assert raw == {
        "loc": 21,
        "lloc": None,
        "sloc": 12,
        "comments": 10,
        "blank": 2,
        "multi": 3,
        "single_comments": 4,
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_puts_every_line_into_one_class(path: Path):
    raw = rust_core.audit_source(path.read_bytes(), path=path)["raw"]
    assert raw["loc"] == len(path.read_text().splitlines())
    assert raw["loc"] == raw["sloc"] + raw["blank"] + raw["multi"] + raw["single_comments"]


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("a.mjs", "javascript"),
        ("a.jsx", "javascript"),
        ("a.d.ts", "typescript"),
        ("a.tsx", "tsx"),
        ("a.rs", "rust"),
        ("a.go", "go"),
        ("A.java", "java"),
        ("a.c", "c"),
        ("a.hpp", "cpp"),
        ("a.sh", None),
    ],
)
def test_tells_the_language_by_the_ending(path: str, language: str | None):
    assert rust_core.audit_source(b"", path=path)["language"] == language


def test_reads_a_header_as_the_language_that_fits():
    assert rust_core.audit_source(b"int class(int new);", path="a.h")["language"] == "c"
    found = rust_core.audit_source(b"class A { int f() { return 1; } };", path="a.h")
    assert (found["language"], found["functions"][0]["qualname"]) == ("cpp", "A::f")


def test_leaves_out_what_only_python_has():
    found = rust_core.audit_source("function f() {}", language="javascript")
    assert found["maintainability_index"] is found["complexity_radon"] is found["halstead"] is None
    assert found["functions"][0]["cyclomatic_mccabe"] is found["functions"][0]["complexity_radon"] is None


HALF_TYPED = {
    "javascript": "function whole() { if (a) b(); }\nfunction half(a {\n  if (\n}\nfunction another() { return 1 }\n",
    "typescript": "function whole(a: A): B { if (a) b(); }\nconst x: = 1;\nfunction another() { return 1 }\n",
    "rust": "fn whole() { if a { b() } }\nfn half() { let x = ; }\nfn another() -> u8 { 1 }\n",
    "go": "package p\nfunc whole() { if a { b() } }\nfunc half() { x := }\nfunc another() int { return 1 }\n",
    "java": "class A { void whole() { if (a) b(); }\nvoid half() { int x = ; }\nint another() { return 1; } }\n",
    "c": "void whole(void) { if (a) b(); }\nvoid half(void) { int x = ; }\nint another(void) { return 1; }\n",
    "cpp": "void whole() { if (a) b(); }\nvoid half() { int x = ; }\nint another() { return 1; }\n",
}


@pytest.mark.parametrize("language", HALF_TYPED)
def test_keeps_the_figures_of_functions_that_no_error_touches(language: str):
    source = HALF_TYPED[language]
    found = rust_core.audit_source(source, language=language)
    assert [(one["name"], one["cyclomatic"]) for one in found["functions"]] == [("whole", 2), ("another", 1)]
    assert found["raw"]["sloc"] == source.count("\n")
    broken_line = 3 if language == "go" else 2
    assert found["errors"][0]["line"] == broken_line
    assert all(error["message"] and error["column"] >= 1 for error in found["errors"])


def test_says_what_was_expected_and_what_was_not():
    errors = rust_core.audit_source("x = 1;\ny = ) ü;\nf(a;", language="javascript")["errors"]
    assert [(one["line"], one["message"]) for one in errors] == [(2, "unexpected `)`"), (3, "expected `)`")]


@pytest.mark.parametrize(
    ("source", "has_errors"),
    [
        ("\ufefflet a = 1;\n".encode(), False),
        ("let a = 1;\n".encode("utf-16"), False),
        (b"let a = '\xe9';\n", True),
        (b"// coding: no-such-codec\nlet a = 1;\n", False),
        (b"let a = 1;\r\nlet b = 2;\rlet c = 3;\n", False),
    ],
)
def test_reads_any_encoding(source: bytes, has_errors: bool):
    found = rust_core.audit_source(source, language="javascript")
    assert (bool(found["errors"]), found["raw"]["sloc"] >= 1) == (has_errors, True)
