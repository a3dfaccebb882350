"""`make soak`: the storms and sweeps at full counts; the result goes, with its date, into docs/benchmarks.md."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

REPORT = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
HEADING = "## Soak runs"
PYTEST = [sys.executable, "-m", "pytest", "-q", "--timeout", "7200"]
FUZZ = ["cargo", "test", "--locked", "--quiet", "--manifest-path", "rust_core/Cargo.toml", "--test", "fuzz"]
SUITES = {
    "storms: kills, power cuts, full disks": [*PYTEST, "-m", "storm"],
    "runs survive kills": [*PYTEST, "tests/flows/test_runs_survive.py"],
    "audits equal ruff, radon, mccabe and complexipy": [*PYTEST, "tests/rust_core"],
    "any source has an audit: ten minutes of stirring": FUZZ,
    "the API under a fuzzer": [*PYTEST, "tests/flows/test_api_fuzz.py"],
}


def main() -> int:
    """Run every suite at full counts and append what came out; exit status 1 when one failed."""
    environment = os.environ | {
        "PYAGENT_STORM": "full",
        "PYAGENT_FUZZ_EXAMPLES": "100",
        "FUZZ_SECONDS": "600",
    }
    rows, failed = [], 0
    for name, command in SUITES.items():
        started = time.monotonic()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        closing = done.stdout.strip().splitlines()[-1].strip("= ") if done.stdout.strip() else "nothing ran"
        rows.append(f"| {name} | {closing} | {time.monotonic() - started:.0f} s |")
        print(rows[-1], flush=True)
        failed += done.returncode != 0
    machine = f"{os.cpu_count()} cores, {platform.system()}, CPython {platform.python_version()}"
    today = datetime.date.today().isoformat()
    table = "\n".join(
        [f"\n### {today}, {machine}\n", "| suite | result | took |", "|---|---|---|", *rows, ""]
    )
    text = REPORT.read_text() if REPORT.exists() else "# Benchmarks\n"
    if HEADING not in text:
        text = text.rstrip() + f"\n\n{HEADING}\n"
    REPORT.write_text(text.rstrip() + "\n" + table)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
