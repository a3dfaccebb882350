"""The figures of a file as rows keep them: everything for the drill-down, and one short entry for the whole workspace.

This is where figures that the core learns come in: `figures_of` takes each field of `FunctionAudit` and `FileAudit` as it
stands there, so that a new one is kept, shown and answered as soon as the core gives it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path
from typing import Any, Self

from blake3 import blake3

from workers.codehealth.hotspots import complexity_of
from workers.codehealth.metrics import FileAudit, FunctionAudit, load_core
from workers.codehealth.thresholds import CYCLOMATIC_HIGH

MAX_ERRORS = 5
MAX_NAME = 200
FIGURES = (
    "cyclomatic",
    "cognitive",
    "complexity_radon",
    "nesting",
    "parameters",
    "fan_out",
    "halstead_volume",
    "cyclomatic_mccabe",
)
"""Of a function, in the order in which they are shown; one that the core does not give is left out."""


def _version() -> str:
    """Return a name of this build of the core, of the fields that we take from it, and of what an entry makes of them."""
    names = [field.name for kind in (FunctionAudit, FileAudit, Entry) for field in fields(kind)]
    digest = blake3(" ".join(names).encode())
    for binary in sorted(Path(load_core().__file__ or "").parent.glob("rust_core*.so")):
        digest.update(binary.read_bytes())
    return digest.hexdigest(length=4)


def figures_of(audit: FileAudit) -> dict[str, Any]:
    """Return all figures of a file as plain values."""
    plain = asdict(audit)
    plain.pop("path")
    plain["errors"] = plain["errors"][:MAX_ERRORS]
    for function in plain["functions"]:
        function["qualname"] = function["qualname"][:MAX_NAME]
        function["name"] = function["name"][:MAX_NAME]
        halstead = function.pop("halstead", None)
        function["halstead_volume"] = round(halstead["volume"], 1) if halstead else None
    return plain


@dataclass(frozen=True, slots=True)
class Entry:
    """One file in the health of a workspace. `key` names its content and the version of the figures.

    The worst function by each complexity stands with its name and line; `cognitive` is None where the core gives none.
    """

    key: str
    language: str
    lines: int
    source_lines: int
    functions: int
    complex_functions: int
    maintainability: float | None
    total: int
    cyclomatic: int | None
    cyclomatic_name: str
    cyclomatic_line: int
    cognitive: int | None
    cognitive_name: str
    cognitive_line: int
    errors: int
    cognitive_total: int = 0
    """Of the whole file, as hotspots count it."""

    @classmethod
    def of(cls, key: str, figures: Mapping[str, Any]) -> Self:
        """Return the entry for a file's figures."""
        functions = figures["functions"]
        cyclomatic, cognitive = worst(functions, "cyclomatic"), worst(functions, "cognitive")
        index = figures["maintainability_index"]
        return cls(
            key=key,
            language=figures["language"],
            lines=figures["raw"]["loc"],
            source_lines=figures["raw"]["sloc"],
            functions=len(functions),
            complex_functions=sum(one["cyclomatic"] > CYCLOMATIC_HIGH for one in functions),
            maintainability=None if index is None else round(index, 2),
            total=sum(one["cyclomatic"] for one in functions),
            cyclomatic=cyclomatic["cyclomatic"] if cyclomatic else None,
            cyclomatic_name=cyclomatic["qualname"] if cyclomatic else "",
            cyclomatic_line=cyclomatic["line"] if cyclomatic else 0,
            cognitive=cognitive["cognitive"] if cognitive else None,
            cognitive_name=cognitive["qualname"] if cognitive else "",
            cognitive_line=cognitive["line"] if cognitive else 0,
            errors=len(figures["errors"]),
            cognitive_total=complexity_of((one["kind"], one["cognitive"]) for one in functions),
        )

    def to_list(self) -> list[Any]:
        """Return plain values for a row."""
        return list(astuple(self))


VERSION = _version()
"""Of the figures: rows that another core wrote are measured anew."""


def worst(functions: Iterable[Mapping[str, Any]], figure: str) -> Mapping[str, Any] | None:
    """Return the function with the highest figure, the first of equals; None where none has it."""
    having = [one for one in functions if one.get(figure) is not None]
    return max(having, key=lambda one: one[figure], default=None)


@dataclass(frozen=True, slots=True)
class Totals:
    """A whole workspace in a line."""

    files: int
    lines: int
    functions: int
    complex_functions: int
    unparsed: int
    maintainability: float | None
    cyclomatic: int | None
    cognitive: int | None


def totals(entries: Iterable[Entry]) -> Totals:
    """Return the sums, means and maxima of entries; maintainability is the mean over the files that have one."""
    known = list(entries)
    indices = [one.maintainability for one in known if one.maintainability is not None]
    return Totals(
        files=len(known),
        lines=sum(one.lines for one in known),
        functions=sum(one.functions for one in known),
        complex_functions=sum(one.complex_functions for one in known),
        unparsed=sum(one.errors > 0 for one in known),
        maintainability=round(sum(indices) / len(indices), 2) if indices else None,
        cyclomatic=max((one.cyclomatic for one in known if one.cyclomatic is not None), default=None),
        cognitive=max((one.cognitive for one in known if one.cognitive is not None), default=None),
    )
