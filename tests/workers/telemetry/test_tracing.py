"""Spans as a collector receives them, of runs that really ran."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

import pytest

from tests.framework.agent_bench import MakeBench
from tests.framework.otlp_collector import Collector, running_collector
from tests.framework.provider_double.script import Call, Fault, Say
from tests.framework.provider_double.server import ProviderDouble
from workers.telemetry import tracing
from workers.telemetry.tracing import RunFacts, RunSpans, is_configured, span_id_of

CLIENT, INTERNAL, ERROR = 3, 1, 2


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with running_collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        tracing._provider.cache_clear()
        yield collector
        tracing.shut_down()


def model_of(double: ProviderDouble) -> dict[str, object]:
    return {
        "provider": "openai",
        "model": "m-1",
        "base_url": double.base_url("openai"),
        "context_tokens": 32_000,
    }


async def test_a_run_its_model_calls_and_tools_are_one_trace_by_the_conventions(
    make_bench: MakeBench, provider_double: ProviderDouble, collector: Collector
) -> None:
    bench = make_bench({"a.py": "SECRET_PLAN = 1\n"})
    provider_double.say(Say("", calls=[Call("read_file", {"path": "a.py"})]), Say("It is one."))
    job = bench.job("what is in a.py?", agent="coder", model=model_of(provider_double))
    assert await bench.run(job) == "finished"
    tracing.shut_down()
    spans = {span["name"]: span for span in collector.spans}
    run, call, tool = spans["invoke_agent coder"], spans["chat m-1"], spans["execute_tool read_file"]
    assert {span["trace_id"] for span in collector.spans} == {UUID(job.run_id).hex}
    assert {span["service"] for span in collector.spans} == {"pyagent"}
    assert (run["kind"], call["kind"], tool["kind"]) == (INTERNAL, CLIENT, INTERNAL)
    assert run["parent_id"] == ""
    assert call["parent_id"] == run["span_id"]
    assert run["attributes"]["gen_ai.agent.name"] == "coder"
    assert run["attributes"]["pyagent.run.ending"] == "finished"
    facts = call["attributes"]
    assert (facts["gen_ai.operation.name"], facts["gen_ai.provider.name"]) == ("chat", "openai")
    assert facts["gen_ai.usage.input_tokens"] > 0
    assert facts["gen_ai.response.finish_reasons"]
    assert tool["attributes"]["gen_ai.tool.name"] == "read_file"
    assert "SECRET_PLAN" not in str(collector.spans)
    # The tree and the trace tell of the same steps.
    told = {event.step_id for event in bench.relay.events if event.type == "StepFinished"}
    assert {span["attributes"]["pyagent.step.id"] for span in collector.spans if span is not run} - {
        None
    } == told


async def test_a_failed_run_says_so(
    make_bench: MakeBench, provider_double: ProviderDouble, collector: Collector
) -> None:
    bench = make_bench({"a.py": "x = 1\n"})
    provider_double.say(Fault("unauthorized"))
    job = bench.job("go", agent="coder", model=model_of(provider_double))
    assert await bench.run(job) == "failed"
    tracing.shut_down()
    by_name = {span["name"]: span for span in collector.spans}
    assert by_name["invoke_agent coder"]["status"] == ERROR
    assert by_name["chat m-1"]["status"] == ERROR


async def test_a_further_attempt_and_a_delegated_run_join_the_trace(
    make_bench: MakeBench, provider_double: ProviderDouble, collector: Collector
) -> None:
    bench = make_bench({"a.py": "x = 1\n"})
    provider_double.say(Say("one"), Say("two"))
    job = bench.job("go", agent="coder", model=model_of(provider_double))
    assert await bench.run(job) == "finished"
    again = replace(job, fence=2, next_seq=bench.relay.next_seq(job.run_id))
    assert await bench.run(again) == "finished"
    child = RunSpans(
        RunFacts(
            run_id="00000000-0000-4000-8000-000000000001",
            fence=1,
            agent="tester",
            workspace_id=1,
            root_run_id=job.run_id,
            parent=(job.run_id, "s4"),
        )
    )
    child.close("finished")
    tracing.shut_down()
    runs = [span for span in collector.spans if span["name"].startswith("invoke_agent")]
    assert len({span["span_id"] for span in runs}) == 3
    assert {span["trace_id"] for span in runs} == {UUID(job.run_id).hex}
    assert runs[-1]["parent_id"] == f"{span_id_of(job.run_id, 's4'):016x}"


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_is_on_where_an_endpoint_is_named(env: dict[str, str], expected: bool) -> None:
    assert is_configured(env) is expected


def test_costs_nothing_where_no_endpoint_is_named() -> None:
    code = (
        "import sys; from workers.telemetry.tracing import *;"
        "s = RunSpans(RunFacts(run_id='r', fence=1, agent='a', workspace_id=1));"
        "s.step_started('s1', 'thought', 't', parent_id=None, detail={}); s.close('finished');"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env={"PATH": "/usr/bin"})
