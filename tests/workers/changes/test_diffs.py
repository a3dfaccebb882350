"""Diffs lose nothing, whatever the content and the names."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.framework.repos import commit_beside, make_repository
from workers.changes.diffs import FileDiff, diff, diff_hash
from workers.changes.paths import from_bytes, from_portable, to_bytes, to_portable
from workers.changes.repository import Repository

LINES = b"".join(b"  line %d\n" % number for number in range(60))


def only(repository: Repository, head: str) -> FileDiff:
    (file,) = diff(repository, "HEAD", head)
    return file


def test_shows_gits_own_hunks_with_numbers_and_header(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"f.py": b"def one():\n" + LINES})
    head = commit_beside(repository, {"f.py": b"def one():\n" + LINES.replace(b"  line 30\n", b"30\n30b\n")})
    file = only(repository, head)
    (hunk,) = file.hunks
    assert (file.status, file.added, file.deleted) == ("modified", 2, 1)
    assert (hunk.old_start, hunk.old_lines, hunk.new_start, hunk.new_lines) == (29, 7, 29, 8)
    assert hunk.header == "def one():"
    shown = [(line.kind, line.old_no, line.new_no, line.text) for line in hunk.lines]
    assert shown[2:6] == [
        (" ", 31, 31, "  line 29"),
        ("-", 32, None, "  line 30"),
        ("+", None, 32, "30"),
        ("+", None, 33, "30b"),
    ]


def test_a_key_stays_when_lines_above_move(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"f": LINES})
    one = only(repository, commit_beside(repository, {"f": LINES.replace(b"  line 30\n", b"30\n")}))
    moved = commit_beside(repository, {"f": b"above\n" * 9 + LINES})
    head = commit_beside(repository, {"f": b"above\n" * 9 + LINES.replace(b"  line 30\n", b"30\n")})
    (other,) = diff(repository, moved, head)
    assert [hunk.key for hunk in one.hunks] == [hunk.key for hunk in other.hunks]
    assert one.hunks[0].old_start != other.hunks[0].old_start


def test_equal_hunks_have_different_keys(tmp_path: Path) -> None:
    base = (b"same\n" + b"gap\n" * 20) * 3
    repository = make_repository(tmp_path, {"f": base})
    file = only(repository, commit_beside(repository, {"f": base.replace(b"same", b"other")}))
    assert [hunk.ordinal for hunk in file.hunks] == [0, 1, 2]
    assert len({hunk.key for hunk in file.hunks}) == 3


def test_keeps_carriage_returns_odd_bytes_and_missing_newlines(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"f": b"a\r\nb\xff\r\nc"})
    (hunk,) = only(repository, commit_beside(repository, {"f": b"a\r\nb\xfe\r\nc\n"})).hunks
    assert [(line.kind, line.content) for line in hunk.lines] == [
        (" ", b"a\r\n"),
        ("-", b"b\xff\r\n"),
        ("-", b"c"),
        ("+", b"b\xfe\r\n"),
        ("+", b"c\n"),
    ]


def test_content_that_looks_like_a_diff_is_content(tmp_path: Path) -> None:
    fake = b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n\\ No newline at end of file\n"
    repository = make_repository(tmp_path, {"f": b"start\n"})
    (hunk,) = only(
        repository,
        commit_beside(
            repository,
            {
                "f": b"start\n" + fake,
            },
        ),
    ).hunks
    assert b"".join(line.content for line in hunk.lines if line.kind == "+") == fake


def test_names_of_every_kind_come_through(tmp_path: Path) -> None:
    names = [
        b"sp ace",
        b"new\nline",
        b'tab\tq"uote',
        b"\xff\xfe",
        b"b/x b/y",
        b"<img src=x onerror=alert(1)>",
        b"-rf",
    ]
    repository = make_repository(tmp_path, {})
    head = commit_beside(repository, {from_bytes(name): b"x\n" for name in names})
    files = diff(repository, "HEAD", head)
    assert {to_bytes(file.path) for file in files} == set(names)
    assert all(file.hunks[0].lines[0].text == "x" for file in files)


def test_changes_without_text_are_one_hunk_each(tmp_path: Path) -> None:
    files = {"bin": b"\0one", "empty": b"", "mode": b"m\n", "link": b"text\n", "moved": LINES}
    repository = make_repository(tmp_path, files)
    head = commit_beside(
        repository,
        {
            "bin": b"\0two",
            "empty": None,
            "mode": b"m\n",
            "link": b"bin",
            "moved": None,
            "new": LINES,
            "fresh": b"",
        },
        modes={"mode": "100755", "link": "120000"},
    )
    found = {file.path: file for file in diff(repository, "HEAD", head)}
    assert {path: (file.status, [hunk.kind for hunk in file.hunks]) for path, file in found.items()} == {
        "bin": ("modified", ["whole"]),
        "empty": ("deleted", ["whole"]),
        "fresh": ("added", ["whole"]),
        "link": ("modified", ["whole"]),
        "mode": ("mode", ["mode"]),
        "new": ("renamed", ["rename"]),
    }
    assert found["bin"].is_binary and found["new"].old_path == "moved"
    assert [line.text for line in found["link"].hunks[0].lines] == ["text", "bin"]


def test_a_large_file_is_marked_and_not_read(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {})
    file = only(repository, commit_beside(repository, {"big": b"line\n" * 1_000_000}))
    assert file.is_binary and file.is_too_large
    small = only(repository, commit_beside(repository, {"bin": b"\0" * 100}))
    assert small.is_binary and not small.is_too_large


def test_attributes_of_the_repository_cannot_hide_a_change(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {".gitattributes": b"*.py -diff binary\n", "f.py": b"a\n"})
    file = only(repository, commit_beside(repository, {"f.py": b"b\n"}))
    assert not file.is_binary and file.added == 1


def test_survives_json_and_columns_without_surrogates(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"f\udcff": b"a\xff\n" + b"x" * 9000 + b"\n"})
    head = commit_beside(repository, {"f\udcff": b"a\xfe\n" + b"x" * 9000 + b"\n\0 late nul\n"})
    files = diff(repository, "HEAD", head)
    text = json.dumps([file.to_dict() for file in files], ensure_ascii=False)
    text.encode()  # no lone surrogate: PostgreSQL and browsers refuse them
    assert "\\u0000" not in text
    assert [FileDiff.from_dict(raw) for raw in json.loads(text)] == files


def test_the_hash_binds_base_and_everything_shown(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, {"f": LINES})
    base = repository.head()
    files = diff(repository, base, commit_beside(repository, {"f": b"x\n" + LINES}))
    other = diff(repository, base, commit_beside(repository, {"f": b"y\n" + LINES}))
    again = [FileDiff.from_dict(file.to_dict()) for file in files]
    assert diff_hash(base, files) == diff_hash(base, again)
    assert (
        len({diff_hash(base, files), diff_hash("0" * 40, files), diff_hash(base, other), diff_hash(base, [])})
        == 4
    )


@given(st.text(st.characters(codec="utf-8") | st.characters(min_codepoint=0x10FE00, max_codepoint=0x10FEFF)))
def test_portable_text_comes_back(text: str) -> None:
    assert from_portable(to_portable(text)) == text


@given(st.binary())
def test_portable_bytes_come_back_and_are_valid_text(data: bytes) -> None:
    portable = to_portable(from_bytes(data))
    portable.encode()
    assert "\0" not in portable
    assert to_bytes(from_portable(portable)) == data
