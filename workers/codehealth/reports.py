"""Audits of files as text for a terminal, as JSON, and as SARIF 2.1.0, which CI systems show beside the code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

from workers.codehealth.metrics import FileAudit, FunctionAudit, load_core

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_RULES = (
    ("complex-function", "ComplexFunction", "A function whose complexity (C901) is over the limit.", "warning"),
    ("does-not-parse", "DoesNotParse", "A file that does not parse, so that its functions are not measured.", "error"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Over:
    """A function over the limit."""

    path: str
    function: FunctionAudit


def over_limit(audits: Sequence[FileAudit], limit: int) -> list[Over]:
    """Return the functions whose complexity is over the limit, the worst first."""
    found = [Over(audit.path, one) for audit in audits for one in audit.functions if one.cyclomatic > limit]
    return sorted(found, key=lambda over: (-over.function.cyclomatic, over.path, over.function.line))


def as_json(audits: Sequence[FileAudit], limit: int) -> dict[str, Any]:
    """Return everything as plain values: all figures of all files, and what is over the limit."""
    return {
        "limit": limit,
        "files": [asdict(audit) for audit in audits],
        "over": [
            {
                "path": over.path,
                "function": over.function.qualname,
                "line": over.function.line,
                "cyclomatic": over.function.cyclomatic,
            }
            for over in over_limit(audits, limit)
        ],
    }


def as_table(audits: Sequence[FileAudit], limit: int, *, rows: int = 30) -> str:
    """Return what a person at a terminal wants to know: the functions over the limit or the worst ones, and the sums."""
    over = over_limit(audits, limit)
    shown = over or over_limit(audits, 0)[:rows]
    lines = [f"{'complexity':>10}  {'cognitive':>9}  {'radon':>5}  function"] if shown else []
    lines += [_row(one) for one in shown]
    lines += [
        f"does not parse: {audit.path}:{audit.errors[0].line}: {audit.errors[0].message}"
        for audit in audits
        if audit.errors
    ]
    return "\n".join([*lines, "", *_sums(audits, len(over), limit)])


def _row(over: Over) -> str:
    one = over.function
    cognitive, radon = (_shown(getattr(one, name, None)) for name in ("cognitive", "complexity_radon"))
    return f"{one.cyclomatic:>10}  {cognitive:>9}  {radon:>5}  {over.path}:{one.line} {one.qualname}"


def _shown(figure: int | None) -> str:
    return "–" if figure is None else str(figure)


def _sums(audits: Sequence[FileAudit], over: int, limit: int) -> Iterator[str]:
    indices = [audit.maintainability_index for audit in audits if audit.maintainability_index is not None]
    mean = f", maintainability {sum(indices) / len(indices):.1f}" if indices else ""
    functions = sum(len(audit.functions) for audit in audits)
    yield f"{len(audits)} files, {sum(audit.raw.loc for audit in audits)} lines, {functions} functions{mean}"
    yield f"{over} over {limit}"


def as_sarif(audits: Sequence[FileAudit], limit: int) -> dict[str, Any]:
    """Return a SARIF log with a result for each function over the limit and each file that does not parse."""
    rules = [
        {
            "id": rule,
            "name": name,
            "shortDescription": {"text": words},
            "defaultConfiguration": {"level": level},
        }
        for rule, name, words, level in _RULES
    ]
    driver = {"name": "PyAgent code health", "version": load_core().__version__, "rules": rules}
    results = [*_complex(audits, limit), *_unparsed(audits)]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _complex(audits: Sequence[FileAudit], limit: int) -> Iterator[dict[str, Any]]:
    for over in over_limit(audits, limit):
        one = over.function
        place = _place(over.path, {"startLine": one.line, "endLine": max(one.line, one.end_line)})
        place["logicalLocations"] = [{"fullyQualifiedName": one.qualname, "kind": "function"}]
        yield {
            "ruleId": "complex-function",
            "ruleIndex": 0,
            "level": "warning",
            "message": _message(f"{one.qualname} has complexity {one.cyclomatic}, over {limit}."),
            "locations": [place],
            "partialFingerprints": {"function/v1": f"{over.path}:{one.qualname}"},
        }


def _unparsed(audits: Sequence[FileAudit]) -> Iterator[dict[str, Any]]:
    for audit in audits:
        for error in audit.errors[:1]:
            region = {"startLine": error.line, "startColumn": max(error.column, 1)} if error.line else {}
            yield {
                "ruleId": "does-not-parse",
                "ruleIndex": 1,
                "level": "error",
                "message": _message(error.message),
                "locations": [_place(audit.path, region)],
            }


def _message(text: str) -> dict[str, str]:
    """Return a message that has no placeholders: braces are doubled, as section 3.11.5 of the standard says."""
    return {"text": text.replace("{", "{{").replace("}", "}}")}


def _place(path: str, region: dict[str, int]) -> dict[str, Any]:
    uri = quote(path.encode("utf-8", "surrogateescape"), safe="/")
    physical: dict[str, Any] = {"artifactLocation": {"uri": uri, "uriBaseId": "%SRCROOT%"}}
    if region:
        physical["region"] = region
    return {"physicalLocation": physical}
