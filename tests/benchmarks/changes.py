"""What durable saves, snapshots and diffs cost beside the plain ways: `python -m tests.benchmarks.changes`.

Ways of saving take turns, so that a noisy machine hurts them alike; shown are the smallest and the median
wall time in milliseconds and the ratio of the medians. The smallest is what the code costs, the median what
this machine makes of it.
"""

from __future__ import annotations

import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.framework.repos import AUTHOR, commit_beside, make_repository
from workers.changes.diffs import diff
from workers.changes.hunks import Choice, build_tree
from workers.changes.landing import execute, prepare
from workers.changes.repository import Repository
from workers.changes.transaction import StateTransaction

ROUNDS = 40
FILES, FILE_BYTES = 20, 8192


@dataclass(frozen=True)
class Row:
    """One line of the table; times in ms as (smallest, median)."""

    name: str
    ours: tuple[float, float]
    peer: tuple[float, float] | None = None

    def __str__(self) -> str:
        peer = f"{self.peer[0]:8.1f} / {self.peer[1]:8.1f}" if self.peer else ""
        ratio = f"{self.ours[1] / self.peer[1]:8.2f}" if self.peer else ""
        return f"{self.name:<62} {self.ours[0]:8.1f} / {self.ours[1]:8.1f} {peer:>20} {ratio:>8}"


def main() -> None:
    """Print the table."""
    print(f"{'changes (ms, smallest / median)':<62} {'ours':>19} {'peer':>20} {'ratio':>8}")
    for row in rows():
        print(row)


def rows() -> list[Row]:
    """Return the table; takes about a minute."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("PYAGENT_BENCH_DIR")) as name:
        folder = Path(name)
        return [*save_rows(folder), *repository_rows(folder)]


def save_rows(folder: Path) -> list[Row]:
    """Twenty files of 8 KB: all at once and durable, against flushing each, and against no promise at all."""
    ours, each, plain = folder / "ours", folder / "each", folder / "plain"
    for place in (ours / "files", each, plain):
        place.mkdir(parents=True)

    def save(data: list[bytes]) -> None:
        with StateTransaction(ours / "files", ours / "vault", label="bench") as tx:
            for number, content in enumerate(data):
                tx.write(f"f{number}", content)

    def flush_each(data: list[bytes]) -> None:
        for number, content in enumerate(data):
            temporary = each / f"f{number}.tmp"
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(each / f"f{number}")
        fd = os.open(each, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)

    def overwrite(data: list[bytes]) -> None:
        for number, content in enumerate(data):
            (plain / f"f{number}").write_bytes(content)

    times = take_turns(save, flush_each, overwrite)
    return [
        Row("20 files: transaction | temporary + fsync + rename each", times[0], times[1]),
        Row("20 files: transaction | plain overwrite, not durable, not atomic", times[0], times[2]),
    ]


def take_turns(*ways: Callable[[list[bytes]], None]) -> list[tuple[float, float]]:
    """Return (smallest, median) of each way."""
    times: list[list[float]] = [[] for _ in ways]
    for turn in range(ROUNDS + 2):
        for way, found in zip(ways, times, strict=True):
            data = [os.urandom(FILE_BYTES) for _ in range(FILES)]
            started = time.perf_counter()
            way(data)
            if turn >= 2:
                found.append((time.perf_counter() - started) * 1000)
    return [(min(found), statistics.median(found)) for found in times]


def timed(work: Callable[[], object], rounds: int = 7) -> tuple[float, float]:
    found = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        found.append((time.perf_counter() - started) * 1000)
    return min(found), statistics.median(found)


def repository_rows(folder: Path) -> list[Row]:
    """A package of 300 files, 30 of them changed by 10 hunks each."""
    rng = random.Random(7)
    lines = [[b"line %d of %d\n" % (line, file) for line in range(400)] for file in range(300)]
    files: dict[str, bytes | None] = {f"d{n % 12}/f{n}.py": b"".join(text) for n, text in enumerate(lines)}
    repository = make_repository(folder, {path: data for path, data in files.items() if data is not None})
    changed: dict[str, bytes | None] = {}
    for number in range(30):
        text = list(lines[number])
        for place in range(10):
            text[place * 40 + rng.randrange(20)] = b"changed\n"
        changed[f"d{number % 12}/f{number}.py"] = b"".join(text)
    base, head = repository.head(), commit_beside(repository, changed)
    found = diff(repository, base, head)
    choices = [Choice(hunk.key) for file in found for hunk in file.hunks]
    half = choices[::2]
    with repository.transaction("edit") as tx:
        tx.write("d0/f0.py", b"edited\n")
    return [
        Row("diff of 30 files, 300 hunks", timed(lambda: diff(repository, base, head))),
        Row("tree of every other of 300 hunks", timed(lambda: build_tree(repository, base, found, half))),
        Row("status of 300 files", timed(repository.status)),
        Row("snapshot of 300 files, one edited", timed(lambda: repository.snapshot(author=AUTHOR))),
        Row("prepare and land 29 files", landing_time(repository)),
    ]


def landing_time(repository: Repository) -> tuple[float, float]:
    """Land something new each time; the edited file stays out of it."""
    found = []
    for turn in range(5):
        base = repository.head()
        change = {
            f"d{n % 12}/f{n}.py": os.urandom(6).hex().encode() + b"\n" + bytes([65 + turn]) * 90
            for n in range(1, 30)
        }
        files = diff(repository, base, commit_beside(repository, change))
        accepted = [Choice(hunk.key) for file in files for hunk in file.hunks]
        started = time.perf_counter()
        ready = prepare(repository, base=base, files=files, accepted=accepted, message="Bench", author=AUTHOR)
        execute(repository, ready, "bench")
        found.append((time.perf_counter() - started) * 1000)
    return min(found), statistics.median(found)


if __name__ == "__main__":
    main()
