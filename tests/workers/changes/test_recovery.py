"""After a power cut: what was acknowledged is repaired, newer edits are left alone."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from workers.changes import journal
from workers.changes.errors import JournalDamaged
from workers.changes.files import version_of
from workers.changes.transaction import StateTransaction, recover


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    return tmp_path


def write(root: Path, label: str = "save", **files: bytes) -> None:
    with StateTransaction(root / "files", root / "vault", label=label) as tx:
        for path, data in files.items():
            tx.write(path, data)


@pytest.fixture
def cut_power(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Make the next opener believe that the machine was off in between."""

    def cut() -> None:
        monkeypatch.setattr(journal, "boot_id", lambda: b"another boot".ljust(36))

    return cut


def test_restores_an_acknowledged_file_that_the_disk_lost(root: Path, cut_power: Callable[[], None]) -> None:
    write(root, emptied=b"old")
    write(root, emptied=b"acknowledged", missing=b"acknowledged too", stale=b"old")
    write(root, label="last", stale=b"new")
    (root / "files/emptied").write_bytes(b"")  # what an unflushed rename leaves on XFS
    (root / "files/missing").unlink()
    (root / "files/stale").write_bytes(b"old")
    cut_power()
    report = recover(root / "files", root / "vault")
    assert {(each.label, each.outcome, each.paths) for each in report} == {
        ("save", "repaired", ("emptied",)),
        ("save", "repaired", ("missing",)),
        ("last", "repaired", ("stale",)),
    }
    assert (root / "files/emptied").read_bytes() == b"acknowledged"
    assert (root / "files/missing").read_bytes() == b"acknowledged too"
    assert (root / "files/stale").read_bytes() == b"new"


def test_leaves_newer_edits_alone(root: Path, cut_power: Callable[[], None]) -> None:
    write(root, a=b"one")
    write(root, a=b"two")
    (root / "files/a").write_bytes(b"edited in a terminal since")
    cut_power()
    assert recover(root / "files", root / "vault") == []
    assert (root / "files/a").read_bytes() == b"edited in a terminal since"


def test_follows_a_file_that_was_moved_after_it_was_written(
    root: Path, cut_power: Callable[[], None]
) -> None:
    write(root, a=b"content")
    with StateTransaction(root / "files", root / "vault", label="move") as tx:
        tx.move("a", "b")
    (root / "files/b").write_bytes(b"")
    cut_power()
    recover(root / "files", root / "vault")
    assert (root / "files/b").read_bytes() == b"content"
    assert not (root / "files/a").exists()


def test_does_not_bring_back_what_was_deleted(root: Path, cut_power: Callable[[], None]) -> None:
    write(root, a=b"content", b=b"stays")
    with StateTransaction(root / "files", root / "vault", label="delete") as tx:
        tx.delete("a")
    cut_power()
    assert recover(root / "files", root / "vault") == []
    assert not (root / "files/a").exists()


def test_restores_a_mode(root: Path, cut_power: Callable[[], None]) -> None:
    write(root, a=b"content")
    with StateTransaction(root / "files", root / "vault", label="mode") as tx:
        tx.chmod("a", 0o755)
    (root / "files/a").write_bytes(b"")
    (root / "files/a").chmod(0o644)
    cut_power()
    recover(root / "files", root / "vault")
    assert (root / "files/a").read_bytes() == b"content"
    assert (root / "files/a").stat().st_mode & 0o777 == 0o755


def interrupt_after_record(root: Path, **files: bytes) -> None:
    """Leave a transaction whose record is on disk and of which no file has changed."""
    child = os.fork()
    if child == 0:
        from workers.changes import transaction

        transaction.do_step = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]
        write(root, label="cut off", **files)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)


