"""What every benchmark says beside its figures: how busy the machine was, and how a percentile is taken."""

from __future__ import annotations

import os
import statistics
import time


def quantile(values: list[float], percent: int) -> float:
    """Return a percentile."""
    return statistics.quantiles(values, n=100)[percent - 1]


def report_noise() -> None:
    """Print how busy the machine is, how late a sleep ends, and how slow a CPU shared with others has become."""
    late = []
    for _ in range(100):
        started = time.perf_counter()
        time.sleep(0.01)
        late.append(1000 * (time.perf_counter() - started) - 10)
    started = time.process_time()
    sum(range(3_000_000))
    reference_ms = 1000 * (time.process_time() - started)
    print(
        f"noise: load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; a sleep of 10 ms ends "
        f"{quantile(late, 95):.1f} ms late (p95); to add up three million numbers takes {reference_ms:.0f} ms of CPU",
        flush=True,
    )


def verdict(is_held: bool, goal: str) -> str:
    """Return whether a goal was reached, in words."""
    return f"goal {goal}: {'held' if is_held else 'MISSED'}"
