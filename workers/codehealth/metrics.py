"""The one door to the Rust core: figures of a source as typed values.

There is no Python fallback: a missing core is an error that says how to build it. A source in a language that
has no audit has its lines counted and `language` None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from workers.codehealth.errors import CoreMissing

_EXPECTED = ("audit_source", "audit_paths", "audit_workspace", "language_of", "outline_source", "PatternSet")


def load_core() -> ModuleType:
    """Return the Rust core.

    Raises:
        CoreMissing: it is not built, or an older build stands in its place.
    """
    try:
        import rust_core
    except ImportError as error:
        raise CoreMissing from error
    # Without the built extension, the import finds the source folder as an empty namespace package.
    if not all(hasattr(rust_core, name) for name in _EXPECTED):
        raise CoreMissing
    return rust_core


_core = load_core()


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why a source has no figures or not all; line and column count from 1, 0 means the file as a whole."""

    line: int
    column: int
    message: str


@dataclass(frozen=True, slots=True)
class Halstead:
    """Radon's Halstead figures of a file or a function, under radon's names."""

    h1: int
    h2: int
    N1: int
    N2: int
    vocabulary: int
    length: int
    calculated_length: float
    volume: float
    difficulty: float
    effort: float
    time: float
    bugs: float


@dataclass(frozen=True, slots=True)
class FunctionAudit:
    """One function or method; `line` is that of its name.

    `cyclomatic` is ruff's C901 in Python and lizard's figure elsewhere; what only Python has is None elsewhere.
    `cognitive` follows Sonar's paper, and a nested function counts in the one around it too. `nesting` says how deep
    its blocks stand one inside another, `fan_out` how many different names it calls.
    """

    name: str
    qualname: str
    kind: str
    is_async: bool
    line: int
    end_line: int
    cyclomatic: int
    cyclomatic_mccabe: int | None
    complexity_radon: int | None
    cognitive: int
    nesting: int
    parameters: int
    fan_out: int
    lines: int
    halstead: Halstead | None


@dataclass(frozen=True, slots=True)
class RawCounts:
    """Radon's raw counts: lines, logical (Python's alone) and source lines, comments, docstring lines, blanks."""

    loc: int
    lloc: int | None
    sloc: int
    comments: int
    multi: int
    blank: int
    single_comments: int


@dataclass(frozen=True, slots=True)
class FileAudit:
    """One source. Figures of the whole file are None when it does not parse or is not Python."""

    path: str
    language: str | None
    functions: tuple[FunctionAudit, ...]
    maintainability_index: float | None
    complexity_radon: int | None
    halstead: Halstead | None
    raw: RawCounts
    errors: tuple[Diagnosis, ...]

    @property
    def worst_function(self) -> FunctionAudit | None:
        """The function with the highest `cyclomatic`, the first of equals."""
        return max(self.functions, key=lambda function: function.cyclomatic, default=None)


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that has no figures, and why: binary, too large, a link, …"""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class WorkspaceAudit:
    """A tree. `keys` has one for each of `files`: equal keys mean equal audits. Everything is ordered by path."""

    files: tuple[FileAudit, ...]
    keys: dict[str, str]
    unchanged: tuple[str, ...]
    skipped: tuple[SkippedFile, ...]
    from_cache: int
    is_truncated: bool
    is_cancelled: bool


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name that a source defines at its top or in a class; `signature` is what a caller must know of it."""

    qualname: str
    kind: str
    line: int
    is_public: bool
    signature: str


@dataclass(frozen=True, slots=True)
class Outline:
    """What a Python source defines, and how much of it checks something."""

    is_parsed: bool
    symbols: tuple[Symbol, ...]
    tests: tuple[str, ...]
    asserts: int


def audit_source(source: bytes | str, *, path: str) -> FileAudit:
    """Return the figures of one source, whose path tells its language. Any bytes give an answer."""
    return _file_audit(_core.audit_source(source, path=path), path)


def audit_paths(
    paths: Iterable[Path | str],
    *,
    root: Path | None = None,
    threads: int | None = None,
    cache: Path | None = None,
) -> list[FileAudit]:
    """Return the figures of files in the order of `paths`; the work runs in parallel, without the GIL.

    Given `root`, the paths are relative to it, and none leaves it or follows a symbolic link. A file that
    cannot be read has a diagnosis. `cache` is a folder that keeps audits by content; processes may share it.

    Raises:
        OSError: `root` cannot be opened, or the cache's folder cannot be made.
    """
    names = [str(path) for path in paths]
    found = _core.audit_paths(names, root=root, threads=threads, cache=cache)
    return [_file_audit(audit, name) for audit, name in zip(found, names, strict=True)]


def audit_workspace(
    root: Path,
    *,
    threads: int | None = None,
    cache: Path | None = None,
    known: Mapping[str, str] | None = None,
    progress: Callable[[int, int], object] | None = None,
    cancel: Callable[[], object] | None = None,
) -> WorkspaceAudit:
    """Return the figures of every file beneath `root` that its .gitignore files do not exclude.

    Nothing outside `root` is opened and no symbolic link followed. A file whose key is the one in `known` comes back
    in `unchanged`, without figures. `progress` is called about every 100 ms with how many files are done and of how
    many; once `cancel` returns something true, the audit ends with what is done until then.

    Raises:
        OSError: `root` cannot be opened, or the cache's folder cannot be made.
        ValueError: a known key is not one.
    """
    found = _core.audit_workspace(
        root, threads=threads, cache=cache, known=known, progress=progress, cancel=cancel
    )
    return WorkspaceAudit(
        files=tuple(_file_audit(audit, audit["path"]) for audit in found["files"]),
        keys={audit["path"]: audit["key"] for audit in found["files"]},
        unchanged=tuple(found["unchanged"]),
        skipped=tuple(SkippedFile(**file) for file in found["skipped"]),
        from_cache=found["from_cache"],
        is_truncated=found["is_truncated"],
        is_cancelled=found["is_cancelled"],
    )


def is_measured(path: str) -> bool:
    """Return whether the language of a path, by its ending, has figures of functions."""
    return _core.language_of(path) is not None


def outline_source(source: bytes) -> Outline:
    """Return the names that a Python source defines, its tests and checks. Any bytes give an answer."""
    found = _core.outline_source(source)
    return Outline(
        is_parsed=found["is_parsed"],
        symbols=tuple(Symbol(**symbol) for symbol in found["symbols"]),
        tests=tuple(found["tests"]),
        asserts=found["asserts"],
    )


def _file_audit(found: dict[str, Any], path: str) -> FileAudit:
    return FileAudit(
        path=path,
        language=found["language"],
        functions=tuple(_function_audit(function) for function in found["functions"]),
        maintainability_index=found["maintainability_index"],
        complexity_radon=found["complexity_radon"],
        halstead=Halstead(**found["halstead"]) if found["halstead"] else None,
        raw=RawCounts(**found["raw"]),
        errors=tuple(Diagnosis(**error) for error in found["errors"]),
    )


def _function_audit(found: dict[str, Any]) -> FunctionAudit:
    halstead = found["halstead"]
    return FunctionAudit(**{**found, "halstead": Halstead(**halstead) if halstead else None})
