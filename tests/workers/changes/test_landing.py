"""Landing accepted hunks: one commit and the checkout with it, or nothing."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from tests.framework.repos import AUTHOR, commit_beside, commit_files, make_repository, write_files
from workers.changes.diffs import FileDiff, diff
from workers.changes.errors import HunkMismatch, LandingConflict, RefMoved
from workers.changes.hunks import Choice
from workers.changes.landing import PreparedLanding, execute, prepare, recover_landing, revert
from workers.changes.repository import FileStatus, Repository

LINES = b"".join(b"line %d\n" % number for number in range(60))
FILES = {"a": LINES, "b": b"b\n", "gone": b"g\n", "mode": b"m\n"}


def propose(
    repository: Repository, files: dict[str, bytes | None], **modes: str
) -> tuple[str, list[FileDiff]]:
    """Return base and diff of a change set made beside a snapshot of the workspace."""
    base = repository.snapshot(author=AUTHOR)
    return base, diff(repository, base, commit_beside(repository, files, base=base, modes=modes))


def choose(files: list[FileDiff], *paths: str) -> list[Choice]:
    return [Choice(hunk.key) for file in files for hunk in file.hunks if not paths or file.path in paths]


def make(
    repository: Repository, base: str, files: list[FileDiff], accepted: list[Choice], **options: object
) -> PreparedLanding:
    return prepare(
        repository,
        base=base,
        files=files,
        accepted=accepted,
        message="Land",
        author=AUTHOR,
        **options,  # type: ignore[arg-type]
    )


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return make_repository(tmp_path, FILES)


def test_lands_what_was_accepted_and_only_that(repository: Repository) -> None:
    changed = LINES.replace(b"line 5\n", b"FIVE\n").replace(b"line 50\n", b"FIFTY\n")
    base, files = propose(
        repository, {"a": changed, "gone": None, "new/x": b"n\n", "mode": b"m\n"}, mode="100755"
    )
    accepted = [Choice(files[0].hunks[1].key), *choose(files, "gone", "new/x", "mode")]
    head = repository.head()
    ready = make(
        repository, base, files, accepted, expected_head=head, trailers=[("Change-Set", "4"), ("Run", "7")]
    )
    assert repository.head() == head and repository.status() == []
    assert ready.paths == ("a", "gone", "mode", "new/x")
    assert PreparedLanding.from_dict(json.loads(json.dumps(ready.to_dict()))) == ready
    assert execute(repository, ready, "change set 4") == repository.head() == ready.commit
    assert repository.status() == []
    assert repository.files.read("a").data == LINES.replace(b"line 50\n", b"FIFTY\n")
    assert repository.files.read("mode").mode == 0o755
    assert not repository.files.exists("gone") and repository.files.exists("new/x")
    assert repository.bare.run("log", "-1", "--format=%B").decode().strip().endswith("Change-Set: 4\nRun: 7")
    assert recover_landing(repository, ready) == "landed"
    assert execute(repository, ready, "again") == ready.commit


def test_edits_in_other_files_survive_with_the_index(repository: Repository) -> None:
    write_files(repository, {"b": b"staged\n", "loose": b"untracked\n"})
    repository.stage(["b"])
    write_files(repository, {"b": b"staged, then edited\n", "mode": b"edited\n", "gone": None})
    base, files = propose(repository, {"a": b"top\n" + LINES, "new": b"n\n"})
    execute(repository, make(repository, base, files, choose(files)), "land")
    assert repository.status() == [
        FileStatus("b", "M", "M"), FileStatus("gone", ".", "D"), FileStatus("mode", ".", "M"),
        FileStatus("loose", ".", "?"),
    ]  # fmt: skip
    assert repository.files.read("b").data == b"staged, then edited\n"
    assert repository.git.run("cat-file", "blob", ":b") == b"staged\n"
    assert repository.read_at("HEAD", "mode") == b"m\n"


@pytest.mark.parametrize("how", ["edited", "staged", "deleted", "untracked", "staged and put back"])
def test_refuses_over_edits_that_are_not_committed(repository: Repository, how: str) -> None:
    base, files = propose(repository, {"a": b"top\n" + LINES, "new": b"n\n", "b": b"c\n"})
    ready = make(repository, base, files, choose(files))
    edits: dict[str, bytes | None] = {"a": b"mine\n"}
    if how == "deleted":
        edits = {"a": None}
    elif how == "untracked":
        edits = {"new": b"mine\n"}
    write_files(repository, edits)
    if how.startswith("staged"):
        repository.stage(["a"])
    if how == "staged and put back":
        write_files(repository, {"a": LINES})
    before = repository.status(), repository.head(), repository.index_path.read_bytes()
    with pytest.raises(LandingConflict) as caught:
        execute(repository, ready, "land")
    assert caught.value.facts["paths"] == list(edits)
    assert (repository.status(), repository.head(), repository.index_path.read_bytes()) == before
    assert repository.files.read("b").data == b"b\n"
    assert recover_landing(repository, ready) == "rolled_back"


def test_leaves_out_what_was_not_committed_in_the_base(repository: Repository) -> None:
    """The agent saw an edit that nobody committed; its own hunk lands without it, and the edit stays where it is."""
    mine = LINES.replace(b"line 5\n", b"a person's edit\n")
    write_files(repository, {"a": mine})
    base, files = propose(repository, {"a": mine + b"agent\n", "b": b"c\n"})
    ready = make(repository, base, files, choose(files))
    assert repository.read_at(ready.commit, "a") == LINES + b"agent\n"
    execute(repository, ready, "land")
    assert repository.read_at("HEAD", "a") == LINES + b"agent\n"
    assert repository.files.read("a").data == mine + b"agent\n"
    assert repository.status() == [FileStatus("a", ".", "M")]
    back = revert(repository, ready.commit, AUTHOR)
    execute(repository, back, "revert")
    assert (repository.read_at("HEAD", "a"), repository.files.read("a").data) == (LINES, mine)


def test_says_that_a_hunk_stands_on_what_is_not_committed(repository: Repository) -> None:
    write_files(repository, {"a": LINES + b"mine\n"})
    base, files = propose(repository, {"a": LINES + b"mine, mended\n"})
    with pytest.raises(LandingConflict, match="stand on edits that are not committed"):
        make(repository, base, files, choose(files))


def test_an_edit_that_touches_one_hunk_holds_all_of_them_back(repository: Repository) -> None:
    changed = LINES.replace(b"line 5\n", b"FIVE\n").replace(b"line 50\n", b"FIFTY\n")
    base, files = propose(repository, {"a": changed, "b": b"c\n"})
    ready = make(repository, base, files, choose(files))
    mine = LINES.replace(b"line 50\n", b"mine\n")
    write_files(repository, {"a": mine})
    with pytest.raises(LandingConflict) as caught:
        execute(repository, ready, "land")
    (conflict,) = caught.value.facts["conflicts"]
    assert (conflict["key"], conflict["reason"]) == (files[0].hunks[1].key, "changed")
    assert (repository.files.read("a").data, repository.files.read("b").data) == (mine, b"b\n")


def test_reanchors_when_the_branch_has_moved(repository: Repository) -> None:
    base, files = propose(repository, {"a": LINES.replace(b"line 50\n", b"FIFTY\n")})
    seen = repository.head()
    commit_files(repository, {"a": b"top\n" + LINES})
    with pytest.raises(RefMoved):
        make(repository, base, files, choose(files), expected_head=seen)
    execute(repository, make(repository, base, files, choose(files)), "land")
    assert repository.files.read("a").data == b"top\n" + LINES.replace(b"line 50\n", b"FIFTY\n")


def test_shows_a_conflict_when_the_branch_changed_the_same_lines(repository: Repository) -> None:
    base, files = propose(repository, {"a": LINES.replace(b"line 5\n", b"ours\n"), "b": b"c\n"})
    commit_files(repository, {"a": LINES.replace(b"line 5\n", b"theirs\n")})
    with pytest.raises(LandingConflict) as caught:
        make(repository, base, files, choose(files))
    assert caught.value.facts["paths"] == ["a"]
    assert caught.value.facts["conflicts"][0]["reason"] == "changed"
    assert make(repository, base, files, choose(files, "b")).paths == ("b",)


def test_refuses_a_landing_that_was_prepared_on_an_older_head(repository: Repository) -> None:
    base, files = propose(repository, {"a": b"top\n" + LINES})
    ready = make(repository, base, files, choose(files))
    commit_files(repository, {"b": b"moved\n"})
    with pytest.raises(RefMoved):
        execute(repository, ready, "land")
    assert repository.status() == [] and recover_landing(repository, ready) == "rolled_back"


def test_refuses_while_another_branch_is_checked_out(repository: Repository) -> None:
    base, files = propose(repository, {"a": b"top\n" + LINES})
    ready = make(repository, base, files, choose(files))
    repository.switch_branch("other", create=True)
    with pytest.raises(RefMoved):
        execute(repository, ready, "land")


def test_of_two_people_who_apply_at_once_one_wins_and_one_is_told(repository: Repository) -> None:
    base, files = propose(repository, {"a": b"top\n" + LINES, "b": b"c\n"})
    ready = [make(repository, base, files, choose(files, path)) for path in ("a", "b")]
    ends: list[str] = []

    def land(prepared: PreparedLanding) -> None:
        try:
            execute(repository, prepared, "land")
            ends.append("landed")
        except RefMoved:
            ends.append("moved")

    threads = [threading.Thread(target=land, args=(each,)) for each in ready]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends) == ["landed", "moved"]
    assert repository.status() == []


def test_refuses_hunks_that_nobody_proposed(repository: Repository) -> None:
    base, files = propose(repository, {"a": b"top\n" + LINES})
    with pytest.raises(HunkMismatch):
        make(repository, base, files, [Choice("0" * 32)])


def test_a_revert_is_a_commit_that_takes_it_back(repository: Repository) -> None:
    before = repository.tree_of("HEAD")
    changes = {"a": b"top\n" + LINES, "gone": None, "bin": b"\0\1"}
    base, files = propose(repository, changes, mode="100755")
    landed = execute(repository, make(repository, base, files, choose(files)), "land")
    commit_files(repository, {"b": b"later work\n"})
    undo = revert(repository, landed, AUTHOR, trailers=[("Change-Set", "4")])
    execute(repository, undo, "undo")
    assert repository.read_at("HEAD", "b") == b"later work\n"
    commit_files(repository, {"b": b"b\n"})
    assert repository.tree_of("HEAD") == before
    assert repository.log(limit=2)[1].subject == 'Revert "Land"'
    assert repository.status() == []


def test_a_revert_over_later_changes_is_a_conflict(repository: Repository) -> None:
    base, files = propose(repository, {"a": b"top\n" + LINES})
    landed = execute(repository, make(repository, base, files, choose(files)), "land")
    commit_files(repository, {"a": b"TOP\n" + LINES})
    with pytest.raises(LandingConflict):
        revert(repository, landed, AUTHOR)


def test_names_of_every_kind_land(repository: Repository) -> None:
    names = ["n\udcff\nl", "<img src=x onerror=alert(1)>", "-rf", "sp ace", ":(glob)*", "[a]*"]
    base, files = propose(repository, {name: b"x\r\n" for name in names})
    execute(repository, make(repository, base, files, choose(files)), "land")
    assert sorted(repository.files.read(name).data for name in names) == [b"x\r\n"] * len(names)
    assert repository.status() == []
