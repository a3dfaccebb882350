"""PyAgent's computing core, written in Rust. Only `workers/codehealth/metrics.py` imports it."""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any

__version__: str

def audit_source(
    source: bytes | str, language: str | None = None, path: str | PathLike[str] | None = None
) -> dict[str, Any]:
    """Return the figures of one source; any input gives an answer, never an exception.

    Args:
        source: The file's bytes (byte-order mark and coding cookie are obeyed), or text.
        language: "python", "javascript" (with JSX), "typescript", "tsx", "rust", "go", "java", "c", "cpp" or
            "c/c++ header", which is read as the one that fits; without it the path's ending decides, and without a
            path it is Python.
        path: Only read for its ending, and given back.

    Returns:
        path, language (None: unknown, only lines are counted);
        functions: in source order, each {name, qualname, kind "function"|"method"|"closure", is_async, line,
        end_line, lines, cyclomatic (ruff's C901 in Python, as lizard counts elsewhere), cyclomatic_mccabe and
        complexity_radon (None elsewhere than in Python), cognitive (Sonar's paper), nesting (how deep blocks stand
        one inside another), parameters, fan_out (how many different names it calls), halstead (radon's, of the
        function; for reading only: equal ones may be one dict; None elsewhere than in Python)}; those that a
        syntax error touches are left out;
        maintainability_index, complexity_radon, halstead: radon's, of the file; None when it does not parse or is
        not Python;
        raw: radon's counts {loc, lloc, sloc, comments, multi, blank, single_comments}; elsewhere than in Python
        lloc is None, comments are the lines that hold one, and multi and single_comments the lines that hold
        nothing but a comment, of several lines or of one;
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
    cache: str | PathLike[str] | None = None,
) -> list[dict[str, Any]]:
    """Return `audit_source` of each file, in the order of `paths`, computed in parallel without the GIL.

    Args:
        paths: Files; each path's ending tells its language. One that cannot be read, is no regular file or is
            larger than 64 MiB has a diagnosis in its `errors`.
        root: Given a folder, the paths are relative to it, and none leaves it or follows a symbolic link.
        threads: How many threads work; one per core when not given.
        cache: A folder that keeps audits by content, made when absent; any number of processes may share it.
            What is damaged in it, or was made by another build, is computed again.

    Raises:
        OSError: `root` cannot be opened, or the cache's folder cannot be made.
        RuntimeError: the threads cannot be started.
    """

def audit_workspace(
    root: str | PathLike[str],
    *,
    threads: int | None = None,
    cache: str | PathLike[str] | None = None,
    known: Mapping[str, str] | None = None,
    progress: Callable[[int, int], object] | None = None,
    cancel: Callable[[], object] | None = None,
) -> dict[str, Any]:
    """Audit every file beneath `root` that its .gitignore files do not exclude, in parallel without the GIL.

    Nothing outside `root` is opened and no symbolic link followed.

    Args:
        root: A folder.
        threads: How many threads work; one per core when not given.
        cache: As for `audit_paths`.
        known: Keys of audits that the caller has, by path: such files come back in `unchanged`, without figures.
        progress: Called about every 100 ms, and at the end, with how many files are done and of how many.
        cancel: Called as often; once it returns something true, the audit ends with what is done until then.

    Returns:
        files: `audit_source` of each, with its `key`: equal keys mean equal audits; ordered by path;
        unchanged: paths of files whose key is the known one;
        skipped: each {path, reason}: binary, too large, a link, unreadable, …;
        from_cache: how many audits came from the cache;
        is_truncated: whether there are more than 200,000 files;
        is_cancelled: whether it was cancelled.

    Raises:
        OSError: `root` cannot be opened, or the cache's folder cannot be made.
        ValueError: a known key is not one.
        RuntimeError: the threads cannot be started.
        Whatever a callback raises, once the audit has ended.
    """

def language_of(path: str | PathLike[str]) -> str | None:
    """Return the language that a path's ending tells, a name that `audit_source` takes; None when there is no audit."""

def outline_source(source: bytes) -> dict[str, Any]:
    """Return what a Python source defines; any bytes give an answer.

    Returns:
        is_parsed: whether it parsed; what is found in one that does not is a guess;
        symbols: names defined at the top and in classes, each {qualname, kind "function"|"class"|"variable"|
        "import", line, is_public, signature}, the signature as written with single spaces;
        tests: qualified names of test functions;
        asserts: how many `assert` statements, `self.assert…()`, `raises()` and `warns()` calls there are.
    """

class PatternSet:
    """Patterns that are looked for in one pass: the built-in ones and those given. Frozen; threads may share it."""

    def __init__(self, rules: Sequence[tuple[str, str, str, str, list[str]]] = ...) -> None:
        """Compile the rules, each (id, kind "secret"|"conflict"|"debug"|"custom", message, pattern, file endings).

        Raises:
            ValueError: a rule is no regular expression, too large, matches an empty text, or has no such kind.
        """

    def scan(self, source: bytes, path: str | PathLike[str] | None = None) -> list[dict[str, Any]]:
        """Return what is found, in order of place, at most 200: each {rule, kind, message, line, column, start, end}.

        Line and column count from 1, in bytes; start and end are the bytes meant.
        """

    def scan_paths(
        self,
        paths: Sequence[str | PathLike[str]],
        *,
        root: str | PathLike[str] | None = None,
        threads: int | None = None,
    ) -> list[list[dict[str, Any]] | None]:
        """Return `scan` of each file in the order of `paths`, without the GIL; None for one that cannot be read.

        Raises:
            OSError: `root` cannot be opened.
            RuntimeError: the threads cannot be started.
        """
