"""What an audit costs beside ruff and radon, over the standard library and Django: `python -m tests.benchmarks.codehealth`.

CPU time of whole processes (start of the interpreter included on our side too), the tools taking turns so that a noisy
machine hurts them alike; the median of the runs with their spread. Radon's index takes minutes, so it runs once, on a
fixed sample.
"""

from __future__ import annotations

import gc
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.rust_core.corpus import DJANGO, STANDARD_LIBRARY, corpus
from workers.codehealth.metrics import audit_paths, audit_source

ROUNDS = 5
SAMPLE_FILES = 200
SAMPLE_MAX_BYTES = 40_000
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Row:
    """One line of the table: our figure, the peer's (or the limit), and the first over the second."""

    name: str
    ours: str
    peer: str
    ratio: float

    def __str__(self) -> str:
        return f"{self.name:<58} {self.ours:>22} {self.peer:>22} {self.ratio:>8.3f}"


def main() -> None:
    """Print the table."""
    print(f"{'code health':<58} {'ours':>22} {'peer or limit':>22} {'ratio':>8}")
    for row in rows():
        print(row)


def rows() -> list[Row]:
    """Return the table; takes about a minute."""
    paths = list(corpus())
    sample = [path for path in paths if path.stat().st_size <= SAMPLE_MAX_BYTES]
    sample = sample[:: len(sample) // SAMPLE_FILES]
    with tempfile.TemporaryDirectory() as folder:
        all_files, few_files = Path(folder, "all"), Path(folder, "few")
        all_files.write_text("\n".join(map(str, paths)))
        few_files.write_text("\n".join(map(str, sample)))
        ours, ruff = _take_turns(lambda: _cpu_s(_our_command(all_files)), _ruff_cpu_s)
        radon_cc = [
            _cpu_s([BIN / "radon", "cc", "--total-average", STANDARD_LIBRARY, DJANGO, "-i", "site-packages"])
        ]
        ours_few, _ = _take_turns(lambda: _cpu_s(_our_command(few_files)), lambda: 0.0)
        radon_mi = [_cpu_s([BIN / "radon", "mi", *sample])]
    files = f"{len(paths)} files"
    return [
        _compared(f"all metrics of {files} / ruff C901, CPU", ours, ruff),
        _compared(f"all metrics of {files} / radon cc, CPU", ours, radon_cc),
        _compared(f"all metrics of {len(sample)} files / radon mi, CPU", ours_few, radon_mi),
        _slowest_files(paths),
        _long_literal(),
        _two_threads(paths),
    ]


def _our_command(list_of_files: Path) -> list[str | Path]:
    script = "import sys, rust_core; rust_core.audit_paths(open(sys.argv[1]).read().split('\\n'))"
    return [sys.executable, "-c", script, list_of_files]


def _ruff_cpu_s() -> float:
    # Ruff leaves out what a pattern matches anywhere in a path, and Django lives in site-packages: hence two runs.
    command = [
        BIN / "ruff",
        "check",
        "--isolated",
        "--no-cache",
        "--exit-zero",
        "--quiet",
        "--select",
        "C901",
    ]
    library = _cpu_s([*command, "--config", "exclude=['site-packages']", STANDARD_LIBRARY])
    return library + _cpu_s([*command, "--config", "exclude=[]", DJANGO])


def _cpu_s(command: Sequence[str | Path]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _take_turns(first: Callable[[], float], second: Callable[[], float]) -> tuple[list[float], list[float]]:
    found = [(first(), second()) for _ in range(ROUNDS)]
    return [one for one, _ in found], [other for _, other in found]


def _compared(name: str, ours: list[float], peer: list[float]) -> Row:
    return Row(name, _spread(ours), _spread(peer), statistics.median(ours) / statistics.median(peer))


def _spread(seconds: list[float]) -> str:
    if len(seconds) == 1:
        return f"{seconds[0]:.3f} s"
    return f"{statistics.median(seconds):.3f} s ({min(seconds):.2f}-{max(seconds):.2f})"


def _slowest_files(paths: list[Path]) -> Row:
    sources = [(path.read_bytes(), str(path)) for path in paths]
    costs = []
    for source, name in sources:
        start = time.thread_time()
        audit_source(source, path=name)
        costs.append((time.thread_time() - start) * 1e3)
    p99 = statistics.quantiles(costs, n=100)[98]
    return Row("one file, 99th percentile, CPU / 5 ms", f"{p99:.2f} ms", "5 ms", p99 / 5)


def _long_literal() -> Row:
    source = (
        "x = {\n" + "".join(f"    'key{number}': [{number}, 'value'],\n" for number in range(2_000)) + "}\n"
    )
    cost = min(_thread_ms(lambda: audit_source(source, path="x.py")) for _ in range(ROUNDS))
    return Row("a dict literal of 2,000 lines, CPU / 3 ms", f"{cost:.2f} ms", "3 ms", cost / 3)


def _thread_ms(work: Callable[[], object]) -> float:
    start = time.thread_time()
    work()
    return (time.thread_time() - start) * 1e3


def _two_threads(paths: list[Path]) -> Row:
    """Return how much faster two threads are, beside what two processes that only count can reach just then."""
    gc.disable()
    ours = statistics.median(_wall_s(paths, 1) / _wall_s(paths, 2) for _ in range(ROUNDS))
    spin = statistics.median(_spin_s(1) * 2 / _spin_s(2) for _ in range(ROUNDS))
    gc.enable()
    return Row(
        "speed of two threads / of two spin loops, wall", f"{ours:.2f} x", f"{spin:.2f} x", ours / spin
    )


def _wall_s(paths: list[Path], threads: int) -> float:
    start = time.perf_counter()
    audit_paths(paths, threads=threads)
    return time.perf_counter() - start


def _spin_s(processes: int) -> float:
    script = "for _ in range(5_000_000): pass"
    start = time.perf_counter()
    running = [
        subprocess.Popen([sys.executable, "-S", "-c", script], env=os.environ) for _ in range(processes)
    ]
    for process in running:
        process.wait()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
