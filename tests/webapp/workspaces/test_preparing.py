"""How repositories come in: empty, by archive, by the operator; and what is refused leaves nothing behind."""

from __future__ import annotations

import io
import json
import os
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command

from tests.framework.git_server import serve_git
from tests.framework.people import Company
from tests.framework.repos import make_repository
from webapp.errors import Invalid
from webapp.vault import unseal
from webapp.workspaces import preparing, services
from webapp.workspaces.models import Workspace
from webapp.workspaces.repositories import root_of
from workers.changes import cloning
from workers.changes.remotes import check_remote
from workers.changes.repository import Progress


def test_a_name_is_one_line_that_every_database_keeps() -> None:
    assert services.clean_name("  two\nlines\0 ") == "two lines"
    with pytest.raises(Invalid):
        services.clean_name(" \0\n")


def zip_of(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def tar_with_link() -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        link = tarfile.TarInfo("passwd")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return data.getvalue()


def wait_until_prepared(workspace: Workspace) -> Workspace:
    deadline = time.monotonic() + 30
    while workspace.state == Workspace.State.PREPARING and time.monotonic() < deadline:
        time.sleep(0.05)
        workspace.refresh_from_db()
    return workspace


@pytest.mark.django_db(transaction=True)
def test_unpacks_an_uploaded_archive(company: Company) -> None:
    upload = SimpleUploadedFile("demo.zip", zip_of({"demo/a.py": b"print(1)\n", "demo/b/c.txt": b"hi\n"}))
    company.client(company.member).post("/new/", {"name": "Demo", "archive": upload})
    workspace = wait_until_prepared(Workspace.objects.get(name="Demo"))
    assert workspace.state == Workspace.State.READY, workspace.state_note
    assert (root_of(workspace.pk) / "files").is_dir()
    assert not list((preparing.root_of(0).parent.parent / "uploads").iterdir())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("out.zip", zip_of({"../../evil.txt": b"x"})),
        ("absolute.zip", zip_of({"/etc/evil": b"x"})),
        ("bomb.zip", zip_of({"zeros": bytes(600_000_000)})),
        ("link.tar.gz", tar_with_link()),
        ("noise.zip", b"PK\x03\x04 this is no archive"),
    ],
    ids=["out", "absolute", "bomb", "link", "noise"],
)
def test_refuses_hostile_archives_and_leaves_nothing_on_disk(
    company: Company, name: str, data: bytes
) -> None:
    company.client(company.member).post(
        "/new/", {"name": "Hostile", "archive": SimpleUploadedFile(name, data)}
    )
    workspace = wait_until_prepared(Workspace.objects.get(name="Hostile"))
    assert workspace.state == Workspace.State.FAILED
    assert workspace.state_note
    assert not root_of(workspace.pk).exists()
    assert not list((root_of(0).parent.parent / "uploads").iterdir())


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/x.git",
        "file:///etc",
        "ssh://git@example.org/x",
        "https://user:pw@example.org/x",
        "ext::sh -c id",
        "--upload-pack=touch /tmp/x",
        "https://[bad",
        "https://example.org:99999/x.git",
        "https://@example.org/x.git",
        "https://example.org/x.git?private_token=secret",
        "https://example.org/x.git#secret",
        "https://example.org/x y.git",
        "https://example.org/\x00",
        "https://example.org/\n/x.git",
        "https://example.org/" + "x" * 500,
        "https://",
    ],
)
def test_accepts_only_plain_https_addresses(url: str) -> None:
    with pytest.raises(Invalid):
        preparing.check_url(url)


@pytest.mark.django_db(transaction=True)
def test_an_archive_for_a_workspace_without_a_name_is_not_kept(company: Company, api_key) -> None:  # type: ignore[no-untyped-def]
    reply = company.client(None).post(
        "/api/v1/workspaces/upload",
        {"name": "  ", "archive": SimpleUploadedFile("a.zip", zip_of({"a": b"x"}))},
        headers=api_key(company.member, "write"),
    )
    assert reply.status_code == 422
    assert not list((root_of(0).parent.parent / "uploads").iterdir())


@pytest.mark.django_db(transaction=True)
def test_a_workspace_that_is_deleted_while_it_is_prepared_leaves_no_files(company: Company) -> None:
    source = preparing.Source()
    workspace = Workspace.objects.create(name="Gone", created_by=company.owner)
    workspace_id = workspace.pk
    workspace.delete()
    with pytest.raises(preparing.PreparationStopped):
        preparing.prepare(workspace_id, company.owner.pk, source)
    assert not root_of(workspace_id).exists()


