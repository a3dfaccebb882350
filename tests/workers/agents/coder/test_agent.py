"""@coder against a provider double that speaks the real protocol: the loop, its ends, its honesty."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.framework.agent_bench import Bench, MakeBench
from tests.framework.provider_double.coder_script import Repair, ScriptedCoder
from tests.framework.provider_double.script import Call, Fault, FaultKind, Say
from tests.framework.provider_double.server import ProviderDouble
from workers.events import ChangeProposed, RunFailed, RunFinished, RunStarted, StepFinished, StepStarted
from workers.queue import Job

BROKEN = {
    "calc.py": "def add(a, b):\n    return a - b\n",
    "test_calc.py": "from calc import add\n\n\ndef test_adds():\n    assert add(2, 3) == 5\n",
}
EDIT = Call("edit_file", {"path": "calc.py", "old_text": "a - b", "new_text": "a + b"})
FINISH = Call("finish", {"answer": "add subtracted; it adds now."})


def coder_job(bench: Bench, double: ProviderDouble, goal: str = "fix add in calc.py", **fields: Any) -> Job:
    model = {
        "provider": "openai",
        "model": "test-model",
        "base_url": double.base_url("openai"),
        "context_tokens": 32_000,
        "price": {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 2.0},
    }
    return bench.job(goal, agent="coder", **({"model": model} | fields))


def constrained(thought: str, tool: str, **arguments: Any) -> str:
    return json.dumps({"thought": thought, "tool": tool, "arguments": arguments})


async def test_repairs_and_proves_it(make_bench: MakeBench, provider_double: ProviderDouble) -> None:
    bench = make_bench(BROKEN)
    provider_double.brain = ScriptedCoder([Repair("calc.py", "return a - b", "return a + b")])
    job = coder_job(bench, provider_double)
    assert await bench.run(job) == "finished"
    relay = bench.relay
    assert relay.of(RunStarted)[0].model == "openai/test-model"
    assert relay.of(StepStarted)[0].title == "@coder runs on test-model (openai)"
    (proposal,) = relay.of(ChangeProposed)
    assert bench.read(proposal.commit, "calc.py") == "def add(a, b):\n    return a + b\n"
    assert proposal.title == "Fix add in calc.py"
    tree = bench.repository.tree_of(proposal.commit)
    assert [(item["exit_code"], item["tree"]) for item in proposal.evidence] == [(0, tree)]
    assert "pytest" in proposal.evidence[0]["command"]
    tests = [event for event in relay.of(StepFinished) if event.detail.get("name") == "run_tests"]
    assert [event.detail["facts"]["failed"] for event in tests] == [1, 0]  # before and after
    asked = [event for event in relay.of(StepFinished) if event.detail.get("finish_reason")]
    assert all(event.input_tokens and event.cost_usd for event in asked)
    assert provider_double.unexpected == 0


async def test_counts_an_unknown_price_as_unknown(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(BROKEN)
    provider_double.say(Say(calls=(EDIT,)), Say(calls=(FINISH,)))
    job = coder_job(bench, provider_double)
    job.model["price"] = None
    assert await bench.run(job) == "finished"
    assert all(event.cost_usd is None for event in bench.relay.of(StepFinished))
    assert "price unknown" in bench.relay.of(ChangeProposed)[0].summary


async def test_answers_a_question_without_proposing(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(BROKEN)
    provider_double.say("It subtracts.")
    assert await bench.run(coder_job(bench, provider_double, "what does add do?")) == "finished"
    assert bench.relay.of(RunFinished)[0].answer == "It subtracts."
    assert not bench.relay.of(ChangeProposed)


async def test_tells_the_model_when_its_finish_leaves_tests_failing(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(BROKEN)
    wrong = Call("edit_file", {"path": "calc.py", "old_text": "a - b", "new_text": "a * b"})
    right = Call("edit_file", {"path": "calc.py", "old_text": "a * b", "new_text": "a + b"})
    provider_double.say(Say(calls=(wrong,)), Say(calls=(FINISH,)), Say(calls=(right,)), Say(calls=(FINISH,)))
    assert await bench.run(coder_job(bench, provider_double)) == "finished"
    assert "Not finished yet: the tests fail" in provider_double.asked[2].last["content"]
    assert "a + b" in bench.read(bench.relay.of(ChangeProposed)[0].commit, "calc.py")


async def test_answers_malformed_calls_with_what_is_wrong(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(BROKEN)
    provider_double.say(
        Say(calls=(Call("edit_file", '{"path": "calc.py", '),)),
        Say(calls=(Call("fly", {}),)),
        Say(calls=(Call("read_file", {"start_line": "x"}),)),
        Say(calls=(EDIT,)),
        Say(calls=(FINISH,)),
    )
    assert await bench.run(coder_job(bench, provider_double)) == "finished"
    heard = [asked.last["content"] for asked in provider_double.asked[1:4]]
    assert "no JSON object" in heard[0]
    assert "There is no tool 'fly'" in heard[1]
    assert "'path' is missing" in heard[2] and "'start_line' must be of type integer" in heard[2]


async def test_stops_a_model_that_goes_in_circles(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(BROKEN)
    provider_double.brain = lambda asked: Say(calls=(Call("read_file", {"path": "calc.py"}),))
    assert await bench.run(coder_job(bench, provider_double)) == "failed"
    assert bench.relay.of(RunFailed)[0].code == "model_stuck"
    assert len(provider_double.asked) == 5
    assert "same call 3 times" in provider_double.asked[3].last["content"]


@pytest.mark.parametrize("limit", [{"steps": 2}, {"tokens": 3000}])
async def test_offers_what_it_has_when_the_budget_ends(
    make_bench: MakeBench, provider_double: ProviderDouble, limit: dict[str, int]
) -> None:
    bench = make_bench(BROKEN)
    lines = iter(range(1, 100))
    provider_double.say(Say(calls=(EDIT,)))
    provider_double.brain = lambda asked: Say(
        calls=(Call("read_file", {"path": "calc.py", "end_line": next(lines)}),)
    )
    budget = {"steps": 40, "tokens": 400_000, "seconds": 900, "cost_usd": None} | limit
    assert await bench.run(coder_job(bench, provider_double, budget=budget)) == "finished"
    assert bench.relay.of(RunFinished)[0].answer.startswith("**Not finished.**")
    assert bench.relay.of(ChangeProposed)


async def test_fails_when_the_seconds_end_in_the_middle_of_an_answer(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(BROKEN)
    provider_double.say(Say("slow", fault=Fault("hang")))
    budget = {"steps": 40, "tokens": None, "seconds": 2, "cost_usd": None}
    assert await bench.run(coder_job(bench, provider_double, "say hello", budget=budget)) == "failed"
    assert bench.relay.of(RunFailed)[0].code == "budget_exceeded"


@pytest.mark.parametrize(
    "fault", [Fault("cut"), Fault("error_event", error_type="overloaded_error")], ids=["cut", "overloaded"]
)
async def test_asks_again_when_an_answer_breaks_off(
    make_bench: MakeBench, provider_double: ProviderDouble, fault: Fault
) -> None:
    bench = make_bench(BROKEN)
    provider_double.say(
        Say("I begin to write a rather long answer here", fault=fault),
        Say(calls=(EDIT,)),
        Say(calls=(FINISH,)),
    )
    assert await bench.run(coder_job(bench, provider_double)) == "finished"
    failed = [event for event in bench.relay.of(StepFinished) if event.status == "failed"]
    assert len(failed) == 1 and failed[0].step_id
    assert bench.relay.of(ChangeProposed)


@pytest.mark.parametrize(("kind", "asked"), [("hang", 2), ("hang_midway", 3)])
async def test_gives_a_silent_endpoint_up_sooner_than_one_that_breaks_off(
    make_bench: MakeBench, provider_double: ProviderDouble, kind: FaultKind, asked: int
) -> None:
    bench = make_bench(BROKEN)
    provider_double.say(*[Say("half of an answer", fault=Fault(kind))] * 5)
    job = coder_job(bench, provider_double, "say hello")
    job.model.update(first_token_s=0.4, between_tokens_s=0.4)
    started = time.monotonic()
    assert await bench.run(job) == "failed"
    assert time.monotonic() - started < 10
    assert bench.relay.of(RunFailed)[0].code == "provider_timeout"
    assert len(provider_double.asked) == asked


async def test_fails_with_the_providers_own_code(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(BROKEN)
    provider_double.say(Say(fault=Fault("http", status=401)))
    assert await bench.run(coder_job(bench, provider_double)) == "failed"
    assert bench.relay.of(RunFailed)[0].code == "provider_auth_failed"


async def test_offers_what_it_has_when_the_model_fails_and_still_fails(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(BROKEN)
    provider_double.say(Say("This line is wrong.", calls=(EDIT,)), *[Say("Now", fault=Fault("cut"))] * 3)
    assert await bench.run(coder_job(bench, provider_double)) == "failed"
    (failed,) = bench.relay.of(RunFailed)
    assert (failed.code, failed.retryable) == ("provider_cut_off", True)
    (proposed,) = bench.relay.of(ChangeProposed)
    assert "a + b" in bench.read(proposed.commit, "calc.py")
    assert proposed.summary.startswith("**Not finished.** The model failed")
    assert "This line is wrong." in proposed.summary


async def test_works_with_one_json_call_a_turn(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(BROKEN)
    provider_double.say(
        constrained("Look.", "read_file", path="calc.py"),
        "no json at all",
        constrained("Mend.", "edit_file", path="calc.py", old_text="a - b", new_text="a + b"),
        constrained("Done.", "finish", answer="Mended."),
    )
    job = coder_job(bench, provider_double)
    job.model["has_tools"] = False
    assert await bench.run(job) == "finished"
    first = provider_double.asked[0]
    assert first.tools == []
    assert first.schema is not None
    assert "return a - b" in provider_double.asked[1].last["content"]
    assert "no JSON object" in provider_double.asked[2].last["content"]
    assert "a + b" in bench.read(bench.relay.of(ChangeProposed)[0].commit, "calc.py")


async def test_keeps_within_a_short_context(make_bench: MakeBench, provider_double: ProviderDouble) -> None:
    bench = make_bench({f"part{n}.py": f"# {'x' * 70}\n" * 60 for n in range(12)} | BROKEN)
    calls = iter([Call("read_file", {"path": f"part{n}.py"}) for n in range(12)] + [EDIT, FINISH])
    provider_double.brain = lambda asked: Say(calls=(next(calls),))
    job = coder_job(bench, provider_double)
    job.model["context_tokens"] = 8192
    assert await bench.run(job) == "finished"
    longest = max(len(json.dumps(asked.body["messages"])) for asked in provider_double.asked)
    assert longest / 4 < 8192 - 2048
    assert "shortened" in json.dumps(provider_double.asked[-1].body["messages"])
    assert bench.relay.of(ChangeProposed)


async def test_answers_each_comment_in_a_new_revision(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(BROKEN)
    provider_double.say(Say(calls=(EDIT,)), Say(calls=(FINISH,)))
    await bench.run(coder_job(bench, provider_double))
    (first,) = bench.relay.of(ChangeProposed)
    revision_of = {
        "change_set_id": 5,
        "revision": 1,
        "commit": first.commit,
        "title": "Fix add",
        "goal": "fix add in calc.py",
        "comments": [
            {
                "id": 7,
                "kind": "must-fix",
                "path": "calc.py",
                "line": 2,
                "code": "    return a + b",
                "text": "Say why.",
            },
            {"id": 8, "kind": "question", "path": "", "line": None, "code": "", "text": "Tested?"},
        ],
        "rejected": [],
    }
    comment = Call("edit_file", {"path": "calc.py", "old_text": "a + b", "new_text": "a + b  # the sum"})
    finish = Call(
        "finish", {"answer": "Commented.", "answers": [{"comment_id": 7, "text": "It says so now."}]}
    )
    provider_double.say(Say(calls=(comment,)), Say(calls=(finish,)))
    job = coder_job(
        bench, provider_double, "Answer the review of “Fix add”: 2 comments.", revision_of=revision_of
    )
    assert await bench.run(job) == "finished"
    second = bench.relay.of(ChangeProposed)[1]
    assert second.base_commit == job.base_commit
    assert "# the sum" in bench.read(second.commit, "calc.py")
    assert second.answers == [
        {"comment_id": 7, "text": "It says so now."},
        {"comment_id": 8, "text": "Commented."},
    ]
    assert bench.repository.ref(f"refs/agent/{job.run_id}/2") == second.commit
    assert "Comment 7 (must-fix) on calc.py, line 2" in provider_double.asked[2].messages[1]["content"]


async def test_streams_what_the_model_says(make_bench: MakeBench, provider_double: ProviderDouble) -> None:
    bench = make_bench(BROKEN)
    provider_double.say(Say("one two three", token_wait_s=0.05))
    job = coder_job(bench, provider_double, "what is this?")
    await bench.run(job)
    entries = await bench.client.xrange(f"pyagent:run:{job.run_id}:tokens")
    assert "".join(fields[b"text"].decode() for _, fields in entries) == "one two three"
    assert await bench.client.ttl(f"pyagent:run:{job.run_id}:tokens") > 0


async def test_the_embedded_model_says_that_it_cannot_program(
    make_bench: MakeBench, provider_double: ProviderDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_bench(BROKEN)
    model = {"provider": "embedded", "model": "SmolLM2-135M-Instruct"}
    assert await bench.run(bench.job("fix the tests", agent="coder", model=model)) == "finished"
    answer = bench.relay.of(RunFinished)[0].answer
    assert "it cannot program" in answer and "`@tidy`" in answer
    assert not bench.relay.of(ChangeProposed)
