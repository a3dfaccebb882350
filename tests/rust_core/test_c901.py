"""C901 as the pinned ruff reports it, over the standard library, Django and ten more packages, function by function."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import rust_core
from tests.rust_core.corpus import DJANGO, PACKAGES, STANDARD_LIBRARY, corpus, files_of, packages

RUFF = Path(sys.executable).with_name("ruff")


def ruff_figures(folder: Path, *, exclude: str) -> dict[str, dict[tuple[str, int], int]]:
    """Return what ruff reports for each file: complexity by function name and line."""
    command = [RUFF, "check", "--isolated", "--no-cache", "--exit-zero", "--ignore-noqa", "--select", "C901"]
    command += [
        "--config",
        "lint.mccabe.max-complexity=0",
        "--config",
        f"exclude=[{exclude}]",
        "--output-format",
        "json",
    ]
    done = subprocess.run([*command, folder], capture_output=True, text=True, check=True)
    figures: dict[str, dict[tuple[str, int], int]] = {}
    for found in json.loads(done.stdout):
        if found["code"] == "C901":
            _, name, rest = found["message"].split("`", 2)
            complexity = int(rest.rpartition("(")[2].split()[0])
            figures.setdefault(found["filename"], {})[name, found["location"]["row"]] = complexity
    return figures


@pytest.mark.timeout(180)
def test_equals_ruff_on_every_function_that_ruff_reports():
    library = ruff_figures(STANDARD_LIBRARY, exclude="'site-packages'")
    compared = _compare(corpus(), {**library, **ruff_figures(DJANGO, exclude="")})
    assert compared > 60_000


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", PACKAGES)
def test_equals_ruff_on_every_function_of_ten_more_packages(name: str):
    folder = packages()[name]
    assert _compare(files_of(folder), ruff_figures(folder, exclude="")) > 400


def _compare(paths: Sequence[Path], theirs: dict[str, dict[tuple[str, int], int]]) -> int:
    """Return how many functions were compared and found equal."""
    ours = {
        audit["path"]: {(one["name"], one["line"]): one["cyclomatic"] for one in audit["functions"]}
        for audit in rust_core.audit_paths([str(path) for path in paths])
    }
    compared = {path: figures for path, figures in theirs.items() if path in ours}
    differing = {
        (path, *function): (complexity, ours[path].get(function))
        for path, figures in compared.items()
        for function, complexity in figures.items()
        if ours[path].get(function) != complexity
    }
    assert not differing
    return sum(map(len, compared.values()))
