"""Clone, fetch and push against a real git server over https; no address inside the house is ever reached."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.framework.git_server import GitServer, serve_git
from tests.framework.repos import commit_files, make_repository
from workers.changes import remotes
from workers.changes.errors import (
    BranchAmbiguous,
    GitFailed,
    GitTimeout,
    PushRejected,
    RemoteAuthFailed,
    RemoteRefused,
    RemoteTooLarge,
    RemoteUnavailable,
    UnknownRevision,
    WorkspaceBusy,
)
from workers.changes.remotes import Credential, Progress, ProgressReader, Source, check_remote, is_public
from workers.changes.repository import Repository


@pytest.fixture
def origin(tmp_path: Path) -> Repository:
    repository = make_repository(tmp_path, {"a": b"a\r\n", "d/x": b"x\n"}, name="origin")
    repository.switch_branch("develop", create=True)
    commit_files(repository, {"link": b"l\n", "n\udcff": b"odd\n"})
    subprocess.run(["git", "-C", repository.git_dir, "config", "http.receivepack", "true"], check=True)
    return repository


@pytest.fixture
def server(tmp_path: Path, origin: Repository) -> Iterator[GitServer]:
    with serve_git(tmp_path, origin.root) as running:
        yield running


def options(server: GitServer) -> dict[str, Any]:
    return {"allow_private": True, "ca_file": server.certificate}


def test_clones_the_default_branch_with_everything(
    tmp_path: Path, server: GitServer, origin: Repository
) -> None:
    seen: list[Progress] = []
    clone = Repository.clone(
        tmp_path / "w", server.url("repo.git"), on_progress=seen.append, **options(server)
    )
    assert (clone.head(), clone.branch(), clone.status()) == (origin.head(), "develop", [])
    assert clone.files.read("n\udcff").data == b"odd\n"
    assert clone.files.read("a").data == b"a\r\n"
    assert clone.ref("refs/remotes/origin/main") == origin.ref("refs/heads/main")
    assert any(each.phase == "Receiving objects" and each.percent == 100 for each in seen)
    assert "127.0.0.1" not in (clone.git_dir / "config").read_text()


def test_clones_an_empty_repository(tmp_path: Path, server: GitServer, origin: Repository) -> None:
    subprocess.run(["git", "init", "-q", "--bare", str(origin.root / "empty.git")], check=True)
    clone = Repository.clone(tmp_path / "w", server.url("empty.git"), **options(server))
    assert (clone.files.list_dir(), clone.status(), len(clone.log(limit=3))) == ([], [], 1)


def test_fetches_fast_forwards_and_pushes(tmp_path: Path, server: GitServer, origin: Repository) -> None:
    url = server.url("repo.git")
    clone = Repository.clone(tmp_path / "w", url, **options(server))
    theirs = commit_files(origin, {"a": b"theirs\n"})
    clone.fetch(url, **options(server))
    assert clone.ref("refs/remotes/origin/develop") == theirs
    assert clone.fast_forward("refs/remotes/origin/develop") == theirs
    assert clone.files.read("a").data == b"theirs\n" and clone.status() == []
    clone.switch_branch("feature", create=True)
    ours = commit_files(clone, {"b": b"ours\n"})
    clone.push(url, "feature", **options(server))
    assert origin.ref("refs/heads/feature") == ours


def test_remotes_with_branches_of_one_name_keep_apart(
    tmp_path: Path, server: GitServer, origin: Repository
) -> None:
    url = server.url("repo.git")
    near = origin.ref("refs/heads/main")
    clone = Repository.clone(tmp_path / "w", url, **options(server))
    other = make_repository(tmp_path, {"far": b"far\n"}, name="other")
    far = other.head()
    other.switch_branch("gone", create=True)
    with serve_git(tmp_path / "other", other.root) as second:
        trusted = {"allow_private": True, "ca_file": second.certificate}
        clone.fetch(second.url("repo.git"), remote="far", **trusted)
        clone.fetch(url, **options(server))
        assert (clone.ref("refs/remotes/origin/main"), clone.ref("refs/remotes/far/main")) == (near, far)
        assert [(each.remote, each.name) for each in clone.fetched_branches()] == [
            ("far", "gone"), ("far", "main"), ("origin", "develop"), ("origin", "main")
        ]  # fmt: skip
        other.bare.run("symbolic-ref", "HEAD", "refs/heads/main")
        other.bare.run("update-ref", "-d", "refs/heads/gone")
        clone.fetch(second.url("repo.git"), remote="far", **trusted)
    assert not clone.ref("refs/remotes/far/gone") and clone.ref("refs/remotes/origin/develop")
    with pytest.raises(BranchAmbiguous):
        clone.switch_branch("main")
    assert clone.branch() == "develop" and not clone.ref("refs/heads/main")
    clone.switch_branch("main", remote="far")
    assert clone.head() == far


def test_no_remote_takes_another_ones_tags_away(
    tmp_path: Path, server: GitServer, origin: Repository
) -> None:
    near = origin.head()
    origin.update_ref("refs/tags/v1", near, None)
    url = server.url("repo.git")
    clone = Repository.clone(tmp_path / "w", url, **options(server))
    other = make_repository(tmp_path, {"far": b"far\n"}, name="other")
    for tag in ("v1", "v2"):
        other.update_ref(f"refs/tags/{tag}", other.head(), None)
    with serve_git(tmp_path / "other", other.root) as second:
        trusted = {"allow_private": True, "ca_file": second.certificate}
        clone.fetch(second.url("repo.git"), remote="far", **trusted)
    clone.fetch(url, **options(server))
    assert (clone.ref("refs/tags/v1"), clone.ref("refs/tags/v2")) == (near, other.head())


def test_what_was_pushed_counts_as_fetched(tmp_path: Path, server: GitServer, origin: Repository) -> None:
    url = server.url("repo.git")
    clone = Repository.clone(tmp_path / "w", url, **options(server))
    origin.bare.run("update-ref", "refs/heads/a", "HEAD")
    clone.fetch(url, **options(server))
    ours = commit_files(clone, {"b": b"ours\n"})
    clone.push(url, "develop", remote="origin", **options(server))
    clone.push(url, "develop", remote="origin", **options(server))
    assert clone.distance("refs/remotes/origin/develop") == (0, 0)
    origin.bare.run("update-ref", "-d", "refs/heads/a")
    clone.switch_branch("a/b", create=True)
    clone.push(url, "a/b", remote="origin", **options(server))
    assert origin.ref("refs/heads/a/b") == ours, "though a branch that is gone there stands in the way here"
    with pytest.raises(UnknownRevision):
        clone.push(url, "absent", remote="origin", **options(server))
    for name in ("", "../x", "a/b", ".x", "x.lock"):
        with pytest.raises(UnknownRevision):
            clone.fetch(url, remote=name, **options(server))


def test_a_push_that_would_lose_commits_is_rejected(
    tmp_path: Path, server: GitServer, origin: Repository
) -> None:
    url = server.url("repo.git")
    clone = Repository.clone(tmp_path / "w", url, **options(server))
    commit_files(clone, {"a": b"ours\n"})
    theirs = commit_files(origin, {"a": b"theirs\n"})
    with pytest.raises(PushRejected, match="has commits that this one lacks"):
        clone.push(url, "develop", **options(server))
    assert origin.ref("refs/heads/develop") == theirs
    clone.fetch(url, **options(server))
    with pytest.raises(GitFailed):
        clone.fast_forward("refs/remotes/origin/develop")
    assert clone.files.read("a").data == b"ours\n"


def test_asks_for_a_credential_and_never_shows_it(
    tmp_path: Path, server: GitServer, origin: Repository
) -> None:
    server.username, server.password = "ann", "canary-7f3a"
    url = server.url("repo.git")
    with pytest.raises(RemoteAuthFailed):
        Repository.clone(tmp_path / "w", url, **options(server))
    wrong = Credential("ann", "wrong-canary")
    with pytest.raises(RemoteAuthFailed) as caught:
        Repository.clone(tmp_path / "w", url, credential=wrong, **options(server))
    assert "wrong-canary" not in repr(caught.value.to_dict()) + repr(wrong)
    server.delay_s = 0.3
    arguments: list[bytes] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    arguments.append(path.read_bytes())
                except OSError:
                    continue
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        clone = Repository.clone(
            tmp_path / "w", url, credential=Credential("ann", "canary-7f3a"), **options(server)
        )
    finally:
        stop.set()
        watcher.join()
    assert any(b"remote-https" in line for line in arguments)
    encoded = b"YW5uOmNhbmFyeS03ZjNh"
    assert not any(b"canary-7f3a" in line or encoded in line for line in arguments)
    for path in clone.root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert b"canary" not in path.read_bytes() and encoded not in path.read_bytes()


def test_a_redirect_is_not_followed(tmp_path: Path, server: GitServer) -> None:
    server.redirect_to = server.url("inside")
    with pytest.raises(RemoteRefused) as caught:
        Repository.clone(tmp_path / "w", server.url("repo.git"), **options(server))
    assert caught.value.facts["reason"] == "redirect"
    assert server.hits and not any(path.startswith("/inside") for path in server.hits)
    assert not (tmp_path / "w").exists()


def test_a_server_that_hangs_is_given_up_in_time(tmp_path: Path, server: GitServer) -> None:
    server.delay_s = 3
    started = time.monotonic()
    with pytest.raises(GitTimeout):
        Repository.clone(tmp_path / "w", server.url("repo.git"), timeout_s=0.8, **options(server))
    assert time.monotonic() - started < 2.5
    assert not [path for path in tmp_path.iterdir() if "w" in path.name.split(".")]


def test_one_remote_is_talked_to_at_a_time(tmp_path: Path, server: GitServer) -> None:
    clone = Repository.clone(tmp_path / "w", server.url("repo.git"), **options(server))
    server.delay_s = 6
    url = server.url("repo.git")
    first = threading.Thread(target=clone.fetch, args=(url,), kwargs={**options(server), "timeout_s": 60})
    asked = len(server.hits)
    first.start()
    while len(server.hits) == asked:
        time.sleep(0.01)
    for talk in (clone.fetch, lambda *args, **kwargs: clone.push(*args, "develop", **kwargs)):
        with pytest.raises(WorkspaceBusy, match="already"):
            talk(url, **options(server))
    server.delay_s = 0
    first.join()
    clone.fetch(url, **options(server))


def test_a_server_that_hangs_is_left_at_once_when_the_tick_raises(tmp_path: Path, server: GitServer) -> None:
    server.delay_s = 3
    started = time.monotonic()

    def tick() -> None:
        if time.monotonic() - started > 0.5:
            raise GitTimeout(command="fetch")

    with pytest.raises(GitTimeout):
        Repository.clone(tmp_path / "w", server.url("repo.git"), on_tick=tick, **options(server))
    assert time.monotonic() - started < 1.5
    assert not [path for path in tmp_path.iterdir() if "w" in path.name.split(".")]


def test_a_repository_over_the_limit_is_refused(
    tmp_path: Path, server: GitServer, origin: Repository
) -> None:
    commit_files(origin, {"large": os.urandom(3 << 20)})
    with pytest.raises(RemoteTooLarge):
        Repository.clone(tmp_path / "w", server.url("repo.git"), max_bytes=1 << 20, **options(server))
    assert not (tmp_path / "w").exists()


def test_an_unknown_certificate_is_refused(tmp_path: Path, server: GitServer) -> None:
    with pytest.raises(RemoteUnavailable):
        Repository.clone(tmp_path / "w", server.url("repo.git"), allow_private=True)


def test_a_file_is_cloned_only_when_the_operator_says_so(tmp_path: Path, origin: Repository) -> None:
    url = f"file://{origin.git_dir}"
    with pytest.raises(RemoteRefused):
        Repository.clone(tmp_path / "w", url)
    assert Repository.clone(tmp_path / "w", url, allow_file=True).head() == origin.head()


INSIDE = [
    "https://127.0.0.1/x", "https://localhost/x", "https://127.1/x", "https://2130706433/x", "https://0x7f000001/x",
    "https://0177.0.0.1/x", "https://[::1]/x", "https://[::ffff:127.0.0.1]/x", "https://[64:ff9b::7f00:1]/x",
    "https://[2002:7f00:1::]/x", "https://0.0.0.0/x", "https://[::]/x", "https://10.0.0.1/x", "https://192.168.1.1/x",
    "https://172.16.0.1/x", "https://169.254.169.254/latest", "https://[fe80::1]/x", "https://[fd00::1]/x",
    "https://100.64.0.1/x", "https://224.0.0.1/x", "https://127.0.0.1:8443/x", "https://127.0.0.1./x",
]  # fmt: skip
MALFORMED = [
    "http://example.com/x", "git://example.com/x", "ssh://git@example.com/x", "git@example.com:x", "file:///etc",
    "ext::sh -c touch% /tmp/x", "--upload-pack=touch /tmp/x", "https://", "https:///x", "", "https://user:pw@example.com/x",
    "https://example.com\n.evil/x", "https://exa mple.com/x", "https://example.com:99999/x", "/etc", "https://[::1/x",
]  # fmt: skip


@pytest.mark.parametrize("url", INSIDE + MALFORMED)
def test_refuses_addresses_inside_and_other_protocols(url: str) -> None:
    with pytest.raises(RemoteRefused):
        check_remote(Source(url))


def test_the_checked_address_is_the_one_connected_to(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that means our server when it is checked, and something else to everybody who asks later."""
    asked = []

    def answer(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(remotes.socket, "getaddrinfo", answer)
    url = f"https://localhost:{server.port}/repo.git"
    config = dict(check_remote(Source(url, allow_private=True)).config)
    assert config["http.curloptResolve"] == f"localhost:{server.port}:127.0.0.1"
    assert config["http.proxy"] == ""
    Repository.clone(tmp_path / "w", url, **options(server))
    assert asked == ["localhost", "localhost"]


def test_one_private_answer_among_public_ones_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [(socket.AF_INET, 1, 6, "", (address, 443)) for address in ("93.184.215.14", "10.0.0.7")]
    monkeypatch.setattr(remotes.socket, "getaddrinfo", lambda *_, **__: answers)
    with pytest.raises(RemoteRefused) as caught:
        check_remote(Source("https://mixed.example/x"))
    assert caught.value.facts["reason"] == "private_address"


def test_knows_public_addresses() -> None:
    assert is_public("93.184.215.14") and is_public("2606:2800:21f:cb07:6820:80da:af6b:8b2c")
    assert not is_public("2001:0:4136:e378:8000:63bf:3fff:fdd2")


def test_reads_gits_progress_in_any_pieces() -> None:
    text = (
        b"remote: Counting objects: 12, done.\nReceiving objects:  41% (410/1000), 2.50 MiB | 1 MiB/s\r"
        b"warning: something\nReceiving objects: 100% (1000/1000), done.\n"
    )
    expected = [
        Progress("Counting objects", None, None),
        Progress("Receiving objects", 41, 2621440),
        Progress("Receiving objects", 100, None),
    ]
    for size in (1, 7, len(text)):
        reader = ProgressReader()
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        assert [progress for piece in pieces for progress in reader.feed(piece)] == expected
