from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.agents.delegating import Delegated
from workers.agents.planner.core import MAX_TASKS, PlannerCore, Task
from workers.tools.errors import InvalidArguments

AGENTS = ["coder", "tester"]
CORE = PlannerCore()


def task(name: str, *depends_on: str, agent: str = "coder", goal: str = "do it") -> dict[str, Any]:
    return {"id": name, "agent": agent, "goal": goal, "depends_on": list(depends_on)}


def read(*tasks: dict[str, Any]) -> tuple[Task, ...]:
    return CORE.read_plan({"tasks": list(tasks)}, agents=AGENTS)


def done(status: str = "finished", **fields: Any) -> Delegated:
    return Delegated(agent="coder", status=status, answer="said", **fields)


def test_puts_each_task_behind_those_it_depends_on() -> None:
    plan = read(task("c", "b"), task("b", "a"), task("a"), task("d", agent="@tester"))
    assert [one.id for one in plan] == ["a", "d", "b", "c"]
    assert plan[1].agent == "tester"


@pytest.mark.parametrize(
    ("tasks", "says"),
    [
        ([], "1 to 8 tasks"),
        ([task(str(n)) for n in range(MAX_TASKS + 1)], "1 to 8 tasks, this one 9"),
        ([task("a"), task("a")], "an id of its own"),
        ([task("a", agent="nobody")], "no agent @nobody for a; there are @coder, @tester"),
        ([task("a", goal=" ")], "a has no goal"),
        ([task("a", "z")], "depends on z, which is no task"),
        ([task("a", "a")], "wait for each other: a → a"),
        ([task("a", "c"), task("b", "a"), task("c", "b"), task("d", "a")], "a → c → b → a"),
    ],
)
def test_names_every_fault_of_a_plan(tasks: list[dict[str, Any]], says: str) -> None:
    with pytest.raises(InvalidArguments, match=says):
        read(*tasks)


@given(st.lists(st.tuples(st.integers(0, 7), st.sets(st.integers(0, 7), max_size=4)), min_size=1, max_size=8))
def test_a_plan_that_holds_comes_to_its_end_whatever_becomes_of_its_tasks(
    shape: list[tuple[int, set[int]]],
) -> None:
    try:
        plan = read(*(task(str(name), *map(str, below)) for name, below in shape))
    except InvalidArguments:
        return
    outcomes: dict[str, Delegated] = {}
    while ready := CORE.ready(plan, outcomes):
        for one in ready:
            assert all(outcomes[name].is_ok for name in one.depends_on)
            outcomes[one.id] = done("failed" if int(one.id) % 3 == 0 else "finished")
        while blocked := CORE.blocked(plan, outcomes):
            for one, why in blocked:
                assert "ended as" in why
                outcomes[one.id] = done("skipped")
    assert set(outcomes) == {one.id for one in plan}


def test_tells_a_task_what_those_before_it_brought_and_begins_with_their_files() -> None:
    plan = read(task("a"), task("b", "a"), task("c", "a", "b"))
    outcomes = {"a": done(change_set_id=3, commit="c" * 40), "b": done()}
    goal = CORE.goal_for(plan[1], outcomes)
    assert goal.startswith("do it\n\nWhat was done before you:") and "change set 3" in goal
    assert "The changes of @coder are in your files." in goal
    assert CORE.base_for(plan[1], outcomes) == "c" * 40
    outcomes["b"] = done(change_set_id=4, commit="d" * 40)
    assert CORE.base_for(plan[2], outcomes) == ""
    assert "not in your files" in CORE.goal_for(plan[2], outcomes)


def test_names_each_outcome_and_change_set() -> None:
    lines = CORE.describe_tasks(
        [
            ("@coder: write", done(change_set_id=3)),
            ("@tester: test", done("failed", error="It broke.\nBadly.")),
        ]
    )
    assert "- @coder: write (**finished**, [change set 3](review:3))\n" in lines
    assert "- @tester: test (**failed**): It broke." in lines
