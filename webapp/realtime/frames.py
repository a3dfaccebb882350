"""What goes over the socket to a browser: JSON text frames, each encoded once however many sockets get it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from webapp.events.position import Position


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame ready to be sent. `seq` is 0 for what is not an event; `size_bytes` counts against a reader's window."""

    text: str
    size_bytes: int
    seq: int = 0


def frame(kind: str, **fields: Any) -> Frame:
    """Return the frame of this type."""
    data = orjson.dumps({"type": kind, **fields})
    return Frame(data.decode(), len(data))


def event_frame(audience: str, seq: int, body: bytes) -> Frame:
    """Return the frame of a published event; `body` is JSON already and goes through as it is."""
    data = b'{"type":"event","group":"%s","seq":%d,"event":%s}' % (audience.encode(), seq, body)
    return Frame(data.decode(), len(data), seq)


def resync_frame(audience: str, position: Position) -> Frame:
    """Return the frame that makes a page load its state afresh and count from `position`."""
    return frame("resync", group=audience, epoch=position.epoch, seq=position.seq)
