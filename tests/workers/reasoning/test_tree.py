from __future__ import annotations

import asyncio
from typing import Any

import pytest

from workers.errors import RelaySilent, RunError
from workers.events import EngineEvent, StepFinished, StepStarted
from workers.reasoning.tree import StepRecorder, presentable


class ListPublisher:
    """Keeps events in a list; `settle` notes how many there were."""

    def __init__(self, *, is_silent: bool = False) -> None:
        self.events: list[EngineEvent] = []
        self.settled: list[int] = []
        self.is_silent = is_silent

    def publish(self, kind: type[EngineEvent], /, **fields: Any) -> EngineEvent:
        event = kind(run_id="r", fence=1, run_seq=len(self.events) + 1, **fields)
        self.events.append(event)
        return event

    async def settle(self) -> None:
        if self.is_silent:
            raise RelaySilent
        self.settled.append(len(self.events))


def recorder_with(publisher: ListPublisher, **options: Any) -> StepRecorder:
    return StepRecorder(publisher, **options)  # type: ignore[arg-type]


def finished(publisher: ListPublisher) -> list[StepFinished]:
    return [event for event in publisher.events if isinstance(event, StepFinished)]


async def test_tells_start_and_end_with_duration_and_detail() -> None:
    publisher = ListPublisher()
    times = iter([10.0, 10.25])
    async with recorder_with(publisher, clock=lambda: next(times)).step(
        "thought", "Think", parent="s9"
    ) as step:
        step.detail["text"] = "\x1b[31mred\x1b[0m"
        step.input_tokens = 3
    start, end = publisher.events
    assert isinstance(start, StepStarted) and isinstance(end, StepFinished)
    assert (start.step_id, start.parent_id) == ("s1", "s9")
    assert (end.status, end.duration_ms, end.input_tokens, end.detail) == ("ok", 250, 3, {"text": "red"})


async def test_an_effect_begins_only_after_its_start_is_committed() -> None:
    publisher = ListPublisher()
    async with recorder_with(publisher).step("command", "$ ls", is_effect=True):
        assert publisher.settled == [1]


async def test_numbers_go_on_with_the_step_that_was_in_flight() -> None:
    publisher = ListPublisher()
    recorder = recorder_with(publisher, finished_ids=["s1", "s2", "s4"])
    for title in ("again", "new"):
        async with recorder.step("thought", title):
            pass
    assert [event.step_id for event in finished(publisher)] == ["s3", "s5"]


@pytest.mark.parametrize(
    ("error", "status"),
    [(RunError("no"), "failed"), (ValueError("x"), "failed"), (asyncio.CancelledError(), "cancelled")],
)
async def test_an_error_ends_the_step_and_rises(error: BaseException, status: str) -> None:
    publisher = ListPublisher()
    with pytest.raises(type(error)):
        async with recorder_with(publisher).step("thought", "t"):
            raise error
    assert finished(publisher)[0].status == status


async def test_a_step_stays_open_when_another_worker_goes_on() -> None:
    publisher = ListPublisher()
    recorder = recorder_with(publisher)
    recorder.leaves_open = True
    with pytest.raises(asyncio.CancelledError):
        async with recorder.step("thought", "t"):
            raise asyncio.CancelledError
    silent = ListPublisher(is_silent=True)
    with pytest.raises(RelaySilent):
        async with recorder_with(silent).step("command", "$ rm", is_effect=True):
            raise AssertionError("the effect must not begin")
    assert not finished(publisher) and not finished(silent)


def test_details_are_bounded_and_json_safe() -> None:
    shown = presentable({"a": "x" * 50_000, "b": [object()], "c": {"d": float(1)}, 5: None})
    assert len(shown["a"]) <= 16_000
    assert "left out" in shown["a"]
    assert shown["b"][0].startswith("<object")
    assert shown["5"] is None
    deep: Any = "end"
    for _ in range(50):
        deep = [deep]
    assert "…" in str(presentable(deep))
