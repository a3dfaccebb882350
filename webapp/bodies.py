"""How much a request may bring. Daphne holds a whole body in memory before anybody is asked who sent it, so it is bounded there.

A body declares its length, else it is held to the smaller limit. Few large ones are taken at once: together they must not
fill the machine. Everything is refused before it is read. Nobody knows yet who sends, so a place is not kept by hardly
sending: where all are taken, the slowest gives way, when it is slower than any line by which such a body would arrive.
"""

from __future__ import annotations

import json
import math
import time
from typing import Any, ClassVar

from daphne import http_protocol

MIB = 1024 * 1024
# What Django reads into memory, and what surrounds it in a form.
SMALL_BODY_BYTES = 13 * MIB
# An archive of 200 MB, and the form around it.
LARGE_BODY_BYTES = 201 * MIB
LARGE_PATHS = (b"/new/", b"/api/v1/workspaces/upload")
LARGE_AT_ONCE = 4
GRACE_S = 10.0
SLOWEST_BYTES_S = 32 * 1024
_TOO_LARGE = (b"413 Request Entity Too Large", "too_large", "The body is too large.")
_TOO_SLOW = (
    b"408 Request Timeout",
    "unavailable",
    "Others wait to upload, and this came too slowly; try again.",
)
_TOO_MANY = (b"503 Service Unavailable", "unavailable", "Others are uploading; try again in a moment.")


class BoundedRequest(http_protocol.WebRequest):
    """A request whose body is refused when it is, or grows, too large."""

    _large: ClassVar[set[BoundedRequest]] = set()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._left = SMALL_BODY_BYTES
        self._length, self._began = 0, 0.0
        self._is_refused = False
        super().__init__(*args, **kwargs)

    def gotLength(self, length: int | None) -> None:
        """Called by Twisted once the headers are read, before the body."""
        # Where the application is mounted is the operator's to say, not the client's.
        self.requestHeaders.removeHeader(b"daphne-root-path")
        if length is not None and length > SMALL_BODY_BYTES:
            path = self.channel._path.partition(b"?")[0]
            if path not in LARGE_PATHS or length > LARGE_BODY_BYTES:
                self._refuse(*_TOO_LARGE)
            elif not self._has_room():
                self._refuse(*_TOO_MANY)
            else:
                self._large.add(self)
                self._left = self._length = length
                self._began = time.monotonic()
        super().gotLength(0 if self._is_refused else length)

    def handleContentChunk(self, data: bytes) -> None:
        """Called by Twisted with each piece of the body."""
        self._left -= len(data)
        if self._left < 0 and not self._is_refused:
            self._refuse(*_TOO_LARGE)
        if not self._is_refused:
            super().handleContentChunk(data)

    def process(self) -> Any:
        """Called by Twisted once the body is complete."""
        return None if self._is_refused else super().process()

    def finish(self) -> None:
        """Called when the answer is complete."""
        self._large.discard(self)
        super().finish()

    def connectionLost(self, reason: Any) -> None:
        """Called when the client has left."""
        self._large.discard(self)
        super().connectionLost(reason)

    def _has_room(self) -> bool:
        """Return whether one more large body can be taken; the slowest one makes room when it is too slow."""
        if len(self._large) < LARGE_AT_ONCE:
            return True
        now = time.monotonic()
        slowest = min(self._large, key=lambda request: request._speed(now))
        if slowest._speed(now) >= SLOWEST_BYTES_S:
            return False
        self._large.discard(slowest)
        slowest._refuse(*_TOO_SLOW)
        return True

    def _speed(self, now: float) -> float:
        """Return how many bytes came a second so far; infinitely many for what is complete or has only begun."""
        took = now - self._began
        return (self._length - self._left) / took if self._left > 0 and took > GRACE_S else math.inf

    def _refuse(self, status: bytes, code: str, message: str) -> None:
        self._is_refused = True
        error = {"code": code, "message": message, "retryable": code == "unavailable", "facts": {}}
        body = json.dumps({"error": error}).encode()
        head = (
            b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n" % status
        )
        more = b"Retry-After: 5\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
        self.channel.transport.write(head + more + body)
        self.channel.loseConnection()


def bound_bodies() -> None:
    """Make every Daphne of this process take bounded requests only."""
    http_protocol.WebRequest = BoundedRequest
