"""Real repositories for tests, made in a temporary folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from workers.changes.git import Git
from workers.changes.objects import writing_objects
from workers.changes.paths import to_bytes
from workers.changes.repository import Author, Repository
from workers.changes.revisions import ZERO
from workers.changes.staging import set_entries, temporary_index

AUTHOR = Author("Ann Example", "ann@example.org")


def make_repository(
    folder: Path,
    files: Mapping[str, bytes] | None = None,
    *,
    name: str = "workspace",
    message: str = "Add files",
) -> Repository:
    """Return a repository at `folder/name` whose branch `main` holds `files`, path to content."""
    repository = Repository.create(folder / name, author=AUTHOR)
    if files:
        commit_files(repository, files, message=message)
    return repository


def write_files(repository: Repository, files: Mapping[str, bytes | None]) -> None:
    """Change the shared checkout without committing; None deletes."""
    with repository.transaction("test") as change:
        for path, data in files.items():
            if data is None:
                change.delete(path)
            else:
                change.write(path, data)


def commit_files(
    repository: Repository, files: Mapping[str, bytes | None], *, message: str = "Change files"
) -> str:
    """Change the shared checkout and commit it; return the commit."""
    write_files(repository, files)
    repository.stage(list(files))
    return repository.commit(message, author=AUTHOR)


def commit_beside(
    repository: Repository,
    files: Mapping[str, bytes | None],
    *,
    base: str = "HEAD",
    modes: Mapping[str, str] | None = None,
) -> str:
    """Return a commit on top of `base` that no branch and no checkout knows, as an agent makes one."""
    parent = repository.resolve(base)
    with writing_objects(repository.git_dir) as writer:
        entries = [
            ("0", ZERO, to_bytes(path))
            if data is None
            else ((modes or {}).get(path, "100644"), writer.write(data), to_bytes(path))
            for path, data in files.items()
        ]
    with temporary_index(repository.root) as index:
        git = Git(repository.git_dir, index=index)
        git.run("read-tree", parent)
        set_entries(git, entries)
        tree = git.text("write-tree")
    return repository.commit_tree(tree, [parent], "A change", author=AUTHOR)


def nest_folders(folder: Path, depth: int) -> None:
    """Nest folders further than a path may be long, as a command in a sandbox can."""
    fd = os.open(folder, os.O_DIRECTORY)
    for _ in range(depth):
        os.mkdir("deep", dir_fd=fd)
        inner = os.open("deep", os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)
