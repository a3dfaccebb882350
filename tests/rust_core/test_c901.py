"""C901 as the pinned ruff reports it, over the standard library and Django, function by function."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import rust_core
from tests.rust_core.corpus import DJANGO, STANDARD_LIBRARY, corpus

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
    paths = [str(path) for path in corpus()]
    ours = {
        audit["path"]: {(one["name"], one["line"]): one["cyclomatic"] for one in audit["functions"]}
        for audit in rust_core.audit_paths(paths)
    }
    library = ruff_figures(STANDARD_LIBRARY, exclude="'site-packages'")
    theirs = {**library, **ruff_figures(DJANGO, exclude="")}
    compared = {path: figures for path, figures in theirs.items() if path in ours}
    differing = {
        (path, *function): (complexity, ours[path].get(function))
        for path, figures in compared.items()
        for function, complexity in figures.items()
        if ours[path].get(function) != complexity
    }
    assert not differing
    assert sum(map(len, compared.values())) > 60_000
