"""What an audit costs beside ruff and radon, over the standard library and Django: `python -m tests.benchmarks.codehealth`.

CPU time of whole processes (start of the interpreter included on our side too), the tools taking turns so that a noisy
machine hurts them alike; the median of the runs with their spread. Radon's index takes minutes, so it runs once, on a
fixed sample.
"""

from __future__ import annotations

import gc
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import rust_core
from tests.rust_core.corpus import DJANGO, STANDARD_LIBRARY, corpus
from workers.codehealth.metrics import audit_source

ROUNDS = 5
SAMPLE_FILES = 200
SAMPLE_MAX_BYTES = 40_000
BIN = Path(sys.executable).parent
RUST = Path(__file__).parents[2] / "rust_core"
REAUDIT_LIMIT_S = 0.060


@dataclass(frozen=True)
class Row:
    """One line of the table: our figure, the peer's (or the limit), and the first over the second."""

    name: str
    ours: str
    peer: str
    ratio: float

    def __str__(self) -> str:
        return f"{self.name:<66} {self.ours:>22} {self.peer:>22} {self.ratio:>8.3f}"


def main() -> None:
    """Print the table."""
    print(f"{'code health':<66} {'ours':>22} {'peer or limit':>22} {'ratio':>8}")
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
        parsing = _parsing(paths, all_files)
        unchanged = _unchanged(paths, Path(folder))
    files = f"{len(paths)} files"
    return [
        _compared(f"all metrics of {files} / ruff C901, CPU", ours, ruff),
        _compared(f"all metrics of {files} / radon cc, CPU", ours, radon_cc),
        _compared(f"all metrics of {len(sample)} files / radon mi, CPU", ours_few, radon_mi),
        parsing,
        *unchanged,
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


def _parsing(paths: list[Path], list_of_files: Path) -> Row:
    """Return what the parser alone costs: no audit of Python can be faster."""
    subprocess.run(
        ["cargo", "build", "--release", "--locked", "--quiet", "--example", "parse"], cwd=RUST, check=True
    )
    parse = RUST / "target/release/examples/parse"
    both = [
        (_cpu_s([parse, "parse", list_of_files]), _cpu_s([parse, "read", list_of_files]))
        for _ in range(ROUNDS)
    ]
    seconds = [parsed - read for parsed, read in both]
    rate = sum(path.stat().st_size for path in paths) / 1e6 / statistics.median(seconds)
    ours = [_cpu_s(_our_command(list_of_files)) for _ in range(ROUNDS)]
    name = f"all metrics / parsing alone ({rate:.0f} MB/s), CPU"
    return Row(name, _spread(ours), _spread(seconds), statistics.median(ours) / statistics.median(seconds))


def _unchanged(paths: list[Path], folder: Path) -> list[Row]:
    """Return what a second audit costs when nothing has changed, as wall time and as CPU time.

    A caller tells which audits it has, or wants all figures again.
    """
    tree, cache = folder / "tree", folder / "cache"
    names = []
    for path in paths:
        above = STANDARD_LIBRARY.parent if path.is_relative_to(STANDARD_LIBRARY) else DJANGO.parent
        names.append(str(path.relative_to(above)))
        (tree / names[-1]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, tree / names[-1])
    first = rust_core.audit_workspace(tree, cache=cache)
    known = {file["path"]: file["key"] for file in first["files"]}
    del first
    again = _costs(lambda: rust_core.audit_workspace(tree, cache=cache, known=known))
    figures = _costs(lambda: rust_core.audit_paths(names, root=tree, cache=cache))
    return [
        _within(f"unchanged re-audit of {len(known)} files, {what}", costs, REAUDIT_LIMIT_S)
        for what, costs in (
            ("wall", again[0]),
            ("CPU", again[1]),
            ("every figure again, wall", figures[0]),
            ("every figure again, CPU", figures[1]),
        )
    ]


def _costs(work: Callable[[], object]) -> tuple[list[float], list[float]]:
    """Return wall and CPU seconds of each round."""
    wall, cpu = [], []
    for _ in range(3 * ROUNDS):
        start, cpu_start = time.perf_counter(), time.process_time()
        result = work()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - cpu_start)
        del result
    return wall, cpu


def _within(name: str, seconds: list[float], limit_s: float) -> Row:
    return Row(name, _spread(seconds), f"{limit_s} s", statistics.median(seconds) / limit_s)


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
        "speed of two threads / of two spin loops, wall (>= 0.85)",
        f"{ours:.2f} x",
        f"{spin:.2f} x",
        ours / spin,
    )


def _wall_s(paths: list[Path], threads: int) -> float:
    start = time.perf_counter()
    rust_core.audit_paths(paths, threads=threads)
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
