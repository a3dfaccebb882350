"""Backup and restore: the database, the repositories with their files, and, when asked for, the keys.

A backup is a folder: `manifest.json`, a dump of the database, one tar per workspace. Everything is hashed (blake3) in the
manifest, and the manifest is written last, so that a folder without one is no backup.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import blake3
from django.conf import settings
from django.db import connection
from django.utils import timezone

from webapp.errors import Conflict, Invalid
from webapp.operations.packing import pack_workspace
from webapp.operations.unpacking import unpack_workspace

FORMAT = 1
# A session's key is what signs a browser in: whoever reads a backup must not be able to use one.
_SESSIONS = "django_session"
KEY_FILES = ("secret-key", "vault-key", "internal-token")


def back_up(target: Path, *, with_keys: bool) -> dict[str, Any]:
    """Write a backup to the new folder `target` and return its manifest.

    Raises:
        Invalid: the folder exists and is not empty.
    """
    if target.exists() and any(target.iterdir()):
        raise Invalid(f"{target} is not empty.")
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    target.chmod(0o700)  # it may have been there, open to all
    home = Path(settings.PYAGENT_HOME)
    _dump_database(target)
    workspaces = home / "workspaces"
    left_out: list[str] = []
    for root in sorted(path for path in workspaces.glob("*") if path.is_dir()):
        left_out += pack_workspace(root, target / f"workspace-{root.name}.tar")
    if with_keys:
        (target / "keys").mkdir(mode=0o700)
        for name in KEY_FILES:
            if (home / "keys" / name).exists():
                shutil.copy2(home / "keys" / name, target / "keys" / name)
    manifest = {
        "format": FORMAT,
        "made_at": timezone.now().isoformat(),
        "database": connection.vendor,
        "has_keys": with_keys,
        "left_out": left_out,
        "files": {name: hash_file(target / name) for name in sorted(_names_in(target))},
    }
    draft = target / "manifest.json.new"
    draft.write_text(json.dumps(manifest, indent=1))
    draft.replace(target / "manifest.json")
    return manifest


def restore(source: Path) -> dict[str, Any]:
    """Put a backup back into this installation, which must be empty, and return the manifest.

    Raises:
        Invalid: not a backup, a newer format, another database, or a file that changed since.
        Conflict: this installation has people already.
    """
    manifest = read_manifest(source)
    from webapp.accounts.models import User

    if "accounts_user" in connection.introspection.table_names() and User.objects.exists():
        raise Conflict(
            "This installation has people already. Restore into an empty PYAGENT_HOME and database."
        )
    if manifest["database"] != connection.vendor:
        raise Invalid(f"The backup is of {manifest['database']}, this installation uses {connection.vendor}.")
    home = Path(settings.PYAGENT_HOME)
    if any((home / "workspaces").iterdir()):
        raise Conflict(
            f"{home / 'workspaces'} is not empty. Restore into an empty PYAGENT_HOME and database."
        )
    try:
        for archive_path in sorted(source.glob("workspace-*.tar")):
            unpack_workspace(archive_path, home / "workspaces")
    except BaseException:
        for root in (home / "workspaces").iterdir():
            shutil.rmtree(root)
        raise
    _load_database(source)
    if manifest["has_keys"]:
        for name in KEY_FILES:
            if (source / "keys" / name).exists():
                shutil.copy2(source / "keys" / name, home / "keys" / name)
                (home / "keys" / name).chmod(0o600)
    return manifest


def read_manifest(source: Path) -> dict[str, Any]:
    """Return the manifest after checking every file against it.

    Raises:
        Invalid: no manifest, an unknown format, or a file that is missing or changed.
    """
    try:
        manifest: dict[str, Any] = json.loads((source / "manifest.json").read_text())
    except (OSError, ValueError) as error:
        raise Invalid(f"{source} is not a backup: manifest.json cannot be read.") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise Invalid(f"This is no backup of format {FORMAT}, which this version reads.")
    files = manifest.get("files")
    if not isinstance(files, dict) or not {"database", "has_keys", "made_at"} <= manifest.keys():
        raise Invalid(f"{source} is not a backup: manifest.json lacks what every backup says.")
    for name in _names_in(source) ^ files.keys():
        raise Invalid(f"{name} is missing, or was not there when the backup was made.")
    for name, expected in files.items():
        if hash_file(source / name) != expected:
            raise Invalid(f"{name} has changed since the backup was made.")
    return manifest


def _names_in(folder: Path) -> set[str]:
    """Return the names of all files in a backup, links included, but for the manifest."""
    paths = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return {str(path.relative_to(folder)) for path in paths} - {"manifest.json"}


def hash_file(path: Path) -> str:
    """Return the file's blake3, hex."""
    return blake3.blake3(max_threads=1).update_mmap(path).hexdigest()


def _dump_database(target: Path) -> None:
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        copy = sqlite3.connect(target / "database.sqlite3")
        with copy:
            connection.connection.backup(copy)
            copy.execute("PRAGMA secure_delete = ON")
            copy.execute(f"DELETE FROM {_SESSIONS}")  # noqa: S608  a name of ours
        copy.close()
        return
    _run_postgres_tool(
        "pg_dump",
        "--format=custom",
        "--no-owner",
        f"--exclude-table-data={_SESSIONS}",
        f"--file={target / 'database.dump'}",
    )


def _load_database(source: Path) -> None:
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        copy = sqlite3.connect(source / "database.sqlite3")
        copy.backup(connection.connection)
        copy.close()
        return
    _run_postgres_tool(
        "pg_restore",
        "--clean",
        "--if-exists",
        "--no-owner",
        f"--dbname={connection.settings_dict['NAME']}",
        str(source / "database.dump"),
    )


def _run_postgres_tool(tool: str, *arguments: str) -> None:
    parts = connection.settings_dict
    environment = {
        **os.environ,
        "PGHOST": parts.get("HOST") or "",
        "PGPORT": str(parts.get("PORT") or ""),
        "PGUSER": parts.get("USER") or "",
        "PGPASSWORD": parts.get("PASSWORD") or "",
        "PGDATABASE": parts["NAME"],
    }
    done = subprocess.run(
        [tool, *arguments], env=environment, capture_output=True, text=True, timeout=3600, check=False
    )
    if done.returncode != 0:
        raise Invalid(f"{tool} failed: {done.stderr.strip()[-500:]}")
