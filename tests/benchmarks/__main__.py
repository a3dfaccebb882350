"""`make bench`: every benchmark in turn, each in a process of its own, with the machine's noise before each."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
import sys

MODULES = (
    "list_pages",
    "list_pages --database postgres",
    "chat_latency",
    "tidy_latency",
    "in_browser",
    "start_stop",
    "codehealth",
    "changes",
    "fleet_dispatch",
)


def main() -> int:
    """Print all tables; exit status 1 when a benchmark could not run."""
    today = datetime.date.today().isoformat()
    print(
        f"{today}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, CPython {platform.python_version()}"
    )
    failed = 0
    for name in MODULES:
        print(f"\n## {name}   (load before: {os.getloadavg()[0]:.1f})", flush=True)
        command = [sys.executable, "-m", *f"tests.benchmarks.{name}".split()]
        failed += subprocess.run(command, check=False).returncode != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
