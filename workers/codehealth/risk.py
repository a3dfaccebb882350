"""The risk strip of a change: deterministic facts about one file before and after it, and their sum.

Nothing here guesses: every reason names what was counted. A reviewer, not this module, decides.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from workers.codehealth.deltas import functions_by_name
from workers.codehealth.findings import Findings, Level
from workers.codehealth.metrics import FileAudit, FunctionAudit, Outline, audit_source, outline_source
from workers.codehealth.patterns import PatternSet, pattern_set
from workers.codehealth.sensitive import is_test_path, sensitive_kinds
from workers.codehealth.thresholds import figure_of


@dataclass(frozen=True, slots=True)
class Risk:
    """What a change does to one file.

    `complexity_before` and `complexity_after` are the highest `cyclomatic` among the functions that the
    change touches (None: it touches none, or the language has no audit), `cognitive_before` and `cognitive_after` the highest
    cognitive complexity (None also where the core does not give it). `maintainability_delta` is negative when
    the file gets harder to maintain (None: one side is absent or has no index). `public_names_touched` are
    qualified names that went away, came with other parameters, or are new. `reasons` are sentences for people,
    the gravest first.
    """

    complexity_before: int | None
    complexity_after: int | None
    cognitive_before: int | None
    cognitive_after: int | None
    maintainability_delta: float | None
    public_names_touched: tuple[str, ...]
    tests_deleted: int
    asserts_deleted: int
    is_sensitive_path: bool
    level: Level
    reasons: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-safe values."""
        return asdict(self) | {
            "public_names_touched": list(self.public_names_touched),
            "reasons": list(self.reasons),
        }


@dataclass(frozen=True, slots=True)
class _Side:
    """One state of the file; an absent file is like an empty one, but has no maintainability."""

    text: str
    audit: FileAudit | None
    outline: Outline | None
    test_count: int
    assert_count: int


def hunk_risk(
    path: str, before: bytes | None, after: bytes | None, *, patterns: PatternSet | None = None
) -> Risk:
    """Return the risk of changing the file at `path` from `before` to `after`.

    Args:
        path: Relative to the repository, with "/".
        before: The whole file without the change; None when the change creates it.
        after: The whole file with the change; None when the change deletes it.
        patterns: What must not come in; the built-in rules when not given.
    """
    old, new = _side(path, before), _side(path, after)
    touched = _touched(old, new)
    complexity = _highest(touched, "cyclomatic")
    cognitive = _highest(touched, "cognitive")
    names = _public_names(path, old.outline, new.outline)
    tests_deleted, asserts_deleted = _deleted_checks(old, new)
    delta = _maintainability_delta(old.audit, new.audit)
    findings = Findings()
    findings.add_path(path)
    findings.add_checks(tests_deleted, asserts_deleted)
    findings.add_patterns((patterns or pattern_set()).added(before or b"", after or b"", path=path))
    findings.add_parsing(old.audit, new.audit)
    findings.add_names(names)
    findings.add_complexity(*complexity)
    findings.add_maintainability(delta, new.audit)
    return Risk(
        complexity_before=complexity[0],
        complexity_after=complexity[1],
        cognitive_before=cognitive[0],
        cognitive_after=cognitive[1],
        maintainability_delta=None if delta is None else round(delta, 2),
        public_names_touched=tuple(name for group in names.values() for name in group),
        tests_deleted=tests_deleted,
        asserts_deleted=asserts_deleted,
        is_sensitive_path=bool(sensitive_kinds(path)),
        level=findings.level,
        reasons=findings.reasons,
    )


def _side(path: str, source: bytes | None) -> _Side:
    if source is None:
        return _Side(text="", audit=None, outline=None, test_count=0, assert_count=0)
    text = source.decode("utf-8", "replace")
    audit = audit_source(source, path=path)
    if audit.language == "python":
        outline = outline_source(source)
        return _Side(text, audit, outline, len(outline.tests), outline.asserts)
    tests = sum(len(pattern.findall(text)) for pattern in _TESTS_ELSEWHERE)
    return _Side(text, audit, None, tests, len(_ASSERT_ELSEWHERE.findall(text)))


