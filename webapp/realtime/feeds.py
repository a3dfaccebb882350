"""Redis streams that the hub follows, and the sockets behind each.

A feed knows up to where it was read. A subscriber joins there, is given what it missed from the stream, and only then what
arrived meanwhile: so nothing is missing and nothing comes twice between replay and live.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from webapp.events.groups import Group
from webapp.events.position import Position
from webapp.events.publish import MISSED
from webapp.realtime.frames import Frame, event_frame, frame, resync_frame

Entry = tuple[bytes, dict[bytes, bytes]]
# A browser that missed more than this loads its page's state afresh; stays under the window of unacknowledged events.
REPLAY_EVENTS = 400
REPLAY_BYTES = 512 * 1024
# News after which it is looked at again who may stay. Bodies begin with their type, so that nothing has to be parsed.
ACCESS_NEWS = tuple(b'{"type":"%s"' % kind for kind in (b"MembershipChanged", b"AccessChanged", b"SignedOut"))


class Receiver(Protocol):
    """A socket, as a feed sees it."""

    def put(self, frame: Frame, *, is_droppable: bool = False) -> bool:
        """Queue a frame for the browser."""


@dataclass(eq=False, slots=True)
class Subscription:
    """One socket's place in a feed. `waiting` holds what arrives while it catches up; None once it is live."""

    feed: Feed
    receiver: Receiver
    waiting: list[tuple[str, Frame]] | None = field(default_factory=list)

    def offer(self, entry_id: str, item: Frame) -> None:
        """Hand over one live frame, or keep it until the replay is done."""
        if self.waiting is None:
            self.receiver.put(item, is_droppable=self.feed.is_droppable)
        else:
            self.waiting.append((entry_id, item))

    def go_live(self) -> None:
        """Hand over what waited; from now on frames go straight through."""
        waiting, self.waiting = self.waiting or [], None
        for _, item in waiting:
            self.receiver.put(item, is_droppable=self.feed.is_droppable)


class Feed(ABC):
    """One Redis stream and who listens to it."""

    is_droppable = False

    def __init__(self, key: str) -> None:
        self.key = key
        self.last_id = "0-0"
        self.subscriptions: set[Subscription] = set()

    def take(self, entries: list[Entry]) -> bool:
        """Hand live entries to everybody; return False when the feed must be read afresh (`reset`)."""
        for entry_id, fields in entries:
            item = self.read_entry(entry_id.decode(), fields)
            if item is None:
                return False
            self.last_id = entry_id.decode()
            for subscription in list(self.subscriptions):
                subscription.offer(self.last_id, item)
        return True

    @abstractmethod
    def read_entry(self, entry_id: str, fields: dict[bytes, bytes]) -> Frame | None:
        """Return the frame of an entry, None when it does not continue what was read."""


class GroupFeed(Feed):
    """The numbered events of a group."""

    def __init__(self, group: Group, audience: str, on_access: Callable[[GroupFeed], None]) -> None:
        super().__init__(group.stream_key)
        self.group = group
        self.audience = audience
        self.position = Position("", 0)
        self._on_access = on_access

    def set_position(self, position: Position) -> None:
        """Count from here."""
        self.position = position
        self.last_id = f"{position.seq}-0"

    def read_entry(self, entry_id: str, fields: dict[bytes, bytes]) -> Frame | None:
        seq = int(entry_id.partition("-")[0])
        if fields[b"epoch"].decode() != self.position.epoch or seq != self.position.seq + 1:
            return None
        body = fields[b"body"]
        if body == MISSED:
            return None
        self.position = Position(self.position.epoch, seq)
        if body.startswith(ACCESS_NEWS):
            self._on_access(self)
        return event_frame(self.audience, seq, body)

    def resync(self) -> None:
        """Tell everybody to load afresh; those who were catching up have done so by this."""
        item = resync_frame(self.audience, self.position)
        for subscription in list(self.subscriptions):
            subscription.waiting = None
            subscription.receiver.put(item)

    def replayed(self, entries: list[Entry], after: Position, until: Position) -> list[Frame] | None:
        """Return the frames between two positions; None when the stream no longer holds all of them."""
        frames: list[Frame] = []
        expected = after.seq
        for entry_id, fields in entries:
            expected += 1
            seq = int(entry_id.partition(b"-")[0])
            if seq != expected or fields[b"epoch"].decode() != until.epoch or fields[b"body"] == MISSED:
                return None
            frames.append(event_frame(self.audience, seq, fields[b"body"]))
        is_whole = expected == until.seq and sum(item.size_bytes for item in frames) <= REPLAY_BYTES
        return frames if is_whole else None

    def can_replay(self, after: Position) -> bool:
        """Return whether somebody who stands at `after` may catch up event by event."""
        return after.epoch == self.position.epoch and 0 <= self.position.seq - after.seq <= REPLAY_EVENTS


class TokenFeed(Feed):
    """The token deltas of a run. They are news of the moment: the finished step holds the whole text."""

    is_droppable = True

    def __init__(self, key: str, run_id: str) -> None:
        super().__init__(key)
        self.run_id = run_id

    def read_entry(self, entry_id: str, fields: dict[bytes, bytes]) -> Frame:
        step_id, text = (fields.get(name, b"").decode(errors="replace") for name in (b"step_id", b"text"))
        return frame("tokens", run_id=self.run_id, step_id=step_id, text=text, id=entry_id)
