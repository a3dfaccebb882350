"""What the environment says, made ready for Django: folders and keys are created where they are missing.

Kept apart from `settings.py` so that it can be tested without loading Django's settings twice.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from workers.config import home_dir, read_secret


def ensure_home(home: Path) -> None:
    """Make PYAGENT_HOME and the folders of the embedded shape, readable by nobody else."""
    for folder in (home, home / "keys", home / "run", home / "workspaces", home / "uploads"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def ensure_secret(name: str, env: Mapping[str, str], file: Path) -> str:
    """Return secret `name` from the environment, else from `file`, which is made once (0600) when absent."""
    if value := read_secret(name, env):
        return value
    try:
        return file.read_text().strip()
    except FileNotFoundError:
        pass
    # Several processes may start at once: the one whose link lands first wins, all read the same value.
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(secrets.token_urlsafe(48))
        stream.flush()
        os.fsync(stream.fileno())
    try:
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return file.read_text().strip()


def is_true(value: str) -> bool:
    """Return whether a setting's text means yes."""
    return value.strip().lower() in {"1", "true", "yes", "on"}


__all__ = ["ensure_home", "ensure_secret", "home_dir", "is_true", "read_secret"]
