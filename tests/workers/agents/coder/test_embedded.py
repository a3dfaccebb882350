"""@coder on the model that ships with PyAgent, served for real: the protocol holds, whatever the wit."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.framework.agent_bench import MakeBench
from workers.config import get_config
from workers.events import ChangeProposed, RunFinished, StepFinished, StepStarted
from workers.providers.types import EMBEDDED_CHOICE
from workers.tools.registry import BUILT_IN

FILES = {"calc.py": "def add(a, b):\n    return a - b\n"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_server(port: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "workers.inference.server"],
        env={**os.environ, "PYAGENT_MODEL_PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def stop_server(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=10)
    assert process.stdout is not None
    process.stdout.close()


@pytest.fixture(scope="module")
def model_port() -> Iterator[int]:
    port = free_port()
    process = start_server(port)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("model ready"):
            break
    assert process.poll() is None, "the model server ended before it was ready"
    yield port
    stop_server(process)


@pytest.fixture(autouse=True)
def served(model_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PYAGENT_MODEL_URL", f"http://127.0.0.1:{model_port}/v1")
    get_config.cache_clear()
    yield
    get_config.cache_clear()


async def test_chats_and_says_how_small_it_is(make_bench: MakeBench) -> None:
    bench = make_bench(FILES)
    job = bench.job("what is a function?", agent="coder", model=EMBEDDED_CHOICE.to_dict())
    assert await bench.run(job) == "finished"
    answer = bench.relay.of(RunFinished)[0].answer
    assert len(answer) > 60
    assert "a very small model" in answer
    (asked,) = [event for event in bench.relay.of(StepFinished) if event.output_tokens]
    assert asked.cost_usd == 0.0  # it runs here, so its price is known: nothing


@pytest.mark.timeout(200)  # a busy machine reads 30 tokens a second
async def test_when_told_to_it_makes_one_valid_call_a_turn(make_bench: MakeBench) -> None:
    bench = make_bench(FILES)
    budget = {"steps": 1, "tokens": 1100, "seconds": 180, "cost_usd": None}
    job = bench.job("--anyway fix add", agent="coder", model=EMBEDDED_CHOICE.to_dict(), budget=budget)
    assert await bench.run(job) in ("finished", "failed")  # by its budget, at the latest
    assert bench.relay.of(StepStarted)[0].detail["protocol"] == "one tool a turn, as JSON held to a schema"
    turns = [event.detail for event in bench.relay.of(StepFinished) if "finish_reason" in event.detail]
    assert len(turns) == 1
    for turn in turns:
        assert turn["finish_reason"] == "length" or [call["name"] in BUILT_IN for call in turn["calls"]] == [
            True
        ]
    for proposal in bench.relay.of(ChangeProposed):
        assert bench.repository.tree_of(proposal.commit) != bench.repository.tree_of(job.base_commit)


async def test_waits_in_sight_until_the_model_is_there(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody may ask before the model server, started with everything else, has loaded its model."""
    port = free_port()
    monkeypatch.setenv("PYAGENT_MODEL_URL", f"http://127.0.0.1:{port}/v1")
    get_config.cache_clear()
    bench = make_bench(FILES)
    job = bench.job("what is a function?", agent="coder", model=EMBEDDED_CHOICE.to_dict())
    run = asyncio.create_task(bench.run(job))
    await asyncio.sleep(1)
    process = start_server(port)
    try:
        assert await run == "finished"
    finally:
        stop_server(process)
    titles = [event.title for event in bench.relay.of(StepStarted)]
    assert "Waiting: the embedded model's server is starting" in titles
    assert "a very small model" in bench.relay.of(RunFinished)[0].answer
