"""The risk strip of each hunk: what the file would be with that hunk alone, measured against what it is.

Deterministic and counted; nobody's opinion. A hunk that does not even parse alone needs others of its file, and says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from webapp.reviews.characters import has_hidden_characters
from workers.changes.diffs import FileDiff, Hunk
from workers.changes.hunks import Choice, splice, split_lines
from workers.changes.objects import BlobReader
from workers.changes.repository import Repository
from workers.codehealth.metrics import audit_source
from workers.codehealth.patterns import PatternSet
from workers.codehealth.risk import Risk, hunk_risk

MAX_BYTES = 256 << 10
"""Larger files are measured as a whole, not hunk by hunk."""
MAX_HUNKS = 60
"""Of one file that are measured each for itself."""
LEVELS = ("low", "medium", "high")


def risk_strips(
    repository: Repository, base: str, commit: str, files: Sequence[FileDiff], *, patterns: PatternSet
) -> dict[str, dict[str, Any]]:
    """Return the strip of every hunk by its key; `patterns` are what must not come in."""
    strips: dict[str, dict[str, Any]] = {}
    with BlobReader(repository.bare) as blobs:
        for file in files:
            strips.update(_of_file(blobs, file, patterns))
    return strips


def _of_file(blobs: BlobReader, file: FileDiff, patterns: PatternSet) -> dict[str, dict[str, Any]]:
    is_readable = (
        not file.is_binary and not file.is_too_large and "160000" not in (file.old_mode, file.new_mode)
    )
    before = blobs.read(file.old_oid) if is_readable and file.old_oid is not None else None
    texts = [hunk for hunk in file.hunks if hunk.kind == "text"]
    after = _with(before, texts) if is_readable else None
    if not is_readable or len(before or b"") > MAX_BYTES or len(after or b"") > MAX_BYTES:
        # Nothing to measure, but the path still says something.
        whole = hunk_risk(file.path, b"", b"")
        return {hunk.key: _strip(whole, hunk) for hunk in file.hunks}
    # The deletion of a file is one that takes its tests and names with it.
    whole = hunk_risk(file.path, before, None if file.status == "deleted" else after, patterns=patterns)
    if len(texts) < 2 or len(file.hunks) > MAX_HUNKS:
        return {hunk.key: _strip(whole, hunk) for hunk in file.hunks}
    parses = not audit_source(after or b"", path=file.path).errors
    return {hunk.key: _alone(file, hunk, before, whole, parses, patterns) for hunk in file.hunks}


def _alone(
    file: FileDiff, hunk: Hunk, before: bytes | None, whole: Risk, parses: bool, patterns: PatternSet
) -> dict[str, Any]:
    if hunk.kind != "text":
        return _strip(whole, hunk)
    alone = _with(before, [hunk])
    if parses and audit_source(alone, path=file.path).errors:
        return _strip(whole, hunk, needs_others=True)
    return _strip(hunk_risk(file.path, before, alone, patterns=patterns), hunk)


def _with(before: bytes | None, hunks: Sequence[Hunk]) -> bytes:
    return splice(split_lines(before or b""), hunks, {hunk.key: Choice(hunk.key) for hunk in hunks})


def _strip(risk: Risk, hunk: Hunk, *, needs_others: bool = False) -> dict[str, Any]:
    hides = any(
        line.kind == "+" and has_hidden_characters(line.text.removesuffix("\r")) for line in hunk.lines
    )
    strip = risk.to_dict()
    strip["is_sensitive"] = strip.pop("is_sensitive_path")
    strip["needs_others"] = needs_others
    strip["hides_characters"] = hides
    if hides:
        strip["level"] = "high"
    return strip


def risk_level(strips: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the highest level of all hunks: low, medium or high."""
    return max((strip["level"] for strip in strips.values()), key=LEVELS.index, default="low")


def words(strip: Mapping[str, Any], hunk: Hunk) -> list[tuple[str, str]]:
    """Return what to say about a hunk as (class of a badge, words), the gravest first; nothing about a plain one."""
    out: list[tuple[str, str]] = []
    if any(line.kind == "+" and has_hidden_characters(line.text.removesuffix("\r")) for line in hunk.lines):
        out.append(("bad", "hides characters"))
    if not strip:
        return out
    if strip.get("needs_others"):
        out.append(("warn", "needs other hunks of this file"))
    level = {"high": "bad", "medium": "warn", "low": ""}[strip["level"]]
    for index, reason in enumerate(strip["reasons"]):
        out.append((level if index == 0 else "", reason))
    delta = strip.get("maintainability_delta")
    if (
        delta is not None
        and abs(delta) >= 0.5
        and not any("maintainability" in reason for reason in strip["reasons"])
    ):
        out.append(("good" if delta > 0 else "", f"maintainability {delta:+.1f}"))
    before, after = strip.get("complexity_before"), strip.get("complexity_after")
    if before is not None and after is not None and after < before:
        out.append(("good", f"complexity {before} → {after}"))
    before, after = strip.get("cognitive_before"), strip.get("cognitive_after")
    if before is not None and after is not None and after != before:
        out.append(("good" if after < before else "", f"cognitive {before} → {after}"))
    return out
