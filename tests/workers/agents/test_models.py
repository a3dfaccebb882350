"""A run whose first model fails goes on with the next, and its tree says so."""

from __future__ import annotations

from typing import Any

from tests.framework.agent_bench import MakeBench
from tests.framework.provider_double import Fault, ProviderDouble
from tests.framework.provider_double.script import Call
from tests.framework.provider_double.script import Say as Turn
from workers.events import RunFailed, StepFinished, StepStarted


def model(name: str, double: ProviderDouble, **fields: Any) -> dict[str, Any]:
    url = double.base_url("openai")
    return {"provider": "openai", "model": name, "base_url": url, "context_tokens": 32_000, **fields}


async def test_goes_on_with_the_next_model_and_says_so_in_the_tree(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench({"a.py": "x = 1\n"})
    provider_double.say(
        Turn(fault=Fault("http", 401)),
        Turn(calls=(Call("read_file", {"path": "a.py"}),)),
        Turn(calls=(Call("finish", {"answer": "It is one."}),)),
    )
    job = bench.job(
        "what is x?",
        agent="coder",
        model=model("one", provider_double),
        fallbacks=[{"model": model("two", provider_double), "credential_ref": None}],
    )
    assert await bench.run(job) == "finished"
    assert [asked.model for asked in provider_double.asked] == ["one", "two", "two"]
    titles = [event.title for event in bench.relay.of(StepStarted)]
    assert "one cannot answer; two is asked instead" in titles
    details = [event.detail for event in bench.relay.of(StepFinished)]
    assert {
        "text": "The provider does not accept the key.",
        "failed": "openai/one",
        "asked": "openai/two",
    } in details
    assert [detail["model"] for detail in details if "finish_reason" in detail] == ["two", "two"]


async def test_ends_with_the_first_models_error_when_none_can_answer(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench({"a.py": "x = 1\n"})
    provider_double.say(
        Turn(fault=Fault("http", 401)), Turn(fault=Fault("http", 404, message="no such model"))
    )
    job = bench.job(
        "what is x?",
        agent="coder",
        model=model("one", provider_double),
        fallbacks=[{"model": model("two", provider_double), "credential_ref": None}],
    )
    assert await bench.run(job) == "failed"
    assert [event.code for event in bench.relay.of(RunFailed)] == ["provider_auth_failed"]
