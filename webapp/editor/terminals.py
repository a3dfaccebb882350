"""Open terminals of this web process: each outlives its socket for a minute, none can flood a browser or a person's machine.

A terminal is read only while its browser keeps up: at most `WINDOW` bytes are on their way unacknowledged, then reading
stops, the pseudo-terminal fills, and the program in it waits. The last `WINDOW` bytes and a chunk are kept, so whatever a
browser had not acknowledged when it was lost can be sent again to the one that comes back.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from webapp.errors import NotFound, TooMany
from workers.sandbox import SandboxError, Terminal
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
KIB = 1024
WINDOW = 256 * KIB
CHUNK = 16 * KIB
KEPT = WINDOW + CHUNK
# What a person may type ahead of a program that does not read.
MAX_WAITING_INPUT = 256 * KIB
MAX_PER_PERSON = 4
STUCK_S = 30.0
DETACHED_S = 60.0
IDLE_S = 30 * 60.0
BEAT_S = 1.0

STUCK, IDLE, TOO_MUCH_INPUT, REPLACED = 4408, 4410, 4413, 4409


class Viewer(Protocol):
    """A socket that shows a terminal."""

    async def show(self, data: bytes) -> None:
        """Send what the terminal wrote."""

    async def ended(self, exit_code: int | None, ended_by: str) -> None:
        """Tell that the shell has ended."""

    def close_soon(self, code: int) -> None:
        """Close the socket."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What a browser that attaches is told first."""

    offset: int
    """Where in the terminal's whole output `data` begins."""
    data: bytes


