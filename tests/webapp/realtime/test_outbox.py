"""The window of what a reader has not acknowledged."""

from __future__ import annotations

import asyncio

import pytest

from webapp.realtime.frames import Frame
from webapp.realtime.outbox import MAX_BYTES, MAX_EVENTS, MAX_SILENCE_S, Outbox


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Reader:
    """The far end of an outbox."""

    def __init__(self) -> None:
        self.sent: list[Frame] = []
        self.overflows = 0
        self.clock = Clock()
        self.may_send = asyncio.Event()
        self.may_send.set()
        self.outbox = Outbox(self.send, self.overflow, clock=self.clock)

    async def send(self, frame: Frame) -> None:
        await self.may_send.wait()
        self.sent.append(frame)

    def overflow(self) -> None:
        self.overflows += 1


@pytest.fixture
async def reader() -> Reader:
    return Reader()


def event(seq: int, size: int = 10) -> Frame:
    return Frame("x", size, seq)


async def test_sends_in_order_also_through_a_slow_connection(reader: Reader):
    reader.may_send.clear()
    for seq in range(1, 20):
        reader.outbox.put(event(seq))
    await asyncio.sleep(0)
    assert reader.sent == []
    reader.may_send.set()
    await asyncio.sleep(0.01)
    assert [f.seq for f in reader.sent] == list(range(1, 20))


async def test_counts_what_is_queued_and_what_is_sent_alike(reader: Reader):
    reader.may_send.clear()
    for seq in range(1, MAX_EVENTS + 1):
        assert reader.outbox.put(event(seq))
    assert not reader.outbox.put(event(MAX_EVENTS + 1))
    assert reader.overflows == 1


async def test_goes_on_for_ever_with_a_reader_who_acknowledges(reader: Reader):
    for seq in range(1, 3 * MAX_EVENTS):
        assert reader.outbox.put(event(seq, 4_000))
        if seq % 50 == 0:
            reader.outbox.acknowledge(frames=seq)
    assert reader.overflows == 0
    assert reader.outbox.unacked_bytes == 49 * 4_000


async def test_closes_beyond_the_bytes(reader: Reader):
    assert reader.outbox.put(event(1, MAX_BYTES - 10))
    assert reader.outbox.put(event(2, 10))
    assert not reader.outbox.put(event(3, 1))
    assert reader.overflows == 1


async def test_lets_one_large_frame_through_to_a_reader_who_owes_nothing(reader: Reader):
    assert reader.outbox.put(Frame("x", 2 * MAX_BYTES))
    assert not reader.outbox.put(Frame("x", 1))


async def test_leaves_out_what_can_be_left_out_from_half_the_window_on(reader: Reader):
    assert reader.outbox.put(Frame("x", MAX_BYTES // 2 + 1), is_droppable=True)
    assert not reader.outbox.put(Frame("x", 1), is_droppable=True)
    assert reader.outbox.put(event(1))
    assert reader.overflows == 0


async def test_takes_acknowledgements_by_event_number(reader: Reader):
    for seq in range(1, 11):
        reader.outbox.put(event(seq))
    reader.outbox.put(Frame("x", 10))
    reader.outbox.acknowledge_event(10)
    assert reader.outbox.unacked_bytes == 10
    reader.outbox.acknowledge_event(10)
    reader.outbox.acknowledge(frames=1_000)
    assert reader.outbox.unacked_bytes == 0


async def test_closes_after_a_long_silence_only(reader: Reader):
    reader.outbox.check_silence()
    reader.outbox.put(event(1))
    reader.clock.now += MAX_SILENCE_S
    reader.outbox.check_silence()
    assert reader.overflows == 0
    reader.clock.now += 1
    reader.outbox.check_silence()
    reader.outbox.check_silence()
    assert reader.overflows == 1


async def test_sends_nothing_after_it_was_closed(reader: Reader):
    reader.outbox.close()
    assert not reader.outbox.put(event(1))
    await asyncio.sleep(0.01)
    assert reader.sent == []
