"""What people are asked about, over the real runner: a call waits for a yes, which counts for exactly that call, once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.framework.agent_bench import Bench, MakeBench
from tests.framework.provider_double.script import Call, Say
from tests.framework.provider_double.server import ProviderDouble
from workers.agents.policy.ruling import hash_call
from workers.events import (
    ApprovalAsked,
    ChangeProposed,
    RunFailed,
    RunFinished,
    RunSuspended,
    SteeringTaken,
    StepFinished,
    StepStarted,
)
from workers.queue import Job

FILES = {"a.py": "x = 1\n", ".env": "NAME=value\n"}
READ_ENV = {"path": ".env"}


def _job(bench: Bench, double: ProviderDouble, **fields: Any) -> Job:
    model = {
        "provider": "openai",
        "model": "m",
        "base_url": double.base_url("openai"),
        "context_tokens": 32_000,
    }
    return bench.job("look at the settings", agent="coder", model=model, **fields)


def _answered(bench: Bench, job: Job, verdict: bool, **changes: Any) -> Job:
    """Return the job as it is handed out after a person has answered its newest question."""
    asked = bench.relay.of(ApprovalAsked, job.run_id)[-1]
    row = {
        "step_id": asked.step_id,
        "call_hash": asked.call_hash,
        "is_approved": verdict,
        "by": "Ada",
        "text": "" if verdict else "look elsewhere",
        "note_id": 7,
    } | changes
    verdicts = [*job.policy.get("verdicts", ()), row]
    return replace(bench.resumed(job), policy=job.policy | {"verdicts": verdicts})


def _told(double: ProviderDouble) -> list[str]:
    return [message["content"] for message in double.asked[-1].messages if message["role"] == "tool"]


async def test_a_dangerous_call_waits_for_a_yes_and_then_runs_once(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(FILES)
    provider_double.say(Say(calls=(Call("read_file", READ_ENV),)))
    job = _job(bench, provider_double)
    assert await bench.run(job) == "suspended"
    (asked,) = bench.relay.of(ApprovalAsked)
    (suspended,) = bench.relay.of(RunSuspended)
    assert (suspended.reason, suspended.waits_for) == ("approval", [asked.step_id])
    assert (asked.tool, asked.arguments, asked.rule) == ("read_file", READ_ENV, "secrets")
    assert asked.call_hash == hash_call("read_file", READ_ENV)
    assert not [event for event in bench.relay.of(StepFinished) if event.step_id == asked.step_id]

    provider_double.say(Say(calls=(Call("read_file", READ_ENV),)))  # the same once more
    approved = _answered(bench, job, True)
    assert await bench.run(approved) == "suspended"  # asks again for the second one
    (done,) = [event for event in bench.relay.of(StepFinished) if event.step_id == asked.step_id]
    assert done.detail["approval"]["by"] == "Ada"
    assert "NAME=value" in done.detail["result"]
    assert [event.note_ids for event in bench.relay.of(SteeringTaken)] == [[7]]
    again = bench.relay.of(ApprovalAsked)[-1]
    assert again.step_id != asked.step_id
    assert again.call_hash == asked.call_hash

    provider_double.say(Say("nothing to see"), Say("nothing to see"))
    assert await bench.run(_answered(bench, approved, False)) == "finished"
    assert len([event for event in bench.relay.of(StepFinished) if event.step_id == asked.step_id]) == 1


async def test_a_long_call_is_made_word_for_word_after_its_yes(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(FILES)
    content = "".join(f"line {number} \u00e9\n" for number in range(6_000))
    provider_double.say(Say(calls=(Call("write_file", {"path": "long.txt", "content": content}),)))
    job = _job(bench, provider_double)
    assert await bench.run(job) == "suspended"
    assert bench.relay.of(ApprovalAsked)[0].rule == "very-much-text"
    provider_double.say(Say(calls=(Call("finish", {"answer": "It is long."}),)))
    assert await bench.run(_answered(bench, job, True)) == "finished"
    assert bench.read(bench.relay.of(ChangeProposed)[0].commit, "long.txt") == content


async def test_the_model_is_told_of_a_no(make_bench: MakeBench, provider_double: ProviderDouble) -> None:
    bench = make_bench(FILES)
    provider_double.say(Say(calls=(Call("read_file", READ_ENV),)))
    job = _job(bench, provider_double)
    await bench.run(job)
    provider_double.say(Say("I could not look."))
    assert await bench.run(_answered(bench, job, False)) == "finished"
    (told,) = _told(provider_double)
    assert "Ada denied this call. They say: look elsewhere" in told
    assert bench.relay.of(RunFinished)[0].answer == "I could not look."
    done = bench.relay.of(StepFinished)
    assert [event.status for event in done if event.step_id.startswith("ask-")] == ["failed"]


@pytest.mark.parametrize("changes", [{"call_hash": "0" * 64}, {"step_id": "ask-0000000000000000-1"}])
async def test_a_yes_to_another_call_is_none(
    make_bench: MakeBench, provider_double: ProviderDouble, changes: dict[str, str]
) -> None:
    bench = make_bench(FILES)
    provider_double.say(Say(calls=(Call("read_file", READ_ENV),)))
    job = _job(bench, provider_double)
    await bench.run(job)
    assert await bench.run(_answered(bench, job, True, **changes)) == "suspended"
    assert not [event for event in bench.relay.of(StepFinished) if event.step_id.startswith("ask-")]


async def test_a_refused_call_is_not_made_and_nobody_is_asked(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(FILES)
    provider_double.say(Say(calls=(Call("run_command", {"command": "rm -rf *"}),)), Say("I left it."))
    assert await bench.run(_job(bench, provider_double)) == "finished"
    (told,) = _told(provider_double)
    assert "refuses this call (wipe-out)" in told
    assert not bench.relay.of(ApprovalAsked)
    (step,) = [event for event in bench.relay.of(StepFinished) if "policy" in event.detail]
    assert (step.status, step.detail["policy"]["rule"]) == ("failed", "wipe-out")


async def test_an_agent_of_a_viewer_reads_and_does_nothing_else(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(FILES)
    provider_double.say(
        Say(
            calls=(
                Call("read_file", {"path": "a.py"}),
                Call("write_file", {"path": "b.py", "content": "y\n"}),
            )
        ),
        Say("That is all I may."),
    )
    assert await bench.run(_job(bench, provider_double, policy={"role": "viewer"})) == "finished"
    read, write = _told(provider_double)
    assert "x = 1" in read
    assert "who called this agent (viewer) does not have" in write


async def test_a_workspaces_own_pack_decides_and_one_that_cannot_be_read_allows_nothing(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(FILES)
    text = 'version = 1\n[[rule]]\nname = "mine"\neffect = "refuse"\nreason = "Not here."\ntools = ["read_file"]\n'
    provider_double.say(Say(calls=(Call("read_file", {"path": "a.py"}),)), Say("Well."))
    assert await bench.run(_job(bench, provider_double, policy={"text": text})) == "finished"
    assert "Not here." in _told(provider_double)[0]
    assert await bench.run(_job(bench, provider_double, policy={"text": "nonsense"})) == "failed"
    assert bench.relay.of(RunFailed)[0].code == "invalid_policy"
    assert not [event for event in bench.relay.of(StepStarted, bench.relay.of(RunFailed)[0].run_id)]
