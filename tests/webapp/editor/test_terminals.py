"""What becomes of a terminal as time passes, by a clock of the test's own and a real shell."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from webapp.editor.terminals import (
    CHUNK,
    DETACHED_S,
    IDLE,
    IDLE_S,
    KEPT,
    STUCK,
    STUCK_S,
    WINDOW,
    Session,
    Terminals,
)
from webapp.errors import NotFound
from workers.sandbox import Terminal


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Tab:
    """A browser that keeps what it is shown."""

    def __init__(self) -> None:
        self.seen = b""
        self.codes: list[int] = []
        self.ending: tuple[int | None, str] | None = None

    async def show(self, data: bytes) -> None:
        self.seen += data

    async def ended(self, exit_code: int | None, ended_by: str) -> None:
        self.ending = (exit_code, ended_by)

    def close_soon(self, code: int) -> None:
        self.codes.append(code)


async def _session(tmp_path: Path, clock: Clock) -> tuple[Session, asyncio.Task[None]]:
    session = Session(await Terminal.open(files=tmp_path), user_id=1, workspace_id=1, clock=clock)
    return session, asyncio.create_task(session.pump())


async def _until(condition: object) -> None:
    async with asyncio.timeout(20):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.02)


async def test_parts_from_a_reader_that_stays_stuck(tmp_path: Path) -> None:
    clock, tab = Clock(), Tab()
    session, pump = await _session(tmp_path, clock)
    session.attach(tab, after=0)
    session.type(b"yes 0123456789\n")
    await _until(lambda: session.unacked >= WINDOW)
    clock.now += STUCK_S - 1
    assert session.verdict() is None
    clock.now += 2
    assert session.verdict() == STUCK
    session.part(STUCK)
    assert (tab.codes, session.is_attached) == ([STUCK], False)
    # It comes back and gets what it had not confirmed.
    again = Tab()
    replay = session.attach(again, after=len(tab.seen) - 1000)
    assert replay.data == tab.seen[-1000:]
    assert session.verdict() is None
    await session.close()
    await pump


async def test_ends_while_a_browser_that_does_not_read_holds_it_up(tmp_path: Path) -> None:
    session, pump = await _session(tmp_path, Clock())
    session.attach(Tab(), after=0)
    session.type(b"yes 0123456789\n")
    await _until(lambda: session.unacked >= WINDOW)
    await session.close()
    async with asyncio.timeout(10):
        await pump
    assert session.is_over


async def test_ends_one_that_nobody_comes_back_to(tmp_path: Path) -> None:
    clock, tab = Clock(), Tab()
    session, pump = await _session(tmp_path, clock)
    session.attach(tab, after=0)
    clock.now += DETACHED_S + 1
    assert session.verdict() is None
    session.detach(tab)
    clock.now += DETACHED_S - 1
    assert session.verdict() is None
    clock.now += 2
    assert session.verdict() == IDLE
    await session.close()
    await pump


async def test_ends_one_in_which_nothing_happens(tmp_path: Path) -> None:
    clock, tab = Clock(), Tab()
    session, pump = await _session(tmp_path, clock)
    session.attach(tab, after=0)
    await _until(lambda: b"$" in tab.seen)
    clock.now += IDLE_S - 1
    assert session.verdict() is None
    session.type(b"x")
    clock.now += IDLE_S - 1
    assert session.verdict() is None
    await asyncio.sleep(0.2)
    clock.now += IDLE_S + 1
    assert session.verdict() == IDLE
    await session.close()
    await pump


async def test_keeps_the_last_of_its_output_only(tmp_path: Path) -> None:
    clock, tab = Clock(), Tab()
    session, pump = await _session(tmp_path, clock)
    session.attach(tab, after=0)
    session.type(b"head -c 1000000 /dev/zero | tr '\\0' x; echo; echo do''ne\n")

    async def confirm() -> None:
        while b"done" not in tab.seen:
            session.acknowledge(len(tab.seen))
            await asyncio.sleep(0.01)

    await asyncio.wait_for(confirm(), 20)
    fresh = Tab()
    replay = session.attach(fresh, after=0)
    assert tab.codes == [4409]
    assert len(replay.data) <= KEPT == WINDOW + CHUNK
    assert replay.offset + len(replay.data) == len(tab.seen)
    assert replay.data == tab.seen[replay.offset :]
    await session.close()
    await pump


async def test_finds_only_the_persons_own(tmp_path: Path) -> None:
    terminals = Terminals()
    session = await terminals.open(user_id=1, workspace_id=1, files=tmp_path, rows=24, cols=80)
    assert terminals.find(session.id, user_id=1, workspace_id=1) is session
    for user_id, workspace_id in ((2, 1), (1, 2)):
        with pytest.raises(NotFound):
            terminals.find(session.id, user_id=user_id, workspace_id=workspace_id)
    await terminals.end(session, 1000)
    await _until(lambda: terminals.count(1) == 0)
    with pytest.raises(NotFound):
        terminals.find(session.id, user_id=1, workspace_id=1)
