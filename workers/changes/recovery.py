"""Finishing what a crash interrupted: a transaction whose record is on disk becomes all new, others stay all
old.

After the end of a process the page cache still holds all that was done, so only the unfinished transaction is
repeated. After a power cut what was renamed may be missing or empty although its transaction was
acknowledged; then every record of the journal is checked against the files. Content that nobody recorded is
somebody's newer edit: an acknowledged transaction leaves it alone, an unfinished one keeps a copy of it in
`displaced/`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from workers.changes.checkpoint import fold
from workers.changes.errors import ChangeError, StorageFailed, StorageFull, storage_error
from workers.changes.lock import hold_lock
from workers.changes.states import ABSENT, Plan, Step, decode_plan
from workers.changes.steps import redo_step, undo_step
from workers.changes.vault import Vault


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of one transaction: `displaced` are (path, name in the vault), `skipped` paths could not be
    set.
    """

    label: str
    outcome: Literal["finished", "undone", "repaired"]
    paths: tuple[str, ...]
    displaced: tuple[tuple[str, str], ...] = ()
    skipped: tuple[str, ...] = ()


@dataclass(slots=True)
class _Entry:
    number: int
    plan: Plan
    marks: set[str] = field(default_factory=set)


def recover(files_dir: Path, vault_dir: Path, *, timeout_s: float = 30.0) -> list[Recovery]:
    """Finish or undo whatever was interrupted; cheap when nothing was.

    Raises:
        WorkspaceBusy: a writer holds the workspace.
        JournalDamaged: the journal's head is not readable.
    """
    if not (vault_dir / "journal").exists():
        return []
    with hold_lock(vault_dir / "lock", timeout_s=timeout_s):
        vault = Vault(files_dir, vault_dir)
        try:
            return recover_open(vault)
        finally:
            vault.close()


def recover_open(vault: Vault) -> list[Recovery]:
    """Do the work of `recover` on a vault whose lock the caller holds."""
    tail = vault.journal.tail
    if tail.is_clean and tail.is_this_boot:
        return []
    try:
        is_cut = not tail.is_this_boot or not tail.is_this_mount
        return _recover_all(vault, after_power_cut=is_cut)
    except OSError as error:
        raise storage_error(error, "recover the workspace") from error


def _recover_all(vault: Vault, *, after_power_cut: bool) -> list[Recovery]:
    journal = vault.journal
    entries: dict[int, _Entry] = {}
    for record in journal.scan() if after_power_cut else journal.scan(journal.tail.end):
        if record.kind == "transaction":
            entries[record.number] = _Entry(record.number, decode_plan(record.payload))
        elif record.number in entries:
            entries[record.number].marks.add(record.kind)
    report: list[Recovery] = []
    if after_power_cut:
        # The last one counts as well: its mark may be all that the disk lost of it, while its files have moved.
        report += _repair(vault, [entry.plan for entry in entries.values() if "aborted" not in entry.marks])
    for entry in entries.values():
        if "aborted" in entry.marks:
            report.append(undo_plan(vault, entry.plan))
        elif "applied" not in entry.marks:
            report.append(_finish(vault, entry.plan))
    vault.flush_all()
    vault.forget()
    return report


def _finish(vault: Vault, plan: Plan) -> Recovery:
    displaced, skipped = [], []
    for index, step in enumerate(plan.steps):
        try:
            if name := redo_step(vault, step, plan.data.get(index)):
                displaced.append((step.path, name))
        except (StorageFull, StorageFailed):
            raise
        except (ChangeError, NotADirectoryError, IsADirectoryError, FileNotFoundError):
            skipped.append(step.path)
    return Recovery(plan.label, "finished", _paths(plan), tuple(displaced), tuple(skipped))


def undo_plan(vault: Vault, plan: Plan) -> Recovery:
    """Take back every step in reverse order."""
    skipped = []
    for step in reversed(plan.steps):
        try:
            undo_step(vault, step)
        except (StorageFull, StorageFailed):
            raise
        except (ChangeError, NotADirectoryError, IsADirectoryError, FileNotFoundError):
            skipped.append(step.path)
    return Recovery(plan.label, "undone", _paths(plan), skipped=tuple(skipped))


def give_up(vault: Vault, plan: Plan, number: int) -> Recovery:
    """Undo a transaction whose record is already on disk, also if a crash comes meanwhile."""
    vault.flush_all()  # the backups must be on disk before the record says that they count
    vault.journal.mark("aborted", number, is_durable=True)
    return undo_plan(vault, plan)


def _repair(vault: Vault, plans: list[Plan]) -> list[Recovery]:
    """Set the paths whose acknowledged content did not reach the disk before the power went."""
    report = []
    wishes = fold(plans, on_move=lambda step: _redo_quietly(vault, step, None))
    removals_first = sorted(wishes, key=lambda path: (wishes[path].step.new != ABSENT, -path.count("/")))
    for path in removals_first:
        wanted = wishes[path]
        found = vault.state_at(path)
        is_lost = found == ABSENT or (found.kind == "file" and found.size == 0) or found in wanted.known
        if found != wanted.step.new and is_lost and _redo_quietly(vault, wanted.step, wanted.data):
            report.append(Recovery(wanted.label, "repaired", (path,)))
    return report


def _redo_quietly(vault: Vault, step: Step, data: bytes | None) -> bool:
    try:
        redo_step(vault, step, data, is_exact=True)
    except (StorageFull, StorageFailed):
        raise
    except (ChangeError, NotADirectoryError, IsADirectoryError, FileNotFoundError):
        return False
    return True


def _paths(plan: Plan) -> tuple[str, ...]:
    return tuple(step.path for step in plan.steps)
