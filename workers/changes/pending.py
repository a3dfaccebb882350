"""Moving files, index and branch together, such that a crash at any point ends in all moved or nothing moved.

The intent is a small durable file. The files move in one transaction, the branch by compare-and-swap, then
the index. Whoever takes the repository's lock next finishes an intent that is still there: when the files
moved, the branch follows; when they did not, the intent is forgotten.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from workers.changes.checkout import apply_changes, check_index, matching_side
from workers.changes.errors import GitFailed, RefMoved, storage_error
from workers.changes.git import Git
from workers.changes.revisions import ZERO, RawChange
from workers.changes.staging import entries_of, refresh, set_entries, staged_changes, tree_changes
from workers.changes.transaction import recover

Outcome = Literal["moved", "not_moved"]


@dataclass(frozen=True, slots=True)
class Intent:
    """A move of the checkout from commit `old` to commit `new`.

    With `switch_to` HEAD is pointed at that branch; otherwise the branch `ref` advances from `old` to `new`.
    With `files_old` and `files_new` the files move between those two trees, which hold edits that nobody committed.
    """

    label: str
    ref: str
    old: str
    new: str
    switch_to: str = ""
    files_old: str = ""
    files_new: str = ""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the parts of one workspace are."""

    root: Path
    files_dir: Path
    vault_dir: Path
    git: Git

    @property
    def intent_path(self) -> Path:
        return self.root / "intent.json"


def move_checkout(places: Places, intent: Intent) -> None:
    """Do it. The caller holds the repository's lock and no other intent is open.

    Raises:
        LandingConflict: edits that are not committed are in the way; nothing changed.
        RefMoved: the branch is not at `old`; nothing changed.
        StorageFull, StorageFailed: nothing changed.
    """
    if current_ref(places.git, intent.ref) != intent.old:
        raise moved(places.git, intent.ref, intent.old)
    changes = tree_changes(places.git, intent.old, intent.new)
    check_index(places.git, intent.old, changes)
    changes = _file_changes(places, intent)
    _write_intent(places, intent)
    try:
        apply_changes(places.git, places.files_dir, places.vault_dir, changes, label=intent.label)
    except BaseException:
        _drop_intent(places)
        raise
    try:
        _move_ref(places, intent)
    except GitFailed:
        back = _file_changes(places, intent, is_back=True)
        apply_changes(places.git, places.files_dir, places.vault_dir, back, label=f"{intent.label}: undo")
        _drop_intent(places)
        raise
    _move_index(places, intent)
    _drop_intent(places)


def finish_intent(places: Places) -> Outcome | None:
    """Finish what a crash left; None when there was nothing. The caller holds the repository's lock."""
    drop_stale_locks(places.git)
    try:
        intent = Intent(**json.loads(places.intent_path.read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):  # torn by a power cut: it was not durable yet, so no file has moved
        _drop_intent(places)
        return "not_moved"
    recover(places.files_dir, places.vault_dir)
    outcome = _decide(places, intent)
    if outcome == "moved":
        if not _has_moved(places, intent):
            _move_ref(places, intent)
        _move_index(places, intent)
    _drop_intent(places)
    return outcome


def _decide(places: Places, intent: Intent) -> Outcome:
    if _has_moved(places, intent):
        return "moved"
    if current_ref(places.git, intent.ref) != intent.old:
        return "not_moved"  # somebody moved the branch by other means; whatever the files show is theirs now
    changes = _file_changes(places, intent)
    sides = matching_side(places.git, places.files_dir, changes)
    if not sides:  # only modes differ, or nothing: either end is whole, and the intent asked for the new one
        apply_changes(places.git, places.files_dir, places.vault_dir, changes, label=intent.label)
        return "moved"
    return "moved" if "new" in sides else "not_moved"


def _file_changes(places: Places, intent: Intent, *, is_back: bool = False) -> list[RawChange]:
    """Return how the files move, or how they move back."""
    ends = intent.files_old or intent.old, intent.files_new or intent.new
    return tree_changes(places.git, *(reversed(ends) if is_back else ends))


def _has_moved(places: Places, intent: Intent) -> bool:
    if intent.switch_to:
        return head_ref(places.git) == intent.switch_to
    return current_ref(places.git, intent.ref) == intent.new


def _move_ref(places: Places, intent: Intent) -> None:
    if intent.switch_to:
        places.git.run("symbolic-ref", "HEAD", intent.switch_to)
        sync_folder(places.git.git_dir)
    else:
        update_ref(places.git, intent.ref, intent.new, intent.old)


def _move_index(places: Places, intent: Intent) -> None:
    changes = tree_changes(places.git, intent.old, intent.new)
    not_ours = {change.path for change in staged_changes(places.git, intent.old)}
    entries = [entry for entry in entries_of(changes, is_new=True) if entry[2] not in not_ours]
    set_entries(places.git, entries)
    refresh(places.git)


def _write_intent(places: Places, intent: Intent) -> None:
    try:
        fd = os.open(places.intent_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, json.dumps(asdict(intent)).encode())
            os.fsync(fd)
        finally:
            os.close(fd)
        sync_folder(places.root)
    except OSError as error:
        places.intent_path.unlink(missing_ok=True)
        raise storage_error(error, "note the intent") from error


def _drop_intent(places: Places) -> None:
    places.intent_path.unlink(missing_ok=True)


def drop_stale_locks(git: Git) -> None:
    """Remove lock files that a killed git left; whoever writes here holds our own lock."""
    if git.index is not None:
        Path(f"{git.index}.lock").unlink(missing_ok=True)
    (git.git_dir / "HEAD.lock").unlink(missing_ok=True)
    for path in (git.git_dir / "refs" / "heads").rglob("*.lock"):
        path.unlink(missing_ok=True)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def head_ref(git: Git) -> str:
    """Return the full name of the branch that HEAD points at."""
    return git.text("symbolic-ref", "HEAD")


def current_ref(git: Git, ref: str) -> str | None:
    """Return the commit that a ref points at; None when it does not exist."""
    return git.text("rev-parse", "--verify", "--quiet", ref, ok=(0, 1)) or None


def update_ref(git: Git, ref: str, new: str, expected_old: str | None) -> None:
    """Move a ref if it is where it is expected; None expects that it does not exist.

    Raises:
        RefMoved: it is somewhere else.
    """
    try:
        git.run("update-ref", "--no-deref", ref, new, expected_old or ZERO)
    except GitFailed as error:
        if current_ref(git, ref) != expected_old:
            raise moved(git, ref, expected_old) from error
        raise
    # git flushes the ref's content but not its name; without this a power cut takes an acknowledged commit back
    sync_folder((git.git_dir / ref).parent)


def moved(git: Git, ref: str, expected: str | None) -> RefMoved:
    return RefMoved(ref=ref, expected=expected, found=current_ref(git, ref))
