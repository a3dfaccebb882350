"""@planner with a scripted model; other agents' runs are played by hand (`answered`)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.framework.agent_bench import Bench, MakeBench
from tests.framework.provider_double.script import Call, Say
from tests.framework.provider_double.server import ProviderDouble
from tests.workers.agents.test_delegating import answered, result
from workers.events import RunDelegated, RunFailed, RunFinished, RunSuspended, StepFinished, StepStarted
from workers.queue import Job

AGENTS = [{"name": name, "description": f"Does {name}."} for name in ("coder", "tester", "planner")]
TASKS = [
    {"id": "a", "agent": "coder", "goal": "write a.py", "depends_on": []},
    {"id": "b", "agent": "coder", "goal": "write b.py", "depends_on": []},
    {"id": "c", "agent": "tester", "goal": "test both", "depends_on": ["a", "b"]},
]
DONE = Call("finish", {"answer": "Both are there."})


def planner_job(
    bench: Bench, double: ProviderDouble, *, abilities: dict[str, Any] | None = None, **fields: Any
) -> Job:
    model = {
        "provider": "openai",
        "model": "m",
        "base_url": double.base_url("openai"),
        "context_tokens": 32_000,
        **(abilities or {}),
    }
    return bench.job("write both", agent="planner", model=model, agents=AGENTS, **fields)


def waits(bench: Bench, job: Job) -> list[str]:
    return bench.relay.of(RunSuspended, job.run_id)[-1].waits_for


@pytest.mark.parametrize("is_native", [True, False], ids=["tools", "json"])
async def test_hands_on_what_can_begin_gives_results_on_and_names_every_outcome(
    make_bench: MakeBench, provider_double: ProviderDouble, is_native: bool
) -> None:
    bench = make_bench({"x.py": "x = 1\n"})
    for call in (Call("plan", {"tasks": TASKS}), DONE):
        turn = {"thought": "", "tool": call.name, "arguments": call.arguments}
        provider_double.say(Say(calls=(call,)) if is_native else Say(json.dumps(turn)))
    abilities = {} if is_native else {"has_tools": False, "has_json_schema": True}
    job = planner_job(bench, provider_double, abilities=abilities)

    assert await bench.run(job) == "suspended"
    first = bench.relay.of(RunDelegated, job.run_id)
    assert [(event.agent, event.goal) for event in first] == [
        ("coder", "write a.py"),
        ("coder", "write b.py"),
    ]

    a, b = waits(bench, job)
    job = answered(
        bench,
        job,
        {a: result("coder", change_set_id=1, commit="c" * 40), b: result("coder", answer="Wrote b.")},
    )
    assert await bench.run(job) == "suspended"
    third = bench.relay.of(RunDelegated, job.run_id)[2]
    assert (third.agent, third.base_commit) == ("tester", "c" * 40)
    assert third.goal.startswith("test both") and "Wrote b." in third.goal and "change set 1" in third.goal

    (c,) = waits(bench, job)
    before = {a: result("coder", change_set_id=1), b: result("coder", answer="Wrote b.")}
    job = answered(bench, job, {**before, c: result("tester", status="failed", error="Two tests fail.")})
    assert await bench.run(job) == "finished"
    answer = bench.relay.of(RunFinished)[0].answer
    assert answer.startswith("Both are there.\n\n**Tasks**")
    assert "@coder: write a.py (**finished**, [change set 1](review:1))" in answer
    assert "@tester: test both (**failed**): Two tests fail." in answer
    assert len(provider_double.asked) == 2  # the model is asked once a pass
    told = str(provider_double.asked[1].messages)
    assert "a: @coder finished. It offers change set 1." in told and "c: @tester failed." in told
    assert len(bench.relay.of(RunDelegated, job.run_id)) == 3


async def test_a_task_begins_as_soon_as_those_it_needs_have_ended(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    """Trap: tasks went in waves, so that one slow task held up all that had nothing to do with it."""
    bench = make_bench({"x.py": "x = 1\n"})
    tasks = [*TASKS[:2], {"id": "c", "agent": "tester", "goal": "test a.py", "depends_on": ["a"]}]
    provider_double.say(Say(calls=(Call("plan", {"tasks": tasks}),)), Say(calls=(DONE,)))
    job = planner_job(bench, provider_double)
    assert await bench.run(job) == "suspended"
    a, b = waits(bench, job)
    assert bench.relay.of(RunSuspended, job.run_id)[-1].waits_any

    done = {a: result("coder", commit="c" * 40)}
    job = replace(answered(bench, job, done), open_steps=[b])
    assert await bench.run(job) == "suspended"
    told = bench.relay.of(RunDelegated, job.run_id)
    assert [event.goal.partition("\n")[0] for event in told] == ["write a.py", "write b.py", "test a.py"]
    assert told[2].base_commit == "c" * 40
    c = told[2].step_id
    assert waits(bench, job) == [b, c], "the slow one is waited for, and not handed on again"

    done[c] = result("tester")
    job = replace(answered(bench, job, done), open_steps=[b])
    assert await bench.run(job) == "suspended"
    assert waits(bench, job) == [b]
    done[b] = result("coder", answer="Wrote b.")
    assert await bench.run(answered(bench, job, done)) == "finished"
    assert len(bench.relay.of(RunDelegated, job.run_id)) == 3
    assert bench.relay.of(RunFinished)[0].answer.count("**finished**") == 3
    assert len(provider_double.asked) == 2


async def test_no_more_than_four_tasks_are_at_work_at_once(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench({"x.py": "x = 1\n"})
    tasks = [{"id": f"t{n}", "agent": "coder", "goal": f"write {n}.py"} for n in range(6)]
    provider_double.say(Say(calls=(Call("plan", {"tasks": tasks}),)))
    job = planner_job(bench, provider_double)
    await bench.run(job)
    first = waits(bench, job)
    assert len(first) == 4
    job = replace(answered(bench, job, {first[3]: result("coder")}), open_steps=first[:3])
    await bench.run(job)
    assert waits(bench, job)[:3] == first[:3] and len(waits(bench, job)) == 4
    assert [event.goal for event in bench.relay.of(RunDelegated)] == [f"write {n}.py" for n in range(5)]


async def test_delegations_hang_below_the_turn_that_planned_them(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench({"x.py": "x = 1\n"})
    provider_double.say(Say(calls=(Call("plan", {"tasks": TASKS}),)))
    await bench.run(planner_job(bench, provider_double))
    kinds = {event.step_id: event.kind for event in bench.relay.of(StepStarted)}
    parents = {
        event.parent_id for event in bench.relay.of(StepStarted) if event.kind in ("delegation", "plan")
    }
    assert [kinds[str(parent)] for parent in parents] == ["model_call"]


async def test_what_depends_on_a_failed_task_is_skipped_and_said(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench({"x.py": "x = 1\n"})
    provider_double.say(Say(calls=(Call("plan", {"tasks": TASKS}),)), Say(calls=(DONE,)))
    job = planner_job(bench, provider_double)
    await bench.run(job)
    a, b = waits(bench, job)
    job = answered(bench, job, {a: result("coder"), b: result("coder", status="dead", error="Given up.")})
    assert await bench.run(job) == "finished"
    answer = bench.relay.of(RunFinished)[0].answer
    assert "@tester: test both (**skipped**): It needs the task b, which ended as dead." in answer
    assert "@coder: write b.py (**dead**): Given up." in answer


async def test_a_plan_that_does_not_hold_is_sent_back(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench({"x.py": "x = 1\n"})
    bad = [{"id": "a", "agent": "nobody", "goal": "x", "depends_on": ["a"]}]
    provider_double.say(Say(calls=(Call("plan", {"tasks": bad}),)), Say(calls=(DONE,)))
    assert await bench.run(planner_job(bench, provider_double)) == "finished"
    told = provider_double.asked[1].last["content"]
    assert "There is no agent @nobody" in told and "a → a" in told
    assert not bench.relay.of(RunDelegated)


async def test_a_used_up_budget_ends_it_with_what_was_reached(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench({"x.py": "x = 1\n"})
    provider_double.say(Say(calls=(Call("plan", {"tasks": TASKS[:1]}),)))
    job = planner_job(bench, provider_double, budget={"tokens": 40_000})
    await bench.run(job)
    (a,) = waits(bench, job)
    job = answered(bench, job, {a: result("coder", change_set_id=5, tokens=39_900)})
    assert await bench.run(job) == "finished"
    answer = bench.relay.of(RunFinished)[0].answer
    assert answer.startswith("**Not finished.**") and "change set 5" in answer
    assert len(provider_double.asked) == 1


async def test_a_used_up_budget_without_any_task_is_a_failure(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench({"x.py": "x = 1\n"})
    assert await bench.run(planner_job(bench, provider_double, budget={"tokens": 100})) == "failed"
    assert bench.relay.of(RunFailed)[0].code == "budget_exceeded"


async def test_says_that_the_embedded_model_cannot_plan(make_bench: MakeBench) -> None:
    bench = make_bench({"x.py": "x = 1\n"})
    model = {
        "provider": "embedded",
        "model": "SmolLM2",
        "base_url": "http://127.0.0.1:9",
        "context_tokens": 8_000,
    }
    assert await bench.run(bench.job("write", agent="planner", model=model, agents=AGENTS)) == "finished"
    assert "cannot plan" in bench.relay.of(RunFinished)[0].answer
    assert not [event for event in bench.relay.of(StepFinished) if event.status == "failed"]
