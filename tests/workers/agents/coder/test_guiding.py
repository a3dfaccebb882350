"""@coder leading a model that can only answer in JSON: shown the code, tested after each edit, point by point."""

from __future__ import annotations

import json
from typing import Any

from tests.framework.agent_bench import Bench, MakeBench
from tests.framework.provider_double.constrained import tool_names
from tests.framework.provider_double.server import ProviderDouble
from workers.events import ChangeProposed, RunFinished, StepFinished
from workers.queue import Job

FILES = {
    "calc.py": "def add(a, b):\n    return a - b\n\n\ndef mean(items):\n    return sum(items) / len(items)\n",
    "test_calc.py": (
        "import unittest\n\nfrom calc import add, mean\n\n\nclass CalcTests(unittest.TestCase):\n"
        "    def test_adds(self):\n        self.assertEqual(add(2, 3), 5)\n\n"
        "    def test_means(self):\n        self.assertEqual(mean([1, 3]), 2)\n"
    ),
}
GOAL = "`calc.add` must add its numbers. The mean of nothing is 0."
ADDS = "def add(a, b):\n    return a + b\n"
MEANS = "def mean(items):\n    return sum(items) / len(items) if items else 0\n"


def guided_job(bench: Bench, double: ProviderDouble, goal: str = GOAL, **fields: Any) -> Job:
    model = {
        "provider": "openai",
        "model": "small",
        "base_url": double.base_url("openai"),
        "context_tokens": 8192,
        "has_tools": False,
    }
    return bench.job(goal, agent="coder", **({"model": model} | fields))


def turn(tool: str, **arguments: Any) -> str:
    return json.dumps({"thought": "So.", "tool": tool, "arguments": arguments})


def edit(code: str) -> str:
    return turn("edit_code", path="calc.py", code=code)


def done(answer: str = "Done.") -> str:
    return turn("finish", answer=answer)


def heard(double: ProviderDouble) -> list[str]:
    return [asked.last["content"] for asked in double.asked]


async def test_is_shown_the_code_and_led_through_each_point(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(FILES)
    provider_double.say(edit(ADDS), done("It does."), edit(MEANS), done("Both are right now."))
    assert await bench.run(guided_job(bench, provider_double)) == "finished"
    opening, first, second, last = heard(provider_double)
    assert "calc.py:\n```\ndef add(a, b):\n    return a - b" in opening and "test_calc.py:" in opening
    assert "Edited calc.py: replaced add." in first and "The tests pass after your edit (2 passed)" in first
    assert "(1 of 2): `calc.add` must add its numbers." in first
    assert "(2 of 2): The mean of nothing is 0." in second
    assert "You have gone through the whole request" in last
    (proposal,) = bench.relay.of(ChangeProposed)
    code = bench.read(proposal.commit, "calc.py")
    assert "a + b" in code and "else 0" in code
    assert [item["exit_code"] for item in proposal.evidence] == [0]


async def test_is_told_what_its_edit_broke(make_bench: MakeBench, provider_double: ProviderDouble) -> None:
    bench = make_bench(FILES)
    provider_double.say(edit("def add(a, b):\n    return a * b\n"), edit(ADDS), done(), done(), done())
    assert await bench.run(guided_job(bench, provider_double)) == "finished"
    told = heard(provider_double)[1]
    assert "The tests fail after your edit (1 failed, 1 passed)" in told and "AssertionError: 6 != 5" in told


async def test_takes_edits_back_that_made_it_worse(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(FILES)
    worse = [f"import nowhere{n}\n{MEANS}" for n in range(2)]
    provider_double.say(edit(ADDS), edit(worse[0]), edit(worse[1]), done(), done())
    assert await bench.run(guided_job(bench, provider_double)) == "finished"
    told = heard(provider_double)
    assert "tests fail after your edit" in told[2] and "nowhere0" in told[2]
    assert "the files are back as they were" in told[3] and "return a + b" in told[3]
    (proposal,) = bench.relay.of(ChangeProposed)
    assert bench.read(proposal.commit, "calc.py") == FILES["calc.py"].replace("a - b", "a + b")


async def test_offers_the_best_state_when_the_budget_ends(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(FILES)
    provider_double.say(edit(ADDS), edit(f"import nowhere\n{MEANS}"))
    budget = {"steps": 2, "tokens": None, "seconds": 900, "cost_usd": None}
    job = guided_job(bench, provider_double, budget=budget)
    assert await bench.run(job) == "finished"
    assert bench.relay.of(RunFinished)[0].answer.startswith("**Not finished.**")
    (proposal,) = bench.relay.of(ChangeProposed)
    assert "nowhere" not in bench.read(proposal.commit, "calc.py")
    taken_back = [event for event in bench.relay.of(StepFinished) if event.detail.get("checkpoint")][-1]
    assert taken_back.detail["checkpoint"] == bench.repository.ref(f"refs/agent/{job.run_id}/1")


async def test_may_not_finish_without_a_change_at_once(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(FILES)
    provider_double.say(done("add subtracts."), done("It is right as it is."))
    assert await bench.run(guided_job(bench, provider_double)) == "finished"
    assert "no file has been changed" in heard(provider_double)[1]
    assert bench.relay.of(RunFinished)[0].answer == "It is right as it is."


async def test_an_edit_that_changes_nothing_leads_to_the_next_point(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(FILES)
    provider_double.say(edit(ADDS), edit(ADDS), edit(ADDS), done())
    assert await bench.run(guided_job(bench, provider_double)) == "finished"
    told = heard(provider_double)
    assert "says what the file said before" in told[2]
    assert (
        "Edited calc.py" in told[2]
    )  # the vain turn is gone, and what it was told stands with the turn before
    roles = [message["role"] for message in provider_double.asked[2].messages]
    assert roles == ["system", "user", "assistant", "user"]
    assert provider_double.asked[2].body["temperature"] == 0.7
    assert "edit_code" in tool_names(provider_double.asked[1].schema)
    assert "edit_code" not in tool_names(provider_double.asked[2].schema)
    assert "(2 of 2)" in told[2]
    assert "gone through the whole request" in told[3]


async def test_a_repeated_call_is_asked_for_again_at_a_higher_temperature(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(FILES)
    read = turn("read_file", path="calc.py")
    provider_double.say(read, read, edit(ADDS), done(), done(), done())
    assert await bench.run(guided_job(bench, provider_double)) == "finished"
    assert [asked.body["temperature"] for asked in provider_double.asked[:4]] == [0.0, 0.0, 0.7, 0.0]
    assert "same call 2 times" in heard(provider_double)[2]


async def test_a_report_of_a_fault_asks_for_a_change(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench({"calc.py": FILES["calc.py"]})
    provider_double.say(edit(ADDS), done())
    goal = "`calc.add` gives wrong sums"
    assert await bench.run(guided_job(bench, provider_double, goal)) == "finished"
    assert "calc.py:\n```" in heard(provider_double)[0]
    assert bench.relay.of(ChangeProposed)
