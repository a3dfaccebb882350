"""`make soak`: the storms and sweeps at full counts; the result goes, with its date, into docs/benchmarks.md.

A suite that fails is told of, and the next one begins; what has been found so far is also written when the soak is interrupted.
`python -m tests.benchmarks.soak --runs 20 --kills 40 --only runs` does less,
`--only SQLite` only what has that word in its name.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.framework.crashing import SEED

REPORT: Final = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
HEADING: Final = "## Soak runs"
PYTEST: Final = [sys.executable, "-m", "pytest", "-q", "-n0", "--timeout", "7200"]
CARGO: Final = ["cargo", "test", "--locked", "--quiet", "--manifest-path", "rust_core/Cargo.toml"]
SUITES: Final = {
    "runs survive kills, PostgreSQL too": [*PYTEST, "tests/flows/test_runs_survive.py"],
    "runs survive kills, on SQLite": [*PYTEST, "tests/flows/test_runs_survive.py"],
    "storms: kills, power cuts, full disks": [*PYTEST, "-m", "storm"],
    "audits equal ruff, radon, mccabe and complexipy": [*PYTEST, "tests/rust_core"],
    "any source has an audit: ten minutes of stirring": [*CARGO, "--test", "fuzz"],
    "the API under a fuzzer": [*PYTEST, "tests/flows/test_api_fuzz.py"],
}
SILENT_S: Final = 60.0
"""After so long without a line, one says that the suite is still at work."""
TOLD: Final = "storm: "
"""Lines that begin so tell what a storm came to; the last one stands in the report."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a suite went."""

    name: str
    result: str
    took_s: float
    is_good: bool

    @property
    def row(self) -> str:
        result = self.result if self.is_good else f"**failed**: {self.result}"
        return f"| {self.name} | {result} | {self.took_s:.0f} s |"


def lines_of(process: subprocess.Popen[bytes], name: str) -> Iterator[str]:
    """Yield what a suite prints, line by line, and say now and then that it still works."""
    assert process.stdout is not None
    started, rest = time.monotonic(), b""
    while True:
        if not select.select([process.stdout], [], [], SILENT_S)[0]:
            print(f"[{name}] still at work after {time.monotonic() - started:.0f} s", flush=True)
            continue
        part = os.read(process.stdout.fileno(), 65_536)
        *lines, rest = (rest + part).split(b"\n")
        yield from (line.decode(errors="replace") for line in lines)
        if not part:
            yield rest.decode(errors="replace")
            return


def run(name: str, command: list[str], environment: dict[str, str]) -> Outcome:
    """Run one suite and return how it went; it is ended with this process."""
    started, closing, storm = time.monotonic(), "nothing ran", ""
    print(f"[{name}] begins", flush=True)
    # In a session of its own, so that it hears of Ctrl-C from here alone and has the time to end what it started.
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    ) as process:
        try:
            for line in lines_of(process, name):
                if line.strip():
                    print(f"[{name}] {line}", flush=True)
                    closing = line.strip("= ")
                if line.startswith(TOLD):
                    storm = line.removeprefix(TOLD)
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)  # at SIGTERM pytest would leave what it started
            process.wait()
            closing = f"interrupted; last heard: {closing}"
    # A table's cell has no room for more, and no bar in it.
    result = "; ".join(filter(None, (closing, storm))).replace("|", "/")[:600]
    return Outcome(name, result, time.monotonic() - started, process.returncode == 0)


def write_report(outcomes: list[Outcome], *, what: str) -> None:
    """Append a table of this soak to the benchmarks."""
    machine = f"{os.cpu_count()} cores, {platform.system()}, CPython {platform.python_version()}"
    title = f"### {datetime.date.today().isoformat()}, {machine}, {what}"
    rows = [outcome.row for outcome in outcomes]
    table = "\n".join([f"\n{title}\n", "| suite | result | took |", "|---|---|---|", *rows, ""])
    text = REPORT.read_text() if REPORT.exists() else "# Benchmarks\n"
    if HEADING not in text:
        text = text.rstrip() + f"\n\n{HEADING}\n"
    before, heading, after = text.partition(HEADING)
    # Under its heading, whatever sections come behind it.
    here, line, behind = after.partition("\n## ")
    REPORT.write_text(before + heading + here.rstrip() + "\n" + table + (line and f"{line}{behind}"))


def main() -> int:
    """Run every suite that was asked for and report what came out; exit status 1 when one failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.soak", description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="runs of the storm over the whole stack")
    parser.add_argument("--kills", type=int, default=200, help="kill -9's in that storm")
    parser.add_argument("--seed", type=int, default=SEED, help="decides what is killed when")
    parser.add_argument(
        "--only", action="append", default=[], metavar="WORD", help="only suites with WORD in their name"
    )
    options = parser.parse_args()
    environment = os.environ | {
        "PYAGENT_STORM": "full",
        "PYAGENT_STORM_RUNS": str(options.runs),
        "PYAGENT_STORM_KILLS": str(options.kills),
        "PYAGENT_STORM_SEED": str(options.seed),
        "PYAGENT_FUZZ_EXAMPLES": "100",
        "FUZZ_SECONDS": "600",
        "PYTHONUNBUFFERED": "1",
    }
    chosen = {
        name: command
        for name, command in SUITES.items()
        if not options.only or any(word in name for word in options.only)
    }
    if not chosen:
        parser.error(f"no suite is named so; there are: {'; '.join(SUITES)}")
    outcomes: list[Outcome] = []
    for name, command in chosen.items():
        database = {"PYAGENT_STORM_DATABASE": "sqlite"} if name.endswith("SQLite") else {}
        outcomes.append(run(name, command, environment | database))
        print(outcomes[-1].row, flush=True)
        if outcomes[-1].result.startswith("interrupted"):
            break
    what = f"seed {options.seed}, {options.runs} runs, {options.kills} kills"
    write_report(outcomes, what=what)
    return 0 if all(outcome.is_good for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
