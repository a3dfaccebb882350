"""Looking at one's own work once more, over the real runner with a scripted model."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest

from tests.framework.agent_bench import Bench, MakeBench
from tests.framework.provider_double.script import Asked, Call, Fault, Say
from tests.framework.provider_double.server import ProviderDouble
from workers.events import ChangeProposed, LessonObserved, RunFinished, StepFinished
from workers.queue import Budget, Job

FILES = {"calc.py": "def add(a, b):\n    return a - b\n"}
POLICY = {"role": "member"}
Critic = Callable[[int], Say]


def _job(bench: Bench, double: ProviderDouble, **fields: Any) -> Job:
    model = {
        "provider": "openai",
        "model": "m",
        "base_url": double.base_url("openai"),
        "context_tokens": 32_000,
    }
    return bench.job("fix add in calc.py", agent="coder", **({"model": model, "policy": POLICY} | fields))


def _edit(old: str, new: str) -> Say:
    return Say(calls=(Call("edit_file", {"path": "calc.py", "old_text": old, "new_text": new}),))


FINISH = Say(calls=(Call("finish", {"answer": "Mended."}),))
AGAIN = Say(calls=(Call("finish", {"answer": "Mended for good."}),))


def _play(double: ProviderDouble, script: list[Say], critiques: list[Say]) -> list[Asked]:
    """Let the model say `script` in turn, and `critiques` when it looks at its work; return what it was shown then."""
    shown: list[Asked] = []

    def brain(asked: Asked) -> Say:
        if not asked.tools:
            shown.append(asked)
            return critiques[min(len(shown), len(critiques)) - 1]
        return script[min(sum(message["role"] == "tool" for message in asked.messages), len(script) - 1)]

    double.brain = brain
    return shown


def _critiques(bench: Bench) -> list[StepFinished]:
    return [event for event in bench.relay.of(StepFinished) if "reflection" in event.detail]


async def test_each_pass_is_looked_at_once_and_the_critique_never_is_the_answer(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(FILES)
    shown = _play(
        provider_double,
        [_edit("a - b", "a +  b"), FINISH, _edit("a +  b", "a + b"), AGAIN],
        [Say("AGAIN: there are two blanks."), Say("CONFIRM")],
    )
    assert await bench.run(_job(bench, provider_double)) == "finished"
    first, second = _critiques(bench)  # one for each pass, not one in the agent's life
    assert (first.detail["reflection"]["kind"], second.detail["reflection"]["kind"]) == ("again", "confirm")
    assert first.input_tokens > 0  # it costs, and counts
    assert "fix add in calc.py" in shown[0].messages[1]["content"]
    assert "+    return a +  b" in shown[0].messages[1]["content"]
    told = [message["content"] for message in provider_double.asked[3].messages if message["role"] == "user"]
    assert "there are two blanks" in told[-1]
    (lesson,) = bench.relay.of(LessonObserved)  # what it saw itself is remembered; what it confirmed is not
    assert (lesson.source, lesson.pattern, lesson.step_id) == (
        "reflection",
        "there are two blanks.",
        first.step_id,
    )
    (proposal,) = bench.relay.of(ChangeProposed)
    assert bench.relay.of(RunFinished)[0].answer == "Mended for good."
    assert "a + b" in bench.read(proposal.commit, "calc.py")
    assert "Self-critique: asked for more, confirmed" in proposal.summary


@pytest.mark.parametrize("said", ["VERIFIED", "Nice. Here is another version:\n```\nreturn b + a\n```", ""])
async def test_what_is_unclear_confirms_is_counted_and_is_no_answer(
    make_bench: MakeBench, provider_double: ProviderDouble, said: str
) -> None:
    bench = make_bench(FILES)
    _play(provider_double, [_edit("a - b", "a + b"), FINISH], [Say(said)])
    assert await bench.run(_job(bench, provider_double)) == "finished"
    (step,) = _critiques(bench)
    assert step.detail["reflection"]["kind"] == "unclear"
    assert step.detail["reflection"]["unclear_so_far"] == 1
    assert "unclear" in step.detail["verdict"]
    assert bench.relay.of(RunFinished)[0].answer == "Mended."


async def test_failing_tests_send_back_without_asking_for_an_opinion(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(
        FILES | {"test_calc.py": "from calc import add\n\n\ndef test_add():\n    assert add(2, 2) == 4\n"}
    )
    shown = _play(
        provider_double,
        [_edit("a - b", "a * b * 2"), FINISH, _edit("a * b * 2", "a + b"), AGAIN],
        [Say("CONFIRM")],
    )
    assert await bench.run(_job(bench, provider_double)) == "finished"
    assert len(shown) == 1  # of the pass whose tests passed; the failing one needed no opinion
    assert "exit code 0" in shown[0].messages[1]["content"]
    assert "a + b" in bench.read(bench.relay.of(ChangeProposed)[0].commit, "calc.py")


async def test_the_answer_stands_where_the_extra_pass_has_no_budget_or_no_model(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(FILES)
    wanders = [_edit("a - b", "a + b"), FINISH, _edit("a + b", "b + a"), Say(calls=(Call("list_files"),))]
    _play(provider_double, wanders, [Say("AGAIN: the order.")])
    budget = asdict(Budget(steps=6))
    assert await bench.run(_job(bench, provider_double, budget=budget)) == "finished"
    (proposal,) = bench.relay.of(ChangeProposed)
    assert "a + b" in bench.read(proposal.commit, "calc.py")  # not what the extra pass left behind
    assert bench.relay.of(RunFinished)[0].answer == "Mended."

    broken = [_edit("a - b", "a + b"), FINISH, Say(fault=Fault("status", status=400))]
    _play(provider_double, broken, [Say("AGAIN: the order.")])
    assert await bench.run(_job(bench, provider_double)) == "finished"
    assert bench.relay.of(RunFinished)[1].answer == "Mended."


async def test_a_critique_that_fails_or_has_no_room_changes_nothing(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(FILES)
    _play(provider_double, [_edit("a - b", "a + b"), FINISH], [Say(fault=Fault("status", status=400))])
    assert await bench.run(_job(bench, provider_double)) == "finished"
    shown = _play(provider_double, [_edit("a - b", "a + b"), FINISH], [Say("CONFIRM")])
    assert await bench.run(_job(bench, provider_double, budget=asdict(Budget(steps=3)))) == "finished"
    assert shown == []
    assert [event.answer for event in bench.relay.of(RunFinished)] == ["Mended.", "Mended."]


async def test_it_is_switched_off_for_an_agent_and_asks_at_most_twice(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(FILES)
    shown = _play(provider_double, [_edit("a - b", "a + b"), FINISH], [Say("AGAIN: not yet.")])
    off = {"text": 'version = 1\n[reflection]\nagents = ["*", "!coder"]\n', "role": "member"}
    assert await bench.run(_job(bench, provider_double, policy=off)) == "finished"
    assert shown == []
    assert await bench.run(_job(bench, provider_double)) == "finished"
    assert len(shown) == 2


async def test_a_resumed_run_does_not_look_again_at_what_it_looked_at(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(FILES)
    shown = _play(
        provider_double,
        [_edit("a - b", "a +  b"), FINISH, _edit("a +  b", "a + b"), AGAIN],
        [Say("AGAIN: there are two blanks."), Say("CONFIRM")],
    )
    job = _job(bench, provider_double)
    await bench.run(job)
    history = bench.relay.history(job.run_id)
    after = next(at for at, step in enumerate(history) if "reflection" in step["detail"]) + 1
    again = replace(job, run_id="11111111-1111-4111-8111-111111111111", fence=2, history=history[:after])
    asked = len(shown)
    shown[1:] = []  # the next critique it gives is the second one
    assert await bench.run(again) == "finished"
    assert len(shown) == asked  # only the second pass was looked at
    assert "a + b" in bench.read(bench.relay.of(ChangeProposed, again.run_id)[0].commit, "calc.py")


def _in_json(say: Say) -> Say:
    (call,) = say.calls
    return Say(json.dumps({"thought": "So.", "tool": call.name, "arguments": call.arguments}))


@pytest.mark.parametrize("has_schema", [True, False])
async def test_a_model_that_answers_in_json_only_looks_at_its_work_too(
    make_bench: MakeBench, provider_double: ProviderDouble, has_schema: bool
) -> None:
    """Trap: only models with tools of their own reflected, so that those which need it most never did."""
    bench = make_bench(FILES)
    script = [_edit("a - b", "a +  b"), FINISH, _edit("a +  b", "a + b"), AGAIN]
    turns = iter([_in_json(say) for say in script])
    verdicts = iter([("two blanks", "AGAIN"), ("", "CONFIRM")])
    shown: list[Asked] = []

    def brain(asked: Asked) -> Say:
        if "You check finished work" not in str(asked.messages[0]["content"]):
            return next(turns, _in_json(AGAIN))
        shown.append(asked)
        fault, verdict = next(verdicts)
        if has_schema:
            return Say(json.dumps({"fault": fault, "verdict": verdict}))
        return Say(f"{verdict}: {fault}" if fault else verdict)

    provider_double.brain = brain
    job = _job(bench, provider_double)
    job.model.update(has_tools=False, has_json_schema=has_schema)
    assert await bench.run(job) == "finished"
    kinds = [step.detail["reflection"]["kind"] for step in _critiques(bench)]
    assert kinds == ["again", "confirm"]
    assert all((asked.schema is not None) is has_schema for asked in shown)
    (proposal,) = bench.relay.of(ChangeProposed)
    assert "a + b" in bench.read(proposal.commit, "calc.py")
    assert "Self-critique: asked for more, confirmed" in proposal.summary
