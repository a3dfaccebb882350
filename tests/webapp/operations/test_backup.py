"""Backup and restore, and what doctor says."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from tests.framework.people import Company, make_person
from tests.framework.repos import nest_folders
from webapp.accounts.models import User
from webapp.errors import Invalid
from webapp.operations import backup
from webapp.operations.doctor import examine
from webapp.operations.unpacking import GIT_CONFIG, unpack_workspace
from webapp.workspaces.repositories import root_of
from workers.changes.removal import remove_tree


@pytest.mark.django_db(transaction=True)
def test_a_backup_holds_rows_and_repositories_and_says_whether_it_holds_the_keys(
    company: Company, tmp_path: Path, capsys
) -> None:  # type: ignore[no-untyped-def]
    target = tmp_path / "backup"
    call_command("backup", str(target))
    assert "does not hold the keys" in capsys.readouterr().out
    manifest = backup.read_manifest(target)
    assert f"workspace-{company.workspace.pk}.tar" in manifest["files"]
    assert not manifest["has_keys"]
    with pytest.raises(CommandError):
        call_command("backup", str(target))


@pytest.mark.django_db(transaction=True)
def test_a_changed_backup_is_refused(company: Company, tmp_path: Path) -> None:
    target = tmp_path / "backup"
    backup.back_up(target, with_keys=True)
    name = next(
        name
        for name in json.loads((target / "manifest.json").read_text())["files"]
        if name.startswith("workspace")
    )
    with (target / name).open("r+b") as file:
        file.seek(100)
        file.write(b"\xff\xfe")
    with pytest.raises(Invalid):
        backup.read_manifest(target)


@pytest.mark.django_db(transaction=True)
def test_restore_does_not_overwrite_an_installation(company: Company, tmp_path: Path) -> None:
    backup.back_up(tmp_path / "backup", with_keys=False)
    with pytest.raises(CommandError, match="people already"):
        call_command("restore", str(tmp_path / "backup"))
    assert User.objects.filter(pk=company.owner.pk).exists()


@pytest.mark.django_db
def test_doctor_names_each_component_and_why_it_is_not_healthy(redis_client: object) -> None:
    findings = {finding.component: finding for finding in examine()}
    assert findings["database"].is_healthy
    assert findings["redis"].is_healthy
    assert findings["sandbox"].is_healthy
    assert not findings["relay"].is_healthy
    assert "manage.py relay" in findings["relay"].why
    assert not findings["fleet"].is_healthy
    assert "python -m workers.node" in findings["fleet"].why


@pytest.mark.django_db
def test_createuser_reads_the_password_from_standard_input(monkeypatch: pytest.MonkeyPatch, capsys) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("sys.stdin", io.StringIO("a long enough password\n"))
    call_command("createuser", "Ops@Example.org", "--password-stdin", "--owner")
    user = User.objects.get(email="ops@example.org")
    assert user.is_installation_owner
    assert user.check_password("a long enough password")
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    with pytest.raises(CommandError, match="short"):
        call_command("createuser", "b@example.org", "--password-stdin")


@pytest.mark.django_db
def test_createapikey_prints_the_key_alone(capsys) -> None:  # type: ignore[no-untyped-def]
    make_person("ops")
    call_command("createapikey", "ops@example.org", "--scopes", "read,write")
    assert capsys.readouterr().out.startswith("pya_")
    with pytest.raises(CommandError):
        call_command("createapikey", "ops@example.org", "--scopes", "fly")


@pytest.mark.django_db
def test_prepare_recovers_workspaces_and_prints_one_url(company: Company, capsys) -> None:  # type: ignore[no-untyped-def]
    call_command("prepare")
    first = capsys.readouterr().out
    assert first.count("\n") == 1
    assert "/setup/?token=" in first
    User.objects.filter(pk=company.owner.pk).update(is_installation_owner=True)
    call_command("prepare")
    assert "token" not in capsys.readouterr().out


ROOT = Path(__file__).resolve().parents[3]


def _restore(source: Path, home: Path, database_url: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYAGENT_", "DATABASE_"))
    }
    environment = kept | {
        "PYAGENT_HOME": str(home),
        "DATABASE_URL": database_url,
        "DJANGO_SETTINGS_MODULE": "webapp.settings",
    }
    command = [sys.executable, "manage.py", "restore", str(source)]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=50, check=False
    )


@pytest.fixture
def empty_database(tmp_path: Path) -> Iterator[str]:
    """The address of an empty database of the kind that the tests use."""
    if connection.vendor == "sqlite":
        yield f"sqlite:///{tmp_path / 'restored.sqlite3'}"
        return
    with connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE restored")
    yield os.environ["DATABASE_URL"].rpartition("/")[0] + "/restored"
    with connection.cursor() as cursor:
        cursor.execute("DROP DATABASE restored WITH (FORCE)")


def _count(database_url: str, table: str) -> int:
    sql = f"SELECT count(*) FROM {table}"
    if database_url.startswith("sqlite"):
        with sqlite3.connect(database_url.removeprefix("sqlite:///")) as rows:
            return int(rows.execute(sql).fetchone()[0])
    with psycopg.connect(database_url) as rows:
        found = rows.execute(sql).fetchone()
    assert found
    return int(found[0])


def _tar(path: Path, *entries: tuple[str, bytes, str]) -> None:
    with tarfile.open(path, "w") as archive:
        for name, kind, target in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, target
            data = b"evil" if kind == tarfile.REGTYPE else b""
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


@pytest.mark.django_db(transaction=True)
def test_restore_brings_people_files_history_and_keys_back_and_signs_nobody_in(
    company: Company, tmp_path: Path, empty_database: str
) -> None:
    browser = company.client(company.owner)
    session = browser.cookies["sessionid"].value
    repository = root_of(company.workspace.pk)
    (repository / "files" / "a.py").write_text("print(1)\n")
    (repository / "files" / "out").symlink_to("/etc/passwd")
    source, home = tmp_path / "backup", tmp_path / "home"
    source.mkdir(mode=0o755)
    backup.back_up(source, with_keys=True)
    (repository / "files" / "out").unlink()
    assert source.stat().st_mode & 0o777 == 0o700
    dump = next(path for path in source.iterdir() if path.name.startswith("database."))
    assert session.encode() not in dump.read_bytes()
    done = _restore(source, home, empty_database)
    assert done.returncode == 0, done.stderr
    restored = home / "workspaces" / str(company.workspace.pk)
    assert (restored / "files" / "a.py").read_text() == "print(1)\n"
    assert (restored / "files" / "out").readlink() == Path("/etc/passwd")
    assert (home / "keys" / "vault-key").read_text().strip() == settings.VAULT_KEY
    log = subprocess.run(
        ["git", "log", "--oneline"], cwd=restored / "repo.git", capture_output=True, check=True
    )
    assert log.stdout
    assert _count(empty_database, "accounts_user") == 5
    assert _count(empty_database, "django_session") == 0
    assert "people already" in _restore(source, home, empty_database).stderr


@pytest.mark.parametrize(
    "entries",
    [
        [("../keys/vault-key", tarfile.REGTYPE, "")],
        [("/tmp/evil", tarfile.REGTYPE, "")],
        [("2/files/x", tarfile.REGTYPE, "")],
        [("1/x", tarfile.SYMTYPE, "/"), ("1/x/tmp/evil", tarfile.REGTYPE, "")],
        [("1/files/key", tarfile.LNKTYPE, "../keys/vault-key")],
        [("1/k", tarfile.SYMTYPE, "../../keys"), ("1/files/key", tarfile.LNKTYPE, "1/k/vault-key")],
        [("1/files/disk", tarfile.BLKTYPE, "")],
    ],
    ids=[
        "out",
        "absolute",
        "another",
        "through a link",
        "hard link out",
        "hard link through a link",
        "device",
    ],
)
def test_restore_lets_no_archive_out_of_its_workspace(
    tmp_path: Path, entries: list[tuple[str, bytes, str]]
) -> None:
    workspaces, keys = tmp_path / "home" / "workspaces", tmp_path / "home" / "keys"
    workspaces.mkdir(parents=True)
    keys.mkdir()
    (keys / "vault-key").write_text("secret")
    _tar(tmp_path / "workspace-1.tar", *entries)
    with pytest.raises(Invalid):
        unpack_workspace(tmp_path / "workspace-1.tar", workspaces)
    assert (keys / "vault-key").read_text() == "secret"
    assert (keys / "vault-key").stat().st_nlink == 1
    assert not Path("/tmp/evil").exists()


def test_restore_takes_nothing_that_makes_git_run_programs(tmp_path: Path) -> None:
    ours = ("config", "hooks/post-checkout", "objects/info/alternates")
    _tar(
        tmp_path / "workspace-1.tar",
        *((f"1/repo.git/{name}", tarfile.REGTYPE, "") for name in (*ours, "HEAD")),
    )
    unpack_workspace(tmp_path / "workspace-1.tar", tmp_path)
    repository = tmp_path / "1" / "repo.git"
    assert sorted(path.name for path in repository.rglob("*") if path.is_file()) == ["HEAD", "config"]
    assert (repository / "config").read_text() == GIT_CONFIG


@pytest.mark.django_db(transaction=True)
def test_a_file_that_was_put_into_a_backup_is_refused(company: Company, tmp_path: Path) -> None:
    backup.back_up(tmp_path / "backup", with_keys=False)
    _tar(tmp_path / "backup" / "workspace-99.tar", ("99/x", tarfile.REGTYPE, ""))
    with pytest.raises(Invalid, match="workspace-99"):
        backup.read_manifest(tmp_path / "backup")
    (tmp_path / "backup" / "manifest.json").write_text('{"format": 1}')
    with pytest.raises(Invalid):
        backup.read_manifest(tmp_path / "backup")


@pytest.mark.django_db
def test_repositories_are_made_with_the_configuration_that_restore_writes(company: Company) -> None:
    assert (root_of(company.workspace.pk) / "repo.git" / "config").read_text() == GIT_CONFIG


@pytest.mark.django_db(transaction=True)
def test_a_backup_leaves_out_what_could_not_be_put_back_and_says_so(
    company: Company, tmp_path: Path, empty_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    number = company.workspace.pk
    files = root_of(number) / "files"
    for name in ("src/worktrees/kept.py", "worktrees/kept.py"):
        (files / name).parent.mkdir(parents=True)
        (files / name).write_text("x = 1\n")
    os.mkfifo(files / "pipe")
    nest_folders(files, 3000)
    (root_of(number) / "worktrees" / "run").mkdir(parents=True)
    (root_of(number) / "worktrees" / "run" / "file").write_text("made again")
    call_command("backup", str(tmp_path / "backup"))
    said = capsys.readouterr().out
    assert f"  {number}/files/pipe\n" in said
    manifest = backup.read_manifest(tmp_path / "backup")
    assert len(manifest["left_out"]) == 2
    remove_tree(files / "deep")
    done = _restore(tmp_path / "backup", tmp_path / "home", empty_database)
    assert done.returncode == 0, done.stderr
    restored = tmp_path / "home" / "workspaces" / str(number)
    assert (restored / "files" / "src" / "worktrees" / "kept.py").read_text() == "x = 1\n"
    assert (restored / "files" / "worktrees" / "kept.py").exists()
    assert (restored / "files" / "deep" / "deep").is_dir()
    assert not (restored / "files" / "pipe").exists()
    assert list((restored / "worktrees").iterdir()) == []
