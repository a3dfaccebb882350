"""Cyclomatic figures against lizard, over other people's code: npm packages, and the crates that the core is built from.

The floors were set on 2026-11-26, somewhat below what was found: packages and crates move on.
"""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

import pytest

import rust_core
from tests.rust_core.lizard_twin import Comparison, compare

REPOSITORY = Path(__file__).parents[2]
NODE_MODULES = REPOSITORY / "node_modules"
CRATES = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo")) / "registry" / "src"


def npm_files(pattern: str) -> list[Path]:
    return [path for path in NODE_MODULES.rglob(pattern) if not path.name.endswith((".min.js", ".d.ts"))]


def crate_files(names: set[str], pattern: str) -> list[Path]:
    """Return files of crates in the versions that the lock names."""
    lock = (REPOSITORY / "rust_core" / "Cargo.lock").read_text()
    locked = re.findall(r'name = "([^"]+)"\nversion = "([^"]+)"', lock)
    folders = [f"{name}-{version}" for name, version in locked if name in names]
    return [path for folder in folders for path in CRATES.glob(f"*/{folder}/src/{pattern}")]


def measure(paths: list[Path], count: int) -> Comparison:
    """Compare a sample of files, the same in each run."""
    small = sorted(path for path in paths if path.stat().st_size < 60_000)
    assert len(small) > 20, "the packages are missing"
    chosen = random.Random(11).sample(small, min(count, len(small)))
    return compare(rust_core.audit_paths(chosen))


def require(found: Comparison, *, matched: int, equal: float, agreement: float) -> None:
    summary = f"{found.equal} of {found.matched}, {dict(found.explained)}, others: {found.others}"
    assert found.matched >= matched, summary
    assert found.equal / found.matched >= equal, summary
    assert found.agreement >= agreement, summary


@pytest.mark.timeout(120)
def test_agrees_on_javascript():
    require(measure(npm_files("*.js"), 60), matched=300, equal=0.95, agreement=0.97)


@pytest.mark.timeout(120)
def test_agrees_on_typescript():
    require(measure(npm_files("*.ts"), 60), matched=300, equal=0.94, agreement=0.98)


@pytest.mark.timeout(120)
def test_agrees_on_rust():
    names = {"regex-automata", "memchr", "rayon", "hashbrown", "encoding_rs", "ruff_python_parser"}
    require(measure(crate_files(names, "**/*.rs"), 50), matched=300, equal=0.8, agreement=0.99)


@pytest.mark.timeout(120)
def test_agrees_on_c():
    names = {"tree-sitter", "tree-sitter-cpp", "tree-sitter-rust", "tree-sitter-javascript", "psm"}
    require(measure(crate_files(names, "**/*.c"), 60), matched=300, equal=1.0, agreement=1.0)


def test_agrees_on_the_golden_files_of_the_languages_that_no_package_here_has():
    golden = Path(__file__).with_name("golden")
    found = compare(
        rust_core.audit_paths(
            sorted([*golden.rglob("*.go"), *golden.rglob("*.java"), *golden.rglob("*.cpp")])
        )
    )
    assert found.others == []
