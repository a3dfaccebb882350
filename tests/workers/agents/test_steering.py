"""What people say to a run that is at work: when it is heard, what it stops, and what the model is told."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from tests.framework.agent_bench import Bench, MakeBench
from tests.framework.provider_double.script import Call, Fault, Say
from tests.framework.provider_double.server import ProviderDouble
from tests.framework.redis import RedisServer
from workers.agents.steering import Note
from workers.events import ChangeProposed, RunFinished, SteeringTaken, StepFinished, StepStarted, steer_key
from workers.queue import Job, cancel_run, steer_run

FILES = {"a.py": "x = 1\n"}
DONE = Call("finish", {"answer": "done"})


def coder_job(bench: Bench, double: ProviderDouble, goal: str = "add b.py", **fields: Any) -> Job:
    model = {
        "provider": "openai",
        "model": "m",
        "base_url": double.base_url("openai"),
        "context_tokens": 32_000,
        **fields.pop("abilities", {}),
    }
    return bench.job(goal, agent="coder", model=model, **fields)


async def begun(bench: Bench, job: Job, title: str) -> StepStarted:
    """Wait until a step with this beginning of a title has begun, and return it."""

    def found() -> list[StepStarted]:
        return [s for s in bench.relay.of(StepStarted, job.run_id) if s.title.startswith(title)]

    await asyncio.to_thread(bench.relay.wait_for, found)
    return found()[-1]


def people_say(bench: Bench, job: Job) -> list[StepFinished]:
    started = {event.step_id for event in bench.relay.of(StepStarted, job.run_id) if event.kind == "person"}
    return [event for event in bench.relay.of(StepFinished, job.run_id) if event.step_id in started]


def said_to_model(double: ProviderDouble) -> str:
    return "\n".join(str(message["content"]) for message in double.asked[-1].messages)


async def test_a_word_reaches_the_model_with_its_next_question_and_is_seen_in_the_tree(
    make_bench: MakeBench, provider_double: ProviderDouble, redis_server: RedisServer
) -> None:
    bench = make_bench(FILES)
    provider_double.say(Say(calls=(Call("run_command", {"command": "sleep 1.5"}),)), Say(calls=(DONE,)))
    job = coder_job(bench, provider_double)
    task = asyncio.create_task(bench.run(job))
    await begun(bench, job, "$ sleep")
    note = {"id": 7, "kind": "message", "step_id": "", "text": "Use tabs, please.", "by": "Mia"}
    steer_run(job.run_id, note, client=redis_server.client)
    steer_run(job.run_id, note, client=redis_server.client)  # rung twice, said once
    assert await task == "finished"
    assert "Mia tells you while you work: Use tabs, please." in said_to_model(provider_double)
    (seen,) = people_say(bench, job)
    assert (seen.step_id, seen.detail["by"], seen.detail["said"]) == ("n7", "Mia", "Use tabs, please.")
    assert (await begun(bench, job, "Mia says")).title == "Mia says: Use tabs, please."
    assert [event.note_ids for event in bench.relay.of(SteeringTaken, job.run_id)] == [[7]]


async def test_a_word_that_came_with_the_job_is_heard_before_the_first_question(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(FILES)
    provider_double.say(Say(calls=(DONE,)))
    note = {"id": 3, "kind": "redirect", "step_id": "", "text": "Write c.py instead.", "by": "Max"}
    assert await bench.run(coder_job(bench, provider_double, steering=[note])) == "finished"
    assert "Max gives you another direction" in said_to_model(provider_double)


async def test_a_word_that_comes_with_the_last_turn_is_not_lost(
    make_bench: MakeBench, provider_double: ProviderDouble, redis_server: RedisServer
) -> None:
    bench = make_bench(FILES)
    provider_double.say(Say("word " * 30, (DONE,), token_wait_s=0.05), Say(calls=(DONE,)))
    job = coder_job(bench, provider_double)
    task = asyncio.create_task(bench.run(job))
    await begun(bench, job, "m, turn 1")
    note = {"id": 4, "kind": "message", "step_id": "", "text": "And tests.", "by": "Mia"}
    steer_run(job.run_id, note, client=redis_server.client)
    assert await task == "finished"
    assert "And tests." in said_to_model(provider_double)
    assert len(bench.relay.of(RunFinished)) == 1


async def test_a_command_is_stopped_alone_what_it_did_is_taken_back_and_the_run_goes_on(
    make_bench: MakeBench, provider_double: ProviderDouble, redis_server: RedisServer
) -> None:
    bench = make_bench(FILES)
    provider_double.say(
        Say(
            calls=(
                Call("write_file", {"path": "b.py", "content": "y = 2\n"}),
                Call("run_command", {"command": "echo z > c.py; sleep 50"}),
            )
        ),
        Say(calls=(DONE,)),
    )
    job = coder_job(bench, provider_double)
    task = asyncio.create_task(bench.run(job))
    step = await begun(bench, job, "$ echo z")
    note = {
        "id": 9,
        "kind": "stop_step",
        "step_id": step.step_id,
        "text": "",
        "by": "Mia",
        "title": step.title,
    }
    steer_run(job.run_id, note, client=redis_server.client)
    async with asyncio.timeout(10):
        assert await task == "finished"
    (stopped,) = [e for e in bench.relay.of(StepFinished, job.run_id) if e.step_id == step.step_id]
    assert (stopped.status, stopped.detail["stopped_by"]) == ("cancelled", "Mia")
    others = [e.status for e in bench.relay.of(StepFinished, job.run_id) if e.step_id != step.step_id]
    assert set(others) == {"ok"}
    told = said_to_model(provider_double)
    assert "Mia stopped this." in told and "Do not do it again unless you are asked to." in told
    (proposal,) = bench.relay.of(ChangeProposed)
    paths = bench.repository.bare.text("diff-tree", "-r", "--name-only", job.base_commit, proposal.commit)
    assert paths == "b.py"
    (seen,) = [e for e in bench.relay.of(StepStarted, job.run_id) if e.kind == "person"]
    assert seen.parent_id == step.step_id


async def test_a_stopped_step_is_not_begun_again_by_a_later_attempt(
    make_bench: MakeBench, provider_double: ProviderDouble, redis_server: RedisServer
) -> None:
    bench = make_bench(FILES)
    provider_double.say(
        Say(calls=(Call("run_command", {"command": "sleep 50"}),)), Say("slow", fault=Fault("hang"))
    )
    job = coder_job(bench, provider_double)
    stop = asyncio.Event()
    task = asyncio.create_task(bench.run(job, should_stop=stop.is_set))
    step = await begun(bench, job, "$ sleep")
    note = {"id": 9, "kind": "stop_step", "step_id": step.step_id, "text": "Too slow.", "by": "Mia"}
    steer_run(job.run_id, note, client=redis_server.client)
    await begun(bench, job, "m, turn 2")
    stop.set()
    assert await task == "interrupted"
    provider_double.say(Say(calls=(DONE,)))
    again = replace(bench.resumed(job), steering=[note])  # its taking up was not recorded any more
    assert await bench.run(again) == "finished"
    assert len([e for e in bench.relay.of(StepStarted, job.run_id) if e.title == "$ sleep 50"]) == 1
    assert said_to_model(provider_double).count("Too slow.") == 1
    assert len(people_say(bench, job)) == 1


async def test_an_answer_of_the_model_is_cut_off_and_it_is_asked_again_with_the_words(
    make_bench: MakeBench, provider_double: ProviderDouble, redis_server: RedisServer
) -> None:
    bench = make_bench(FILES)
    provider_double.say(Say("word " * 400, token_wait_s=0.05), Say(calls=(DONE,)))
    job = coder_job(bench, provider_double)
    task = asyncio.create_task(bench.run(job))
    step = await begun(bench, job, "m, turn 1")
    note = {"id": 2, "kind": "redirect", "step_id": step.step_id, "text": "Be brief.", "by": "Mia"}
    steer_run(job.run_id, note, client=redis_server.client)
    async with asyncio.timeout(10):
        assert await task == "finished"
    assert "Be brief." in said_to_model(provider_double)
    assert provider_double.gone == 1


async def test_a_run_that_is_stopped_at_the_same_moment_as_its_step_is_stopped(
    make_bench: MakeBench, provider_double: ProviderDouble, redis_server: RedisServer
) -> None:
    bench = make_bench(FILES)
    provider_double.say(Say(calls=(Call("run_command", {"command": "sleep 50"}),)), Say(calls=(DONE,)))
    job = coder_job(bench, provider_double)
    task = asyncio.create_task(bench.run(job))
    step = await begun(bench, job, "$ sleep")
    note = {"id": 1, "kind": "stop_step", "step_id": step.step_id, "by": "Mia"}
    cancel_run(job.run_id, client=redis_server.client)
    steer_run(job.run_id, note, client=redis_server.client)
    async with asyncio.timeout(10):
        assert await task == "stopped"


async def test_a_model_that_answers_in_json_hears_too(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(FILES)
    turn = {"thought": "", "tool": "finish", "arguments": {"answer": "done"}}
    provider_double.brain = lambda asked: Say(json.dumps(turn))
    note = {"id": 3, "kind": "message", "text": "Mind the tests.", "by": "Max"}
    abilities = {"has_tools": False, "has_json_schema": True}
    job = coder_job(bench, provider_double, "what is this?", steering=[note], abilities=abilities)
    assert await bench.run(job) == "finished"
    assert "Mind the tests." in said_to_model(provider_double)


async def test_what_makes_no_sense_on_the_stream_does_no_harm(
    make_bench: MakeBench, provider_double: ProviderDouble, redis_server: RedisServer
) -> None:
    bench = make_bench(FILES)
    provider_double.say(Say("word " * 20, (DONE,), token_wait_s=0.05))
    job = coder_job(bench, provider_double)
    for note in ("{", '"x"', '{"id": 1}', '{"id": 1, "kind": "sing", "by": "x"}', "[]"):
        redis_server.client.xadd(steer_key(job.run_id), {"note": note})
    redis_server.client.xadd(steer_key(job.run_id), {"other": "x"})
    assert await bench.run(job) == "finished"
    assert people_say(bench, job) == []


@pytest.mark.parametrize("kind", ["approve", "deny"])
async def test_a_decision_waits_for_who_asked_for_it(
    make_bench: MakeBench, provider_double: ProviderDouble, kind: str
) -> None:
    bench = make_bench(FILES)
    provider_double.say(Say(calls=(DONE,)))
    job = coder_job(bench, provider_double, steering=[{"id": 1, "kind": kind, "step_id": "s9", "by": "Max"}])
    assert await bench.run(job) == "finished"
    assert bench.relay.of(SteeringTaken) == []


def test_a_note_says_who_and_about_what() -> None:
    note = Note(id=1, kind="answer", by="Mia", text="Yes.", step_id="s3", title="Ask about tabs")
    assert note.line == "Mia answers “Ask about tabs”: Yes."
    assert note.words == "Mia answers about “Ask about tabs”: Yes."
