"""Links that stay inside a tree, and taking off the single folder that archives put around a project."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping

from workers.changes.errors import ArchiveRefused
from workers.changes.opening import Tree, rename_new
from workers.changes.paths import from_bytes, to_bytes, to_portable


def check_target(path: str, target: str) -> None:
    """Refuse a link whose target, read as text, leaves the tree."""
    shown = to_portable(path)
    if not target or "\0" in target:
        raise ArchiveRefused("link_without_target", shown)
    if target.startswith("/"):
        raise ArchiveRefused("link_out_of_tree", shown)
    depth = path.count("/")
    for part in target.split("/"):
        depth += -1 if part == ".." else 0 if part in ("", ".") else 1
        if depth < 0:
            raise ArchiveRefused("link_out_of_tree", shown)


def take_off_folder(tree: Tree, kinds: Mapping[str, str]) -> str:
    """Move everything out of the only folder at the top, if there is just that; return its prefix, else "".

    `kinds` says what each path of the tree is: file, link or dir.
    """
    tops = {path.split("/")[0] for path in kinds}
    if len(tops) != 1 or kinds.get(top := next(iter(tops))) != "dir" or len(kinds) == 1:
        return ""
    for path, kind in kinds.items():
        if kind == "link":
            try:
                check_target(path.removeprefix(f"{top}/"), from_bytes(tree.read_link(path)))
            except ArchiveRefused:
                return (
                    ""  # it climbs into the folder's parent, which would be outside once the folder is gone
                )
    _lift(tree, top)
    return f"{top}/"


def _lift(tree: Tree, top: str) -> None:
    aside = secrets.token_hex(8).encode()
    fd = tree.open("", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.rename(to_bytes(top), aside, src_dir_fd=fd, dst_dir_fd=fd)
        inner = os.open(aside, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
        try:
            for name in os.listdir(inner):  # noqa: PTH208 - a descriptor
                rename_new(inner, os.fsencode(name), fd, os.fsencode(name))
        finally:
            os.close(inner)
        os.rmdir(aside, dir_fd=fd)
    finally:
        os.close(fd)
