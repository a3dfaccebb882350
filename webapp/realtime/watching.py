"""Hears of changes of who may do what, for whoever has no use for the other news: a terminal is one."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from webapp.events.groups import person_group, workspace_group
from webapp.realtime.access import Pass
from webapp.realtime.feeds import Subscription
from webapp.realtime.frames import Frame
from webapp.realtime.sockets import Sockets
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
PATIENCE_S: Final = 15.0
"""News can be lost, and Redis away: so often it is time to look again in any case."""


class AccessWatch:
    """Says when it is time to look again whether the holder of a pass may stay. Used as an async context."""

    def __init__(self, sockets: Sockets, entry: Pass) -> None:
        self._sockets, self._entry = sockets, entry
        self._subscriptions: list[Subscription] = []
        self._changed = asyncio.Event()

    async def __aenter__(self) -> AccessWatch:
        self._sockets.watches.add(self)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._sockets.watches.discard(self)
        for subscription in self._subscriptions:
            self._sockets.hub.leave(subscription)

    def put(self, frame: Frame, *, is_droppable: bool = False) -> bool:
        """Take a frame as a socket would, and do nothing with it."""
        return True

    def access_changed(self) -> None:
        """Called by the sockets when news say that somebody's access changed."""
        self._changed.set()

    async def wait(self) -> None:
        """Return as soon as news say that access changed; after `PATIENCE_S` in any case; and at once after it has begun to
        listen, since what changed before is told to nobody.
        """
        if not self._subscriptions and await self._listen():
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await self._changed.wait()
        self._changed.clear()

    async def _listen(self) -> bool:
        """Return whether it hears the news from now on; not while Redis is away."""
        groups = (
            (workspace_group(self._entry.workspace_id), "workspace"),
            (person_group(self._entry.user_id), "person"),
        )
        try:
            for group, audience in groups:
                subscription, _ = await self._sockets.hub.subscribe(group, audience, self)
                self._subscriptions.append(subscription)
                subscription.go_live()
        except Exception as error:
            # Whatever it was, whoever waits looks again every `PATIENCE_S`.
            log.warning("news of access are not heard", error=str(error))
            for subscription in self._subscriptions:
                self._sockets.hub.leave(subscription)
            self._subscriptions.clear()
            return False
        return True
