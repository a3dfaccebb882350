"""@coder asks what is known, and hands a part of its work on: where its model has tools, and as far as it may."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.framework.agent_bench import Bench, MakeBench
from tests.framework.provider_double.script import Call, Say
from tests.framework.provider_double.server import ProviderDouble
from tests.workers.agents.test_delegating import answered, result
from workers.agents.lineage import CascadeContext
from workers.events import RunDelegated, RunFinished, RunSuspended, StepFinished
from workers.queue import Job

FILES = {
    "cart.py": "def total(items):\n    return sum(items)\n",
    "shop.py": "from cart import total\n\nprint(total([1]))\n",
}
AGENTS = [
    {"name": "coder", "description": "Writes code."},
    {"name": "tester", "description": "Writes tests."},
]
GOAL = "explain the cart, please"
DONE = Call("finish", {"answer": "All done."})
EXTRA = {"recall", "find_related", "delegate", "delegate_several"}
NO_DELEGATION = """
version = 1
name = "ours"
default = "allow"

[[rule]]
name = "alone"
effect = "refuse"
reason = "Agents work alone here."
tools = ["delegate", "delegate_several"]
"""


def coder_job(bench: Bench, double: ProviderDouble, **fields: Any) -> Job:
    model = {
        "provider": "openai", "model": "m", "base_url": double.base_url("openai"), "context_tokens": 32_000,
    }  # fmt: skip
    return bench.job(GOAL, agent="coder", **({"model": model, "agents": AGENTS} | fields))


async def test_finds_who_uses_what_it_is_about_to_change(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(FILES)
    provider_double.say(Say(calls=(Call("find_related", {"name": "total"}),)), Say(calls=(DONE,)))
    assert await bench.run(coder_job(bench, provider_double)) == "finished"
    assert set(provider_double.asked[0].tools) >= EXTRA
    assert "shop.py" in provider_double.asked[1].last["content"]


async def test_hands_a_part_on_and_goes_on_with_the_answer(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(FILES)
    part = Call("delegate", {"agent": "@tester", "goal": "write tests of cart.py"})
    provider_double.say(Say(calls=(part,)), Say(calls=(DONE,)))
    job = coder_job(bench, provider_double)
    assert await bench.run(job) == "suspended"
    assert "- tester: Writes tests." in str(provider_double.asked[0].messages)
    (told,) = bench.relay.of(RunDelegated, job.run_id)
    assert (told.agent, told.goal) == ("tester", "write tests of cart.py")
    assert CascadeContext.from_dict(told.lineage).names == ["coder", "tester"]
    (pause,) = bench.relay.of(RunSuspended, job.run_id)
    assert pause.waits_for == [told.step_id]
    again = answered(bench, job, {told.step_id: result("tester", change_set_id=7)})
    assert await bench.run(again) == "finished"
    assert bench.relay.of(RunFinished)[0].answer == "All done."
    assert "It offers change set 7." in provider_double.asked[1].last["content"]


@pytest.mark.parametrize("goal", [GOAL, "Explain: the CART please!"])
async def test_that_hands_its_own_goal_to_itself_is_refused_with_the_lineage(
    make_bench: MakeBench, provider_double: ProviderDouble, goal: str
) -> None:
    bench = make_bench(FILES)
    provider_double.say(Say(calls=(Call("delegate", {"agent": "coder", "goal": goal}),)), Say(calls=(DONE,)))
    job = coder_job(bench, provider_double)
    assert await bench.run(job) == "finished"
    assert bench.relay.of(RunDelegated, job.run_id) == []
    assert "at work on this goal already: @coder → @coder" in provider_double.asked[1].last["content"]
    (refused,) = [
        event
        for event in bench.relay.of(StepFinished)
        if event.detail.get("result") and event.status == "failed"
    ]
    assert refused.status == "failed" and "@coder → @coder" in refused.detail["error"]


async def test_is_refused_through_others_in_between_too(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(FILES)
    first = CascadeContext.of_job(coder_job(bench, provider_double))
    job = coder_job(bench, provider_double)
    middle = first.child(
        run_id="00000000-0000-4000-8000-000000000001", agent="planner", goal="plan it", left=first.budget
    )
    itself = middle.child(run_id=job.run_id, agent="coder", goal="one part", left=middle.budget)
    provider_double.say(Say(calls=(Call("delegate", {"agent": "coder", "goal": GOAL}),)), Say(calls=(DONE,)))
    assert await bench.run(replace(job, goal="one part", lineage=itself.to_dict())) == "finished"
    heard = provider_double.asked[1].last["content"]
    assert "@coder → @planner → @coder → @coder" in heard


async def test_hands_nothing_on_where_nobody_is_there_it_may_not_or_the_policy_refuses(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(FILES)
    alone = coder_job(bench, provider_double)
    context = CascadeContext.of_job(alone)
    parent = replace(context, run_id="00000000-0000-4000-8000-000000000002", agent="planner", goal="plan it")
    bounded = parent.child(
        run_id=alone.run_id, agent="coder", goal=GOAL, left=context.budget, scope=["read", "write"]
    )
    for fields in (
        {"agents": []},
        {"lineage": bounded.to_dict()},
        {"policy": {"text": NO_DELEGATION, "role": "member"}},
    ):
        provider_double.say(Say(calls=(DONE,)))
        assert await bench.run(replace(coder_job(bench, provider_double), **fields)) == "finished"
        assert EXTRA & set(provider_double.asked[-1].tools) == {"recall", "find_related"}, fields
        assert "The agents:" not in str(provider_double.asked[-1].messages)


async def test_a_model_without_tools_of_its_own_is_not_offered_more(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(FILES)
    job = coder_job(bench, provider_double)
    job.model["has_tools"] = False
    provider_double.say(Say('{"thought": "Easy.", "tool": "finish", "arguments": {"answer": "It sums."}}'))
    assert await bench.run(job) == "finished"
    assert "delegate" not in str(provider_double.asked[0].messages)
