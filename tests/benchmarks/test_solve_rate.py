"""The evaluation harness itself: tasks that can be solved, a score that tells, a meter that counts and refuses."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.benchmarks.solve_rate.contest import Attempt, Budget, attempt
from tests.benchmarks.solve_rate.metering import Endpoint, Meter
from tests.benchmarks.solve_rate.report import sign_test, table
from tests.benchmarks.solve_rate.run_coder import coder
from tests.benchmarks.solve_rate.scoring import is_solved
from tests.benchmarks.solve_rate.solver import Solver
from tests.benchmarks.solve_rate.tasks import RepairTask, load_tasks
from tests.framework.provider_double import ProviderDouble, Say
from workers.errors import ProviderAuthFailed
from workers.providers.registry import open_provider
from workers.providers.types import Message, ModelChoice, ModelRequest
from workers.sandbox import Limits, run

HELLO = ModelRequest(messages=(Message("user", "Hello"),))


@pytest.fixture
def short_home() -> Iterator[Path]:
    """A folder whose path leaves room for a Unix socket's 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="pyagent-") as folder:
        yield Path(folder)


def test_there_are_sixteen_tasks_and_each_says_what_is_wanted() -> None:
    tasks = load_tasks()
    assert len(tasks) == 16
    assert all(len(task.goal) > 80 and task.files("hidden") for task in tasks)


@pytest.mark.parametrize("task", load_tasks(), ids=lambda task: task.name)
async def test_a_task_is_open_before_and_closed_by_its_solution(task: RepairTask, tmp_path: Path) -> None:
    before = task.lay_out(tmp_path / "before")
    after = task.lay_out(tmp_path / "after", is_solved=True)
    solved, output = await is_solved(before, task)
    assert not solved and "FAILED" in output
    solved, output = await is_solved(after, task)
    assert solved, output
    visible = await run("python3 -B -m unittest", files=after, limits=Limits(wall_s=30))
    assert visible.is_ok, visible.output


async def test_the_score_believes_its_own_tests_only(tmp_path: Path) -> None:
    (task,) = load_tasks(["lru_cache"])
    files = task.lay_out(tmp_path / "files")
    (files / "test_hidden.py").write_text("import unittest\n")
    (files / "cache.py").write_text("import os\nprint('OK')\nos._exit(0)\n")
    solved, _ = await is_solved(files, task)
    assert (files / "test_hidden.py").read_text() == "import unittest\n"
    assert not solved


@pytest.mark.parametrize("is_stream", [True, False])
async def test_the_meter_counts_and_then_refuses(provider_double: ProviderDouble, is_stream: bool) -> None:
    provider_double.say(*[Say("one two", usage=(60, 2))] * 3)
    upstream = Endpoint(provider_double.base_url("openai"), "real-model", "secret-key")
    async with Meter(upstream, budget_tokens=100) as meter, httpx.AsyncClient(trust_env=False) as client:
        body = {"model": "x", "stream": is_stream, "messages": [{"role": "user", "content": "Hi"}]}
        codes = [
            (await client.post(f"{meter.base_url}/chat/completions", json=body)).status_code for _ in range(3)
        ]
        assert codes == [200, 200, 403]
        assert (meter.input_tokens, meter.output_tokens, meter.calls, meter.refused_calls) == (120, 4, 2, 1)
    assert provider_double.asked[0].model == "real-model"
    assert provider_double.asked[0].headers["authorization"] == "Bearer secret-key"


async def test_our_provider_works_through_the_meter(provider_double: ProviderDouble) -> None:
    provider_double.say(Say("one two", usage=(60, 2)))
    async with Meter(Endpoint(provider_double.base_url("openai"), "m"), budget_tokens=50) as meter:
        provider = open_provider(ModelChoice("openai", "m", base_url=meter.base_url), secret=None)
        assert (await provider.generate(HELLO)).text == "one two"
        with pytest.raises(ProviderAuthFailed):
            await provider.generate(HELLO)
        await provider.aclose()


@pytest.mark.parametrize(("knows", "has_tools"), [(True, True), (True, False), (False, True)])
async def test_coder_solves_what_its_model_knows_and_nothing_else(
    provider_double: ProviderDouble, short_home: Path, knows: bool, has_tools: bool
) -> None:
    (task,) = load_tasks(["feed_pages"])
    provider_double.brain = Solver([task] if knows else [])
    endpoint = Endpoint(provider_double.base_url("openai"), "scripted", has_tools=has_tools)
    async with coder(short_home / "engine") as contestant:
        one = await attempt("coder", contestant, task, endpoint, Budget(), short_home / "a", round=0)
    assert one.is_solved is knows, one
    assert one.calls > 0 and one.input_tokens > 0
    assert provider_double.refused == []


def test_the_table_and_the_sign_test_tell_who_was_better() -> None:
    def one(agent: str, task: str, solved: bool) -> Attempt:
        return Attempt(agent, task, 0, solved, "finished", 3, 900, 100, 2.0, "")

    attempts = [one("coder", f"t{i}", True) for i in range(6)] + [
        one("mini", f"t{i}", i > 4) for i in range(6)
    ]
    assert "| **all** | **6 of 6 (1,000 tokens, 2 s each)** | **1 of 6 (1,000 tokens, 2 s each)** |" in table(
        attempts
    )
    assert sign_test(attempts, "coder", "mini") == (5, 0, pytest.approx(0.0625))