class Session:
    """One terminal, and the browser that shows it, if any."""

    def __init__(
        self,
        terminal: Terminal,
        *,
        user_id: int,
        workspace_id: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.id = secrets.token_urlsafe(16)
        self.terminal, self.user_id, self.workspace_id = terminal, user_id, workspace_id
        self._clock = clock
        self._kept = bytearray()
        self._total = 0
        self._acked = 0
        self._window_opened = asyncio.Event()
        self._viewer: Viewer | None = None
        self._detached_at: float | None = clock()
        self._full_since: float | None = None
        self._active_at = clock()
        self._input: asyncio.Queue[bytes] = asyncio.Queue()
        self._waiting_input = 0
        self._is_closing = False
        self._guard: asyncio.Task[None] | None = None
        self.is_over = False

    @property
    def is_attached(self) -> bool:
        return self._viewer is not None

    @property
    def unacked(self) -> int:
        """Bytes read from the terminal that no browser has confirmed."""
        return self._total - self._acked

    def attach(self, viewer: Viewer, *, after: int) -> Replay:
        """Show the terminal in `viewer` from now on; return what it has missed since byte `after`, as far as that is kept."""
        if self._viewer is not None and self._viewer is not viewer:
            self._viewer.close_soon(REPLACED)
        self._viewer, self._detached_at, self._full_since = viewer, None, None
        first = self._total - len(self._kept)
        offset = after if first <= after <= self._total else first
        self._acked = offset
        self._open_window()
        return Replay(offset, bytes(self._kept[offset - first :]))

    def detach(self, viewer: Viewer) -> None:
        """Show it in `viewer` no longer; it lives on for a while."""
        if self._viewer is viewer:
            self._viewer, self._detached_at, self._full_since = None, self._clock(), None

    def acknowledge(self, total: int) -> None:
        """Note that the browser has shown everything up to byte `total`."""
        if self._acked < total <= self._total:
            self._acked = total
            self._full_since = None
            self._open_window()

    def type(self, data: bytes) -> None:
        """Queue what the person typed; too much of it ahead of a program that does not read closes the socket."""
        self._active_at = self._clock()
        if self._waiting_input + len(data) > MAX_WAITING_INPUT:
            if self._viewer is not None:
                self._viewer.close_soon(TOO_MUCH_INPUT)
            return
        self._waiting_input += len(data)
        self._input.put_nowait(data)

    def guard_by(self, watching: Coroutine[Any, Any, None]) -> None:
        """Have `watching` end the terminal when its person may no longer have it, in place of who did so before."""
        self._dismiss_guard()
        self._guard = asyncio.create_task(watching)

    def _dismiss_guard(self) -> None:
        if self._guard is not None:
            self._guard.cancel()

    async def close(self) -> None:
        """End everything that runs in the terminal, also while a browser that does not read holds up what it shows."""
        self._is_closing = True
        self._open_window()
        await self.terminal.close()

    def _open_window(self) -> None:
        if self.unacked < WINDOW or self._is_closing:
            self._window_opened.set()
            return
        self._window_opened.clear()
        if self._full_since is None:
            self._full_since = self._clock()

    async def pump(self) -> None:
        """Carry bytes both ways until the shell ends."""
        typing = asyncio.create_task(self._pump_input())
        try:
            await self._pump_output()
        finally:
            typing.cancel()
            await asyncio.gather(typing, return_exceptions=True)
            await self.terminal.close()
            self.is_over = True
            self._dismiss_guard()
            if self._viewer is not None:
                await self._viewer.ended(self.terminal.exit_code, self.terminal.ended_by)

    async def _pump_output(self) -> None:
        self._open_window()
        while True:
            await self._window_opened.wait()
            data = await self.terminal.read(CHUNK)
            if not data:
                return
            self._total += len(data)
            self._active_at = self._clock()
            self._kept += data
            del self._kept[:-KEPT]
            self._open_window()
            if self._viewer is not None:
                await self._viewer.show(data)
            # Nothing above has to wait while a program floods and no window holds it up: without this pause nobody else
            # would run, not even who is ending it.
            await asyncio.sleep(0)

    async def _pump_input(self) -> None:
        while True:
            data = await self._input.get()
            try:
                await self.terminal.write(data)
            except SandboxError:
                return
            self._waiting_input -= len(data)

    def verdict(self) -> int | None:
        """Return the code with which to part from the browser (STUCK) or end the terminal (IDLE), None to go on."""
        now = self._clock()
        if self._detached_at is not None:
            return IDLE if now - self._detached_at > DETACHED_S else None
        if self._full_since is not None and now - self._full_since > STUCK_S:
            return STUCK
        return IDLE if now - self._active_at > IDLE_S else None

    def part(self, code: int) -> None:
        """Close the browser's socket with `code`, if there is one."""
        if self._viewer is not None:
            viewer = self._viewer
            self.detach(viewer)
            viewer.close_soon(code)


Opener = Callable[[Path, int, int], Awaitable[Terminal]]


async def _open(files: Path, rows: int, cols: int) -> Terminal:
    return await Terminal.open(files=files, rows=rows, cols=cols)


class Terminals:
    """All terminals of one event loop."""

    def __init__(self, *, opener: Opener = _open) -> None:
        self._opener = opener
        self._sessions: dict[str, Session] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._opening: dict[int, int] = {}
        self._beat: asyncio.Task[None] | None = None

    async def open(self, *, user_id: int, workspace_id: int, files: Path, rows: int, cols: int) -> Session:
        """Return a new terminal. A person's oldest one without a browser makes room.

        Raises:
            TooMany: the person shows `MAX_PER_PERSON` already.
            SandboxUnavailable: this machine cannot confine a shell.
        """
        await self._make_room(user_id)
        self._opening[user_id] = self._opening.get(user_id, 0) + 1
        try:
            terminal = await self._opener(files, rows, cols)
        finally:
            self._opening[user_id] -= 1
        session = Session(terminal, user_id=user_id, workspace_id=workspace_id)
        self._sessions[session.id] = session
        self._tasks[session.id] = asyncio.create_task(self._run(session))
        if self._beat is None or self._beat.done():
            self._beat = asyncio.create_task(self._beat_while_any())
        log.info("terminal opened", user_id=user_id, workspace_id=workspace_id)
        return session

    def find(self, session_id: str, *, user_id: int, workspace_id: int) -> Session:
        """Return a terminal that this person has open in this workspace.

        Raises:
            NotFound: it has ended, or is somebody else's.
        """
        session = self._sessions.get(session_id)
        if (
            session is None
            or session.is_over
            or (session.user_id, session.workspace_id) != (user_id, workspace_id)
        ):
            raise NotFound("This terminal has ended.")
        return session

    async def end(self, session: Session, code: int) -> None:
        """Close the browser's socket and everything that runs in the terminal."""
        session.part(code)
        await session.close()

    def count(self, user_id: int) -> int:
        """Return how many terminals a person has."""
        return sum(session.user_id == user_id for session in self._sessions.values()) + self._opening.get(
            user_id, 0
        )

    async def _make_room(self, user_id: int) -> None:
        if self.count(user_id) < MAX_PER_PERSON:
            return
        for session in self._sessions.values():
            if session.user_id == user_id and not session.is_attached:
                task = self._tasks[session.id]
                await self.end(session, IDLE)
                await asyncio.wait([task])
                return
        raise TooMany(f"You have {MAX_PER_PERSON} terminals open; close one first.", limit=MAX_PER_PERSON)

    async def _run(self, session: Session) -> None:
        try:
            await session.pump()
        except Exception:
            log.exception("a terminal failed", user_id=session.user_id)
        finally:
            del self._sessions[session.id]
            del self._tasks[session.id]
            log.info(
                "terminal ended",
                user_id=session.user_id,
                workspace_id=session.workspace_id,
                ended_by=session.terminal.ended_by,
            )

    async def _beat_while_any(self) -> None:
        while self._sessions:
            await asyncio.sleep(BEAT_S)
            for session in list(self._sessions.values()):
                code = session.verdict()
                if code == STUCK:
                    session.part(STUCK)
                elif code is not None:
                    await self.end(session, code)


_terminals: dict[asyncio.AbstractEventLoop, Terminals] = {}


def get_terminals() -> Terminals:
    """Return the terminals of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _terminals:
        for old in [known for known in _terminals if known.is_closed()]:
            del _terminals[old]
        _terminals[loop] = Terminals()
    return _terminals[loop]
