"""Runs and their steps as OpenTelemetry spans, under the names of its GenAI conventions, exported by OTLP when configured.

The tree that people watch is made of events, because a span can be exported only when it has ended; both are told of the same
steps at the same places, so they agree. Ids are derived from run and step: several attempts on several workers, and the runs
that an agent delegated, join into one trace without anything being handed over. What was said, sent, read or written never
leaves by this way; a step's title does.

Source of the names: opentelemetry.io/docs/specs/semconv/gen-ai (in development as of 2026-11).
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import Span, TracerProvider

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
DELAY_MS: Final = 1_000
"""How long an ended span waits for others to travel with; a worker that is killed loses at most those."""
_PROVIDER_NAMES: Final = {"embedded": "pyagent.embedded", "responses": "openai"}
_TOOL_KINDS: Final = ("tool_call", "command", "test_run", "audit")
_ids: ContextVar[tuple[int, int]] = ContextVar("ids")


def trace_id_of(root_run_id: str) -> int:
    """Return the 128-bit id of the trace that a run and everything it delegated belong to."""
    return UUID(root_run_id).int or 1


def span_id_of(*names: str) -> int:
    """Return the 64-bit id of what these names name: (run, fence) for an attempt, (run, fence, step) for its step.

    A delegation is named by (run, step) alone: it outlives the attempt, and the run that it begins hangs under it.
    """
    return int.from_bytes(blake2b("\0".join(names).encode(), digest_size=8).digest()) or 1


def is_configured(env: Mapping[str, str] = os.environ) -> bool:
    """Return whether the environment says where spans go."""
    is_off = env.get("OTEL_SDK_DISABLED", "").lower() == "true" or env.get("OTEL_TRACES_EXPORTER") == "none"
    return not is_off and any(env.get(name) for name in ENDPOINTS)


@lru_cache(maxsize=1)
def _provider(pid: int) -> TracerProvider | None:
    """The exporter of this process: its thread does not survive a fork, so it is made by whoever first needs it."""
    if not is_configured():
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.id_generator import IdGenerator

    class DerivedIds(IdGenerator):
        def generate_trace_id(self) -> int:
            return _ids.get()[0]

        def generate_span_id(self) -> int:
            return _ids.get()[1]

    os.environ.setdefault("OTEL_BSP_SCHEDULE_DELAY", str(DELAY_MS))
    name = os.environ.get("OTEL_SERVICE_NAME", "pyagent")
    resource = Resource.create({"service.name": name, "process.pid": pid})
    provider = TracerProvider(resource=resource, id_generator=DerivedIds())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def shut_down() -> None:
    """Send what has ended and not been sent yet; called when a worker process ends."""
    if _provider.cache_info().currsize and (provider := _provider(os.getpid())) is not None:
        provider.shutdown()
        _provider.cache_clear()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What an attempt's spans say of it."""

    run_id: str
    fence: int
    agent: str
    workspace_id: int
    root_run_id: str = ""
    """The run at the root of the lineage; its own when empty."""
    parent: tuple[str, str] | None = None
    """The run and step that delegated this run."""
    provider: str = ""
    model: str = ""


