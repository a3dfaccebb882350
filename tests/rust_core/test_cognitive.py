"""Cognitive complexity on whole packages: complexipy's, but for the constructs where it departs from Sonar's paper."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import complexipy
import pytest

import rust_core
from tests.rust_core.cognitive_twin import FUNCTIONS, Function
from tests.rust_core.complexipy_differences import differences
from tests.rust_core.corpus import DJANGO, PACKAGES, files_of, packages
from tests.rust_core.radon_twin import read_source


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", ["django", *PACKAGES])
def test_equals_complexipy_or_has_a_documented_difference(name: str):
    compared, equal, unexplained, refused = 0, 0, [], []
    for path in files_of(DJANGO if name == "django" else packages()[name]):
        found = _compare(path)
        if isinstance(found, str):
            refused.append(f"{path}: {found}")
            continue
        compared += len(found)
        for function, ours, theirs, is_method in found:
            if ours == theirs:
                equal += 1
            elif not differences(function, is_method=is_method):
                unexplained.append((str(path), function.name, function.lineno, ours, theirs))
    assert not unexplained
    assert compared > 400
    assert equal > compared * 0.8
    # A file that the running Python or complexipy rejects is listed, and there are hardly any.
    assert len(refused) <= 3, refused


def _compare(path: Path) -> list[tuple[Function, int, int, bool]] | str:
    """Return functions outside functions with our figure and complexipy's, or why there are none."""
    try:
        source = read_source(path)
        tree = ast.parse(source)
        peers = complexipy.code_complexity(source, no_ignore=True).functions
    except (SyntaxError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    theirs = {(one.name.rpartition("::")[2], one.line_start): one.complexity for one in peers}
    ours = {
        (one["name"], one["line"]): one["cognitive"] for one in rust_core.audit_source(source)["functions"]
    }
    return [
        (
            function,
            ours[function.name, function.lineno],
            theirs[function.name, _first_line(function)],
            is_method,
        )
        for function, is_method in _functions_in(tree, is_class=False)
    ]


def _first_line(function: Function) -> int:
    return function.decorator_list[0].lineno if function.decorator_list else function.lineno


def _functions_in(node: ast.AST, *, is_class: bool) -> Iterator[tuple[Function, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, FUNCTIONS):
            yield child, is_class
        else:
            yield from _functions_in(child, is_class=is_class or isinstance(child, ast.ClassDef))
