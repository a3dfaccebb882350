"""Real source to measure: the standard library of the running Python and the installed Django."""

from __future__ import annotations

import os
import random
import sysconfig
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import django

STANDARD_LIBRARY = Path(sysconfig.get_paths()["stdlib"])
DJANGO = Path(django.__file__).parent

# Ten more that are installed with Django, of different age and style.
PACKAGES = (
    "_pytest",
    "celery",
    "httpx",
    "hypothesis",
    "kombu",
    "pydantic",
    "redis",
    "rich",
    "websockets",
    "werkzeug",
)


@cache
def corpus() -> tuple[Path, ...]:
    """Return every Python file of both, some 2,700, in a fixed order."""
    library = (path for path in STANDARD_LIBRARY.rglob("*.py") if "site-packages" not in path.parts)
    return tuple(sorted((*library, *DJANGO.rglob("*.py"))))


@cache
def packages() -> dict[str, Path]:
    """Return the folders of ten more packages, by name."""
    found = {name: DJANGO.parent / name for name in PACKAGES}
    missing = [name for name, folder in found.items() if not folder.is_dir()]
    assert not missing, f"not installed: {missing}"
    return found


def files_of(folder: Path) -> list[Path]:
    """Return the Python files of a package in a fixed order."""
    return sorted(folder.rglob("*.py"))


def sample(count: int, *, seed: int, max_bytes: int, files: Sequence[Path] | None = None) -> list[Path]:
    """Return `count` files drawn with a fixed seed; all of them, of any size, when PYAGENT_STORM is "full"."""
    files = corpus() if files is None else files
    if os.environ.get("PYAGENT_STORM") == "full":
        return list(files)
    small = [path for path in files if path.stat().st_size <= max_bytes]
    return random.Random(seed).sample(small, min(count, len(small)))