class RunSpans:
    """The spans of one attempt at a run. Does nothing where no endpoint is configured."""

    def __init__(self, facts: RunFacts) -> None:
        self._facts = facts
        self._open: dict[str, Span] = {}
        self._run: Span | None = None
        provider = _provider(os.getpid())
        self._tracer = provider.get_tracer("pyagent") if provider is not None else None
        if self._tracer is not None:
            parent = span_id_of(*facts.parent) if facts.parent else None
            self._run = self._start(
                f"invoke_agent {facts.agent}",
                span_id_of(facts.run_id, str(facts.fence)),
                parent,
                _run_attributes(facts),
            )

    @property
    def trace_id(self) -> int:
        return trace_id_of(self._facts.root_run_id or self._facts.run_id)

    def _start(self, name: str, span_id: int, parent_id: int | None, attributes: Mapping[str, Any]) -> Span:
        from opentelemetry.trace import SpanKind

        kind = SpanKind.CLIENT if attributes.get("gen_ai.operation.name") == "chat" else SpanKind.INTERNAL
        assert self._tracer is not None  # noqa: S101 - asked for only where there is one
        token = _ids.set((self.trace_id, span_id))
        try:
            span = self._tracer.start_span(name, _context(self.trace_id, parent_id), kind, attributes)
        finally:
            _ids.reset(token)
        return span  # type: ignore[return-value]  # the SDK's tracer gives the SDK's span

    def step_started(
        self, step_id: str, kind: str, title: str, *, parent_id: str | None, detail: Mapping[str, Any]
    ) -> None:
        """Begin a step's span."""
        if self._tracer is None:
            return
        facts = self._facts
        run = (facts.run_id, str(facts.fence))
        name, attributes = describe_step(kind, detail, facts)
        attributes |= {
            "pyagent.step.id": step_id,
            "pyagent.step.kind": kind,
            "pyagent.step.title": title[:300],
        }
        parent = self._open.get(parent_id or "")
        above = parent.get_span_context().span_id if parent is not None else span_id_of(*run)
        own = (facts.run_id, step_id) if kind == "delegation" else (*run, step_id)
        self._open[step_id] = self._start(name, span_id_of(*own), above, attributes)

    def step_finished(
        self,
        step_id: str,
        status: str,
        *,
        input_tokens: int,
        output_tokens: int,
        cost_usd: float | None,
        detail: Mapping[str, Any],
    ) -> None:
        """End a step's span."""
        if (span := self._open.pop(step_id, None)) is None:
            return
        attributes: dict[str, Any] = {"pyagent.step.status": status}
        if input_tokens or output_tokens:
            attributes |= {
                "gen_ai.usage.input_tokens": input_tokens,
                "gen_ai.usage.output_tokens": output_tokens,
            }
        if cost_usd is not None:
            attributes["pyagent.cost_usd"] = cost_usd
        if reason := detail.get("finish_reason"):
            attributes["gen_ai.response.finish_reasons"] = [str(reason)]
        span.set_attributes(attributes)
        if status == "failed":
            _mark_failed(span, str((detail.get("facts") or {}).get("error") or "failed"))
        span.end()

    def close(self, ending: str) -> None:
        """End the attempt's span, and those of steps that it leaves open, saying how it ended."""
        if self._run is None:
            return
        now = time.time_ns()
        for span in self._open.values():
            span.set_attribute("pyagent.step.status", "left open")
            span.end(now)
        self._open.clear()
        self._run.set_attribute("pyagent.run.ending", ending)
        if ending in ("failed", "unheard"):
            _mark_failed(self._run, ending)
        self._run.end(now)


def describe_step(kind: str, detail: Mapping[str, Any], facts: RunFacts) -> tuple[str, dict[str, Any]]:
    """Return a span's name, of which there are few, and its first attributes."""
    if kind == "model_call":
        return f"chat {facts.model}", {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": provider_name(facts.provider),
            "gen_ai.request.model": facts.model,
        }
    tool = str(detail.get("name") or "")
    if kind in _TOOL_KINDS and tool:
        attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": tool,
            "gen_ai.tool.type": "function",
        }
        if call_id := detail.get("call_id"):
            attributes["gen_ai.tool.call.id"] = str(call_id)
        return f"execute_tool {tool}", attributes
    return kind, {}


def provider_name(provider: str) -> str:
    """Return how the conventions call a provider."""
    return _PROVIDER_NAMES.get(provider, provider)


def _run_attributes(facts: RunFacts) -> dict[str, Any]:
    attributes = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": facts.agent,
        "gen_ai.conversation.id": facts.root_run_id or facts.run_id,
        "pyagent.run.id": facts.run_id,
        "pyagent.run.fence": facts.fence,
        "pyagent.workspace.id": facts.workspace_id,
    }
    if facts.model:
        attributes |= {
            "gen_ai.provider.name": provider_name(facts.provider),
            "gen_ai.request.model": facts.model,
        }
    return attributes


def _context(trace_id: int, parent_id: int | None) -> Context:
    from opentelemetry.context import Context
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    if parent_id is None:
        return Context()
    above = SpanContext(trace_id, parent_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return set_span_in_context(NonRecordingSpan(above), Context())


def _mark_failed(span: Span, kind: str) -> None:
    from opentelemetry.trace import StatusCode

    span.set_status(StatusCode.ERROR)
    span.set_attribute("error.type", kind)
