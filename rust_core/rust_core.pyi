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
        end_line, cyclomatic (ruff's C901), cyclomatic_mccabe, complexity_radon}, without those that a syntax error
        touches;
        maintainability_index, complexity_radon, halstead: radon's, of the file; None when it does not parse;
        raw: radon's counts {loc, lloc, sloc, comments, multi, blank, single_comments};
        errors: each {line, column, message}, counted from 1, or 0 for the file as a whole.

    Raises:
        ValueError: the language has no audit.
        TypeError: the source is neither bytes nor text.
    """

def audit_paths(paths: Sequence[str | PathLike[str]], *, threads: int | None = None) -> list[dict[str, Any]]:
    """Return `audit_source` of each file, in the order of `paths`; `threads` threads work without the GIL.

    A file that cannot be read has a diagnosis in its `errors`. The language follows from each path's ending.
    """
