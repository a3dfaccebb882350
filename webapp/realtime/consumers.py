"""The workspace socket: one JSON socket per tab that carries everything that happens in a workspace.

A thin consumer: Channels gives it the session and the route; its own loop reads frames, because Channels' dispatcher would
send every frame through the one thread that all database calls share. Who may come in is asked of `access`, events come from
the hub, commands go to `dispatch`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from channels.consumer import AsyncConsumer
from pydantic import ValidationError

from webapp.errors import NotFound
from webapp.events.groups import person_group, workspace_group
from webapp.events.registry import find_command
from webapp.realtime import messages
from webapp.realtime.access import NOT_ALLOWED, SIGNED_OUT, Pass, pass_for, watchable_run
from webapp.realtime.db import in_database
from webapp.realtime.dispatch import run_command
from webapp.realtime.feeds import Subscription
from webapp.realtime.frames import Frame, frame
from webapp.realtime.hub import OUTAGES
from webapp.realtime.metrics import SOCKETS_CLOSED, SOCKETS_OPEN
from webapp.realtime.outbox import Outbox
from webapp.realtime.presence import Seen
from webapp.realtime.sockets import Sockets, get_sockets
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
TOO_SLOW = 4408
BAD_FRAME = 4400
TRY_LATER = 4503
MAX_FRAME_BYTES = 256 * 1024
MAX_WATCHED = 8
MAX_WAITING_COMMANDS = 32


class WorkspaceSocket(AsyncConsumer):
    """Reads frames of one tab until it leaves or is closed."""

    async def __call__(
        self, scope: dict[str, Any], receive: Callable[[], Awaitable[dict[str, Any]]], send: Any
    ) -> None:
        """Serve one socket."""
        self.scope = scope
        self._send = send
        self._commands: set[asyncio.Task[None]] = set()
        self._lines: dict[str, asyncio.Lock] = {}
        self._subscriptions: list[Subscription] = []
        self._watched: dict[str, Subscription] = {}
        self._sockets: Sockets | None = None
        self._has_greeted = False
        self._is_closed = False
        self.outbox = Outbox(self._send_frame, lambda: self.close_soon(TOO_SLOW))
        try:
            while (message := await receive())["type"] != "websocket.disconnect":
                if message["type"] == "websocket.connect":
                    await self._connect()
                elif not self._is_closed:
                    await self._read(message)
        finally:
            self._leave()

    def close_soon(self, code: int) -> None:
        """Close the socket with this code, without waiting."""
        task = asyncio.ensure_future(self._close(code))
        self._commands.add(task)
        task.add_done_callback(self._commands.discard)

    # --- coming and going ----------------------------------------------------------------------------------------

    async def _connect(self) -> None:
        # Accepted first, so that the browser learns the code: a refused handshake only ever reads 1006.
        await self._send({"type": "websocket.accept"})
        user = self.scope["user"]
        if not user.is_authenticated:
            await self._close(SIGNED_OUT)
            return
        workspace_id = self.scope["url_route"]["kwargs"]["workspace_id"]
        try:
            self.entry: Pass
            self.entry, _ = await in_database(pass_for, user, self.scope["session"], workspace_id)
        except NotFound:
            await self._close(NOT_ALLOWED)
            return
        self.seen = Seen(self.entry.user_id, "active", "")
        self._sockets = get_sockets()
        self._sockets.add(self)
        SOCKETS_OPEN.inc()

    async def _close(self, code: int) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self.outbox.close()
        self._unsubscribe()
        SOCKETS_CLOSED.labels(str(code)).inc()
        await self._send({"type": "websocket.close", "code": code})

    def _unsubscribe(self) -> None:
        if self._sockets is not None:
            for subscription in [*self._subscriptions, *self._watched.values()]:
                self._sockets.hub.leave(subscription)
        self._subscriptions, self._watched = [], {}

    def _leave(self) -> None:
        self._is_closed = True
        self.outbox.close()
        self._unsubscribe()
        if self._sockets is not None:
            self._sockets.remove(self)
            SOCKETS_OPEN.dec()

    async def _send_frame(self, item: Frame) -> None:
        await self._send({"type": "websocket.send", "text": item.text})

    # --- frames of the browser -----------------------------------------------------------------------------------

    async def _read(self, message: dict[str, Any]) -> None:
        if self._sockets is None:
            return
        raw = message.get("text") or message.get("bytes") or ""
        try:
            if len(raw) > MAX_FRAME_BYTES:
                raise ValueError("frame too long")
            parsed = messages.parse(orjson.loads(raw))
        except (ValueError, ValidationError) as error:
            log.info("socket sent what is not a frame", user_id=self.entry.user_id, error=str(error)[:200])
            await self._close(BAD_FRAME)
            return
        try:
            await self._handle(parsed)
        except OUTAGES:
            await self._close(TRY_LATER)

    async def _handle(self, message: messages.Message) -> None:
        match message:
            case messages.Ack(frames=int(count)):
                self.outbox.acknowledge(frames=count)
            case messages.Ack(seq=seq):
                self.outbox.acknowledge_event(seq)
            case messages.Ping():
                self.outbox.put(frame("pong"))
            case messages.Command():
                self._start_command(message)
            case messages.Hello():
                await self._greet(message)
            case messages.Watch():
                await self._watch(message)
            case messages.Unwatch():
                if subscription := self._watched.pop(message.run_id, None):
                    self._hub.leave(subscription)
            case messages.PresenceIs():
                self.seen = Seen(self.entry.user_id, message.state, message.place)
                self._open_sockets.presence_changed(self.entry.workspace_id)

    @property
    def _open_sockets(self) -> Sockets:
        assert self._sockets is not None  # noqa: S101  frames are read only after `_connect` has set it
        return self._sockets

    @property
    def _hub(self) -> Any:
        return self._open_sockets.hub

    async def _greet(self, hello: messages.Hello) -> None:
        """Join the workspace's and the person's own news, say where they stand, and catch up."""
        if self._has_greeted:
            return
        self._has_greeted = True
        here, until = await self._hub.subscribe(
            workspace_group(self.entry.workspace_id), "workspace", self.outbox
        )
        self._subscriptions.append(here)
        mine, mine_until = await self._hub.subscribe(person_group(self.entry.user_id), "person", self.outbox)
        self._subscriptions.append(mine)
        person = {"epoch": mine_until.epoch, "seq": mine_until.seq}
        self.outbox.put(frame("welcome", epoch=until.epoch, seq=until.seq, person=person))
        await self._hub.catch_up(here, hello.position, until)
        await self._hub.catch_up(mine, hello.person.position if hello.person else None, mine_until)
        people = self._open_sockets.presence_of(self.entry.workspace_id).snapshot()
        self.outbox.put(frame("presence", people=people, all=True))

    async def _watch(self, message: messages.Watch) -> None:
        try:
            run_id = await in_database(watchable_run, self.entry.workspace_id, message.run_id)
        except NotFound as error:
            self.outbox.put(frame("unwatched", run_id=message.run_id, error=error.to_dict()))
            return
        if run_id in self._watched:
            return
        if len(self._watched) >= MAX_WATCHED:
            self._hub.leave(self._watched.pop(next(iter(self._watched))))
        subscription = await self._hub.watch(run_id, self.outbox, after=message.after)
        if self._is_closed:
            self._hub.leave(subscription)
        else:
            self._watched[run_id] = subscription

    # --- commands ------------------------------------------------------------------------------------------------

    def _start_command(self, command: messages.Command) -> None:
        if len(self._commands) >= MAX_WAITING_COMMANDS:
            error = {
                "code": "too_many",
                "message": "Too many commands at once; wait for answers.",
                "retryable": True,
                "facts": {},
            }
            self.outbox.put(frame("reply", id=command.id, ok=False, error=error))
            return
        task = asyncio.create_task(self._run_command(command))
        self._commands.add(task)
        task.add_done_callback(self._commands.discard)

    async def _run_command(self, command: messages.Command) -> None:
        # In order within an app ("chat.…"), so that messages keep their order; a slow app does not hold up another.
        line = command.name.partition(".")[0] if find_command(command.name) else ""
        async with self._lines.setdefault(line, asyncio.Lock()):
            answer = await in_database(
                run_command, self.scope["user"], self.entry.workspace_id, command.name, command.args
            )
        self.outbox.put(frame("reply", id=command.id, **answer))
