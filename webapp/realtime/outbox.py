"""What one socket still has to be sent, and what its reader has not acknowledged yet.

The server never blocks when a browser stops reading: it would keep everything in memory, 200 MB in 3 s when tried. So what
is queued or unacknowledged has a cap, and a reader who falls behind is closed; it comes back and catches up.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

from webapp.realtime.frames import Frame
from webapp.realtime.metrics import FRAMES_DROPPED, FRAMES_SENT

MAX_BYTES = 1024 * 1024
MAX_EVENTS = 500
# Beyond half of the window, what can be left out (tokens, presence) is.
DROP_ABOVE_BYTES = MAX_BYTES // 2
# The oldest frame may stay unacknowledged this long; the browser answers within a second.
MAX_SILENCE_S = 25.0

Send = Callable[[Frame], Awaitable[None]]


class Outbox:
    """Sends frames in order, one at a time, and counts what the reader owes an answer for."""

    def __init__(
        self, send: Send, on_overflow: Callable[[], None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._send = send
        self._on_overflow = on_overflow
        self._clock = clock
        self._queue: deque[Frame] = deque()
        self._unacked: deque[tuple[int, int, int, float]] = deque()
        self._count = 0
        self._unacked_events = 0
        self._unacked_bytes = 0
        self._writer: asyncio.Task[None] | None = None
        self._is_closed = False

    @property
    def unacked_bytes(self) -> int:
        """Bytes handed over that the reader has not confirmed."""
        return self._unacked_bytes

    def put(self, frame: Frame, *, is_droppable: bool = False) -> bool:
        """Queue a frame; return False when it was left out or the outbox is closed."""
        if self._is_closed:
            return False
        if is_droppable and self._unacked_bytes > DROP_ABOVE_BYTES:
            FRAMES_DROPPED.inc()
            return False
        is_too_much = self._unacked and self._unacked_bytes + frame.size_bytes > MAX_BYTES
        if is_too_much or (frame.seq and self._unacked_events >= MAX_EVENTS):
            self._overflow()
            return False
        self._count += 1
        self._unacked.append((self._count, frame.seq, frame.size_bytes, self._clock()))
        self._unacked_bytes += frame.size_bytes
        self._unacked_events += bool(frame.seq)
        self._queue.append(frame)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        return True

    def acknowledge(self, *, frames: int) -> None:
        """Forget everything up to and including the `frames`-th frame of this socket."""
        while self._unacked and self._unacked[0][0] <= frames:
            _, seq, size, _ = self._unacked.popleft()
            self._unacked_bytes -= size
            self._unacked_events -= bool(seq)

    def acknowledge_event(self, seq: int) -> None:
        """Forget everything up to the last event that is numbered `seq` or less."""
        known = [number for number, found, _, _ in self._unacked if 0 < found <= seq]
        if known:
            self.acknowledge(frames=known[-1])

    def check_silence(self) -> None:
        """Close the socket of a reader who has not answered for too long."""
        if self._unacked and self._clock() - self._unacked[0][3] > MAX_SILENCE_S:
            self._overflow()

    def close(self) -> None:
        """Send nothing more."""
        self._is_closed = True
        self._queue.clear()

    def _overflow(self) -> None:
        if not self._is_closed:
            FRAMES_DROPPED.inc(len(self._queue) + 1)
            self.close()
            self._on_overflow()

    async def _write(self) -> None:
        try:
            while self._queue:
                await self._send(self._queue.popleft())
                FRAMES_SENT.inc()
        finally:
            self._writer = None
