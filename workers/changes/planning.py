"""From what a caller wants to a plan: looks at the tree, checks versions, stages the new content."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from workers.changes.errors import FileMissing, NotAFile, PathTaken, TransactionRefused, VersionConflict
from workers.changes.opening import identity_at
from workers.changes.paths import from_bytes, parents_of, to_bytes
from workers.changes.states import ABSENT, Plan, State, Step, dir_state, file_state, link_state
from workers.changes.steps import version_of_state
from workers.changes.vault import Signature, Vault

INLINE_FILE_BYTES = 256 << 10
INLINE_TOTAL_BYTES = 4 << 20
DEFAULT_MODE, DEFAULT_DIR_MODE = 0o644, 0o755


class Any_:
    """The type of `ANY`."""

    def __repr__(self) -> str:
        return "ANY"


ANY: Final = Any_()
"""As `expected`: whatever is there may be replaced."""
Expected = str | None | Any_


@dataclass(slots=True)
class Wish:
    """The final state that a caller wants at one path."""

    expected: Expected = ANY
    kind: str = "keep"
    """keep (content as it is), file, link, absent, dir"""
    data: bytes | BinaryIO = b""
    mode: int | None = None
    target: str = ""
    is_pruned: bool = False
    is_replacing: bool = False
    """A removal was asked for first, so a folder may give way."""


@dataclass(slots=True)
class Wishes:
    """Everything that one transaction was asked for."""

    paths: dict[str, Wish] = field(default_factory=dict)
    moves: dict[str, tuple[str, Expected]] = field(default_factory=dict)

    def at(self, path: str) -> Wish:
        self.check_apart(path)
        return self.paths.setdefault(path, Wish())

    def add_move(self, src: str, dst: str, expected: Expected) -> None:
        self.check_apart(src)
        self.check_apart(dst)
        if dst == src or dst.startswith(src + "/"):
            raise TransactionRefused("A folder cannot move into itself.", path=dst)
        for path in self.paths:
            if _overlap(path, src) or _overlap(path, dst):
                raise TransactionRefused("A moved path cannot change in the same transaction.", path=path)
        self.moves[src] = (dst, expected)

    def check_apart(self, path: str) -> None:
        for src, (dst, _) in self.moves.items():
            if _overlap(path, src) or _overlap(path, dst):
                raise TransactionRefused("A moved path cannot change in the same transaction.", path=path)


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(other + "/") or other.startswith(one + "/")


class Planner:
    """Builds the plan of one transaction; the vault's lock is held throughout."""

    def __init__(self, vault: Vault, wishes: Wishes, label: str) -> None:
        self.vault, self.wishes, self.label = vault, wishes, label
        self.seen: list[Signature | None] = []
        self.steps: list[Step] = []
        self.data: dict[int, bytes] = {}
        self._inline_bytes = 0
        self._removed: set[str] = set()
        self._made: set[str] = set()

    def plan(self) -> Plan:
        """Return the plan: moves, removals and emptied folders first, so that their places are free.

        Raises:
            VersionConflict, FileMissing, PathTaken, NotAFile: the tree is not as the caller thinks.
            OSError: the disk cannot hold the new content.
        """
        for src, (dst, expected) in self.wishes.moves.items():
            self._plan_move(src, dst, expected)
        removals = {path: wish for path, wish in self.wishes.paths.items() if wish.kind == "absent"}
        for path, wish in removals.items():
            self._plan_removal(path, wish)
        self._plan_pruning([path for path, wish in removals.items() if wish.is_pruned])
        for path, wish in self.wishes.paths.items():
            if wish.kind == "dir":
                self._plan_parents(path + "/x")
            elif wish.kind != "absent":
                self._plan_put(path, wish)
        return Plan(self.label, tuple(self.steps), self.data)

    def _add(self, step: Step, seen: Signature | None = None) -> None:
        self.steps.append(step)
        self.seen.append(seen)

    def _look(self, path: str, expected: Expected, *, is_kept: bool = True) -> tuple[State, Signature]:
        """Return what is at `path`, and its signature from before it was read."""
        old, seen = self.vault.look(path)
        if not isinstance(expected, Any_) and (old.kind == "dir" or version_of_state(old) != expected):
            raise VersionConflict(path, expected, version_of_state(old))
        return old, seen

    def _identity(self, path: str) -> tuple[int, int]:
        parent, name = self.vault.tree.open_parent(path)
        try:
            return identity_at(parent, name)
        except FileNotFoundError:
            raise FileMissing(path=path) from None
        finally:
            os.close(parent)

    def _plan_move(self, src: str, dst: str, expected: Expected) -> None:
        inode, born_ns = self._identity(src)
        old, _ = self._look(src, expected)
        if self.vault.tree.lstat(dst) is not None:
            raise PathTaken(path=dst)
        self._plan_parents(dst)
        self._add(Step("move", src, old=old, to=dst, inode=inode, born_ns=born_ns))
        self._removed.add(src)

    def _plan_removal(self, path: str, wish: Wish) -> None:
        """Move it to the trash whole: that needs no space, and can be taken back."""
        old, seen = self._look(path, wish.expected)
        if old == ABSENT:
            if wish.expected is None:
                return
            raise FileMissing(path=path)
        name = secrets.token_hex(8)
        inode, born_ns = self._identity(path)
        step = Step("move", path, old=old, to=name, is_trash=True, inode=inode, born_ns=born_ns)
        self._add(step, None if old.kind == "dir" else seen)
        self._removed.add(path)

    def _plan_pruning(self, removed: list[str]) -> None:
        kept = {
            parent
            for path, wish in self.wishes.paths.items()
            if wish.kind not in ("absent", "dir")
            for parent in parents_of(path)
        }
        folders = {parent for path in removed for parent in parents_of(path)} - kept
        for path in sorted(folders, key=lambda each: -each.count("/")):
            state = self.vault.state_at(path)
            if state.kind != "dir":
                continue
            fd = self.vault.tree.open(path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                listed = os.listdir(fd)  # noqa: PTH208 - a descriptor
            finally:
                os.close(fd)
            if all(f"{path}/{from_bytes(os.fsencode(name))}" in self._removed for name in listed):
                self._add(Step("rmdir", path, old=state, new=ABSENT))
                self._removed.add(path)

    def _plan_parents(self, path: str) -> None:
        for parent in parents_of(path):
            if parent in self._made:
                continue
            is_gone = any(parent == each or parent.startswith(each + "/") for each in self._removed)
            state = ABSENT if is_gone else self.vault.state_at(parent)
            if state == ABSENT:
                self._add(Step("mkdir", parent, old=ABSENT, new=dir_state(DEFAULT_DIR_MODE)))
                self._made.add(parent)
            elif state.kind != "dir":
                raise PathTaken("A file is where a folder is needed.", path=parent)

    def _plan_put(self, path: str, wish: Wish) -> None:
        is_gone = any(path == each or path.startswith(each + "/") for each in self._removed)
        old, seen = (ABSENT, ()) if is_gone else self._look(path, wish.expected)
        if old.kind == "dir" and wish.is_replacing:
            self._plan_removal(path, Wish(kind="absent"))
            old, is_gone = ABSENT, True
        if old.kind == "dir":
            raise PathTaken("A folder is at this path.", path=path)
        if wish.kind == "keep":
            if old.kind != "file":
                raise (
                    NotAFile("Only a file has a mode here.", path=path)
                    if old != ABSENT
                    else FileMissing(path=path)
                )
            if old.mode != wish.mode:
                new = file_state(old.version, wish.mode or 0, old.size)
                self._add(Step("chmod", path, old=old, new=new), seen)
            return
        if wish.kind == "link" and old == link_state(to_bytes(wish.target)):
            return
        self._plan_parents(path)
        self._stage(path, wish, old, None if is_gone else seen)

    def _stage(self, path: str, wish: Wish, old: State, seen: Signature | None) -> None:
        name = f"{self.vault.journal.tail.next_number}-{len(self.steps)}"
        if wish.kind == "link":
            self.vault.stage_link(name, wish.target)
            self._add(Step("put", path, old=old, new=link_state(to_bytes(wish.target)), stage=name), seen)
            return
        mode = wish.mode if wish.mode is not None else (old.mode if old.kind == "file" else DEFAULT_MODE)
        is_inline = (
            isinstance(wish.data, bytes)
            and len(wish.data) <= INLINE_FILE_BYTES
            and self._inline_bytes + len(wish.data) <= INLINE_TOTAL_BYTES
        )
        version, size = self.vault.stage(name, wish.data, mode=mode, is_durable=not is_inline)
        new = file_state(version, mode, size)
        if old == new:
            self.vault.unstage(name)
            return
        if is_inline and isinstance(wish.data, bytes):
            self.data[len(self.steps)] = wish.data
            self._inline_bytes += size
        self._add(Step("put", path, old=old, new=new, stage=name, is_inline=is_inline), seen)
