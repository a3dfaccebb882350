"""What the API says about the health of code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal

from ninja import Field, Schema

from webapp.api import Body
from webapp.codehealth.figures import Entry, totals
from webapp.codehealth.models import Audit, Measurement, WorkspaceHealth
from webapp.codehealth.rules import Found
from webapp.codehealth.selectors import Hotspot
from webapp.codehealth.services.limits import MAX_COMPLEXITY
from webapp.codehealth.services.measurements import MAX_COMMITS


class MeasurementIn(Body):
    """What to measure."""

    kind: Literal["workspace", "trend"] = Field("workspace", examples=["trend"])
    commits: int = Field(50, ge=1, le=MAX_COMMITS, description="For a trend: how many of the last commits.")


class MeasurementOut(Schema):
    """A long measurement."""

    id: int = Field(examples=[7])
    kind: Literal["workspace", "trend"]
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    done: int = Field(examples=[120])
    total: int = Field(examples=[385], description="0 until it is known.")
    is_cancel_asked: bool
    note: str = Field(description="Why it failed.")
    created_at: datetime


class SummaryOut(Schema):
    """The whole workspace in a line; everything is 0 or null before the first measurement."""

    measured_at: datetime | None
    duration_ms: int | None = Field(description="Of the last measurement of the whole.", examples=[412])
    files: int = Field(examples=[385])
    lines: int = Field(examples=[51_230])
    functions: int
    complex_functions: int = Field(description="Functions whose C901 is over 15.")
    unparsed: int = Field(description="Files that do not parse.")
    maintainability: float | None = Field(
        description="Mean over the files that have one, 0–100.", examples=[71.4]
    )
    cyclomatic: int | None = Field(description="The highest of all functions.")
    cognitive: int | None = Field(description="The highest of all functions; null where it is not measured.")
    measurements: list[MeasurementOut] = Field(
        description="Measurements that somebody asked for and that have not ended."
    )


class WorstOut(Schema):
    """The worst function of a file by one figure."""

    figure: int = Field(examples=[18])
    function: str = Field(examples=["Parser.parse"])
    line: int = Field(examples=[120])


class SourceFileOut(Schema):
    """A source file."""

    path: str = Field(
        examples=["src/parser.py"], description="Bytes that are no UTF-8 stand as private characters."
    )
    language: str = Field(examples=["python"])
    lines: int
    source_lines: int
    functions: int
    complex_functions: int
    maintainability: float | None
    complexity: int = Field(description="Sum of the C901 of its functions.")
    cyclomatic: WorstOut | None
    cognitive: WorstOut | None
    errors: int = Field(description="How many places do not parse, at most 5.")


class SourceFilesPage(Schema):
    """A part of the files."""

    total: int
    files: list[SourceFileOut]
    next_offset: int | None


class FunctionFiguresOut(Schema):
    """A function with every figure that its language has; one that is not measured is null."""

    name: str
    qualname: str = Field(examples=["Parser.parse"])
    kind: str = Field(examples=["method"])
    line: int
    end_line: int
    cyclomatic: int = Field(description="ruff's C901.")
    cyclomatic_mccabe: int | None = None
    complexity_radon: int | None = None
    cognitive: int | None = None
    nesting: int | None = None
    parameters: int | None = None
    fan_out: int | None = None
    halstead_volume: float | None = None


class FaultOut(Schema):
    """Where and why a source does not parse."""

    line: int
    column: int
    message: str


class SourceFileDetail(SourceFileOut):
    """A source file with everything measured of it."""

    raw: dict[str, int] = Field(examples=[{"loc": 120, "sloc": 90, "lloc": 80}])
    halstead: dict[str, float] | None
    function_list: list[FunctionFiguresOut]
    diagnoses: list[FaultOut]


class HotspotOut(Schema):
    """A file that is complex and changes often."""

    path: str = Field(examples=["src/parser.py"])
    commits: int = Field(description="How many of the last 10,000 commits changed it.", examples=[31])
    cognitive_total: int = Field(
        description="Cognitive complexity of its functions; one inside another counts once.", examples=[84]
    )
    score: int = Field(description="commits × cognitive_total", examples=[2604])
    cyclomatic: WorstOut | None
    maintainability: float | None


class TrendPointOut(Schema):
    """The health of the whole tree of one commit."""

    commit: str = Field(examples=["9f2c3a…"])
    committed_at: datetime
    subject: str
    files: int
    lines: int
    functions: int
    complex_functions: int
    maintainability: float | None
    cyclomatic: int | None
    cognitive: int | None


class LimitsIn(Body):
    """What a workspace tolerates; null switches a limit off."""

    max_cyclomatic: int | None = Field(None, ge=1, le=MAX_COMPLEXITY, examples=[15])
    max_cognitive: int | None = Field(None, ge=1, le=MAX_COMPLEXITY, examples=[20])
    min_maintainability: float | None = Field(None, ge=0, le=100, examples=[20])
    no_worse: bool = Field(
        False,
        description="No function that is there may get more complex, no file below the limit less maintainable.",
    )
    is_required: bool = Field(
        False, description="Whether applying a change set that breaks a limit is refused (`limits_broken`)."
    )


class LimitsOut(LimitsIn):
    """What a workspace tolerates."""

    updated_at: datetime | None


class RuleIn(Body):
    """A pattern that the workspace does not want in its files."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,39}$", examples=["no-sleep"])
    pattern: str = Field(
        min_length=1,
        max_length=500,
        description="A regular expression in Rust's dialect: no look-around, no back-references.",
        examples=[r"time\\.sleep\\("],
    )
    message: str = Field(min_length=1, max_length=120, examples=["Wait for something instead"])
    kind: Literal["custom", "secret"] = Field(
        "custom", description="What a secret matches is hidden from models."
    )
    endings: list[str] = Field(
        [], max_length=20, examples=[[".py"]], description="File endings; none for all files."
    )


