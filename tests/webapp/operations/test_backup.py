"""Backup and restore, and what doctor says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.framework.people import Company, make_person
from webapp.accounts.models import User
from webapp.errors import Invalid
from webapp.operations import backup
from webapp.operations.doctor import examine


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


@pytest.mark.django_db
def test_createuser_reads_the_password_from_standard_input(monkeypatch: pytest.MonkeyPatch, capsys) -> None:  # type: ignore[no-untyped-def]
    import io

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
