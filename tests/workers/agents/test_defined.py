"""Agents that people defined, through the runner, with a model that speaks the protocol."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest

from tests.framework.agent_bench import Bench, MakeBench
from tests.framework.provider_double.script import Call, Say
from tests.framework.provider_double.server import ProviderDouble
from workers.agents.registry import entry_of, open_agent
from workers.errors import ConfigError
from workers.events import ChangeProposed, RunFailed, RunFinished, StepFinished
from workers.queue import Job

READER = {
    "name": "docs-writer",
    "version": 3,
    "description": "Keeps the manual",
    "instructions": "Answer in French.",
    "tools": ["list_files", "read_file"],
}


def job_of(bench: Bench, double: ProviderDouble, definition: dict[str, Any], goal: str = "what is x?") -> Job:
    model = {
        "provider": "openai",
        "model": "m",
        "base_url": double.base_url("openai"),
        "context_tokens": 32_000,
    }
    return replace(bench.job(goal, agent=definition["name"], model=model), definition=definition)


async def test_is_told_its_instructions_and_has_its_tools_and_no_others(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench({"a.py": "x = 1\n"})
    provider_double.say(
        Say("", (Call("read_file", {"path": "a.py"}),)),
        Say("", (Call("write_file", {"path": "a.py", "content": "x = 2\n"}),)),
        Say("", (Call("finish", {"answer": "x est un."}),)),
    )
    job = job_of(bench, provider_double, READER)
    assert await bench.run(job) == "finished"
    asked = provider_double.asked[0]
    assert "@docs-writer" in asked.messages[0]["content"]
    assert "Answer in French." in asked.messages[0]["content"]
    assert "You change no files." in asked.messages[0]["content"]
    assert set(asked.tools) == {"list_files", "read_file", "finish"}
    refused = [s for s in bench.relay.of(StepFinished, job.run_id) if s.detail.get("name") == "write_file"]
    assert [step.status for step in refused] == ["failed"]
    assert not bench.relay.of(ChangeProposed, job.run_id)
    assert bench.relay.of(RunFinished, job.run_id)[0].answer == "x est un."


async def test_is_told_whom_it_may_ask_when_it_was_given_a_tool_for_that(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench({"a.py": "x = 1\n"})
    provider_double.say(
        Say("", (Call("finish", {"answer": "nobody needed"}),)),
        Say("", (Call("finish", {"answer": "done"}),)),
    )
    others = [{"name": "tidy", "description": "Mends what linters find"}]
    asker = READER | {"tools": ["read_file", "delegate"]}
    for definition in (asker, READER):
        job = replace(job_of(bench, provider_double, definition), agents=others, run_id=str(uuid.uuid4()))
        assert await bench.run(job) == "finished"
    told, untold = (asked.messages[0]["content"] for asked in provider_double.asked)
    assert "- tidy: Mends what linters find" in told
    assert "tidy" not in untold


async def test_what_it_changes_is_offered_for_review(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench({"a.py": "x = 1\n"})
    provider_double.say(
        Say("", (Call("write_file", {"path": "a.py", "content": "x = 2\n"}),)),
        Say("", (Call("finish", {"answer": "done"}),)),
    )
    job = job_of(bench, provider_double, READER | {"tools": ["write_file"]}, goal="make x two")
    assert await bench.run(job) == "finished"
    (proposed,) = bench.relay.of(ChangeProposed, job.run_id)
    assert proposed.title == "Make x two"
    assert "reviews your diff" in provider_double.asked[0].messages[0]["content"]


async def test_words_alone_are_an_answer(make_bench: MakeBench, provider_double: ProviderDouble) -> None:
    bench = make_bench({"a.py": "x = 1\n"})
    provider_double.say(Say("Bonjour."))
    job = job_of(bench, provider_double, READER | {"tools": []})
    assert await bench.run(job) == "finished"
    assert bench.relay.of(RunFinished, job.run_id)[0].answer == "Bonjour."


async def test_a_definition_that_cannot_be_read_fails_with_a_name(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench({"a.py": "x = 1\n"})
    broken = {key: value for key, value in READER.items() if key != "instructions"}
    job = job_of(bench, provider_double, broken)
    assert await bench.run(job) == "failed"
    assert bench.relay.of(RunFailed, job.run_id)[0].code == ConfigError.code


@pytest.mark.parametrize("name", ["coder", "tidy"])
def test_agents_of_pyagent_need_no_definition(make_bench: MakeBench, name: str) -> None:
    bench = make_bench({"a.py": "x = 1\n"})
    job = bench.job("go", agent=name, model={})
    assert entry_of(job).name == open_agent(job).name == name