# JavaScript's it("…") and test("…"), Rust's #[test], Go's func TestX, JUnit's @Test. Indentation crosses no line: `^\s*` looked
# at all the rest of a file of empty lines from each of them, for hours.
_TESTS_ELSEWHERE = (
    re.compile(r"^[ \t]*(?:it|test)(?:\.\w+)?\s*\(", re.MULTILINE),
    re.compile(r"^[ \t]*#\[(?:\w+::)?test\b|^func Test\w*\s*\(|^[ \t]*@Test\b", re.MULTILINE),
)
_ASSERT_ELSEWHERE = re.compile(r"\b(?:assert\w*!?|expect|t\.(?:Error|Fatal)\w*|require\.\w+)\s*\(")


# As the parser counts lines; `str.splitlines` ends one at a form feed too.
_LINE_END = re.compile(r"\r\n|\r|\n")


def _touched(old: _Side, new: _Side) -> tuple[list[FunctionAudit], list[FunctionAudit]]:
    """Return the functions that differ, came or went, as they were before and as they are after."""
    before, after = functions_by_name(old.audit), functions_by_name(new.audit)
    old_lines, new_lines = _LINE_END.split(old.text), _LINE_END.split(new.text)

    def is_touched(key: tuple[str, int]) -> bool:
        if key not in before or key not in after:
            return True
        was, now = before[key], after[key]
        return old_lines[was.line - 1 : was.end_line] != new_lines[now.line - 1 : now.end_line]

    touched = {key for key in before.keys() | after.keys() if is_touched(key)}
    return [before[key] for key in touched & before.keys()], [after[key] for key in touched & after.keys()]


def _highest(
    touched: tuple[list[FunctionAudit], list[FunctionAudit]], figure: str
) -> tuple[int | None, int | None]:
    """Return the highest of a figure before and after; None where no function has it."""
    before, after = ([figure_of(function, figure) for function in side] for side in touched)
    return (
        max((value for value in before if value is not None), default=None),
        max((value for value in after if value is not None), default=None),
    )


def _public_names(path: str, old: Outline | None, new: Outline | None) -> dict[str, tuple[str, ...]]:
    """Return qualified public names that were removed, changed and added; none of a test file."""
    is_unknown = any(outline is not None and not outline.is_parsed for outline in (old, new))
    if is_unknown or is_test_path(path):
        return {"removed": (), "changed": (), "added": ()}
    before, after = _signatures(path, old), _signatures(path, new)
    is_known = all(outline is None or outline.is_parsed for outline in (old, new))
    return {
        "removed": tuple(sorted(before.keys() - after.keys())) if is_known else (),
        "changed": tuple(
            sorted(name for name in before.keys() & after.keys() if before[name] != after[name])
        ),
        "added": tuple(sorted(after.keys() - before.keys())) if is_known else (),
    }


def _signatures(path: str, outline: Outline | None) -> dict[str, tuple[str, ...]]:
    """Return each public name with its signatures: overloads and branches give a name several."""
    # What `__init__.py` imports is what the package offers; elsewhere an import is private to the file.
    shows_imports = path.rpartition("/")[2] == "__init__.py"
    names: dict[str, tuple[str, ...]] = {}
    for symbol in outline.symbols if outline else ():
        if symbol.is_public and (symbol.kind != "import" or shows_imports):
            names[symbol.qualname] = (*names.get(symbol.qualname, ()), symbol.signature)
    return names


def _deleted_checks(old: _Side, new: _Side) -> tuple[int, int]:
    """Return how many tests and assertions are gone; none when the new source does not parse and cannot tell."""
    if new.outline is not None and not new.outline.is_parsed:
        return 0, 0
    # A rename is no deletion: names that are new stand in for names that are gone.
    return max(0, old.test_count - new.test_count), max(0, old.assert_count - new.assert_count)


def _maintainability_delta(old: FileAudit | None, new: FileAudit | None) -> float | None:
    if old is None or new is None or old.maintainability_index is None or new.maintainability_index is None:
        return None
    return new.maintainability_index - old.maintainability_index
