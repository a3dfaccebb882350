from __future__ import annotations

import asyncio
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.agents.errors import DeadlinePassed, DelegationCycle, DelegationRefused, DelegationTooDeep
from workers.agents.lineage import (
    MAX_DEPTH,
    WHOLE_SCOPE,
    CascadeContext,
    Spent,
    normalise_goal,
    share,
    smaller,
)
from workers.errors import BudgetExceeded, ConfigError
from workers.queue import Budget, Job

NOW = 1_000_000.0


def root(**fields) -> CascadeContext:
    job = Job(
        run_id="r0", fence=1, workspace_id=7, agent="planner", goal="Ship it!", base_commit="a" * 40, model={}
    )
    return replace(CascadeContext.of_job(job), **fields)


def hand_on(context: CascadeContext, agent: str = "coder", goal: str = "write b.py", **fields):
    fields = {"run_id": str(uuid.uuid4()), "left": context.budget, "now": NOW, **fields}
    return context.child(agent=agent, goal=goal, **fields)


budgets = st.builds(
    Budget,
    steps=st.integers(1, 1000),
    tokens=st.none() | st.integers(0, 10**9),
    seconds=st.integers(0, 86_400),
    cost_usd=st.none() | st.floats(0, 10**6),
)
scopes = st.none() | st.frozensets(st.sampled_from([*sorted(WHOLE_SCOPE), "admin", "network"]))
wishes = st.lists(
    st.tuples(st.sampled_from(["coder", "planner", "tidy"]), st.text(max_size=20), budgets, scopes),
    max_size=8,
)


def is_within(one: Budget, other: Budget) -> bool:
    pairs = [(one.steps, other.steps), (one.seconds, other.seconds)]
    pairs += [(one.tokens, other.tokens), (one.cost_usd, other.cost_usd)]
    return all(big is None or (small is not None and small <= big) for small, big in pairs)


@given(budgets, wishes)
def test_nothing_ever_grows_on_the_way_down(budget, chain):
    top = context = root(budget=budget, scope=frozenset({"read", "write", "delegate"}), deadline=NOW + 100)
    for agent, goal, left, scope in chain:
        try:
            below = hand_on(context, agent, goal, left=left, scope=scope, deadline=NOW + 1_000)
        except (DelegationRefused, BudgetExceeded):
            continue
        assert below.scope <= context.scope
        assert is_within(below.budget, context.budget) and is_within(below.budget, top.budget)
        assert below.deadline == top.deadline
        assert below.depth == context.depth + 1 <= top.max_depth
        assert (below.root_run_id, below.workspace_id) == (top.run_id, top.workspace_id)
        assert below.parent_run_id == context.run_id
        context = below


@given(budgets, wishes)
def test_comes_back_from_json_as_it_was(budget, chain):
    context = root(budget=budget)
    for agent, goal, left, scope in chain:
        try:
            context = hand_on(context, agent, goal, left=left, scope=scope)
        except (DelegationRefused, BudgetExceeded):
            continue
    assert CascadeContext.from_dict(json.loads(json.dumps(context.to_dict()))) == context


@given(budgets, st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 5_000)), max_size=20))
def test_children_together_never_get_more_than_there_is(budget, uses):
    """Whoever gives allotments out of what is left, and counts what was really spent, keeps within the root's budget."""
    spent = Spent()
    for tokens, seconds in uses:
        part = share(spent.left_of(budget), 2)
        used = Spent(
            tokens=tokens if part.tokens is None else min(tokens, part.tokens),
            seconds=min(seconds, part.seconds),
        )
        spent = spent + used  # what it did not use is back by itself
    assert budget.tokens is None or spent.tokens <= budget.tokens
    assert spent.seconds <= budget.seconds


@given(st.text())
def test_a_normalised_goal_stays_as_it_is(goal):
    assert normalise_goal(normalise_goal(goal)) == normalise_goal(goal)


def test_the_same_goal_in_other_dress_is_the_same_goal():
    assert normalise_goal("  Fix   the TESTS, please!\n") == normalise_goal("fix the tests please")
    assert normalise_goal("Fix issue 12") != normalise_goal("Fix issue 13")
    assert normalise_goal("a,b") == normalise_goal("a, b")


