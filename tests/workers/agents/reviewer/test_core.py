from __future__ import annotations

from pathlib import Path

import pytest

from tests.framework.repos import commit_beside, make_repository
from workers.agents.reviewer.core import MAX_COMMENTS, ReviewerCore
from workers.changes.diffs import FileDiff, diff
from workers.codehealth.risk import hunk_risk

BEFORE = "def mean(items):\n    return sum(items) / len(items)\n\n\ndef first(items):\n    return items[0]\n"
AFTER = BEFORE.replace("return items[0]", "return items[1]")


@pytest.fixture
def files(tmp_path: Path) -> list[FileDiff]:
    repository = make_repository(tmp_path, {"calc.py": BEFORE.encode(), "old.txt": b"gone\n"})
    base = repository.head()
    commit = commit_beside(repository, {"calc.py": AFTER.encode(), "old.txt": None}, base=base)
    return diff(repository, base, commit)


def remark(**fields: object) -> dict[str, object]:
    return {
        "path": "calc.py",
        "line": 6,
        "quote": "return items[1]",
        "kind": "must-fix",
        "text": "first takes the second item",
    } | fields


def test_keeps_what_the_diff_bears_out(files: list[FileDiff]) -> None:
    checked = ReviewerCore().check(
        [remark(), remark(side="old", quote="return items[0]", kind="note", text="was right")], files
    )
    assert [(one.side, one.line, one.kind) for one in checked.kept] == [
        ("new", 6, "must-fix"),
        ("old", 6, "note"),
    ]
    assert checked.dropped == ()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"path": "other.py"}, "does not touch 'other.py'"),
        ({"line": 60}, "no hunk of calc.py shows line 60"),
        ({"quote": "return items[0]"}, "does not read 'return items[0]' but 'return items[1]'"),
        ({"quote": ""}, "does not read ''"),
        ({"quote": "items"}, "does not read"),  # too short a part to tell
        ({"kind": "blocker"}, "missing or unknown"),
        ({"line": "six"}, "missing or unknown"),
        ({"text": " "}, "missing or unknown"),
        ({"side": "left"}, "missing or unknown"),
    ],
)
def test_drops_what_does_not_hold_and_says_why(
    files: list[FileDiff], change: dict[str, object], reason: str
) -> None:
    checked = ReviewerCore().check([remark(**change), remark()], files)
    assert len(checked.kept) == 1
    (said,) = checked.dropped
    assert said.startswith("comment 1: ") and reason in said


def test_takes_the_same_comment_once_and_bounds_how_many(files: list[FileDiff]) -> None:
    core = ReviewerCore()
    assert len(core.check([remark(), remark()], files).kept) == 1
    many = core.check([remark(text=f"finding {n}") for n in range(MAX_COMMENTS + 3)], files)
    assert len(many.kept) == MAX_COMMENTS and len(many.dropped) == 3
    assert core.check("nonsense", files).kept == ()
    assert core.check(["nonsense"], files).dropped == ("comment 1: it is no object",)


def test_takes_a_path_as_models_write_it(files: list[FileDiff]) -> None:
    (kept,) = ReviewerCore().check([remark(path="./calc.py")], files).kept
    assert kept.path == "calc.py"


def test_shows_the_diff_with_both_numbers_and_tells_what_did_not_fit(files: list[FileDiff]) -> None:
    core = ReviewerCore()
    shown = core.show_diff(files, limit=10_000)
    assert "=== calc.py (modified, +1 −1) ===" in shown.text
    assert "    6       -    return items[0]" in shown.text
    assert "          6 +    return items[1]" in shown.text
    assert (shown.left_out, shown.total) == (0, 2)
    assert core.show_diff(files, limit=120).left_out >= 1


def test_counts_before_anybody_judges(files: list[FileDiff]) -> None:
    tests = b"def test_a():\n    assert 1\n\n\ndef test_b():\n    assert 2\n"
    risks = {
        "calc.py": hunk_risk("calc.py", BEFORE.encode(), b"def mean(items):\n    return 0\n"),
        "old.txt": hunk_risk("old.txt", b"gone\n", None),
    }
    facts = ReviewerCore().facts_of(files, risks)
    assert any("calc.py" in fact and "first" in fact for fact in facts)  # a public name is gone
    assert "No test file is changed." in facts
    risks["calc.py"] = hunk_risk("test_calc.py", tests, b"def test_a():\n    assert 1\n")
    assert any("deletes 1 test" in fact for fact in ReviewerCore().facts_of(files, risks))


def test_says_how_many_were_dropped(files: list[FileDiff]) -> None:
    core = ReviewerCore()
    checked = core.check([remark(), remark(line=99)], files)
    text = core.summary_text("It breaks first.", checked=checked, facts=["a fact"])
    assert "It breaks first." in text and "1 must-fix." in text
    assert "1 comment was dropped: not borne out by the diff." in text
    assert "Counted, not judged:\n- a fact" in text
    assert "comment 2: no hunk of calc.py shows line 99" in core.mend_text(checked)
