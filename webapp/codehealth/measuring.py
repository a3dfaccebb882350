"""Measures files of the shared checkout and of commits. Content that was measured before is looked up, not measured again.

Both are keyed by git's own blob id: what stands in the checkout is the same content as what stands in a commit, so that an
audit after a commit, and a trend over a hundred commits, cost what differs.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from webapp.codehealth.figures import VERSION, Entry, figures_of
from webapp.codehealth.models import FileFigures
from webapp.packing import pack, unpack
from webapp.workspaces.models import Workspace
from webapp.workspaces.repositories import repository_of
from workers.changes.errors import ChangeError
from workers.changes.files import read_all
from workers.changes.objects import BlobReader, object_format
from workers.changes.opening import Tree
from workers.changes.paths import from_bytes, to_bytes, to_portable
from workers.codehealth.metrics import audit_source
from workers.codehealth.sources import MAX_BYTES, ending_of

CHUNK = 200
"""Files that are held in memory at once."""
MAX_FILES = 50_000
REGULAR = ("100644", "100755")
Progress = Callable[[int, int], None]
Source = tuple[str, str, Callable[[], bytes | None]]
"""Path, key, and how to get the content when it has to be measured."""


def key_of(path: str, blob: str) -> str:
    """Return the name of what is measured: the language comes from the ending, so it is a part of it."""
    return f"{ending_of(path)[1:]}:{blob}:{VERSION}"


class Measurer:
    """Measures one workspace. It remembers the entries it has seen by their key."""

    def __init__(self, workspace: Workspace, *, known: Iterable[Entry] = ()) -> None:
        self.workspace = workspace
        self.repository = repository_of(workspace)
        self._entries = {entry.key: entry for entry in known}
        self._hash_name = object_format(self.repository.git_dir)

    def checkout(
        self, paths: Sequence[str] | None = None, *, progress: Progress | None = None
    ) -> dict[str, Entry]:
        """Return the entries of the source files of the shared checkout that git does not ignore.

        Args:
            paths: Only these files, or files below these folders; None for all.
            progress: Told how many of how many files are done; what it raises ends the measurement.
        """
        names = self._checkout_paths(paths)
        with Tree(self.repository.files_dir) as tree:
            return self._entries_of((self._on_disk(tree, path) for path in names), len(names), progress)

    def commit(self, commit: str, *, progress: Progress | None = None) -> dict[str, Entry]:
        """Return the entries of the source files of a commit's tree."""
        out = self.repository.bare.run("ls-tree", "-r", "-z", "--full-tree", commit)
        found: list[tuple[str, str]] = []
        for line in out.split(b"\0"):
            head, _, name = line.partition(b"\t")
            path = from_bytes(name)
            if head and head[:6].decode() in REGULAR and ending_of(path):
                found.append((path, head.split(b" ")[2].decode()))
        found = found[:MAX_FILES]
        with BlobReader(self.repository.bare) as blobs:
            sources = ((path, key_of(path, blob), _blob(blobs, blob)) for path, blob in found)
            return self._entries_of(sources, len(found), progress)

    def _checkout_paths(self, paths: Sequence[str] | None) -> list[str]:
        args: list[str | bytes] = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        if paths is not None:
            args += ["--", *(to_bytes(path) for path in paths)]
        names = (from_bytes(name) for name in self.repository.git.run(*args).split(b"\0"))
        return sorted({name for name in names if ending_of(name)})[:MAX_FILES]

    def _on_disk(self, tree: Tree, path: str) -> Source | None:
        try:
            fd, status = tree.open_regular(path)
        except (ChangeError, OSError):
            return None  # gone meanwhile, a link, or not ours to read: no source file
        try:
            if status.st_size > MAX_BYTES:
                return None
            data = read_all(fd, status.st_size)
        except (ChangeError, OSError):
            return None
        finally:
            os.close(fd)
        digest = hashlib.new(self._hash_name, b"blob %d\0" % len(data), usedforsecurity=False)
        digest.update(data)
        return path, key_of(path, digest.hexdigest()), lambda: data

    def _entries_of(
        self, sources: Iterable[Source | None], total: int, progress: Progress | None
    ) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        done = 0
        with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
            for chunk in _chunks(sources):
                done += len(chunk)
                present = [source for source in chunk if source is not None]
                self._learn(present, pool)
                entries.update(
                    (to_portable(path), self._entries[key])
                    for path, key, _ in present
                    if key in self._entries
                )
                if progress is not None:
                    progress(done, total)
        return entries

    def _learn(self, sources: Sequence[Source], pool: ThreadPoolExecutor) -> None:
        """See to it that the entries of these sources are known: from memory, from their row, or measured now."""
        missing = {key: (path, read) for path, key, read in sources if key not in self._entries}
        if not missing:
            return
        rows = FileFigures.objects.filter(workspace=self.workspace, key__in=list(missing))
        for key, packed in rows.values_list("key", "packed"):
            self._entries[key] = Entry.of(key, unpack(packed))
            del missing[key]
        # One after the other: all blobs come through one pipe.
        contents = [
            (key, path, data) for key, (path, read) in missing.items() if (data := read()) is not None
        ]
        measured = [one for one in pool.map(_measure, contents) if one is not None]
        FileFigures.objects.bulk_create(
            [FileFigures(workspace=self.workspace, key=key, packed=packed) for key, _, packed in measured],
            ignore_conflicts=True,
        )
        self._entries.update((key, entry) for key, entry, _ in measured)


def _measure(content: tuple[str, str, bytes]) -> tuple[str, Entry, bytes] | None:
    key, path, data = content
    audit = audit_source(data, path=to_portable(path))
    if audit.language is None:
        return None
    figures: dict[str, Any] = figures_of(audit)
    return key, Entry.of(key, figures), pack(figures)


def _blob(blobs: BlobReader, blob: str) -> Callable[[], bytes | None]:
    def read() -> bytes | None:
        data = blobs.read(blob)
        return data if len(data) <= MAX_BYTES else None

    return read


def _chunks(sources: Iterable[Source | None]) -> Iterator[list[Source | None]]:
    iterator = iter(sources)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk
