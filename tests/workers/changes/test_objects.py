"""Loose objects as git itself would write them, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.framework.repos import make_repository
from workers.changes.errors import UnknownRevision
from workers.changes.objects import BlobReader, ObjectWriter, writing_objects
from workers.changes.opening import Tree


def test_gives_gits_own_ids_and_content(tmp_path: Path) -> None:
    repository = make_repository(tmp_path)
    large = os.urandom(3 << 20)
    (repository.files_dir / "large").write_bytes(large)
    with writing_objects(repository.git_dir) as writer, Tree(repository.files_dir) as tree:
        small_id = writer.write(b"small\r\n")
        fd, _ = tree.open_regular("large")
        large_id = writer.write_descriptor(fd)
        os.close(fd)
        assert writer.write(b"small\r\n") == small_id
    assert small_id == repository.bare.text("hash-object", "--stdin", stdin=b"small\r\n")
    assert large_id == repository.bare.text("hash-object", "--stdin", stdin=large)
    with BlobReader(repository.bare) as blobs:
        assert (blobs.read(small_id), blobs.read(large_id)) == (b"small\r\n", large)
        with pytest.raises(UnknownRevision):
            blobs.read("0" * 40)
        assert blobs.read(small_id) == b"small\r\n"
    assert repository.bare.run("fsck", "--strict", "--no-dangling") == b""


def test_an_object_has_its_name_only_once_it_is_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = make_repository(tmp_path)
    writer = ObjectWriter(repository.git_dir)
    oid = writer.write(b"content")
    path = repository.git_dir / "objects" / oid[:2] / oid[2:]
    waits: list[bool] = []
    real = os.fsync

    def note(fd: int) -> None:
        waits.append(path.exists())
        real(fd)

    monkeypatch.setattr(os, "fsync", note)
    assert not path.exists()
    writer.flush()
    assert path.exists() and waits[0] is False


def test_drops_what_a_failed_block_wrote(tmp_path: Path) -> None:
    repository = make_repository(tmp_path)
    before = sorted(repository.git_dir.rglob("*"))
    with pytest.raises(ZeroDivisionError), writing_objects(repository.git_dir) as writer:
        writer.write(b"content")
        raise ZeroDivisionError
    assert sorted(repository.git_dir.rglob("*")) == before
