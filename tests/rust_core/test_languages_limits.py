"""Any bytes in any language: an answer in bounded time and memory, never an exception."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

import rust_core

REPOSITORY = Path(__file__).parents[2]
GOLDEN = Path(__file__).with_name("golden")

# One unit of each is repeated, so that the tree is deep, or the grammar cannot make up its mind.
UNITS = {
    "javascript": (
        "(",
        "[{",
        "f(",
        "a.",
        "!",
        "a?b:",
        "()=>",
        "function a(){",
        "`${",
        "<a>",
        "if(a)",
        "case 1:",
        "'",
        "\\0",
    ),
    "typescript": ("<", "a<b,", "type A=", "enum A{", "x as ", "A<;"),
    "tsx": ("<a", "a<b,", "<a b={"),
    "rust": ("(", "fn a(){", "impl A{", "|a|", "a!(", "match a{", "a::<", "'a ", 'r#"', "/*"),
    "go": ("(", "func(){", "[]", "if a {", "<-", "map[", "`"),
    "java": ("(", "class A{", "a->", "@A(", "A<", "A<;", "(;", "new A(){", "a<b,"),
    "c": ("(", "*", "#if a\n", "int (*", "a(", "\\\n", "[", "struct a{"),
    "cpp": ("(", "template<", "a::", "[&]{", "a<", "&&", "operator ", "namespace a{"),
}
SHAPE = {
    "path",
    "language",
    "functions",
    "maintainability_index",
    "complexity_radon",
    "halstead",
    "raw",
    "errors",
}


@pytest.mark.parametrize("language", UNITS)
def test_survives_depth(language: str):
    for unit in UNITS[language]:
        found = rust_core.audit_source(unit * 2_000, language=language)
        assert found.keys() == SHAPE
        assert found["errors"]


def test_gives_figures_for_long_and_deep_code():
    total = "function f() { return " + "a && b || " * 20_000 + "c; }"
    assert rust_core.audit_source(total, language="javascript")["functions"][0]["cyclomatic"] == 40_001
    deep = "function f() { return " + "(" * 10_000 + "1" + ")" * 10_000 + "; }"
    assert rust_core.audit_source(deep, language="javascript")["functions"][0]["end_line"] == 1
    nested = "function f() { " * 5_000 + "if (a) b();" + "}" * 5_000
    functions = rust_core.audit_source(nested, language="javascript")["functions"]
    assert len(functions) == 5_000
    assert max(len(one["qualname"]) for one in functions) < 400
    assert (functions[-1]["cognitive"], functions[0]["cognitive"]) == (1, 1)


def test_costs_bounded_time_and_memory():
    script = """
import re, time
from pathlib import Path
import rust_core
from tests.rust_core.test_languages_limits import UNITS
for language, units in UNITS.items():
    for unit in units:
        source = unit * (40_000 // len(unit))
        start = time.process_time()
        rust_core.audit_source(source, language=language)
        assert time.process_time() - start < 4, (language, unit)
        # Not getrusage: its peak is that of the process that started this one, where that was larger.
        peak_mb = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024
        assert peak_mb < 500, (language, unit, peak_mb)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_counts_only_the_lines_of_a_file_that_is_data():
    found = rust_core.audit_source(b"x = 1\n" * 400_000, language="javascript")
    assert (found["raw"]["loc"], found["functions"]) == (400_000, [])
    assert "larger than 2 MiB" in found["errors"][0]["message"]


def mutated(source: bytes, dice: random.Random) -> bytes:
    """Return a source with a few pieces cut, doubled, moved or overwritten."""
    data = bytearray(source)
    for _ in range(dice.randint(1, 4)):
        start = dice.randrange(len(data) + 1)
        piece = data[start : start + dice.randint(1, 40)]
        match dice.randrange(4):
            case 0:
                del data[start : start + len(piece)]
            case 1:
                data[start:start] = piece * dice.randint(1, 3)
            case 2:
                data[dice.randrange(len(data) + 1) : 0] = piece
            case 3:
                data[start : start + len(piece)] = dice.randbytes(len(piece))
    return bytes(data)


def test_answers_to_any_mutation_of_real_code():
    dice = random.Random(20261126)
    files = sorted(path for path in GOLDEN.rglob("*") if path.is_file())
    end = time.monotonic() + 8
    tried = 0
    while time.monotonic() < end and tried < 4_000:
        path = dice.choice(files)
        source = mutated(path.read_bytes(), dice)
        found = rust_core.audit_source(source, path=path)
        assert found.keys() == SHAPE, source
        raw = found["raw"]
        assert raw["loc"] == raw["sloc"] + raw["blank"] + raw["multi"] + raw["single_comments"], source
        assert len(found["errors"]) <= 100, source
        for one in found["functions"]:
            assert 1 <= one["line"] <= one["end_line"] <= raw["loc"] + 1, source
            assert one["cyclomatic"] >= 1, source
            assert one["qualname"].endswith(one["name"]), source
        tried += 1
    assert tried > 300
