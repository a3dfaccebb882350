"""`make bench`: every benchmark in turn, each in a process of its own, with the machine's noise before each."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
import sys

MODULES = ("codehealth", "changes", "chat_latency", "tidy_latency")


def main() -> int:
    """Print all tables; exit status 1 when a benchmark could not run."""
    today = datetime.date.today().isoformat()
    print(
        f"{today}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, CPython {platform.python_version()}"
    )
    failed = 0
    for name in MODULES:
        print(f"\n## {name}   (load before: {os.getloadavg()[0]:.1f})", flush=True)
        failed += (
            subprocess.run([sys.executable, "-m", f"tests.benchmarks.{name}"], check=False).returncode != 0
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
