"""How repositories come in: empty, by archive, by the operator; and what is refused leaves nothing behind."""

from __future__ import annotations

import io
import os
import tarfile
import time
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command

from tests.framework.people import Company
from webapp.errors import Invalid
from webapp.workspaces import preparing
from webapp.workspaces.models import Workspace
from webapp.workspaces.repositories import root_of


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
    preparing.prepare(workspace_id, company.owner.pk, source)
    assert not root_of(workspace_id).exists()


@pytest.mark.django_db(transaction=True)
def test_archives_that_a_crash_left_are_removed_in_time(company: Company) -> None:
    uploads = root_of(0).parent.parent / "uploads"
    old, new = uploads / "archive-old", uploads / "archive-new"
    for folder in (old, new):
        folder.mkdir()
    os.utime(old, (1, 1))
    preparing.give_up_stale()
    assert not old.exists()
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
    assert not Workspace.objects.filter(name="None").exists()
