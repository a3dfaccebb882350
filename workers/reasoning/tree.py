"""The reasoning tree as it grows: each step is told when it begins and when it ends.

Steps are named "s1", "s2", … in the order in which they begin. A resumed run goes on with the lowest number
that no finished step has, so the step that was in flight when the worker died begins again under its own
name. A step that others refer to while the run is away (a goal that was handed on) is named by who begins it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from workers.errors import PyAgentError, RelaySilent, RunSuperseded, RunSuspends, StepStopped
from workers.events import StepFinished, StepKind, StepStarted, StepStatus
from workers.reasoning.publisher import EventPublisher
from workers.telemetry.tracing import RunSpans
from workers.tools.text import bound, clean

MAX_TEXT_CHARS = 16_000
MAX_TITLE_CHARS = 300
_MAX_DEPTH = 8
_MAX_ITEMS = 1000


class Step:
    """One step while it runs. Put facts into `detail`; they are told when the step ends."""

    def __init__(self, step_id: str, kind: StepKind, title: str, parent_id: str | None) -> None:
        self.step_id, self.kind, self.title, self.parent_id = step_id, kind, title, parent_id
        self.detail: dict[str, Any] = {}
        self.status: StepStatus = "ok"
        self.input_tokens = 0
        self.output_tokens = 0
        self.cost_usd: float | None = None
        self.stopped_by = ""
        """Who asked to stop it, while it ends."""
        self.used_so_far: Callable[[], dict[str, Any] | None] = lambda: None
        """What a model call has used that has begun to answer, as `Heartbeat.calls` tells it."""

    def fail(self, message: str) -> None:
        """Mark the step as failed; it ends when its block ends."""
        self.status = "failed"
        self.detail["error"] = message


class StepRecorder:
    """Tells a run's steps through its publisher."""

    def __init__(
        self,
        publisher: EventPublisher,
        *,
        finished_ids: Iterable[str] = (),
        spans: RunSpans | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.publisher = publisher
        self._spans = spans
        self._clock = clock
        self._used = set(finished_ids)
        self._number = 0
        self._open: dict[str, tuple[Step, asyncio.Task[Any]]] = {}
        self.leaves_open = False
        """Set before cancelling a run that another worker is to go on with."""
        self._effects = 0
        self._effect_ended = asyncio.Event()
        self._is_closed = False

    def _next_id(self) -> str:
        while True:
            self._number += 1
            if f"s{self._number}" not in self._used:
                return f"s{self._number}"

    def stop(self, step_id: str, *, by: str) -> bool:
        """Cut off exactly this step, whose block then ends with StepStopped; return whether it is open here."""
        if (found := self._open.get(step_id)) is None:
            return False
        step, task = found
        if not step.stopped_by:
            step.stopped_by = by
            task.cancel()
        return True

    def calls_at_work(self) -> dict[str, dict[str, Any]]:
        """Return what the open model calls have used so far, by step."""
        used = {step_id: step.used_so_far() for step_id, (step, _) in self._open.items()}
        return {step_id: told for step_id, told in used.items() if told is not None}

    async def close(self, *, within_s: float) -> None:
        """Let no further step begin, and wait until the effects that have begun are done and told, at most `within_s`.

        For a run that is to be suspended: what it does to the world is neither cut in two nor done again later.
        """
        self._is_closed = True
        try:
            async with asyncio.timeout(within_s):
                while self._effects:
                    self._effect_ended.clear()
                    await self._effect_ended.wait()
        except TimeoutError:
            return

    @asynccontextmanager
    async def step(
        self,
        kind: StepKind,
        title: str,
        *,
        parent: Step | str | None = None,
        detail: dict[str, Any] | None = None,
        is_effect: bool = False,
        step_id: str | None = None,
    ) -> AsyncGenerator[Step, None]:
        """Tell a step's start, run the block, tell its end.

        With `is_effect` the block begins only when the start is committed. An error ends the step as failed
        and rises, a cancellation ends it as cancelled. Where another worker is to go on (`leaves_open`, a
        silent relay, a higher fence, a run that suspends itself) the step stays open, to be begun again; a model
        call that was cut off ends as cancelled all the same, since its tokens are spent.

        Raises:
            RunSuperseded, RelaySilent: from waiting for the commit.
            StepStopped: a person stopped this step; it has ended as cancelled, and the run goes on.
        """
        if self._is_closed:
            await asyncio.get_running_loop().create_future()  # until the run is cancelled
        parent_id = parent.step_id if isinstance(parent, Step) else parent
        step = Step(step_id or self._next_id(), kind, bound(clean(title), MAX_TITLE_CHARS), parent_id)
        self._begin(step, presentable(detail or {}))
        started = self._clock()
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        cancelled_before = task.cancelling()
        self._open[step.step_id] = step, task
        self._effects += is_effect
        try:
            if is_effect:
                await self.publisher.settle()
            yield step
        except (RunSuperseded, RelaySilent, RunSuspends):
            raise
        except asyncio.CancelledError:
            self._cut_off(step, started, detail or {}, cancelled_before)
            raise
        except BaseException as error:
            step.fail(str(error) if isinstance(error, PyAgentError) else f"{type(error).__name__}: {error}")
            self._finish(step, started)
            raise
        finally:
            self._open.pop(step.step_id, None)
            self._effects -= is_effect
            self._effect_ended.set()
        if step.stopped_by and task.cancelling() > cancelled_before:
            task.uncancel()  # the block was done all the same
        self._finish(step, started)

    def _begin(self, step: Step, detail: dict[str, Any]) -> None:
        self.publisher.publish(
            StepStarted,
            step_id=step.step_id,
            parent_id=step.parent_id,
            kind=step.kind,
            title=step.title,
            detail=detail,
        )
        if self._spans is not None:
            self._spans.step_started(
                step.step_id, step.kind, step.title, parent_id=step.parent_id, detail=detail
            )

    def _cut_off(self, step: Step, started: float, detail: dict[str, Any], cancelled_before: int) -> None:
        """End a cancelled step, unless another worker is to begin it again.

        Raises:
            StepStopped: the cancellation was for this step alone. A run that is stopped, or out of time, at the same
                moment stays so.
        """
        if self.leaves_open and not step.input_tokens:
            return
        step.status = "cancelled"
        task = asyncio.current_task()
        if not step.stopped_by or (task is not None and task.uncancel() > cancelled_before):
            self._finish(step, started)
            return
        said = f"{step.stopped_by} stopped this."
        step.detail = {**detail, **step.detail, "stopped_by": step.stopped_by, "result": said}
        self._finish(step, started)
        raise StepStopped(said, by=step.stopped_by, step_id=step.step_id) from None

    def _finish(self, step: Step, started: float) -> None:
        self.publisher.publish(
            StepFinished,
            step_id=step.step_id,
            status=step.status,
            duration_ms=round((self._clock() - started) * 1000),
            input_tokens=step.input_tokens,
            output_tokens=step.output_tokens,
            cost_usd=step.cost_usd,
            detail=presentable(step.detail),
        )
        if self._spans is not None:
            self._spans.step_finished(
                step.step_id,
                step.status,
                input_tokens=step.input_tokens,
                output_tokens=step.output_tokens,
                cost_usd=step.cost_usd,
                detail=step.detail,
            )


def presentable(value: Any, *, depth: int = 0) -> Any:
    """Return `value` fit for a row and a page: JSON-safe, each text clean and at most 16,000 characters."""
    if isinstance(value, str):
        return bound(clean(value), MAX_TEXT_CHARS)
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth >= _MAX_DEPTH:
        return "…"
    if isinstance(value, dict):
        return {
            clean(str(key))[:200]: presentable(item, depth=depth + 1)
            for key, item in list(value.items())[:_MAX_ITEMS]
        }
    if isinstance(value, list | tuple):
        return [presentable(item, depth=depth + 1) for item in list(value)[:_MAX_ITEMS]]
    return bound(clean(str(value)), MAX_TEXT_CHARS)
