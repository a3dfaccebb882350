"""How soon a second `make run` answers, and how soon Ctrl-C has ended everything: `python -m tests.benchmarks.start_stop`.

Beside the wall clock stands the CPU time of all processes until the first page: what it is on a machine that has more to do.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil

from tests.benchmarks.noise import report_noise, verdict
from tests.framework.stack import ROOT, free_port
from tests.workers.supervisor.test_whole import cpu_seconds

ROUNDS = 3
START_S, STOP_S = 10.0, 5.0


def main() -> None:
    """Print both; the first start, which makes the installation, is not counted."""
    started, stopped, cpu = [], [], []
    with tempfile.TemporaryDirectory(prefix="pyagent-bench-") as folder:
        for number in range(ROUNDS + 1):
            start_s, cpu_s, stop_s = _one_round(Path(folder))
            if number:
                cpu.append(cpu_s)
                started.append(start_s)
                stopped.append(stop_s)
    report_noise()
    for name, found, goal_s in (
        ("a second `make run` to its first page", started, START_S),
        ("Ctrl-C to the end of the last process", stopped, STOP_S),
    ):
        told = verdict(max(found) <= goal_s, f"<= {goal_s:.0f} s")
        print(
            f"  {name}: median {statistics.median(found):.2f} s, worst {max(found):.2f} s of {ROUNDS}   {told}"
        )
    print(f"  CPU time of all processes until the first page: median {statistics.median(cpu):.1f} s")


def _one_round(folder: Path) -> tuple[float, float, float]:
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "PYAGENT_HOME": str(folder / "home"),
        "PORT": str(port),
        "PYAGENT_MODEL_PORT": str(free_port()),
    }
    began = time.monotonic()
    with (folder / "log").open("ab") as log:
        # A session of its own: Ctrl-C reaches every process of a terminal's foreground group at once.
        run = subprocess.Popen(
            ["make", "run"], cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    start_s = _wait_for_page(run, port, began, folder / "log")
    cpu_s = sum(cpu_seconds(process) for process in _everybody(run.pid))
    time.sleep(3)  # the worker and the model come up behind the page
    everybody = _everybody(run.pid)
    began = time.monotonic()
    os.killpg(run.pid, signal.SIGINT)
    run.wait(timeout=30)
    _, alive = psutil.wait_procs(everybody, timeout=30)
    if alive:
        raise RuntimeError(f"still there 30 s after Ctrl-C: {alive}")
    return start_s, cpu_s, time.monotonic() - began


def _everybody(pid: int) -> list[psutil.Process]:
    return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]


def _wait_for_page(run: subprocess.Popen[bytes], port: int, began: float, log: Path) -> float:
    while time.monotonic() - began < 600:
        if run.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/accounts/login/", timeout=5) as page:
                page.read()
                return time.monotonic() - began
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"no page from `make run`:\n{log.read_text(errors='replace')[-3000:]}")


if __name__ == "__main__":
    main()