def test_refuses_a_cycle_and_names_the_lineage_in_order():
    below = hand_on(hand_on(root(), "coder", "write b.py"), "tester", "test b.py")
    with pytest.raises(DelegationCycle, match="@planner → @coder → @tester → @coder") as caught:
        hand_on(below, "coder", "WRITE  b.py.")
    assert caught.value.facts["lineage"] == ["planner", "coder", "tester", "coder"]


def test_refuses_to_hand_its_own_goal_to_itself():
    with pytest.raises(DelegationCycle, match="@planner → @planner"):
        hand_on(root(), "planner", "ship it")


def test_refuses_to_go_deeper_than_the_limit_and_names_the_lineage():
    context = root()
    for number in range(MAX_DEPTH):
        context = hand_on(context, "coder", f"part {number}")
    assert context.depth == MAX_DEPTH
    with pytest.raises(DelegationTooDeep, match="@planner(?: → @coder){5}") as caught:
        hand_on(context, "coder", "one more part")
    assert caught.value.facts["lineage"] == ["planner"] + ["coder"] * 5


def test_the_whole_list_of_ancestors_is_known_not_only_how_many():
    below = hand_on(hand_on(root(), "coder", "write b.py", run_id="r1"), "tester", "test b.py", run_id="r2")
    assert [(a.run_id, a.agent, a.goal) for a in below.ancestors] == [
        ("r0", "planner", "ship it"),
        ("r1", "coder", "write b py"),
    ]


def test_siblings_and_other_cascades_may_do_the_same_again_and_again():
    """A history of calls that is shared and never cleared would refuse the fourth of these."""
    top = root()
    for _ in range(10):
        hand_on(top, "coder", "write b.py")
        hand_on(root(run_id=str(uuid.uuid4())), "coder", "write b.py")


def test_a_child_stays_in_the_workspace_of_its_parent():
    assert hand_on(root(workspace_id=9)).workspace_id == 9


@pytest.mark.parametrize(
    "left", [Budget(tokens=999), Budget(seconds=4), Budget(cost_usd=0.0)], ids=["tokens", "seconds", "cost"]
)
def test_refuses_to_begin_with_too_little(left):
    with pytest.raises(BudgetExceeded):
        hand_on(root(), left=left)


def test_nothing_begins_after_the_deadline():
    with pytest.raises(DeadlinePassed, match="@planner → @coder"):
        hand_on(root(deadline=NOW - 1))


def test_what_has_an_unknown_price_takes_nothing_from_the_limit_in_dollars_and_gives_nothing_back():
    """Trap: one call of unknown price freed all others of the limit."""
    known, unknown = Spent(cost_usd=0.5, known_usd=0.5), Spent(cost_usd=None)
    assert (known + unknown).cost_usd is None
    assert unknown.left_of(Budget(cost_usd=2.0)).cost_usd == 2.0
    assert known.left_of(Budget(cost_usd=2.0)).cost_usd == 1.5
    assert (known + unknown).left_of(Budget(cost_usd=2.0)).cost_usd == 1.5


def test_the_smaller_budget_keeps_within_both():
    both = smaller(
        Budget(steps=3, tokens=None, seconds=50, cost_usd=1.0), Budget(steps=9, tokens=8, seconds=9)
    )
    assert both == Budget(steps=3, tokens=8, seconds=9, cost_usd=1.0)


def test_is_a_value_that_nobody_can_change():
    with pytest.raises(FrozenInstanceError):
        root().max_depth = 99  # type: ignore[misc]


async def test_threads_and_tasks_make_children_of_one_context_without_disturbing_each_other():
    top = root()
    before = top.to_dict()
    with ThreadPoolExecutor(8) as pool:
        from_threads = list(pool.map(lambda n: hand_on(top, goal=f"part {n}"), range(200)))
    from_tasks = await asyncio.gather(
        *(asyncio.to_thread(hand_on, top, "coder", f"part {n}") for n in range(50))
    )
    assert [c.goal for c in from_threads] == [f"part {n}" for n in range(200)]
    assert {c.depth for c in (*from_threads, *from_tasks)} == {1}
    assert top.to_dict() == before


@pytest.mark.parametrize("data", [{"run_id": "x"}, {"ancestors": [{"odd": 1}]}, {"ancestors": 3}])
def test_says_when_a_lineage_cannot_be_read(data):
    with pytest.raises(ConfigError):
        CascadeContext.from_dict(data)
