"""The write-ahead journal of a vault: one preallocated file, one checksummed record per transaction.

A record counts once `fdatasync` returned; that is the only wait of a commit. Each generation of the journal
has a random key, and each record carries blake3 keyed with it, so neither a torn record, nor what an older
generation left behind, nor file content that imitates a record is ever taken for one. Space for the marks
that follow a record is reserved before the record is written, so that giving up works on a full disk.
"""

from __future__ import annotations

import os
import secrets
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from blake3 import blake3

from workers.changes.errors import JournalDamaged
from workers.changes.opening import mount_of

MarkKind = Literal["applied", "aborted"]
_KINDS: dict[str, int] = {"transaction": 1, "applied": 2, "aborted": 3}
_NAMES = {number: name for name, number in _KINDS.items()}
_MAGIC = b"PyAJ"
_RECORD = struct.Struct("<4sB3xQQ")  # magic, kind, number of the transaction, bytes of payload
_HEAD = struct.Struct("<8sI4xQ32s")  # magic, format, generation, key
_TAIL = struct.Struct("<32sQQQB7x36s4xQ")  # key, end, next number, vault bytes, is_clean, boot id, mount
_DIGEST = 32
_HEADS_AT = (0, 1024)
"""Two places in sectors of their own, used in turn: a head cut off in the middle leaves the older one."""
_TAIL_AT, _START = 512, 4096
_FORMAT = 1
_STEP = 1 << 20
_RESERVE = 4096  # room for the marks after a record


@cache
def boot_id() -> bytes:
    """Return what names this boot of the machine; after a power cut it is another."""
    return Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()[:36]


@dataclass(frozen=True, slots=True)
class Record:
    """A transaction or a mark, as read back."""

    kind: str
    number: int
    payload: bytes
    offset: int


@dataclass(slots=True)
class Tail:
    """Where the next record goes; hints that spare a scan when the last writer finished."""

    end: int
    next_number: int
    vault_bytes: int
    is_clean: bool
    is_this_boot: bool
    is_this_mount: bool


class Journal:
    """An open journal. The caller holds the vault's lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._open(path)
        except BaseException:
            os.close(self.fd)
            raise

    def _open(self, path: Path) -> None:
        self.size = os.fstat(self.fd).st_size
        heads = [head for at in _HEADS_AT if (head := self._read_head(at)) is not None]
        if heads:
            self.generation, self.key = max(heads)
            self.tail = self._read_tail()
        elif not self.size or not any(os.pread(self.fd, _RECORD.size, _START)):
            # New, or its first head was cut off while it was written: nothing was ever promised from it.
            self.generation = 0
            self.reset()
        else:
            raise JournalDamaged("Both heads of the journal are damaged.", path)

    def _read_head(self, at: int) -> tuple[int, bytes] | None:
        data = os.pread(self.fd, _HEAD.size + _DIGEST, at)
        body, digest = data[: _HEAD.size], data[_HEAD.size :]
        if len(digest) < _DIGEST or blake3(body).digest() != digest:
            return None
        magic, form, generation, key = _HEAD.unpack(body)
        if magic != b"PyAgentJ" or form != _FORMAT:
            raise JournalDamaged("The journal has an unknown format.", self.path)
        return generation, key

    def close(self) -> None:
        os.close(self.fd)

    def _read_tail(self) -> Tail:
        data = os.pread(self.fd, _TAIL.size + _DIGEST, _TAIL_AT)
        body, digest = data[: _TAIL.size], data[_TAIL.size :]
        if len(digest) == _DIGEST and blake3(body, key=self.key).digest() == digest:
            key, end, number, vault_bytes, is_clean, boot, mount = _TAIL.unpack(body)
            if key == self.key and _START <= end <= self.size:
                is_here = mount == mount_of(self.fd)
                return Tail(end, number, vault_bytes, bool(is_clean), boot == boot_id(), is_here)
        return Tail(_START, 1, 0, is_clean=False, is_this_boot=False, is_this_mount=False)

    def write_tail(self, *, is_clean: bool) -> None:
        """Note where the next record goes; not flushed, since after a power cut all is scanned."""
        tail = self.tail
        body = _TAIL.pack(
            self.key, tail.end, tail.next_number, tail.vault_bytes, is_clean, boot_id(), mount_of(self.fd)
        )
        os.pwrite(self.fd, body + blake3(body, key=self.key).digest(), _TAIL_AT)
        tail.is_clean, tail.is_this_boot, tail.is_this_mount = is_clean, True, True

    def reset(self) -> None:
        """Start an empty generation, durably. Everything in the old one must be on disk or given up."""
        self.reserve(_START)
        self.generation += 1
        self.key = secrets.token_bytes(32)
        head = _HEAD.pack(b"PyAgentJ", _FORMAT, self.generation, self.key)
        self.tail = Tail(_START, 1, 0, is_clean=True, is_this_boot=True, is_this_mount=True)
        os.pwrite(self.fd, head + blake3(head).digest(), _HEADS_AT[self.generation % 2])
        self.write_tail(is_clean=True)
        os.fsync(self.fd)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def reserve(self, end: int) -> None:
        """Make room up to `end`, so that writing there cannot meet a full disk."""
        if end > self.size:
            size = -(-end // _STEP) * _STEP
            os.posix_fallocate(self.fd, self.size, size - self.size)
            self.size = size

    def append_transaction(self, payload: bytes) -> int:
        """Write one record and wait until it is on disk; return its number.

        Raises:
            OSError: it is not; the record is taken back, and no opener will see it.
        """
        number, start = self.tail.next_number, self.tail.end
        record = self._frame("transaction", number, payload)
        self.reserve(start + len(record) + _RESERVE)
        try:
            view = memoryview(record)
            while view:
                view = view[os.pwrite(self.fd, view, start + len(record) - len(view)) :]
            os.fdatasync(self.fd)
        except OSError:
            self._take_back(start)
            raise
        self.tail.end, self.tail.next_number = start + len(record), number + 1
        return number

    def _take_back(self, start: int) -> None:
        try:
            os.pwrite(self.fd, bytes(_RECORD.size), start)
            os.fdatasync(self.fd)
        except OSError:
            return  # the first error is the one to report; after it nothing on this disk can be promised

    def mark(self, kind: MarkKind, number: int, *, is_durable: bool) -> None:
        """Note what became of a transaction."""
        record = self._frame(kind, number, b"")
        os.pwrite(self.fd, record, self.tail.end)
        if is_durable:
            os.fdatasync(self.fd)
        self.tail.end += len(record)

    def _frame(self, kind: str, number: int, payload: bytes) -> bytes:
        body = _RECORD.pack(_MAGIC, _KINDS[kind], number, len(payload)) + payload
        return body + blake3(body, key=self.key).digest()

    def scan(self, start: int = _START) -> Iterator[Record]:
        """Yield whole records from `start` on; stops at the first that is not one."""
        offset = start
        while offset + _RECORD.size + _DIGEST <= self.size:
            magic, kind, number, length = _RECORD.unpack(os.pread(self.fd, _RECORD.size, offset))
            total = _RECORD.size + length + _DIGEST
            if magic != _MAGIC or kind not in _NAMES or offset + total > self.size:
                return
            frame = os.pread(self.fd, total, offset)
            if blake3(frame[:-_DIGEST], key=self.key).digest() != frame[-_DIGEST:]:
                return
            yield Record(_NAMES[kind], number, frame[_RECORD.size : -_DIGEST], offset)
            offset += total
            self.tail.end = max(self.tail.end, offset)
            self.tail.next_number = max(self.tail.next_number, number + 1)
