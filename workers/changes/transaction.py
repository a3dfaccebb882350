"""Changing several files as one: all or nothing, durable, refused over somebody's newer version.

How: under the workspace's lock, versions are checked and new content is staged complete; then one journal
record holds it all and one `fdatasync` makes it count; only then do files change, each by exchanging it for
its staged successor. What came out is the backup, named by its content. Ended before that wait, nothing
happened; ended after it, `recover` finishes. Files are not flushed one by one (20 files: 7–21 ms against 2–3
ms): until the next checkpoint the journal can restore them after a power cut.

A person's terminal writes the same files without the lock. Because the old file comes out whole, it can be
compared with what was checked: if somebody changed it in between, everything is exchanged back and the
conflict is reported.
"""

from __future__ import annotations

import stat
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from workers.changes.checkpoint import checkpoint
from workers.changes.errors import (
    ChangeError,
    StorageFailed,
    StorageFull,
    TransactionRefused,
    storage_error,
)
from workers.changes.lock import hold_lock
from workers.changes.paths import check_path
from workers.changes.planning import ANY, Expected, Planner, Wishes
from workers.changes.recovery import Recovery, give_up, recover, recover_open
from workers.changes.removal import remove_tree
from workers.changes.states import Plan
from workers.changes.steps import do_step
from workers.changes.vault import Signature, Vault

__all__ = ["ANY", "Recovery", "StateTransaction", "recover"]


class StateTransaction:
    """Collects changes as a context manager and commits them at its end; an exception inside drops them all.

    `expected` is the version that the caller last saw: a version, None for "nothing is there", or ANY. The
    last wish for a path counts. After the commit `changed` lists the paths that differ from before.

    Raises at the end of the block:
        VersionConflict: a path is not at the expected version; nothing was changed.
        StorageFull, StorageFailed: the disk could not take it; nothing was changed.
        WorkspaceBusy: another writer held the workspace for `timeout_s`.
    """

    def __init__(self, files_dir: Path, vault_dir: Path, *, label: str, timeout_s: float = 30.0) -> None:
        self.files_dir, self.vault_dir = files_dir, vault_dir
        self.label, self.timeout_s = label, timeout_s
        self.changed: tuple[str, ...] = ()
        self.recovered: tuple[Recovery, ...] = ()
        self._wishes = Wishes()
        self._is_done = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.commit()

    def write(
        self,
        path: str,
        data: bytes | BinaryIO,
        *,
        mode: int | None = None,
        expected: Expected = ANY,
    ) -> None:
        """Set the content of a file; missing folders are made. `mode` None keeps it, 0o644 at first."""
        wish = self._wishes.at(check_path(path))
        if wish.kind == "keep" and wish.mode is None:
            wish.expected = expected
        wish.is_replacing |= wish.kind == "absent"
        wish.kind, wish.data = "file", data
        if mode is not None:
            wish.mode = stat.S_IMODE(mode)

    def delete(self, path: str, *, expected: Expected = ANY, is_pruned: bool = False) -> None:
        """Remove a file, a link, or a folder with all that is in it; `is_pruned` also folders left empty."""
        wish = self._wishes.at(check_path(path))
        wish.expected, wish.kind, wish.is_pruned = expected, "absent", is_pruned

    def move(self, src: str, dst: str, *, expected: Expected = ANY) -> None:
        """Rename a file or folder; nothing may be at `dst`."""
        self._wishes.add_move(check_path(src), check_path(dst), expected)

    def make_dir(self, path: str) -> None:
        """Make a folder and those above it; one that exists is fine."""
        self._wishes.at(check_path(path)).kind = "dir"

    def symlink(self, path: str, target: str, *, expected: Expected = ANY) -> None:
        """Make a symbolic link; its target is stored as it is and never followed here."""
        if not target or "\x00" in target:
            raise TransactionRefused("A link needs a target.", path=path)
        wish = self._wishes.at(check_path(path))
        wish.is_replacing |= wish.kind == "absent"
        wish.expected, wish.kind, wish.target = expected, "link", target

    def chmod(self, path: str, mode: int) -> None:
        """Set the permission bits of a file."""
        self._wishes.at(check_path(path)).mode = stat.S_IMODE(mode)

    def commit(self) -> None:
        """Do it; called by the end of the block."""
        if self._is_done:
            raise TransactionRefused("This transaction was committed before.")
        self._is_done = True
        self.vault_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with hold_lock(self.vault_dir / "lock", timeout_s=self.timeout_s):
            vault = Vault(self.files_dir, self.vault_dir)
            try:
                self.recovered = tuple(recover_open(vault))
                plan = self._commit(vault)
            finally:
                vault.close()
        if plan is not None:
            self.changed = tuple(dict.fromkeys(_shown(plan)))
            self._empty_trash(plan)

    def _commit(self, vault: Vault) -> Plan | None:
        try:
            planned = self._prepare(vault)
        except StorageFull:
            if not vault.journal.tail.vault_bytes:
                raise
            self._checkpoint(vault)  # old backups go, which may be the room that is missing
            planned = self._prepare(vault)
        if planned is None:
            return None
        plan, seen, number = planned
        self._apply(vault, plan, seen, number)
        if vault.is_checkpoint_due():
            self._checkpoint(vault)
        return plan

    def _prepare(self, vault: Vault) -> tuple[Plan, list[Signature | None], int] | None:
        """Return the plan once it is on disk, with its number; None when nothing is to be changed."""
        planner = Planner(vault, self._wishes, self.label)
        try:
            plan = planner.plan()
            if not plan.steps:
                return None
            vault.journal.write_tail(is_clean=False)
            number = vault.journal.append_transaction(plan.encode())
        except OSError as error:
            vault.give_up_stage()
            raise storage_error(error, "store the change") from error
        except BaseException:
            vault.give_up_stage()
            raise
        return plan, planner.seen, number

    def _apply(self, vault: Vault, plan: Plan, seen: list[Signature | None], number: int) -> None:
        try:
            for step, signature in zip(plan.steps, seen, strict=True):
                do_step(vault, step, signature)
            vault.journal.mark("applied", number, is_durable=False)
            vault.journal.write_tail(is_clean=True)
        except OSError as error:
            self._give_up(vault, plan, number)
            raise storage_error(error, "change a file") from error
        except ChangeError:
            self._give_up(vault, plan, number)
            raise

    def _give_up(self, vault: Vault, plan: Plan, number: int) -> None:
        try:
            give_up(vault, plan, number)
            vault.flush_all()
            vault.forget()
        except OSError as error:
            raise storage_error(error, "take back a change") from error

    def _empty_trash(self, plan: Plan) -> None:
        """Free what was deleted, outside the lock since a folder can be large."""
        for step in plan.steps:
            if step.is_trash:
                try:
                    remove_tree(self.vault_dir / "trash" / step.to)
                except OSError:
                    continue

    def _checkpoint(self, vault: Vault) -> None:
        """Tidy up; a failure costs nothing yet, since the journal still holds everything, and shows at the
        next commit.
        """
        try:
            checkpoint(vault)
        except (OSError, StorageFull, StorageFailed):
            return


def _shown(plan: Plan) -> list[str]:
    paths = []
    for step in plan.steps:
        if step.op in ("put", "chmod", "move"):
            paths.append(step.path)
        if step.op == "move" and not step.is_trash:
            paths.append(step.to)
    return paths
