"""Any subset of hunks gives exactly that tree."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.framework.repos import commit_beside, commit_files, make_repository
from workers.changes.diffs import FileDiff, diff
from workers.changes.errors import HunkMismatch
from workers.changes.hunks import Choice, build_tree, hunk_key, split_hunk
from workers.changes.repository import Repository

LINES = b"".join(b"line %d\n" % number for number in range(60))


def edited(base: bytes, changes: dict[bytes, bytes]) -> bytes:
    for old, new in changes.items():
        assert base.count(old) == 1
        base = base.replace(old, new)
    return base


def choices_of(files: Sequence[FileDiff]) -> list[Choice]:
    return [Choice(hunk.key) for file in files for hunk in file.hunks]


def read(repository: Repository, tree: str, path: str) -> bytes:
    return repository.bare.run("cat-file", "blob", f"{tree}:{path}")


@pytest.fixture(scope="module")
def playground(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return make_repository(tmp_path_factory.mktemp("hunks"), {"file": LINES})


TEXT_LINES = st.lists(st.sampled_from([b"a", b"b", b"", b"  c", b"a\r", b"\xff\xfe", b"same"]), max_size=14)


@st.composite
def contents(draw: st.DrawFn) -> bytes | None:
    if draw(st.integers(0, 5)) == 0:
        return None
    data = b"\n".join(draw(TEXT_LINES))
    return data + draw(st.sampled_from([b"", b"\n", b"\0binary"]))


MODES = st.sampled_from(["100644", "100755"])
TREES = st.fixed_dictionaries(
    {name: st.tuples(contents(), MODES) for name in ("a", "b", "d/c", 'we"ird\nname')}
)


def commit_of(repository: Repository, tree: dict[str, tuple[bytes | None, str]]) -> str:
    return commit_beside(
        repository,
        {"file": None} | {path: data for path, (data, _) in tree.items()},
        modes={path: mode for path, (_, mode) in tree.items()},
    )


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(old=TREES, new=TREES, data=st.data())
def test_all_hunks_give_the_proposed_tree_and_none_the_base(
    playground: Repository,
    old: dict[str, tuple[bytes | None, str]],
    new: dict[str, tuple[bytes | None, str]],
    data: st.DataObject,
) -> None:
    base, head = commit_of(playground, old), commit_of(playground, new)
    files = diff(playground, base, head)
    choices = choices_of(files)
    assert len({choice.key for choice in choices}) == len(choices)
    assert build_tree(playground, base, files, choices) == playground.tree_of(head)
    assert build_tree(playground, base, files, []) == playground.tree_of(base)
    subset = [choice for choice in choices if data.draw(st.booleans())]
    try:
        middle = build_tree(playground, base, files, subset)
    except HunkMismatch:
        return
    rest = diff(playground, middle, head)
    assert build_tree(playground, middle, rest, choices_of(rest)) == playground.tree_of(head)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    touched=st.lists(st.integers(0, 9), unique=True, min_size=1, max_size=8),
    kinds=st.lists(st.sampled_from(["replace", "insert", "remove"]), min_size=10, max_size=10),
    chosen=st.lists(st.booleans(), min_size=10, max_size=10),
)
def test_a_subset_diffs_again_to_the_same_keys(
    playground: Repository, touched: list[int], kinds: list[str], chosen: list[bool]
) -> None:
    lines = [b"line %d\n" % number for number in range(100)]
    for place in touched:
        at = place * 10 + 5
        lines[at] = {"replace": b"new %d\n" % at, "insert": lines[at] + b"more %d\n" % at, "remove": b""}[
            kinds[place]
        ]
    base = commit_beside(playground, {"file": b"".join(b"line %d\n" % number for number in range(100))})
    files = diff(playground, base, commit_beside(playground, {"file": b"".join(lines)}))
    subset = [choice for choice, is_in in zip(choices_of(files), chosen, strict=False) if is_in]
    tree = build_tree(playground, base, files, subset)
    again = {hunk.key for file in diff(playground, base, tree) for hunk in file.hunks}
    assert again == {choice.key for choice in subset}


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(cuts=st.lists(st.integers(0, 30), max_size=6), chosen=st.lists(st.booleans(), min_size=8, max_size=8))
def test_split_hunks_together_are_the_hunk(
    playground: Repository, cuts: list[int], chosen: list[bool]
) -> None:
    base = commit_beside(playground, {"file": LINES})
    lines = LINES.splitlines(keepends=True)
    lines[20:28] = [b"A\n", b"B\n", lines[22], b"C\n", lines[24], lines[25], b"D\n"]
    files = diff(playground, base, head := commit_beside(playground, {"file": b"".join(lines)}))
    (hunk,) = files[0].hunks
    parts = split_hunk(hunk, [cut for cut in cuts if cut < len(hunk.lines)])
    assert [line for part in parts for line in part.lines] == list(hunk.lines)
    assert len({part.key for part in parts}) == len(parts)
    files = [files[0].with_hunks(parts)]
    assert build_tree(playground, base, files, choices_of(files)) == playground.tree_of(head)
    subset = [Choice(part.key) for part, is_in in zip(parts, chosen, strict=False) if is_in]
    result = read(playground, build_tree(playground, base, files, subset), "file").splitlines()
    expected = LINES.splitlines()[:17]
    for part in parts:
        side = "-" if Choice(part.key) in subset else "+"
        expected += [line.text.encode() for line in part.lines if line.kind != side]
    assert result == expected + LINES.splitlines()[31:]


def test_accepts_a_part_of_a_split_replacement(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"f": b"one\ntwo\nthree\n"})
    head = commit_beside(repository, {"f": b"one\n2\n2b\nthree\n"})
    (file,) = diff(repository, "HEAD", head)
    parts = split_hunk(file.hunks[0], [2])
    files = [file.with_hunks(parts)]
    first = build_tree(repository, "HEAD", files, [Choice(parts[0].key)])
    assert read(repository, first, "f") == b"one\n2\nthree\n"
    second = build_tree(repository, "HEAD", files, [Choice(parts[1].key)])
    assert read(repository, second, "f") == b"one\ntwo\n2b\nthree\n"


def test_takes_an_edited_hunk_as_it_was_edited(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"f": b"one\ntwo\nthree\n"})
    (file,) = diff(repository, "HEAD", commit_beside(repository, {"f": b"one\n2\nthree\n"}))
    edit = Choice(file.hunks[0].key, ["one", "zwei", "three"])
    tree = build_tree(repository, "HEAD", [file], [edit])
    assert read(repository, tree, "f") == b"one\nzwei\nthree\n"


def test_puts_carriage_returns_back_into_an_edited_hunk(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"f": b"one\r\ntwo\r\nthree"})
    (file,) = diff(repository, "HEAD", commit_beside(repository, {"f": b"one\r\n2\r\nthree"}))
    edit = Choice(file.hunks[0].key, ["one", "zwei", "drei"])
    tree = build_tree(repository, "HEAD", [file], [edit])
    assert read(repository, tree, "f") == b"one\r\nzwei\r\ndrei"


def test_keeps_a_deleted_file_when_its_deletion_is_edited_to_a_rest(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"f": b"one\ntwo\n"})
    (file,) = diff(repository, "HEAD", commit_beside(repository, {"f": None}))
    tree = build_tree(repository, "HEAD", [file], [Choice(file.hunks[0].key, ["two"])])
    assert read(repository, tree, "f") == b"two\n"
    gone = build_tree(repository, "HEAD", [file], [Choice(file.hunks[0].key)])
    assert repository.bare.run("ls-tree", gone) == b""


def test_accepts_the_edit_of_a_renamed_file_without_the_rename(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"old": LINES})
    new = edited(LINES, {b"line 7\n": b"SEVEN\n"})
    (file,) = diff(repository, "HEAD", commit_beside(repository, {"old": None, "new": new}))
    assert (file.status, [hunk.kind for hunk in file.hunks]) == ("renamed", ["rename", "text"])
    rename, text = file.hunks
    assert read(repository, build_tree(repository, "HEAD", [file], [Choice(text.key)]), "old") == new
    moved = build_tree(repository, "HEAD", [file], [Choice(rename.key)])
    assert repository.bare.text("ls-tree", "--name-only", moved) == "new"
    assert read(repository, moved, "new") == LINES


def test_refuses_unknown_and_repeated_keys_and_another_base(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"f": LINES})
    base = repository.head()
    files = diff(repository, base, commit_beside(repository, {"f": b"x\n" + LINES}))
    (choice,) = choices_of(files)
    for wrong in ([Choice("nobody")], [choice, choice]):
        with pytest.raises(HunkMismatch):
            build_tree(repository, base, files, wrong)
    moved = commit_files(repository, {"f": LINES + b"y\n"})
    with pytest.raises(HunkMismatch):
        build_tree(repository, moved, files, [choice])


def test_refuses_hunks_that_cannot_stand_together(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"name": b"a file\n"})
    files = diff(
        repository, "HEAD", commit_beside(repository, {"name": None, "name/below": b"now a folder\n"})
    )
    below = next(file for file in files if file.path == "name/below")
    with pytest.raises(HunkMismatch):
        build_tree(repository, "HEAD", files, [Choice(below.hunks[0].key)])
    assert build_tree(repository, "HEAD", files, choices_of(files))


def test_a_key_says_path_lines_and_number_and_nothing_else() -> None:
    key = hunk_key("p", ["a\n"], ["b\n"], 0)
    assert key == hunk_key("p", ["a\n"], ["b\n"], 0)
    others = [
        hunk_key("q", ["a\n"], ["b\n"], 0),
        hunk_key("p", ["a\n"], ["b"], 0),
        hunk_key("p", ["a\n", "b\n"], [], 0),
        hunk_key("p", ["a\n"], ["b\n"], 1),
        hunk_key("p", ["a\n"], ["b\n"], 0, part="x"),
    ]
    assert len({key, *others}) == 6
