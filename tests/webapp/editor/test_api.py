"""Files and git over REST, on a real repository."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from tests.framework.git_server import serve_git
from tests.framework.people import Company
from tests.framework.repos import commit_beside, make_repository
from webapp.workspaces.repositories import repository_of, root_of
from workers.changes import cloning
from workers.changes.remotes import check_remote


class Door:
    """The API as one person sees it."""

    def __init__(self, company: Company, person: Any) -> None:
        self.base = f"/api/v1/workspaces/{company.workspace.pk}"
        self.client: Client = company.client(person)

    def get(self, path: str, /, **query: Any) -> Any:
        return self.client.get(f"{self.base}/{path}", query)

    def send(self, method: str, path: str, body: Any = None, /, **query: Any) -> Any:
        text = json.dumps(body) if body is not None else ""
        url = f"{self.base}/{path}" + ("?" + "&".join(f"{k}={v}" for k, v in query.items()) if query else "")
        return self.client.generic(method, url, text, content_type="application/json")

    def save(self, path: str, text: str, /, expected: str | None = None, **more: Any) -> Any:
        return self.send("PUT", "file", {"path": path, "text": text, "expected": expected} | more)


@pytest.fixture
def door(company: Company) -> Door:
    return Door(company, company.member)


def test_saves_reads_and_audits_a_file(door: Door) -> None:
    saved = door.save("src/a.py", "def f(x):\n    if x:\n        return 1\n    return 2\n").json()
    assert saved["audit"]["functions"][0]["cyclomatic"] == 2
    file = door.get("file", path="src/a.py").json()
    assert file["version"] == saved["version"]
    assert [one["name"] for one in door.get("files").json()] == ["src"]


def test_never_loses_a_newer_version(door: Door) -> None:
    first = door.save("a.txt", "one\n").json()["version"]
    assert door.save("a.txt", "two\n", expected=first).status_code == 200
    late = door.save("a.txt", "three\n", expected=first)
    assert late.status_code == 409
    assert late.json()["error"]["code"] == "version_conflict"
    assert door.get("file", path="a.txt").json()["text"] == "two\n"
    assert door.save("a.txt", "new\n").status_code == 409, "a new file does not overwrite an old one"


def test_keeps_line_ends_encoding_and_every_byte(door: Door, company: Company) -> None:
    files = root_of(company.workspace.pk) / "files"
    for name, data in {
        "crlf.txt": b"a\r\nb\r\n",
        "latin.txt": b"caf\xe9\n",
        "bom.txt": b"\xef\xbb\xbfx\n",
        "mixed.txt": b"a\r\nb\n",
    }.items():
        (files / name).write_bytes(data)
        file = door.get("file", path=name).json()
        text = file["text"]
        saved = door.save(name, text, expected=file["version"], encoding=file["encoding"])
        assert saved.status_code == 200
        assert (files / name).read_bytes() == data


@pytest.mark.parametrize("name", [b"caf\xe9-\xff.py", "naïve-é.py".encode(), b"<img onerror=alert(1)>\n.py"])
def test_edits_files_whose_names_are_not_utf_8(door: Door, company: Company, name: bytes) -> None:
    folder, fs_name = root_of(company.workspace.pk) / "files", os.fsdecode(name)
    (folder / fs_name).write_bytes(b"x = 1\n")
    (entry,) = door.get("files").json()
    path, moved = entry["path"], "below/" + entry["path"]
    version = door.get("file", path=path).json()["version"]
    saved = door.save(path, "x = 22\n", expected=version)
    assert (saved.status_code, saved.json()["size_bytes"]) == (200, 7)
    late = door.save(path, "x = 3\n", expected=version)
    assert (late.status_code, late.json()["error"]["facts"]["path"]) == (409, path)
    assert door.send("POST", "git/stage", {"paths": [path]}).status_code == 204
    assert door.send("POST", "git/unstage", {"paths": [path]}).status_code == 204
    assert door.send("POST", "files/move", {"source": path, "target": moved}).status_code == 204
    assert (folder / "below" / fs_name).read_bytes() == b"x = 22\n"
    gone = door.get("file", path=path)
    assert (gone.status_code, gone.json()["error"]["facts"]["path"]) == (404, path)
    assert door.send("DELETE", "file", path=quote(moved)).status_code == 204
    assert not (folder / "below" / fs_name).exists()


def test_says_when_a_file_is_no_text(door: Door, company: Company) -> None:
    (root_of(company.workspace.pk) / "files" / "x.bin").write_bytes(b"\0\1\2")
    file = door.get("file", path="x.bin").json()
    assert file["text"] is None
    assert "binary" in file["why_not"]


@pytest.mark.parametrize(
    "path", ["../outside", "/etc/passwd", "a/../../b", ".git/config", "link/passwd", "a\u0000b"]
)
def test_refuses_to_leave_the_tree(door: Door, company: Company, path: str) -> None:
    link = root_of(company.workspace.pk) / "files" / "link"
    if not link.is_symlink():
        link.symlink_to("/etc")
    assert door.get("file", path=path).status_code in (404, 422)
    assert door.save(path, "x").status_code in (409, 422)


def test_moves_and_deletes(door: Door) -> None:
    door.save("a/b.txt", "x\n")
    assert door.send("POST", "files/move", {"source": "a/b.txt", "target": "c/d.txt"}).status_code == 204
    assert door.get("file", path="a/b.txt").status_code == 404
    assert door.send("DELETE", "file", path="c").status_code == 204
    assert door.get("file", path="c/d.txt").status_code == 404


def test_searches_text_and_patterns(door: Door) -> None:
    door.save("a.py", "needle = 1\nhay\nNeedle\n")
    found = door.get("files/search", q="needle").json()
    assert [(one["path"], one["line"]) for one in found["matches"]] == [("a.py", 1), ("a.py", 3)]
    assert (
        len(door.get("files/search", q="^need", is_regex="true", is_case_sensitive="true").json()["matches"])
        == 1
    )
    assert door.get("files/search", q="(", is_regex="true").status_code == 422


def test_a_search_says_what_it_left_out(door: Door, company: Company) -> None:
    files = root_of(company.workspace.pk) / "files"
    (files / "small.txt").write_text("a needle\n")
    (files / "large.txt").write_text("a needle in the hay\n" * 500_000)
    (files / "large.bin").write_bytes(b"\0needle" * 2_000_000)
    found = door.get("files/search", q="needle").json()
    assert [one["path"] for one in found["matches"]] == ["small.txt"]
    assert (found["is_complete"], found["skipped"]) == (True, 1)


def test_saves_nothing_that_it_could_not_open_again(door: Door) -> None:
    largest = "é" * (1024 * 1024)
    version = door.save("large.txt", largest).json()["version"]
    assert door.get("file", path="large.txt").json()["text"] == largest
    assert door.save("large.txt", largest + "é", expected=version).status_code == 413
    assert door.get("file", path="large.txt").json()["version"] == version


def test_stages_commits_and_shows_history(door: Door, company: Company) -> None:
    door.save("a.txt", "one\n")
    assert door.get("git").json()["status"] == [{"path": "a.txt", "index": ".", "worktree": "?"}]
    assert door.send("POST", "git/commit", {"message": "early"}).status_code == 409, "nothing is staged yet"
    door.send("POST", "git/stage", {"paths": ["a.txt"]})
    made = door.send("POST", "git/commit", {"message": "Add a."})
    assert made.status_code == 201
    log = door.get("git/log", path="a.txt").json()
    assert [one["subject"] for one in log] == ["Add a."]
    assert log[0]["author"] == "Mia"
    assert door.get("git/file", commit=log[0]["sha"], path="a.txt").json()["text"] == "one\n"
    assert door.get("git").json()["status"] == []
    assert repository_of(company.workspace).head() == log[0]["sha"]


def test_switches_branches(door: Door) -> None:
    door.save("a.txt", "one\n")
    assert door.send("POST", "git/switch", {"branch": "topic", "is_new": True}).status_code == 204
    assert door.get("git").json()["branch"] == "topic"
    assert door.send("POST", "git/switch", {"branch": "absent"}).status_code in (404, 422)


def test_downloads_an_archive(door: Door) -> None:
    reply = door.get("git/archive", kind="tar.gz")
    assert reply.status_code == 200
    assert reply["Content-Disposition"].endswith('.tar.gz"')


def test_stores_a_remote_without_ever_giving_its_token_back(company: Company) -> None:
    door = Door(company, company.maintainer)
    body = {
        "name": "origin",
        "url": "https://example.org/x.git",
        "username": "ada",
        "token": "very-secret-token",
    }
    assert door.send("PUT", "git/remotes", body).status_code == 200
    told = door.get("git/remotes")
    assert told.json() == [
        {"name": "origin", "url": "https://example.org/x.git", "username": "ada", "has_token": True}
    ]
    assert "very-secret-token" not in told.content.decode()
    assert Door(company, company.member).send("PUT", "git/remotes", body).status_code == 403
    assert Door(company, company.member).send("DELETE", "git/remotes/origin").status_code == 403
    assert len(door.get("git/remotes").json()) == 1


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "file", {"path": "x", "text": "y"}),
        ("POST", "files/move", {"source": "x", "target": "y"}),
        ("POST", "files/folder", {"path": "x"}),
        ("POST", "git/stage", {"paths": ["x"]}),
        ("POST", "git/commit", {"message": "x"}),
        ("POST", "git/switch", {"branch": "x"}),
        ("POST", "git/fetch", {}),
        ("POST", "git/fast-forward", None),
        ("POST", "git/push", {}),
    ],
)
def test_writes_are_for_members_only(
    company: Company, method: str, path: str, body: dict[str, Any] | None
) -> None:
    assert Door(company, company.viewer).send(method, path, body).status_code == 403
    assert Door(company, company.stranger).send(method, path, body).status_code == 404
    assert Door(company, None).send(method, path, body).status_code in (401, 403)


def test_a_credential_stays_with_the_address_that_it_was_stored_for(company: Company) -> None:
    door = Door(company, company.owner)

    def store(**fields: Any) -> Any:
        return door.send(
            "PUT", "git/remotes", {"name": "origin", "url": "https://example.org/x.git"} | fields
        )

    assert store(token="hunter2").json()["has_token"]
    assert store(username="ada").json()["has_token"], "the address is the same: the credential stays"
    moved = store(url="https://evil.example.net/x.git")
    assert moved.status_code == 200
    assert not moved.json()["has_token"], "nobody has it sent to an address of their own"


def test_brings_in_what_was_fetched(door: Door, company: Company) -> None:
    repository = repository_of(company.workspace)
    assert door.send("POST", "git/fast-forward").status_code == 409, "nothing was fetched"
    theirs = commit_beside(repository, {"theirs.txt": b"x\n"})
    repository.update_ref("refs/remotes/origin/main", theirs, None)
    repository.update_ref("refs/remotes/origin/topic", theirs, None)
    seen = door.get("git").json()
    assert seen["fetched"] == [{"remote": "origin", "branch": "topic"}]
    assert seen["upstream"] == [{"remote": "origin", "behind": 1, "ahead": 0}]
    door.save("theirs.txt", "mine, not committed\n")
    assert door.send("POST", "git/fast-forward").status_code == 409
    assert door.get("file", path="theirs.txt").json()["text"] == "mine, not committed\n"
    door.send("DELETE", "file", path="theirs.txt")
    assert door.send("POST", "git/fast-forward").json() == {"commit": theirs}
    assert door.get("file", path="theirs.txt").json()["text"] == "x\n"
    assert door.get("git").json()["upstream"] == [{"remote": "origin", "behind": 0, "ahead": 0}]

    door.save("ours.txt", "y\n")
    door.send("POST", "git/stage", {"paths": ["ours.txt"]})
    ours = door.send("POST", "git/commit", {"message": "Ours"}).json()["commit"]
    repository.update_ref(
        "refs/remotes/origin/main", commit_beside(repository, {"z": b"z"}, base=theirs), theirs
    )
    refused = door.send("POST", "git/fast-forward")
    facts = {"ahead": 1, "behind": 1, "remote": "origin"}
    assert (refused.status_code, refused.json()["error"]["facts"]) == (409, facts)
    assert door.get("git").json()["head"] == ours

    assert door.send("POST", "git/switch", {"branch": "topic"}).status_code == 204
    on_topic = door.get("git").json()
    assert (on_topic["branch"], on_topic["head"], on_topic["fetched"]) == ("topic", theirs, [])


def test_tells_remotes_with_branches_of_one_name_apart(door: Door, company: Company) -> None:
    repository = repository_of(company.workspace)
    base = repository.head()
    near, far = (commit_beside(repository, {"x.txt": text}, base=base) for text in (b"near\n", b"far\n"))
    for remote, tip in (("origin", near), ("far", far)):
        for name in ("main", "topic"):
            repository.update_ref(f"refs/remotes/{remote}/{name}", tip, None)
    seen = door.get("git").json()
    assert seen["fetched"] == [{"remote": each, "branch": "topic"} for each in ("far", "origin")]
    assert [(each["remote"], each["behind"]) for each in seen["upstream"]] == [("far", 1), ("origin", 1)]

    unclear = door.send("POST", "git/switch", {"branch": "topic"})
    assert (unclear.status_code, unclear.json()["error"]["code"]) == (409, "branch_ambiguous")
    assert unclear.json()["error"]["facts"]["remotes"] == ["far", "origin"]
    assert door.send("POST", "git/switch", {"branch": "topic", "remote": "none"}).status_code == 404
    unclear = door.send("POST", "git/fast-forward")
    assert (unclear.status_code, unclear.json()["error"]["facts"]) == (409, {"remotes": ["far", "origin"]})
    assert door.send("POST", "git/fast-forward", {"remote": "none"}).status_code == 409
    assert door.get("git").json()["branch"] == "main" and repository.head() == base

    assert door.send("POST", "git/fast-forward", {"remote": "far"}).json() == {"commit": far}
    upstream = {
        each["remote"]: (each["behind"], each["ahead"]) for each in door.get("git").json()["upstream"]
    }
    assert upstream == {"far": (0, 0), "origin": (1, 1)}
    assert door.send("POST", "git/switch", {"branch": "topic", "remote": "origin"}).status_code == 204
    assert repository.head() == near


def test_fetches_each_remote_below_its_own_name_and_pushes_to_the_one_that_is_named(
    company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = Door(company, company.owner)
    repository = repository_of(company.workspace)
    old = commit_beside(repository, {"old.txt": b"old\n"})
    repository.update_ref(
        "refs/remotes/origin/left-by-far", old, None
    )  # as it was when all remotes shared a place
    far = make_repository(tmp_path, {"far.txt": b"far\n"}, name="far")
    subprocess.run(["git", "-C", far.git_dir, "config", "http.receivepack", "true"], check=True)
    with serve_git(tmp_path, far.root) as server:
        monkeypatch.setattr(
            cloning,
            "check_remote",
            lambda source: check_remote(replace(source, allow_private=True, ca_file=server.certificate)),
        )
        url = server.url("repo.git")
        assert door.send("PUT", "git/remotes", {"name": "far", "url": url}).status_code == 200
        assert door.send("POST", "git/fetch", {"remote": "far"}).status_code == 204
        seen = door.get("git").json()
        assert [(each["remote"], each["ahead"] > 0) for each in seen["upstream"]] == [("far", True)]
        assert seen["fetched"] == [{"remote": "origin", "branch": "left-by-far"}]
        assert repository.ref("refs/remotes/origin/left-by-far") == old
        door.send("POST", "git/switch", {"branch": "mine", "is_new": True})
        assert door.send("POST", "git/push", {"remote": "far"}).status_code == 204
    assert far.ref("refs/heads/mine") == repository.head()
    assert door.get("git").json()["upstream"] == [{"remote": "far", "behind": 0, "ahead": 0}]
    assert door.send("DELETE", "git/remotes/far").status_code == 204
    assert door.send("DELETE", "git/remotes/far").status_code == 404
    left = door.get("git").json()
    assert (left["remotes"], left["upstream"], left["branch"]) == ([], [], "mine")
    assert left["fetched"] == [{"remote": "origin", "branch": "left-by-far"}]


def test_a_remote_that_cannot_be_reached_is_no_error_of_ours(company: Company) -> None:
    door = Door(company, company.owner)
    for url, expected in (("https://127.0.0.1/x.git", 422), ("https://no-such-host.invalid/x.git", 422)):
        assert door.send("PUT", "git/remotes", {"name": "far", "url": url}).status_code == 200
        assert door.send("POST", "git/fetch", {"remote": "far"}).status_code == expected
        assert door.send("POST", "git/push", {"remote": "far"}).status_code == expected