@pytest.fixture
def hung_remote(tmp_path: Path) -> str:
    """A repository whose HEAD is a pipe that nobody writes to: git waits for it as for a server that says nothing."""
    (tmp_path / "hung.git").mkdir()
    os.mkfifo(tmp_path / "hung.git" / "HEAD")
    return f"file://{tmp_path}/hung.git"


def has_process(argument: str) -> bool:
    """Return whether a process of git is at work on `argument`."""
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = one.read_bytes()
        except OSError:
            continue
        if command.startswith(b"git") and argument.encode() in command:
            return True
    return False


def wait_for(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def private_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a repository that is given to `ada` with the token `open-sesame`."""
    with serve_git(tmp_path, make_repository(tmp_path, {"kept.txt": b"kept\n"}, name="far").root) as server:
        server.username, server.password = "ada", "open-sesame"
        monkeypatch.setattr(
            cloning,
            "check_remote",
            lambda source: check_remote(replace(source, allow_private=True, ca_file=server.certificate)),
        )
        yield server.url("repo.git")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("door", ["page", "api"])
def test_imports_a_private_repository_and_keeps_its_credential_sealed(
    company: Company, private_git: str, door: str
) -> None:
    said = {"name": "Private", "url": private_git, "username": "ada", "token": "open-sesame"}
    client = company.client(company.member)
    if door == "page":
        client.post("/new/", said)
    else:
        client.post("/api/v1/workspaces", json.dumps(said), content_type="application/json")
    workspace = wait_until_prepared(Workspace.objects.get(name="Private"))
    assert workspace.state == Workspace.State.READY, workspace.state_note
    assert (root_of(workspace.pk) / "files" / "kept.txt").read_text() == "kept\n"
    remote = workspace.remotes.get()
    assert (remote.name, remote.username, unseal(remote.sealed_token)) == ("origin", "ada", "open-sesame")
    base = f"/api/v1/workspaces/{workspace.pk}/git"
    told = client.get(f"{base}/remotes").content.decode()
    assert "open-sesame" not in told
    assert client.post(f"{base}/fetch", "{}", content_type="application/json").status_code == 204
    assert "open-sesame" not in (root_of(workspace.pk) / "repo.git" / "config").read_text()


@pytest.mark.django_db(transaction=True)
def test_says_that_a_private_repository_wants_a_credential(company: Company, private_git: str) -> None:
    client = company.client(company.member)
    client.post("/new/", {"name": "Private", "url": private_git, "token": "wrong"})
    workspace = wait_until_prepared(Workspace.objects.get(name="Private"))
    assert workspace.state == Workspace.State.FAILED
    assert "credential" in workspace.state_note
    assert "wrong" not in workspace.state_note
    reply = client.post("/new/", {"name": "Without", "token": "open-sesame"})
    assert reply.status_code == 422
    assert "belong to a git URL" in reply.content.decode()
    assert "open-sesame" not in reply.content.decode()
    assert not Workspace.objects.filter(name="Without").exists()


def start_hung(company: Company, url: str) -> Workspace:
    source = preparing.Source(kind="url", url=url, is_file_allowed=True)
    workspace = services.create_workspace(name="Hung", owner=company.owner, source=source)
    wait_for(lambda: has_process(url))
    return workspace


def left_on_disk(workspace_id: int) -> list[Path]:
    return [
        *root_of(workspace_id).parent.glob(f"{workspace_id}"),
        *root_of(0).parent.glob(f".{workspace_id}.*"),
    ]


@pytest.mark.django_db(transaction=True)
def test_a_clone_is_stopped_from_its_page_at_once(company: Company, hung_remote: str) -> None:
    workspace = start_hung(company, hung_remote)
    company.workspace.memberships.model.objects.create(
        workspace=workspace, user=company.member, role="member"
    )
    page = f"/w/{workspace.pk}/"
    assert f"{page}stop/" not in company.client(company.member).get(page).content.decode()
    assert company.client(company.member).post(f"{page}stop/").status_code == 403
    assert f"{page}stop/" in company.client(company.owner).get(page).content.decode()
    stopped_at = time.monotonic()
    assert company.client(company.owner).post(f"{page}stop/").status_code == 302
    wait_for(lambda: not has_process(hung_remote))
    assert time.monotonic() - stopped_at < 2
    wait_for(lambda: not left_on_disk(workspace.pk))
    workspace.refresh_from_db()
    assert workspace.state == Workspace.State.FAILED
    assert workspace.state_note == "Stopped by Olga before it was ready."
    assert company.client(company.owner).post(f"{page}stop/").status_code == 302


@pytest.mark.django_db(transaction=True)
def test_a_clone_is_stopped_over_rest(company: Company, api_key, hung_remote: str) -> None:  # type: ignore[no-untyped-def]
    workspace = start_hung(company, hung_remote)
    url, client = f"/api/v1/workspaces/{workspace.pk}/stop", company.client(None)
    assert client.post(url, headers=api_key(company.owner, "read")).status_code == 403
    assert client.post(url, headers=api_key(company.stranger, "write")).status_code == 404
    reply = client.post(url, headers=api_key(company.owner, "write"))
    assert (reply.status_code, reply.json()["state"]) == (200, "failed")
    wait_for(lambda: not has_process(hung_remote) and not left_on_disk(workspace.pk))
    assert client.post(url, headers=api_key(company.owner, "write")).status_code == 409


@pytest.mark.django_db(transaction=True)
def test_deleting_a_workspace_stops_its_clone(company: Company, hung_remote: str) -> None:
    workspace = start_hung(company, hung_remote)
    workspace_id = workspace.pk
    services.delete_workspace(workspace=workspace, confirmation="Hung")
    wait_for(lambda: not has_process(hung_remote) and not left_on_disk(workspace_id))


@pytest.mark.django_db(transaction=True)
def test_an_archive_that_is_being_unpacked_tells_how_far_it_is_and_is_stopped(company: Company) -> None:
    upload = SimpleUploadedFile(
        "many.zip", zip_of({f"{number // 100}/{number}": b"x" for number in range(40_000)})
    )
    client = company.client(company.owner)
    client.post("/new/", {"name": "Many", "archive": upload})
    workspace = Workspace.objects.get(name="Many")

    def note() -> str:
        workspace.refresh_from_db()
        return workspace.state_note

    wait_for(lambda: note().startswith("Unpacking the archive: "))
    assert note() in client.get(f"/w/{workspace.pk}/state/").content.decode()
    assert client.post(f"/w/{workspace.pk}/stop/").status_code == 302
    uploads = root_of(0).parent.parent / "uploads"
    wait_for(lambda: not left_on_disk(workspace.pk) and not list(uploads.iterdir()))
    assert note().startswith("Stopped by ")
    assert client.get(f"/w/{workspace.pk}/state/")["HX-Redirect"] == f"/w/{workspace.pk}/"


def test_tells_the_progress_of_a_clone_in_words() -> None:
    assert (
        preparing._describe(Progress("Receiving objects", 41, 2_621_440))
        == "Receiving objects · 41 % · 2.6 MB"
    )
    assert preparing._describe(Progress("Counting objects", None, None)) == "Counting objects"


@pytest.mark.django_db(transaction=True)
def test_archives_that_a_crash_left_are_removed_in_time(company: Company) -> None:
    uploads = root_of(0).parent.parent / "uploads"
    old, new = uploads / "archive-old", uploads / "archive-new"
    half_made = root_of(0).parent / ".7.partial-ab"
    for folder in (old, new, half_made):
        folder.mkdir()
    os.utime(old, (1, 1))
    os.utime(half_made, (1, 1))
    preparing.give_up_stale()
    assert not old.exists()
    assert not half_made.exists()
    assert new.exists()
    new.rmdir()


@pytest.mark.django_db
def test_the_operator_imports_from_this_disk(company: Company, tmp_path, capsys) -> None:  # type: ignore[no-untyped-def]
    import subprocess

    for command in (
        ["init", "-q", "-b", "main"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "first"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    call_command("importworkspace", "Local", str(tmp_path), "--owner", company.owner.email)
    workspace = Workspace.objects.get(pk=int(capsys.readouterr().out))
    assert workspace.state == Workspace.State.READY
    with pytest.raises(CommandError):
        call_command("importworkspace", "None", str(tmp_path / "absent"), "--owner", company.owner.email)
    (tmp_path / "plain").mkdir()
    with pytest.raises(CommandError, match="does not appear to be a git repository"):
        call_command("importworkspace", "None", str(tmp_path / "plain"), "--owner", company.owner.email)
    assert not Workspace.objects.filter(name="None").exists()
