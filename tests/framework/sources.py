"""Real third-party code for tests: source distributions from the package index, fetched once per machine."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

CACHE = Path(tempfile.gettempdir()) / "pyagent-sdists"


def fetch_sdist(name: str, version: str) -> Path:
    """Return the .tar.gz of a package's source distribution."""
    CACHE.mkdir(exist_ok=True)
    if not list(CACHE.glob(f"{name}-{version}.tar.gz")):
        command = [
            "download",
            "--quiet",
            "--no-deps",
            "--no-binary",
            ":all:",
            "--dest",
            str(CACHE),
            f"{name}=={version}",
        ]
        subprocess.run([sys.executable, "-m", "pip", *command], check=True, timeout=300)
    return next(iter(CACHE.glob(f"{name}-{version}.tar.gz")))


@pytest.fixture(scope="session")
def requests_sdist() -> Path:
    """The source of `requests`: real code with some lint to tidy."""
    return fetch_sdist("requests", "2.32.3")
