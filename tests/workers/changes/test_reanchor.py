"""Hunks find their place in a base that has moved, or are shown as conflicts."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.framework.repos import commit_beside, make_repository
from workers.changes.diffs import diff
from workers.changes.hunks import Choice, build_tree
from workers.changes.reanchor import Reanchored, reanchor
from workers.changes.repository import Repository

NUMBERED = [b"line %d\n" % number for number in range(60)]


@pytest.fixture(scope="module")
def playground(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return make_repository(tmp_path_factory.mktemp("reanchor"), {"f": b"".join(NUMBERED)})


def carry(
    repository: Repository, theirs: bytes | None, ours: bytes, *, path: str = "f"
) -> tuple[Reanchored, str]:
    """Return our change of `path` carried over to a base with their content, and that base."""
    files = diff(repository, "HEAD", commit_beside(repository, {path: ours}))
    moved = commit_beside(repository, {path: theirs})
    return reanchor(repository, files, "HEAD", moved), moved


def result(repository: Repository, moved: Reanchored, base: str, path: str = "f") -> bytes:
    choices = [Choice(hunk.key) for file in moved.files for hunk in file.hunks]
    tree = build_tree(repository, base, moved.files, choices)
    return repository.bare.run("cat-file", "blob", f"{tree}:{path}")


def changed(**lines: bytes) -> list[bytes]:
    """Return the numbered lines with some replaced: `l5=b"..."`."""
    out = list(NUMBERED)
    for name, data in lines.items():
        out[int(name[1:])] = data
    return out


def test_moves_with_the_lines_above(playground: Repository) -> None:
    ours = b"".join(changed(l30=b"ours\n"))
    moved, base = carry(playground, b"top\n" * 5 + b"".join(NUMBERED), ours)
    assert moved.conflicts == []
    (hunk,) = moved.files[0].hunks
    assert (hunk.old_start, hunk.new_start) == (33, 33)
    assert hunk.lines[0].old_no == 33
    assert result(playground, moved, base) == b"top\n" * 5 + ours


def test_takes_the_context_that_stands_there_now(playground: Repository) -> None:
    theirs = b"".join(changed(l27=b"theirs\n"))
    moved, base = carry(playground, theirs, b"".join(changed(l30=b"ours\n")))
    assert [line.text for line in moved.files[0].hunks[0].lines][:3] == ["theirs", "line 28", "line 29"]
    assert result(playground, moved, base) == b"".join(changed(l27=b"theirs\n", l30=b"ours\n"))


@pytest.mark.parametrize("place", ["l29", "l30", "l31"])
def test_conflicts_where_the_base_changed_the_same_or_the_next_line(
    playground: Repository, place: str
) -> None:
    moved, _ = carry(playground, b"".join(changed(**{place: b"theirs\n"})), b"".join(changed(l30=b"ours\n")))
    assert [conflict.reason for conflict in moved.conflicts] == ["changed"]
    assert moved.files == []


def test_keeps_what_fits_beside_a_conflict(playground: Repository) -> None:
    ours = b"".join(changed(l10=b"ours\n", l30=b"ours too\n"))
    moved, base = carry(playground, b"".join(changed(l30=b"theirs\n")), ours)
    assert len(moved.conflicts) == 1
    assert result(playground, moved, base) == b"".join(changed(l10=b"ours\n", l30=b"theirs\n"))


def test_says_that_the_change_is_there_already(playground: Repository) -> None:
    ours = b"".join(changed(l30=b"ours\n"))
    moved, _ = carry(playground, b"top\n" + ours, ours)
    assert [conflict.reason for conflict in moved.conflicts] == ["already_there"]


def test_follows_lines_that_moved_as_a_block(playground: Repository) -> None:
    theirs = b"".join(NUMBERED[20:40] + NUMBERED[:20] + NUMBERED[40:])
    moved, base = carry(playground, theirs, b"".join(changed(l10=b"ours\n")))
    assert moved.conflicts == []
    assert result(playground, moved, base) == theirs.replace(b"line 10\n", b"ours\n")


def test_conflicts_when_the_file_is_gone_or_taken(playground: Repository) -> None:
    moved, _ = carry(playground, None, b"".join(changed(l3=b"x\n")))
    assert [conflict.reason for conflict in moved.conflicts] == ["deleted"]
    moved, _ = carry(playground, b"theirs\n", b"ours\n", path="new")
    assert [conflict.reason for conflict in moved.conflicts] == ["taken"]
    moved, _ = carry(playground, b"same\n", b"same\n", path="new")
    assert [conflict.reason for conflict in moved.conflicts] == ["already_there"]


def test_a_binary_change_needs_the_very_same_base(playground: Repository) -> None:
    files = diff(playground, "HEAD", commit_beside(playground, {"f": b"\0binary"}))
    same = commit_beside(playground, {"other": b"x"})
    assert reanchor(playground, files, "HEAD", same).conflicts == []
    moved = reanchor(playground, files, "HEAD", commit_beside(playground, {"f": b"theirs\n"}))
    assert [conflict.reason for conflict in moved.conflicts] == ["changed"]


def test_an_insertion_at_either_end_meets_another_as_a_conflict(playground: Repository) -> None:
    plain = b"".join(NUMBERED)
    for theirs, ours in ((b"them\n" + plain, b"us\n" + plain), (plain + b"them\n", plain + b"us\n")):
        moved, _ = carry(playground, theirs, ours)
        assert [conflict.reason for conflict in moved.conflicts] == ["changed"]


EDITS = st.dictionaries(st.integers(0, 59), st.sampled_from(["replace", "remove", "insert"]), max_size=6)


def apply_edits(edits: dict[int, str], tag: bytes) -> bytes:
    out = []
    for at, line in enumerate(NUMBERED):
        kind = edits.get(at)
        out.append({"replace": tag + line, "insert": line + tag + line, "remove": b"", None: line}[kind])
    return b"".join(out)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(theirs=EDITS, ours=EDITS)
def test_edits_that_are_apart_always_merge(
    playground: Repository, theirs: dict[int, str], ours: dict[int, str]
) -> None:
    moved, base = carry(playground, apply_edits(theirs, b"theirs "), apply_edits(ours, b"ours "))
    is_apart = all(abs(mine - other) > 7 for mine in ours for other in theirs)
    if is_apart:
        assert moved.conflicts == []
    if not moved.conflicts:
        both = {at: kind for at, kind in theirs.items()} | ours
        if not theirs.keys() & ours.keys():
            expected = []
            for at, line in enumerate(NUMBERED):
                tag = b"ours " if at in ours else b"theirs "
                expected.append(
                    {"replace": tag + line, "insert": line + tag + line, "remove": b"", None: line}[
                        both.get(at)
                    ]
                )
            assert result(playground, moved, base) == b"".join(expected)
