"""Which files of a workspace are source code that an audit reads."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path, PurePosixPath

# Python, then the languages whose grammars the core may know; one that it does not has no figures and is left out.
ENDINGS = frozenset(
    f".{ending}"
    for ending in (
        "py", "pyi", "js", "jsx", "mjs", "cjs", "ts", "tsx", "mts", "cts", "rs", "go", "java",
        "c", "h", "cc", "cpp", "cxx", "c++", "hh", "hpp", "hxx", "h++", "ipp",
    )
)  # fmt: skip
MAX_BYTES = 2 << 20
"""A larger file is generated or data: it is left out."""


def ending_of(path: str) -> str:
    """Return the ending that tells a source's language, such as ".py"; empty for what is no source."""
    ending = PurePosixPath(path).suffix.lower()
    return ending if ending in ENDINGS else ""


# Folders that tools fill; only left out where there is no git to say what is ignored.
_SKIPPED = frozenset({"node_modules", "__pycache__", "venv", "site-packages", "target", "build", "dist"})
_GIT_TIMEOUT_S = 60


def source_files(root: Path) -> list[str]:
    """Return the source files below a folder, relative to it, in order; inside a git repository without what it ignores."""
    names = _by_git(root)
    if names is None:
        names = _by_walking(root)
    return sorted(name for name in set(names) if ending_of(name) and (root / name).is_file())


def _by_git(root: Path) -> list[str] | None:
    # A repository that we do not know must not make git run anything: no file monitor, no hooks.
    command = [
        "git", "-C", str(root), "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "ls-files", "-z",
        "--cached", "--others", "--exclude-standard",
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, timeout=_GIT_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name] if done.returncode == 0 else None


def _by_walking(root: Path) -> list[str]:
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in _SKIPPED and not name.startswith(".")]
        found += [str((Path(folder) / name).relative_to(root)) for name in files]
    return found
