"""Doing a step, doing it again after a crash, and taking it back: each is safe to repeat."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workers.changes.errors import FileMissing, NotAFile, PathTaken, VersionConflict
from workers.changes.files import version_of_link
from workers.changes.opening import exchange, identity_at, rename_new
from workers.changes.paths import parents_of, to_bytes
from workers.changes.states import ABSENT, State, Step
from workers.changes.vault import Signature, Vault, folder, signature_of


def version_of_state(state: State) -> str | None:
    """Return the version that callers know this state by; None for an absent file."""
    if state.kind == "link":
        return version_of_link(to_bytes(state.target))
    return state.version or None


def signature_at(vault: Vault, path: str) -> Signature:
    """Return the signature of what is at `path` now."""
    status = vault.tree.lstat(path)
    return () if status is None else signature_of(status)


@contextmanager
def parent_of(vault: Vault, path: str) -> Iterator[tuple[int, bytes]]:
    fd, name = vault.tree.open_parent(path)
    try:
        yield fd, name
    finally:
        os.close(fd)


def do_step(vault: Vault, step: Step, seen: Signature | None) -> None:
    """Make one step visible.

    Raises:
        VersionConflict: `path` is not as it was when the transaction looked at it (`seen`).
    """
    if step.op == "put":
        _put(vault, step, seen)
        return
    if seen is not None and signature_at(vault, step.path) != seen:
        raise _conflict(vault, step)
    if step.op == "chmod":
        set_mode(vault, step.path, step.new.mode)
    elif step.op == "move":
        if not move(vault, step, is_exact=True):
            raise PathTaken("What was to be moved, or its new place, has changed meanwhile.", path=step.path)
    else:
        make_or_remove_dir(vault, step.path, step.new)


def _conflict(vault: Vault, step: Step) -> VersionConflict:
    return VersionConflict(step.path, version_of_state(step.old), version_of_state(vault.state_at(step.path)))


def _put(vault: Vault, step: Step, seen: Signature | None) -> None:
    """Put new content in place of nothing, or in exchange for the old, which is then looked at once more."""
    with parent_of(vault, step.path) as (fd, name):
        if step.old == ABSENT:
            try:
                rename_new(vault.stage_fd, to_bytes(step.stage), fd, name)
            except FileExistsError:
                raise _conflict(vault, step) from None
            return
        try:
            exchange(vault.stage_fd, to_bytes(step.stage), fd, name)
        except FileNotFoundError:
            raise _conflict(vault, step) from None
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
                raise
            _put_over(vault, step, seen, (fd, name))
            return
    displaced = os.stat(step.stage, dir_fd=vault.stage_fd, follow_symlinks=False)
    if signature_of(displaced) != seen:
        state, _ = vault.look_in(vault.stage_fd, to_bytes(step.stage))
        raise VersionConflict(step.path, version_of_state(step.old), version_of_state(state))
    vault.retire(step.stage, step.old)


def _put_over(vault: Vault, step: Step, seen: Signature | None, place: tuple[int, bytes]) -> None:
    """The same where names cannot be exchanged: a copy is the backup, and the check comes before the
    rename."""
    vault.keep_copy(step.path)
    if signature_at(vault, step.path) != seen:
        raise _conflict(vault, step)
    os.rename(step.stage, place[1], src_dir_fd=vault.stage_fd, dst_dir_fd=place[0])


def set_mode(vault: Vault, path: str, mode: int) -> None:
    """Set the permission bits of the regular file at `path`, never through a link."""
    fd = vault.tree.open(path, os.O_PATH)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise NotAFile("Only a file has a mode here.", path=path)
        Path(f"/proc/self/fd/{fd}").chmod(mode)
    finally:
        os.close(fd)


def move(vault: Vault, step: Step, *, is_back: bool = False, is_exact: bool = False) -> bool:
    """Rename to the new place, or back; return whether it was done now.

    Something at the destination means that it was done before. With `is_exact` only the very thing that the
    transaction saw is moved; a tree that was copied in between (a backup) has other inodes, so that is not
    the rule.
    """
    source, target = (step.to, step.path) if is_back else (step.path, step.to)
    with _place(vault, step, source) as (source_fd, source_name):
        try:
            found = identity_at(source_fd, source_name)
        except FileNotFoundError:
            return False
        if is_exact and found != (step.inode, step.born_ns):
            return False
        with _place(vault, step, target) as (target_fd, target_name):
            try:
                rename_new(source_fd, source_name, target_fd, target_name)
            except FileExistsError:
                return False
    return True


@contextmanager
def _place(vault: Vault, step: Step, path: str) -> Iterator[tuple[int, bytes]]:
    if step.is_trash and path == step.to:
        fd = os.open(folder(vault.path, "trash"), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield fd, to_bytes(step.to)
        finally:
            os.close(fd)
    else:
        with parent_of(vault, path) as place:
            yield place


def make_or_remove_dir(vault: Vault, path: str, state: State) -> None:
    """Make the folder, or remove it when it is empty; both may already be so."""
    with parent_of(vault, path) as (fd, name):
        if state.kind == "dir":
            try:
                os.mkdir(name, dir_fd=fd)
                os.chmod(name, state.mode or 0o755, dir_fd=fd)
            except FileExistsError:
                if not stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
                    raise PathTaken(path=path) from None
        else:
            try:
                os.rmdir(name, dir_fd=fd)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.ENOENT, errno.EEXIST, errno.ENOTDIR):
                    raise


def undo_step(vault: Vault, step: Step) -> None:
    """Put back what was there before the step; what somebody else changed since stays as it is."""
    if step.op == "move":
        move(vault, step, is_back=True)
    elif step.op in ("mkdir", "rmdir"):
        make_or_remove_dir(vault, step.path, step.old)
    elif step.op == "chmod":
        if vault.state_at(step.path) == step.new:
            set_mode(vault, step.path, step.old.mode)
    elif vault.state_at(step.path) == step.new and step.new != step.old:
        _restore(vault, step)


def _restore(vault: Vault, step: Step) -> None:
    """Exchange the old thing back while it is still in the stage, else take its backup."""
    with parent_of(vault, step.path) as (fd, name):
        if step.old == ABSENT:
            os.unlink(name, dir_fd=fd)
            return
        if vault.staged(step.stage) not in (ABSENT, step.new):
            exchange(vault.stage_fd, to_bytes(step.stage), fd, name)
            return
        if step.old.kind == "file":
            with vault.open_object(step.old.version) as source:
                vault.stage("undo", source, mode=step.old.mode)
        else:
            vault.stage_link("undo", step.old.target)
        os.rename("undo", name, src_dir_fd=vault.stage_fd, dst_dir_fd=fd)


def redo_step(vault: Vault, step: Step, data: bytes | None, *, is_exact: bool = False) -> str:
    """Make the step true after a crash; return the name of what it displaced, or "".

    Raises:
        ChangeError: something that is not a file is in the way now, or a link on the way there.
    """
    if step.op == "move":
        move(vault, step, is_exact=is_exact)
        return ""
    if step.op in ("mkdir", "rmdir"):
        _make_parents(vault, step.path)
        make_or_remove_dir(vault, step.path, step.new)
        return ""
    found = vault.state_at(step.path)
    if found == step.new:
        return ""
    if step.op == "chmod":
        if found.has_content_of(step.new):
            set_mode(vault, step.path, step.new.mode)
        return ""
    if found.kind == "dir":
        raise PathTaken(path=step.path)
    displaced = "" if found in (ABSENT, step.old) else vault.displace(step.path)
    _put_again(vault, step, data)
    return displaced


def _make_parents(vault: Vault, path: str) -> None:
    for each in parents_of(path):
        if vault.tree.lstat(each) is None:
            make_or_remove_dir(vault, each, State("dir", mode=0o755))


def _put_again(vault: Vault, step: Step, data: bytes | None) -> None:
    name = step.stage
    if step.new == ABSENT:
        with parent_of(vault, step.path) as (fd, last):
            os.unlink(last, dir_fd=fd)
        return
    if step.new.kind == "file" and data is not None:
        vault.stage(name, data, mode=step.new.mode)
    elif step.new.kind == "link":
        vault.stage_link(name, step.new.target)
    elif not vault.staged(name).has_content_of(step.new):
        raise FileMissing("The content of a large file is no longer staged.", path=step.path)
    _make_parents(vault, step.path)
    with parent_of(vault, step.path) as (fd, last):
        os.rename(name, last, src_dir_fd=vault.stage_fd, dst_dir_fd=fd)
