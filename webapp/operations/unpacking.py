"""Putting a workspace's tar back without trusting it: a backup may have been in other hands.

Nothing leaves the workspace's own folder, by name or by link; nothing is a device; and of the repository, what makes git run
programs or read elsewhere (its configuration, hooks, alternates) is ours, never the archive's.
"""

from __future__ import annotations

import tarfile
from pathlib import Path, PurePosixPath

from webapp.errors import Invalid

GIT_CONFIG = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n"
_OURS = ("repo.git/config", "repo.git/hooks", "repo.git/objects/info/alternates")


def unpack_workspace(archive_path: Path, workspaces: Path) -> None:
    """Unpack `workspace-<number>.tar` as the folder `<number>` of `workspaces`.

    Raises:
        Invalid: an entry is not what a backup holds.
    """
    number = archive_path.stem.removeprefix("workspace-")
    links: set[PurePosixPath] = set()

    def check(entry: tarfile.TarInfo, destination: str) -> tarfile.TarInfo | None:
        path = _inside(entry.name, number, archive_path)
        if links & set(path.parents) or not (
            entry.isreg() or entry.isdir() or entry.issym() or entry.islnk()
        ):
            raise _refused(archive_path, entry.name)
        if entry.islnk():
            target = _inside(entry.linkname, number, archive_path)
            if target in links or links & set(target.parents):
                raise _refused(archive_path, entry.name)
        if entry.issym():
            links.add(path)
        if str(PurePosixPath(*path.parts[1:])).startswith(_OURS):
            return None
        return tarfile.tar_filter(entry, destination)

    try:
        with tarfile.open(archive_path) as archive:
            archive.extractall(workspaces, filter=check)  # noqa: S202  each entry is checked
    except tarfile.TarError as error:
        raise Invalid(f"{archive_path.name} cannot be unpacked: {error}") from error
    repository = workspaces / number / "repo.git"
    if repository.is_dir():
        (repository / "config").write_text(GIT_CONFIG)


def _inside(name: str, number: str, archive_path: Path) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or path.parts[:1] != (number,) or not number.isdigit():
        raise _refused(archive_path, name)
    return path


def _refused(archive_path: Path, name: str) -> Invalid:
    return Invalid(f"{archive_path.name} holds “{name[:200]}”, which no backup holds.")
