"""The one door to the Rust core: figures of a source as typed values.

There is no Python fallback: a missing core is an error that says how to build it. A source in a language that has no
audit yet has its lines counted and `language` None.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.codehealth.errors import CoreMissing

try:
    import rust_core
except (
    ModuleNotFoundError
) as error:  # a namespace package stands in for the folder, so the attribute is missing then
    raise CoreMissing from error


def _require_core() -> None:
    # Without the built extension, `import rust_core` finds the source folder as an empty namespace package.
    if not hasattr(rust_core, "audit_source"):
        raise CoreMissing


_require_core()


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


def audit_source(source: bytes | str, *, path: str) -> FileAudit:
    """Return the figures of one source, whose path tells its language. Any bytes give an answer."""
    return _file_audit(rust_core.audit_source(source, path=path), path)


def audit_paths(paths: Iterable[Path], *, threads: int | None = None) -> list[FileAudit]:
    """Return the figures of files in the order of `paths`; the work runs in parallel, without the GIL."""
    names = [str(path) for path in paths]
    found = rust_core.audit_paths(names, threads=threads)
    return [_file_audit(audit, name) for audit, name in zip(found, names, strict=True)]


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