class RuleOut(RuleIn):
    """A rule of the workspace."""

    id: int = Field(examples=[3])


class FindingOut(Schema):
    """Something that should not stand in a file; the text itself is not told."""

    path: str = Field(examples=["config/settings.py"])
    line: int = Field(examples=[12])
    column: int
    rule: str = Field(examples=["github-token"])
    kind: Literal["secret", "conflict", "debug", "custom"]
    message: str = Field(examples=["GitHub token"])


class FindingsOut(Schema):
    """What was found, the gravest first."""

    findings: list[FindingOut]
    has_more: bool


class DeltaOut(Schema):
    """A function whose C901 a commit changed; null where it is absent."""

    name: str = Field(examples=["parse"])
    line: int
    before: int | None
    after: int | None


class AuditFileOut(Schema):
    """What a commit did to a file."""

    path: str
    maintainability_before: float | None
    maintainability_after: float | None
    worst_complexity: int | None
    worse: int
    better: int
    functions: list[DeltaOut]
    diagnoses: list[FaultOut]


class AuditRow(Schema):
    """The measured effect of one commit."""

    id: int
    commit: str
    cause: str = Field(examples=["landed"])
    files: int
    left_out: int
    worst_complexity: int | None
    mean_maintainability: float | None
    duration_ms: int
    created_at: datetime
    report: list[AuditFileOut]


class AuditPage(Schema):
    """One page of audits, newest first."""

    audits: list[AuditRow]
    next_before: int | None = Field(description="Give it as `before` for the next page; null at the end.")


def summary(health: WorkspaceHealth | None, measurements: Sequence[Measurement]) -> dict[str, Any]:
    """Return a `SummaryOut`."""
    sums = asdict(totals(health.entries.values() if health is not None else ()))
    return sums | {
        "measured_at": health.measured_at if health is not None else None,
        "duration_ms": health.duration_ms if health is not None else None,
        "measurements": measurements,
    }


def _worst(figure: int | None, name: str, line: int) -> dict[str, Any] | None:
    return None if figure is None else {"figure": figure, "function": name, "line": line}


def file(path: str, entry: Entry) -> dict[str, Any]:
    """Return a `SourceFileOut`."""
    names = (
        "language", "lines", "source_lines", "functions", "complex_functions", "maintainability", "errors",
    )  # fmt: skip
    return {name: getattr(entry, name) for name in names} | {
        "path": path,
        "complexity": entry.total,
        "cyclomatic": _worst(entry.cyclomatic, entry.cyclomatic_name, entry.cyclomatic_line),
        "cognitive": _worst(entry.cognitive, entry.cognitive_name, entry.cognitive_line),
    }


def files_page(entries: Sequence[tuple[str, Entry]], *, offset: int, limit: int) -> dict[str, Any]:
    """Return a `SourceFilesPage`."""
    end = offset + limit
    return {
        "total": len(entries),
        "files": [file(path, entry) for path, entry in entries[offset:end]],
        "next_offset": end if end < len(entries) else None,
    }


def findings(found: Sequence[Found], *, has_more: bool) -> dict[str, Any]:
    """Return a `FindingsOut`."""
    names = ("line", "column", "rule", "kind", "message")
    rows = [{"path": one.path} | {name: getattr(one.finding, name) for name in names} for one in found]
    return {"findings": rows, "has_more": has_more}


def file_detail(path: str, entry: Entry, figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return a `SourceFileDetail`."""
    return file(path, entry) | {
        "raw": figures["raw"],
        "halstead": figures["halstead"],
        "function_list": figures["functions"],
        "diagnoses": figures["errors"],
    }


def hotspot(one: Hotspot) -> dict[str, Any]:
    """Return a `HotspotOut`."""
    entry = one.entry
    return {
        "path": one.path,
        "commits": one.commits,
        "cognitive_total": entry.cognitive_total,
        "score": one.score,
        "cyclomatic": _worst(entry.cyclomatic, entry.cyclomatic_name, entry.cyclomatic_line),
        "maintainability": entry.maintainability,
    }


def audit(row: Audit) -> dict[str, Any]:
    """Return an `AuditRow`."""
    names = (
        "commit",
        "cause",
        "files",
        "worst_complexity",
        "mean_maintainability",
        "duration_ms",
        "created_at",
    )
    return {name: getattr(row, name) for name in names} | {
        "id": row.pk,
        "left_out": row.report.get("left_out", 0),
        "report": row.report.get("files", []),
    }
