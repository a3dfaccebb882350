"""The sockets of this process, and what is done for all of them on a beat: presence, silence, and whether they may stay."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterable
from typing import Any, Protocol

from webapp.realtime.access import Pass, refused
from webapp.realtime.db import in_database
from webapp.realtime.feeds import GroupFeed
from webapp.realtime.frames import Frame, frame
from webapp.realtime.hub import OUTAGES, Hub, get_hub
from webapp.realtime.outbox import Outbox
from webapp.realtime.presence import BEAT_S, Presence, Seen
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
# Access is looked at again at once when news say that it changed; this often in case that news was lost.
RECHECK_S = 60.0


class OpenSocket(Protocol):
    """A workspace socket, as the beat sees it."""

    entry: Pass
    outbox: Outbox
    seen: Seen

    def close_soon(self, code: int) -> None:
        """Close the socket with this code."""


class Watch(Protocol):
    """Who only wants to know that access changed."""

    def put(self, frame: Frame, *, is_droppable: bool = False) -> bool:
        """Take a frame of news."""

    def access_changed(self) -> None:
        """Look again."""


class Sockets:
    """All open sockets of one event loop."""

    def __init__(self) -> None:
        self.hub: Hub = get_hub(self._access_changed)
        self.watches: set[Watch] = set()
        self._by_workspace: dict[int, set[OpenSocket]] = {}
        self._presence: dict[int, Presence] = {}
        self._dirty: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._spawn(self._beat_forever())

    def add(self, socket: OpenSocket) -> None:
        """Count the socket in."""
        workspace_id = socket.entry.workspace_id
        self._by_workspace.setdefault(workspace_id, set()).add(socket)
        self._presence.setdefault(workspace_id, Presence(workspace_id))
        self.presence_changed(workspace_id)

    def remove(self, socket: OpenSocket) -> None:
        """Count the socket out."""
        workspace_id = socket.entry.workspace_id
        here = self._by_workspace.get(workspace_id, set())
        here.discard(socket)
        self.presence_changed(workspace_id)

    def presence_of(self, workspace_id: int) -> Presence:
        """Return who is in the workspace, as known at the last beat."""
        return self._presence[workspace_id]

    def presence_changed(self, workspace_id: int) -> None:
        """Tell the others soon: changes within half a second go out together."""
        if workspace_id not in self._dirty:
            self._dirty.add(workspace_id)
            self._spawn(self._beat_soon(workspace_id))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- presence ------------------------------------------------------------------------------------------------

    async def _beat_soon(self, workspace_id: int) -> None:
        await asyncio.sleep(0.5)
        self._dirty.discard(workspace_id)
        await self._beat(workspace_id)

    async def _beat(self, workspace_id: int) -> None:
        presence = self._presence.get(workspace_id)
        if presence is None:
            return
        here = self._by_workspace.get(workspace_id, set())
        try:
            changed = await presence.beat(self.hub.redis, [socket.seen for socket in here])
        except OUTAGES:
            return  # the next beat tells
        if changed:
            item = frame("presence", people=changed)
            for socket in list(here):
                socket.outbox.put(item, is_droppable=True)
        if not here and workspace_id not in self._dirty:
            self._by_workspace.pop(workspace_id, None)
            self._presence.pop(workspace_id, None)

    # --- the beat ------------------------------------------------------------------------------------------------

    async def _beat_forever(self) -> None:
        checked_at = time.monotonic()
        while True:
            await asyncio.sleep(BEAT_S)
            try:
                for workspace_id in list(self._presence):
                    await self._beat(workspace_id)
                for socket in self._all():
                    socket.outbox.check_silence()
                if time.monotonic() - checked_at >= RECHECK_S:
                    checked_at = time.monotonic()
                    await self.recheck(self._all())
            except Exception:
                log.exception("a beat failed; the next one comes")

    def _all(self) -> list[OpenSocket]:
        return [socket for here in self._by_workspace.values() for socket in here]

    # --- access --------------------------------------------------------------------------------------------------

    def _access_changed(self, feed: GroupFeed) -> None:
        """Called by the hub when a group's news say that somebody's access changed."""
        listeners = {subscription.receiver for subscription in feed.subscriptions}
        for watch in self.watches & listeners:
            watch.access_changed()
        self._spawn(self.recheck([socket for socket in self._all() if socket.outbox in listeners]))

    async def recheck(self, sockets: Iterable[OpenSocket]) -> None:
        """Close the sockets of everybody who may no longer hold one."""
        sockets = list(sockets)
        try:
            codes = await in_database(refused, {socket.entry for socket in sockets})
        except Exception:
            log.exception("access could not be looked at again; trying once more on the next beat")
            return
        for socket in sockets:
            if code := codes.get(socket.entry):
                socket.close_soon(code)


_sockets: dict[asyncio.AbstractEventLoop, Sockets] = {}


def get_sockets() -> Sockets:
    """Return the sockets of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _sockets:
        for old in [known for known in _sockets if known.is_closed()]:
            del _sockets[old]
        _sockets[loop] = Sockets()
    return _sockets[loop]
