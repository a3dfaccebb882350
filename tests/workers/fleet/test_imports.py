"""A process that only leads or only announces loads no clients of providers, no Django, no Celery."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LIMIT_S = 0.5


def cpu_s(code: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


@pytest.mark.parametrize(
    "modules",
    ["workers.fleet, workers.agents", "workers.fleet.core, workers.agents.registry, workers.agents.lineage"],
)
def test_loads_within_half_a_second_of_processor_time(modules: str) -> None:
    assert min(cpu_s(f"import {modules}") for _ in range(3)) <= LIMIT_S


def test_a_node_loads_no_clients_of_providers() -> None:
    code = (
        "import sys, workers.node.node, workers.fleet.manager, workers.agents.registry\n"
        "heavy = {'openai', 'anthropic', 'ollama', 'httpx', 'django', 'onnxruntime', 'numpy', 'celery'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
