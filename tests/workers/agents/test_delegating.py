"""Handing goals on, on the engine's side: what is told, when the slot is given up, and how the answers come in."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.framework.agent_bench import Bench, MakeBench
from tests.framework.provider_double.script import Call, Say
from tests.framework.provider_double.server import ProviderDouble
from workers.agents.base import RunState
from workers.agents.budget import Spending
from workers.agents.delegating import Delegated, Delegation, child_run_id
from workers.agents.lineage import CascadeContext
from workers.agents.registry import AGENTS, AgentEntry
from workers.agents.toolloop.agent import ToolLoopAgent
from workers.events import ApprovalAsked, RunDelegated, RunFinished, RunSuspended, StepFinished, StepStarted
from workers.queue import Budget, Job
from workers.registry import load
from workers.tools.base import Toolbox
from workers.tools.commands import RunCommand
from workers.tools.editing import WriteFile
from workers.tools.finish import Finish
from workers.tools.registry import DELEGATION

BOTH = {"tasks": [{"agent": "coder", "goal": "write b.py"}, {"agent": "@tidy", "goal": ""}]}
DONE = Call("finish", {"answer": "All done."})


class LeadAgent(ToolLoopAgent):
    name = "lead"

    def open_tools(self, run: RunState) -> Toolbox:
        return Toolbox(
            [*(load(target)() for target in DELEGATION.values()), WriteFile(), RunCommand(), Finish()]
        )

    def instructions(self, run: RunState) -> str:
        return "You lead."

    async def opening(self, run: RunState) -> str:
        return self.core.goal_of(run.job)


@pytest.fixture(autouse=True)
def lead_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(AGENTS, "lead", AgentEntry("lead", "Leads.", True, f"{__name__}:LeadAgent"))
    monkeypatch.setattr("workers.agents.runner.open_agent", lambda job: LeadAgent())


def lead_job(bench: Bench, double: ProviderDouble, **fields: Any) -> Job:
    model = {
        "provider": "openai",
        "model": "m",
        "base_url": double.base_url("openai"),
        "context_tokens": 32_000,
    }
    return bench.job("lead them", agent="lead", model=model, **fields)


def answered(bench: Bench, job: Job, results: Mapping[str, Mapping[str, Any]]) -> Job:
    """Return the job as it is handed out once the other runs have ended; `results` by step."""
    history = bench.relay.history(job.run_id)
    for step_id, result in results.items():
        started = next(e for e in bench.relay.of(StepStarted, job.run_id) if e.step_id == step_id)
        history.append(
            {
                "step_id": step_id,
                "parent_id": started.parent_id,
                "kind": "delegation",
                "title": started.title,
                "status": "ok",
                "detail": {**started.detail, "result": dict(result)},
                "duration_ms": 90_000,
                "input_tokens": 0,
                "output_tokens": 0,
                "cost_usd": None,
            }
        )
    return replace(job, fence=job.fence + 1, history=history, next_seq=bench.relay.next_seq(job.run_id))


def result(agent: str, **fields: Any) -> dict[str, Any]:
    return {"agent": agent, "status": "finished", "answer": f"@{agent} is done.", **fields}


async def test_gives_its_slot_up_and_goes_on_with_the_answers(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench({"a.py": "x = 1\n"})
    provider_double.say(Say(calls=(Call("delegate_several", BOTH),)), Say(calls=(DONE,)))
    job = lead_job(bench, provider_double)
    assert await bench.run(job) == "suspended"
    told = bench.relay.of(RunDelegated, job.run_id)
    assert [(event.agent, event.goal) for event in told] == [("coder", "write b.py"), ("tidy", "")]
    (pause,) = bench.relay.of(RunSuspended, job.run_id)
    assert (pause.reason, pause.waits_for) == ("children", [event.step_id for event in told])
    assert len({event.step_id for event in told}) == 2
    assert not [e for e in bench.relay.of(StepFinished, job.run_id) if e.step_id in pause.waits_for]

    again = answered(
        bench,
        job,
        {
            told[0].step_id: result("coder", change_set_id=12),
            told[1].step_id: result("tidy", status="failed", error="It broke."),
        },
    )
    assert await bench.run(again) == "finished"
    assert bench.relay.of(RunFinished)[0].answer == "All done."
    heard = provider_double.asked[1].last["content"]
    assert "@coder finished. It offers change set 12.\n@coder is done." in heard
    assert "@tidy failed.\nIt broke." in heard
    assert len(bench.relay.of(RunDelegated, job.run_id)) == 2  # nothing was handed on again


async def test_the_lineage_of_each_child_is_an_allotment_of_what_is_left(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench({"a.py": "x = 1\n"})
    provider_double.say(Say(calls=(Call("delegate_several", BOTH),), usage=(3_000, 100)))
    job = lead_job(bench, provider_double, budget={"tokens": 30_100, "seconds": 300})
    await bench.run(job)
    told = bench.relay.of(RunDelegated, job.run_id)
    contexts = [CascadeContext.from_dict(event.lineage) for event in told]
    assert [context.budget.tokens for context in contexts] == [9_000, 9_000]  # a third of the rest each
    assert all(context.parent_run_id == job.run_id and context.depth == 1 for context in contexts)
    assert [context.run_id for context in contexts] == [
        child_run_id(job.run_id, event.step_id) for event in told
    ]
    assert all(context.deadline is not None for context in contexts)


async def test_an_attempt_that_begins_again_names_its_delegations_as_before(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    """One of two has ended when the worker is lost: the other is told again under its own name, so no run is made twice."""
    bench = make_bench({"a.py": "x = 1\n"})
    provider_double.say(Say(calls=(Call("delegate_several", BOTH),)))
    job = lead_job(bench, provider_double)
    await bench.run(job)
    first, second = bench.relay.of(RunDelegated, job.run_id)
    again = answered(bench, job, {first.step_id: result("coder")})
    assert await bench.run(again) == "suspended"
    assert bench.relay.of(RunSuspended, job.run_id)[-1].waits_for == [second.step_id]
    repeated = bench.relay.of(RunDelegated, job.run_id)[-1]
    assert (repeated.step_id, repeated.lineage["run_id"]) == (second.step_id, second.lineage["run_id"])


async def test_what_cannot_be_handed_on_is_an_answer_too(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench({"a.py": "x = 1\n"})
    provider_double.say(
        Say(calls=(Call("delegate", {"agent": "lead", "goal": "LEAD them!"}),)), Say(calls=(DONE,))
    )
    job = lead_job(bench, provider_double)
    assert await bench.run(job) == "finished"
    assert not bench.relay.of(RunDelegated)
    contents = " ".join(str(message["content"]) for message in provider_double.asked[1].messages)
    assert "@lead → @lead" in contents
    refused = [s for s in bench.relay.history(job.run_id) if s["kind"] == "delegation"]
    assert [step["status"] for step in refused] == ["failed"]


async def test_a_child_begins_with_the_files_as_its_parent_has_made_them(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench({"a.py": "x = 1\n"})
    provider_double.say(
        Say(
            calls=(
                Call("write_file", {"path": "b.py", "content": "y = 2\n"}),
                Call("delegate", {"agent": "tidy", "goal": ""}),
            )
        )
    )
    await bench.run(lead_job(bench, provider_double))
    (told,) = bench.relay.of(RunDelegated)
    assert bench.read(told.base_commit, "b.py") == "y = 2\n"


@pytest.mark.parametrize(
    ("scope", "call", "needed"),
    [
        (["read", "write"], Call("run_command", {"command": "ls"}), "command"),
        (["read", "command"], Call("write_file", {"path": "b.py", "content": ""}), "write"),
        (["read", "write", "command"], Call("delegate", {"agent": "tidy", "goal": ""}), "delegate"),
    ],
)
async def test_does_nothing_beyond_its_scope(
    make_bench: MakeBench,
    provider_double: ProviderDouble,
    scope: list[str],
    call: Call,
    needed: str,
) -> None:
    bench = make_bench({"a.py": "x = 1\n"})
    provider_double.say(Say(calls=(call,)), Say(calls=(DONE,)))
    job = lead_job(bench, provider_double)
    lineage = replace(CascadeContext.of_job(job), scope=frozenset(scope)).to_dict()
    assert await bench.run(replace(job, lineage=lineage)) == "finished"
    assert f"needs “{needed}”, which @lead was not given" in provider_double.asked[1].last["content"]


async def test_commands_of_a_run_that_may_not_write_leave_nothing_behind(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench({"a.py": "x = 1\n"})
    provider_double.say(
        Say(calls=(Call("run_command", {"command": "echo y > b.py; ls"}),)), Say(calls=(DONE,))
    )
    job = lead_job(bench, provider_double)
    lineage = replace(CascadeContext.of_job(job), scope=frozenset({"read", "command"})).to_dict()
    assert await bench.run(replace(job, lineage=lineage)) == "finished"
    assert "b.py" in provider_double.asked[1].last["content"]
    assert bench.repository.ref(f"refs/agent/{job.run_id}/1") is None


async def test_a_task_may_be_given_less_than_its_parent_may(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench({"a.py": "x = 1\n"})
    call = Call("delegate", {"agent": "coder", "goal": "look", "may": ["read"]})
    provider_double.say(Say(calls=(call,)))
    await bench.run(lead_job(bench, provider_double))
    assert bench.relay.of(RunDelegated)[0].lineage["scope"] == ["read"]


def test_what_children_used_counts_and_what_they_left_returns() -> None:
    step = {
        "step_id": "d1",
        "kind": "delegation",
        "status": "ok",
        "duration_ms": 500_000,
        "detail": {"result": result("coder", tokens=2_000, seconds=40.0, cost_usd=0.5)},
    }
    spending = Spending.resume({"tokens": 10_000, "seconds": 100, "cost_usd": 2.0}, [step])
    assert spending.left == Budget(tokens=8_000, seconds=59, cost_usd=1.5) or spending.left.seconds in (
        59,
        60,
    )
    assert spending.left.tokens == 8_000 and spending.left.cost_usd == 1.5


def test_a_delegation_is_named_by_what_is_asked() -> None:
    one, same, other = (Delegation(key=key, agent="coder", goal="x") for key in ("a:1", "a:1", "a:2"))
    assert one.step_id == same.step_id != other.step_id
    run_id = str(uuid.uuid4())
    assert child_run_id(run_id, one.step_id) == child_run_id(run_id, same.step_id)
    assert child_run_id(run_id, one.step_id) != child_run_id(run_id, other.step_id)


def test_a_result_survives_fields_it_does_not_know() -> None:
    step = {"kind": "delegation", "step_id": "d1", "detail": {"result": result("coder", odd=1)}}
    assert Delegated.from_step(step) == Delegated(agent="coder", status="finished", answer="@coder is done.")


async def test_the_policy_speaks_of_handing_on_too_and_leave_stays_given_while_children_work(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench({"a.py": "x = 1\n"})
    rule = 'name = "own"\nreason = "Ask first."\ntools = ["delegate*"]\n'
    refused = {"text": f'version = 1\n[[rule]]\neffect = "refuse"\n{rule}', "role": "member"}
    hand_on = Say(calls=(Call("delegate_several", BOTH),))
    provider_double.say(hand_on, Say(calls=(DONE,)))
    assert await bench.run(lead_job(bench, provider_double, policy=refused)) == "finished"
    assert not bench.relay.of(RunDelegated)
    told = [message["content"] for message in provider_double.asked[-1].messages if message["role"] == "tool"]
    assert "Ask first." in told[0]

    provider_double.say(hand_on)
    job = lead_job(
        bench, provider_double, policy={"text": refused["text"].replace("refuse", "ask"), "role": "member"}
    )
    assert await bench.run(job) == "suspended"
    (asked,) = bench.relay.of(ApprovalAsked, job.run_id)
    verdict = {"step_id": asked.step_id, "call_hash": asked.call_hash, "is_approved": True, "by": "Ada"}
    answered = replace(bench.resumed(job), policy=job.policy | {"verdicts": [verdict]})
    assert await bench.run(answered) == "suspended"
    delegated = bench.relay.of(RunDelegated, job.run_id)
    assert [event.agent for event in delegated] == ["coder", "tidy"]
    # Resumed before the children are done: it waits for them again, and asks nobody a second time.
    assert await bench.run(bench.resumed(answered)) == "suspended"
    assert len(bench.relay.of(ApprovalAsked, job.run_id)) == 1
