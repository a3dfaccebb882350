"""PyAgent's computing core, written in Rust. Only `workers/codehealth/metrics.py` imports it."""

from collections.abc import Sequence
from os import PathLike
from typing import Any

__version__: str

def audit_source(
    source: bytes | str, language: str | None = None, path: str | PathLike[str] | None = None
) -> dict[str, Any]:
    """Return the figures of one source; any input gives an answer, never an exception.

    Args:
        source: The file's bytes (byte-order mark and coding cookie are obeyed), or text.
        language: "python"; without it the path's ending decides, and without a path it is Python.
        path: Only read for its ending, and given back.

    Returns:
        path, language (None: unknown, only lines are counted);
        functions: in source order, each {name, qualname, kind "function"|"method"|"closure", is_async, line,
        end_line, cyclomatic (ruff's C901), cyclomatic_mccabe, complexity_radon}; those that a syntax error
        touches are left out;
        maintainability_index, complexity_radon, halstead: radon's, of the file; None when it does not parse;
        raw: radon's counts {loc, lloc, sloc, comments, multi, blank, single_comments};
        errors: each {line, column, message}, counted from 1, or 0 for the file as a whole; at most 100.

    Raises:
        ValueError: the language has no audit.
        TypeError: the source is neither bytes nor text.
    """

def audit_paths(
    paths: Sequence[str | PathLike[str]],
    *,
    root: str | PathLike[str] | None = None,
    threads: int | None = None,
) -> list[dict[str, Any]]:
    """Return `audit_source` of each file, in the order of `paths`, computed in parallel without the GIL.

    Args:
        paths: Files; each path's ending tells its language. One that cannot be read, is no regular file or is
            larger than 64 MiB has a diagnosis in its `errors`.
        root: Given a folder, the paths are relative to it, and none leaves it or follows a symbolic link.
        threads: How many threads work; one per core when not given.

    Raises:
        OSError: `root` cannot be opened.
        RuntimeError: the threads cannot be started.
    """

def outline_source(source: bytes) -> dict[str, Any]:
    """Return what a Python source defines; any bytes give an answer.

    Returns:
        is_parsed: whether it parsed; what is found in one that does not is a guess;
        symbols: names defined at the top and in classes, each {qualname, kind "function"|"class"|"variable"|
        "import", line, is_public, signature}, the signature as written with single spaces;
        tests: qualified names of test functions;
        asserts: how many `assert` statements, `self.assert…()`, `raises()` and `warns()` calls there are.
    """
