"""Hostile input: deep, long, or both. Each comes back with figures or a diagnosis, in bounded memory and time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import rust_core

REPOSITORY = Path(__file__).parents[2]

# One unit of each, repeated; what follows closes them again.
DEEP = {
    "brackets": ("x = ", "(", "1", ")"),
    "lists": ("x = ", "[", "", "]"),
    "dicts": ("x = ", "{1:", "1", "}"),
    "calls": ("", "f(", "", ")"),
    "call chain": ("x = a", "()", "", ""),
    "open brackets": ("", "([{", "", ""),
    "brackets that never match": ("", "f(] ", "", ""),
    "attributes": ("x = a", ".b", "", ""),
    "subscripts": ("x = a", "[0]", "", ""),
    "not": ("x = ", "not ", "1", ""),
    "minus": ("x = ", "-", "1", ""),
    "power": ("x = ", "1**", "1", ""),
    "lambda": ("x = ", "lambda: ", "1", ""),
    "lambda defaults": ("x = ", "lambda a=", "", ""),
    "conditional": ("x = ", "1 if 1 else ", "1", ""),
    "await": ("x = ", "await ", "1", ""),
    "comprehensions": ("x = ", "[a for a in ", "b", "]"),
    "walrus": ("x = ", "(a:=", "1", ")"),
    "f-strings": ("x = ", 'f"{', "1", '}"'),
    "format specs": ('x = f"', "{x:", "", "}"),
    "one-line ifs": ("", "if a: ", "", ""),
    "async": ("", "async ", "", ""),
    "patterns": ("match x:\n case ", "A(", "", "): pass"),
    "types": ("def f[", "T: (", "x", ")"),
    "quotes": ("", '"""', "", ""),
    "continuations": ("x = 1", "\\\n", "", ""),
    "nulls": ("", "\0", "", ""),
}


def deep(kind: str, count: int) -> str:
    before, opening, middle, closing = DEEP[kind]
    return before + opening * count + middle + closing * count + "\n"


@pytest.mark.parametrize("kind", DEEP)
def test_survives(kind: str):
    for count in (100, 2_000, 10_000, 300_000):
        found = rust_core.audit_source(deep(kind, count))
        assert found["errors"] or found["maintainability_index"] is not None


def test_gives_figures_for_a_sum_of_100_000_terms_and_10_000_nested_brackets():
    total = rust_core.audit_source("x = " + " + ".join(["a"] * 100_000))
    assert total["halstead"]["N1"] == 99_999
    assert total["errors"] == []
    assert rust_core.audit_source(deep("brackets", 10_000))["errors"] == []
    assert (
        rust_core.audit_source("def f():\n return " + "a and b or " * 50_000 + "c")["functions"][0][
            "complexity_radon"
        ]
        == 100_001
    )


def test_counts_only_the_lines_of_a_file_that_is_data():
    found = rust_core.audit_source(b"x = 1\n" * 1_500_000)
    assert found["raw"]["loc"] == 1_500_000
    assert "larger than" in found["errors"][0]["message"]


def test_costs_bounded_memory():
    script = """
import resource
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
import rust_core
from tests.rust_core.test_limits import DEEP, deep
for kind in DEEP:
    for count in (7_000, 30_000, 1_000_000):
        rust_core.audit_source(deep(kind, count))
peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
assert peak_mb < 1_000, peak_mb
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_works_in_a_thread_with_a_small_stack():
    script = """
import threading
import rust_core
from tests.rust_core.test_limits import DEEP, deep
threading.stack_size(64 * 1024)
def work():
    for kind in DEEP:
        for count in (10, 300, 6_000):
            rust_core.audit_source(deep(kind, count))
    finished.append(True)
finished = []
thread = threading.Thread(target=work)
thread.start()
thread.join()
assert finished
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
