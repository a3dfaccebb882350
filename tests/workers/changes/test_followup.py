"""What an answer adds to what has landed: every kind of change, by tree."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.framework.repos import commit_beside, make_repository
from workers.changes.followup import followup_tree
from workers.changes.repository import Repository

LINES = b"".join(b"line %d\n" % number for number in range(20))
BASE = {"a.txt": LINES, "b.txt": b"b\n", "bin": b"\0one", "old.txt": LINES + b"old\n", "run.sh": b"echo\n"}
Files = Mapping[str, bytes | None]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return make_repository(tmp_path, BASE)


def news(
    repository: Repository,
    *,
    landed: Files,
    answered: Files,
    answer: Files,
    modes: Mapping[str, str] | None = None,
) -> dict[str, bytes]:
    """Return the files of the tree that follows; each side is given as what differs from the base."""
    base = repository.head()
    landing, whole = (commit_beside(repository, files, base=base) for files in (landed, answered))
    last = commit_beside(repository, answer, base=base, modes=modes)
    tree = followup_tree(repository, landed=landing, answered=whole, answer=last)
    out = repository.bare.run("ls-tree", "-r", "-z", tree).split(b"\0")
    entries = [line.decode().partition("\t") for line in out if line]
    found = {}
    for head, _, path in entries:
        mode, _, oid = head.split()
        found[path] = repository.bare.run("cat-file", "blob", oid)
        if mode != "100644":
            found[f"{path} {mode}"] = b""
    return found


def lines(**changed: str) -> bytes:
    """The lines with some of them replaced, `l3="x"` by `x`; an empty one is taken out."""
    out = LINES.decode().splitlines(keepends=True)
    for name, text in changed.items():
        out[int(name[1:])] = f"{text}\n" if text else ""
    return "".join(out).encode()


@pytest.mark.parametrize(
    ("landed", "answered", "answer", "expected"),
    [
        ({"l3": "x"}, {"l3": "x"}, {"l3": "y"}, {"l3": "y"}),
        ({"l3": "x"}, {"l3": "x", "l9": "p"}, {"l3": "x", "l9": "p", "l15": "q"}, {"l3": "x", "l15": "q"}),
        ({"l3": "x"}, {"l3": "x", "l5": "p"}, {"l3": "x", "l5": "p", "l7": "q"}, {"l3": "x", "l7": "q"}),
        ({}, {"l3": "x"}, {"l3": "y"}, {"l3": "y"}),
        ({"l3": "mine"}, {"l3": "x"}, {"l3": "x", "l8": "q"}, {"l3": "mine", "l8": "q"}),
        ({"l3": "x"}, {"l3": "x"}, {"l3": "x", "l9": ""}, {"l3": "x", "l9": ""}),
        ({"l3": "x"}, {"l3": "x", "l9": ""}, {"l3": "x", "l9": "", "l12": ""}, {"l3": "x", "l12": ""}),
        ({"l3": "x"}, {"l3": "x", "l9": "p"}, {"l3": "x"}, {"l3": "x"}),
    ],
)  # fmt: skip
def test_takes_the_lines_that_were_worked_on_since(
    repository: Repository,
    landed: dict[str, str],
    answered: dict[str, str],
    answer: dict[str, str],
    expected: dict[str, str],
) -> None:
    sides = {"landed": landed, "answered": answered, "answer": answer}
    found = news(repository, **{name: {"a.txt": lines(**side)} for name, side in sides.items()})
    assert found == BASE | {"a.txt": lines(**expected)}


def test_takes_whole_files_only_where_they_were_worked_on(repository: Repository) -> None:
    answered: Files = {
        "left.txt": b"left\n",
        "bin": b"\0two",
        "b.txt": None,
        "new.txt": b"new\n",
        "empty": b"",
    }
    answer: Files = {**answered, "more.bin": b"\0more", "new.txt": b"newer\n", "old.txt": None, "none": b""}
    found = news(repository, landed={}, answered=answered, answer=answer)
    gone = {path: data for path, data in BASE.items() if path != "old.txt"}
    assert found == gone | {"more.bin": b"\0more", "new.txt": b"newer\n", "none": b""}


def test_takes_a_mode_and_a_new_name_only_where_they_are_new(repository: Repository) -> None:
    moved: Files = {"old.txt": None, "new.txt": LINES + b"old\n"}
    found = news(repository, landed={}, answered=moved, answer={**moved, "b.txt": b"c\n"})
    assert found == BASE | {"b.txt": b"c\n"}
    found = news(
        repository, landed={}, answered={"b.txt": b"c\n"}, answer={**moved, "b.txt": b"c\n", "run.sh": b"echo\n"},
        modes={"run.sh": "100755"},
    )  # fmt: skip
    kept = {path: data for path, data in BASE.items() if path != "old.txt"}
    assert found == kept | {"new.txt": LINES + b"old\n", "run.sh 100755": b""}
