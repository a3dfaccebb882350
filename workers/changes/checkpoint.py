"""What a journal says the files should be, and letting go of a journal once they are that on disk.

A checkpoint waits for the files that the journal names, one by one. Flushing the whole file system would be
one call, but it waits for everybody else's data as well: on a busy machine 3 s in the middle of a save.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from workers.changes.errors import ChangeError
from workers.changes.opening import Tree
from workers.changes.paths import parent_of
from workers.changes.states import ABSENT, Plan, State, Step, decode_plan
from workers.changes.vault import Vault


@dataclass(slots=True)
class Wanted:
    """The last recorded state of one path, its content if the journal holds it, and its earlier states."""

    step: Step
    data: bytes | None
    label: str
    known: list[State] = field(default_factory=list)


def fold(plans: Sequence[Plan], on_move: Callable[[Step], object] | None = None) -> dict[str, Wanted]:
    """Return the last recorded state of every path, under the name that it has now."""
    last: dict[str, Wanted] = {}
    for plan in plans:
        for index, step in enumerate(plan.steps):
            if step.op == "move":
                if on_move is not None:
                    on_move(step)
                _follow(last, step, plan.label)
                continue
            before = last.get(step.path)
            known = [*(before.known if before else []), step.old]
            if step.op == "chmod" and before and before.step.op == "put":
                last[step.path] = replace(before, step=replace(before.step, new=step.new), known=known)
            else:
                last[step.path] = Wanted(step, plan.data.get(index), plan.label, known)
    return last


def _follow(last: dict[str, Wanted], move: Step, label: str) -> None:
    """Look for what was written under the old name under the new one; under the old one nothing is to be."""
    before = last.get(move.path)
    for path in [each for each in last if each == move.path or each.startswith(move.path + "/")]:
        wanted = last.pop(path)
        if not move.is_trash:
            moved = move.to + path[len(move.path) :]
            last[moved] = replace(wanted, step=replace(wanted.step, path=moved))
    if move.old.kind in ("file", "link"):
        gone = Step("put", move.path, old=move.old, new=ABSENT)
        last[move.path] = Wanted(gone, None, label, [*(before.known if before else []), move.old])


def checkpoint(vault: Vault) -> None:
    """Wait until every file that the journal names is on disk, then start an empty journal.

    Raises:
        OSError: a file could not be stored even on a second try with fresh blocks; the journal stays.
    """
    plans = [decode_plan(record.payload) for record in vault.journal.scan() if record.kind == "transaction"]
    wanted = fold(plans)
    folders = {parent_of(path) for path in wanted}
    for plan in plans:
        for step in plan.steps:
            folders |= {parent_of(step.path)} | (
                {parent_of(step.to)} if step.op == "move" and not step.is_trash else set()
            )
    for path, want in wanted.items():
        if want.step.new.kind == "file" and not _sync(vault.tree, path):
            _store_again(vault, path, want)
    for folder in sorted(folders, key=len, reverse=True):
        _sync(vault.tree, folder, is_folder=True)
    vault.forget()


def _sync(tree: Tree, path: str, *, is_folder: bool = False) -> bool:
    """Return False when the disk lost the content; something else at the path needs nothing from us."""
    try:
        fd = tree.open(path, os.O_RDONLY | (os.O_DIRECTORY if is_folder else os.O_NONBLOCK))
    except ChangeError:
        return True
    try:
        os.fsync(fd)
    except OSError:
        if is_folder:
            raise
        return False
    finally:
        os.close(fd)
    return True


def _store_again(vault: Vault, path: str, want: Wanted) -> None:
    """After a failed flush the page cache may lie: write the content anew, while the journal still has it."""
    if vault.state_at(path) != want.step.new or want.data is None:
        raise OSError(5, "A file could not be stored", path)
    vault.stage("again", want.data, mode=want.step.new.mode, is_durable=True)
    parent, name = vault.tree.open_parent(path)
    try:
        os.rename("again", name, src_dir_fd=vault.stage_fd, dst_dir_fd=parent)
        os.fsync(vault.stage_fd)
    finally:
        os.close(parent)
