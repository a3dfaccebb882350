"""The one door to the Rust core: figures of a source as typed values.

There is no Python fallback: a missing core is an error that says how to build it. A source in a language that
has no audit yet has its lines counted and `language` None.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from workers.codehealth.errors import CoreMissing


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
    if not all(hasattr(rust_core, name) for name in ("audit_source", "audit_paths", "outline_source")):
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
class FunctionAudit:
    """One function or method. `cyclomatic` is ruff's C901; `line` is that of its name."""

    name: str
    qualname: str
    kind: str
    is_async: bool
    line: int
    end_line: int
    cyclomatic: int
    cyclomatic_mccabe: int
    complexity_radon: int


@dataclass(frozen=True, slots=True)
class RawCounts:
    """Radon's raw counts: lines, logical and source lines, comments, docstring lines, blanks."""

    loc: int
    lloc: int
    sloc: int
    comments: int
    multi: int
    blank: int
    single_comments: int


@dataclass(frozen=True, slots=True)
class Halstead:
    """Radon's Halstead figures of a whole file, under radon's names."""

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
class FileAudit:
    """One source. Figures of the whole file are None when it does not parse or its language is unknown."""

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
    paths: Iterable[Path | str], *, root: Path | None = None, threads: int | None = None
) -> list[FileAudit]:
    """Return the figures of files in the order of `paths`; the work runs in parallel, without the GIL.

    Given `root`, the paths are relative to it, and none leaves it or follows a symbolic link. A file that
    cannot be read has a diagnosis.

    Raises:
        OSError: `root` cannot be opened.
    """
    names = [str(path) for path in paths]
    found = _core.audit_paths(names, root=root, threads=threads)
    return [_file_audit(audit, name) for audit, name in zip(found, names, strict=True)]


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
        functions=tuple(FunctionAudit(**function) for function in found["functions"]),
        maintainability_index=found["maintainability_index"],
        complexity_radon=found["complexity_radon"],
        halstead=Halstead(**found["halstead"]) if found["halstead"] else None,
        raw=RawCounts(**found["raw"]),
        errors=tuple(Diagnosis(**error) for error in found["errors"]),
    )
