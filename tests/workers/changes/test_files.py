"""Reading never leaves the workspace, whatever stands in it and whoever changes it meanwhile."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from workers.changes.errors import FileMissing, FileTooLarge, NotAFile, PathRefused, SearchPatternInvalid
from workers.changes.files import WorkspaceFiles, version_of

RACE_S = 3.0


@pytest.fixture
def files(tmp_path: Path) -> WorkspaceFiles:
    root = tmp_path / "files"
    (root / "src/deep").mkdir(parents=True)
    (root / "src/a.py").write_bytes(b"import os\r\nvalue = 1\r\n")
    (root / "src/deep/b.txt").write_bytes("Größe: VALUE\n".encode())
    (root / "binary").write_bytes(b"\0value")
    (root / os.fsdecode(b"odd\xff\n")).write_bytes(b"value odd\n")
    (root / ".git").mkdir()
    (root / ".git/config").write_bytes(b"value secret\n")
    (tmp_path / "secret").write_bytes(b"value secret\n")
    (root / "out").symlink_to(tmp_path)
    (root / "secret").symlink_to(tmp_path / "secret")
    (root / "inner").symlink_to("src")
    os.mkfifo(root / "pipe")
    return WorkspaceFiles(root)


def test_reads_a_file_with_its_version(files: WorkspaceFiles) -> None:
    content = files.read("src/a.py")
    assert content.data == b"import os\r\nvalue = 1\r\n"
    assert content.version == version_of(content.data) == files.version("src/a.py")
    assert (content.size_bytes, content.mode) == (len(content.data), 0o644)


@pytest.mark.parametrize("path", ["secret", "out/secret", "inner/a.py", "out/files/src/a.py"])
def test_follows_no_link_not_even_inside(files: WorkspaceFiles, path: str) -> None:
    with pytest.raises(PathRefused) as caught:
        files.read(path)
    assert caught.value.facts["reason"] == "symlink"


TRAVERSALS = [
    "../secret", "src/../../secret", "/etc/passwd", "//etc/passwd", "src/./a.py", "src//a.py", "", ".", "..",
    "src/a.py/", "a\0b", ".git/config", "src/../.git/config", ".GIT/config", "git~1/config", ".git /config",
    ".g\u200cit/config", ".git::$INDEX_ALLOCATION/config", "\ud800x", "x" * 256, "/".join("x" * 20 for _ in range(250)),
]  # fmt: skip


@pytest.mark.parametrize("path", TRAVERSALS)
def test_refuses_every_traversal(files: WorkspaceFiles, path: str) -> None:
    with pytest.raises(PathRefused):
        files.read(path)


def test_names_what_is_not_a_file(files: WorkspaceFiles) -> None:
    for path in ("pipe", "src"):
        with pytest.raises(NotAFile):
            files.read(path)
    with pytest.raises(FileMissing):
        files.read("nothing")
    with pytest.raises(FileMissing):
        files.stat("src/nothing")
    with pytest.raises(NotAFile):
        files.read("src/a.py/below")
    assert files.exists("secret") and not files.exists("nothing") and not files.exists("src/a.py/x")


def test_refuses_what_is_larger_than_asked_for(files: WorkspaceFiles) -> None:
    with pytest.raises(FileTooLarge) as caught:
        files.read("src/a.py", max_bytes=3)
    assert caught.value.facts == {"path": "src/a.py", "size_bytes": 22, "limit_bytes": 3}


def test_lists_folders_first_and_never_git(files: WorkspaceFiles) -> None:
    entries = [(entry.name, entry.kind) for entry in files.list_dir()]
    assert entries == [
        ("src", "dir"), ("binary", "file"), ("inner", "symlink"), ("odd\udcff\n", "file"), ("out", "symlink"),
        ("pipe", "other"), ("secret", "symlink"),
    ]  # fmt: skip
    assert [entry.path for entry in files.list_dir("src")] == ["src/deep", "src/a.py"]
    with pytest.raises(PathRefused):
        files.list_dir("out")


def test_walks_without_entering_links(files: WorkspaceFiles) -> None:
    assert [entry.path for entry in files.walk()] == [
        "src", "src/deep", "src/deep/b.txt", "src/a.py", "binary", "inner", "odd\udcff\n", "out", "pipe", "secret",
    ]  # fmt: skip


def test_searches_text_only_inside(files: WorkspaceFiles) -> None:
    found = files.search("value")
    assert [(match.path, match.line, match.column, match.text) for match in found] == [
        ("odd\udcff\n", 1, 1, "value odd"),
        ("src/a.py", 2, 1, "value = 1"),
        ("src/deep/b.txt", 1, 8, "Größe: VALUE"),
    ]
    assert (found.ended_by, found.skipped) == ("done", 0)


def test_searches_by_case_pattern_and_glob(files: WorkspaceFiles) -> None:
    assert [match.path for match in files.search("VALUE", is_case_sensitive=True)] == ["src/deep/b.txt"]
    assert [match.path for match in files.search(r"^v\w+ =", is_regex=True)] == ["src/a.py"]
    assert [match.path for match in files.search("value", path_glob="*.txt")] == ["src/deep/b.txt"]
    assert [match.path for match in files.search("value", path_glob="src/*.*")] == ["src/a.py"]
    assert [match.path for match in files.search("value", path_glob="src/**/*.txt")] == ["src/deep/b.txt"]
    assert files.search("v.lue") == []


def test_a_search_ends_in_time_whatever_the_pattern(files: WorkspaceFiles) -> None:
    (files.root / "trap").write_bytes(b"a" * 60 + b"!\n")
    started = time.monotonic()
    found = files.search("(a+)+$", is_regex=True, timeout_s=0.7)
    assert time.monotonic() - started < 2.0
    assert found.ended_by == "time"


def test_a_search_stops_at_its_limit_and_shortens_long_lines(files: WorkspaceFiles) -> None:
    (files.root / "many").write_bytes(b"needle " + b"x" * 100_000 + b"\n" + b"needle\n" * 50)
    found = files.search("needle", limit=7)
    assert (len(found), found.ended_by) == (7, "limit")
    assert all(len(match.text) <= 400 for match in found)


def test_says_that_a_pattern_is_not_valid(files: WorkspaceFiles) -> None:
    with pytest.raises(SearchPatternInvalid):
        files.search("(", is_regex=True)


def _swap(root: str, stop: float) -> None:
    """Swap a folder for a link to the outside as fast as possible."""
    os.chdir(root)
    while time.monotonic() < stop:
        Path("way").rename("aside")
        Path("trap").rename("way")
        Path("way").rename("trap")
        Path("aside").rename("way")


def test_a_race_of_links_never_escapes(tmp_path: Path) -> None:
    root, outside = tmp_path / "files", tmp_path / "outside"
    for folder, data in ((root / "way", b"inside"), (outside, b"ESCAPED")):
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(data)
    (root / "trap").symlink_to(outside)
    files = WorkspaceFiles(root)
    stop = time.monotonic() + RACE_S
    racer = multiprocessing.get_context("fork").Process(target=_swap, args=(str(root), stop))
    racer.start()
    good = refused = 0
    while time.monotonic() < stop:
        try:
            assert files.read("way/file").data == b"inside"
            good += 1
        except (PathRefused, FileMissing):
            refused += 1
    racer.join()
    assert racer.exitcode == 0
    print(f"{good} reads inside, {refused} refused, 0 escapes in {RACE_S:.0f} s")
    assert good > 100 and refused > 100
