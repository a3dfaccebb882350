"""The tool loop with the smallest agent there can be: what comes with the base alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.framework.agent_bench import Bench, MakeBench
from tests.framework.provider_double.script import Call, Say
from tests.framework.provider_double.server import ProviderDouble
from workers.agents.base import Outcome, RunState
from workers.agents.registry import AGENTS, AgentEntry
from workers.agents.toolloop.agent import ToolLoopAgent
from workers.agents.toolloop.conversation import Turn
from workers.events import RunFailed, RunFinished, StepFinished
from workers.queue import Job
from workers.tools.base import Toolbox
from workers.tools.finish import Finish
from workers.tools.reading import ReadFile

READ = Call("read_file", {"path": "a.txt"})
DONE = Call("finish", {"answer": "It says hello."})


class SmallAgent(ToolLoopAgent):
    name = "small"

    def open_tools(self, run: RunState) -> Toolbox:
        return Toolbox([ReadFile(), Finish()])

    def instructions(self, run: RunState) -> str:
        return "You read."

    async def opening(self, run: RunState) -> str:
        return self.core.goal_of(run.job)

    async def on_finish(self, run: RunState, turn: Turn, arguments: Mapping[str, Any]) -> Outcome | None:
        if arguments["answer"] == "too early":
            turn.notes.append("Read first.")
            return None
        return await super().on_finish(run, turn, arguments)


@pytest.fixture(autouse=True)
def small_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = AgentEntry("small", "Reads.", True, f"{__name__}:SmallAgent")
    monkeypatch.setitem(AGENTS, "small", entry)
    monkeypatch.setattr("workers.agents.runner.open_agent", lambda name: SmallAgent())


def small_job(bench: Bench, double: ProviderDouble, *, protocol: str = "openai", **fields: Any) -> Job:
    model = {
        "provider": protocol,
        "model": "test-model",
        "base_url": double.base_url(protocol),
        "context_tokens": 16_000,
        **fields.pop("abilities", {}),
    }
    return bench.job("read a.txt", agent="small", **({"model": model} | fields))


async def test_reads_and_finishes(make_bench: MakeBench, provider_double: ProviderDouble) -> None:
    bench = make_bench({"a.txt": "hello"})
    provider_double.say(Say(calls=(READ,)), Say(calls=(DONE,)))
    assert await bench.run(small_job(bench, provider_double)) == "finished"
    assert bench.relay.of(RunFinished)[0].answer == "It says hello."
    assert "hello" in provider_double.asked[1].last["content"]


async def test_sends_the_model_back_when_its_finish_is_not_enough(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench({"a.txt": "hello"})
    provider_double.say(Say(calls=(Call("finish", {"answer": "too early"}),)), Say(calls=(DONE,)))
    assert await bench.run(small_job(bench, provider_double)) == "finished"
    assert provider_double.asked[1].last["content"] == "Read first."


async def test_does_with_json_what_it_does_with_tools(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench({"a.txt": "hello"})
    turns = [{"thought": "", "tool": call.name, "arguments": call.arguments} for call in (READ, DONE)]
    provider_double.say(*(Say(json.dumps(turn)) for turn in turns))
    job = small_job(bench, provider_double, abilities={"has_tools": False, "has_json_schema": True})
    assert await bench.run(job) == "finished"
    assert bench.relay.of(RunFinished)[0].answer == "It says hello."
    assert not provider_double.asked[0].tools and provider_double.asked[0].schema is not None


async def test_goes_on_after_the_last_finished_step(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench({"a.txt": "hello"})
    provider_double.say(Say(calls=(READ,)), Say(calls=(DONE,)))
    job = small_job(bench, provider_double)
    assert await bench.run(job) == "finished"
    read = next(
        index
        for index, step in enumerate(bench.relay.history(job.run_id))
        if step["detail"].get("name") == "read_file"
    )
    provider_double.say(Say(calls=(DONE,)))
    assert await bench.run(bench.resumed(job, steps=read + 1)) == "finished"
    assert len(provider_double.asked) == 3  # the reading turn was not asked for again
    assert "hello" in provider_double.asked[2].last["content"]


async def test_ends_in_a_failure_when_the_budget_is_used_up_and_nothing_changed(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench({"a.txt": "hello"})
    provider_double.brain = lambda asked: Say(calls=(READ,))
    job = small_job(bench, provider_double, budget={"steps": 2})
    assert await bench.run(job) == "failed"
    assert bench.relay.of(RunFailed)[0].code == "budget_exceeded"
    assert len([event for event in bench.relay.of(StepFinished) if event.detail.get("finish_reason")]) == 2