def test_finishes_and_keeps_a_copy_of_what_stood_in_the_way(root: Path) -> None:
    write(root, a=b"old")
    interrupt_after_record(root, a=b"new")
    (root / "files/a").write_bytes(b"from a terminal meanwhile")
    (report,) = recover(root / "files", root / "vault")
    name = version_of(b"from a terminal meanwhile")
    assert (report.label, report.outcome, report.displaced) == ("cut off", "finished", (("a", name),))
    assert (root / "files/a").read_bytes() == b"new"
    assert (root / "vault/displaced" / name).read_bytes() == b"from a terminal meanwhile"


def test_a_link_put_in_the_way_is_not_followed(root: Path, tmp_path: Path) -> None:
    (root / "files/folder").mkdir()
    interrupt_after_record(root, **{"folder/a": b"new", "b": b"new"})
    outside = tmp_path / "outside"
    outside.mkdir()
    (root / "files/folder").rmdir()
    (root / "files/folder").symlink_to(outside)
    (report,) = recover(root / "files", root / "vault")
    assert report.skipped == ("folder/a",)
    assert list(outside.iterdir()) == []
    assert (root / "files/b").read_bytes() == b"new"


def test_the_next_writer_finishes_for_the_one_before(root: Path) -> None:
    interrupt_after_record(root, a=b"new")
    with StateTransaction(root / "files", root / "vault", label="next") as tx:
        tx.write("b", b"b")
    assert [each.outcome for each in tx.recovered] == ["finished"]
    assert (root / "files/a").read_bytes() == b"new"


def test_every_torn_record_is_refused(root: Path, cut_power: Callable[[], None]) -> None:
    """Each cut and each flipped byte of the last record leaves the old tree, or the new one, never a part."""
    write(root, a=b"old a", b=b"old b")
    path = root / "vault/journal"
    whole = journal.Journal(path)
    start = whole.tail.end
    whole.close()
    interrupt_after_record(root, a=b"new a", b=b"new b")
    data = path.read_bytes()
    opened = journal.Journal(path)
    end = max(record.offset for record in opened.scan(start)) + 1
    opened.close()
    cut_power()
    for at in range(start, end + 400, 7):
        (root / "files/a").write_bytes(b"old a")
        (root / "files/b").write_bytes(b"old b")
        torn = bytearray(data)
        torn[at] ^= 0x40
        path.write_bytes(torn)
        recover(root / "files", root / "vault")
        found = ((root / "files/a").read_bytes(), (root / "files/b").read_bytes())
        assert found in ((b"old a", b"old b"), (b"new a", b"new b"))


def test_file_content_cannot_pass_for_a_record(root: Path, cut_power: Callable[[], None]) -> None:
    write(root, a=b"one")
    record = (root / "vault/journal").read_bytes()[4096:5000]
    write(root, b=record * 3)
    opened = journal.Journal(root / "vault/journal")
    kinds = [each.kind for each in opened.scan()]
    opened.close()
    assert kinds == ["transaction", "applied"] * 2


def test_a_journal_with_both_heads_gone_is_an_error_and_no_silence(root: Path) -> None:
    write(root, a=b"one")
    path = root / "vault/journal"
    data = bytearray(path.read_bytes())
    data[:2048] = os.urandom(2048)
    path.write_bytes(data)
    with pytest.raises(JournalDamaged) as caught:
        write(root, a=b"two")
    assert caught.value.facts == {"path": "vault/journal"} and str(root) not in str(caught.value)
    assert (root / "files/a").read_bytes() == b"one"
    path.rename(root / "journal-aside")  # as the message says
    write(root, a=b"two")
    assert (root / "files/a").read_bytes() == b"two"


def test_one_head_gone_is_no_loss(root: Path) -> None:
    write(root, a=b"one")
    path = root / "vault/journal"
    data = bytearray(path.read_bytes())
    data[0:256] = os.urandom(256)  # generation 1 lives at the second place
    path.write_bytes(data)
    write(root, a=b"two")
    assert (root / "files/a").read_bytes() == b"two"
