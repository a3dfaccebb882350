"""The terminal's socket: bytes as binary frames both ways, size and acknowledgements as JSON text frames.

The browser opens it with `?rows=…&cols=…`, and with `&session=…&after=…` when it comes back after a lost connection: `after` is
how many bytes of the terminal's output it has shown. The server's first frame is `{"type": "ready", "session", "offset"}`;
binary frames follow from byte `offset` on. The browser answers with `{"type": "ack", "bytes"}`, the total it has shown. Bytes
never pass Channels' layer, and Daphne never holds more than the window of `editor.terminals`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

import orjson
from channels.consumer import AsyncConsumer

from webapp.editor.terminals import Session, get_terminals
from webapp.errors import NotFound
from webapp.realtime.access import NOT_ALLOWED, SIGNED_OUT, Pass, pass_for, refused
from webapp.realtime.db import in_database
from webapp.realtime.sockets import get_sockets
from webapp.realtime.watching import AccessWatch
from webapp.workspaces.access import includes, role_of, workspace_for
from webapp.workspaces.models import Role
from webapp.workspaces.repositories import repository_of
from workers.errors import PyAgentError
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
BAD_FRAME, REFUSED, ENDED = 4400, 4429, 1000
MAX_FRAME_BYTES = 64 * 1024
MAX_NUMBER = 2**53


class TerminalSocket(AsyncConsumer):
    """Shows one terminal to one tab."""

    async def __call__(
        self, scope: dict[str, Any], receive: Callable[[], Awaitable[dict[str, Any]]], send: Any
    ) -> None:
        """Serve one socket."""
        self.scope = scope
        self._send = send
        self._session: Session | None = None
        self._greeted = asyncio.Event()
        self._is_closed = False
        self._tasks: set[asyncio.Task[None]] = set()
        try:
            while (message := await receive())["type"] != "websocket.disconnect":
                if message["type"] == "websocket.connect":
                    await self._connect()
                elif not self._is_closed:
                    await self._read(message)
        finally:
            self._is_closed = True
            self._greeted.set()
            if self._session is not None:
                self._session.detach(self)
            for task in self._tasks:
                task.cancel()

    # --- what the session tells (Viewer) -------------------------------------------------------------------------

    async def show(self, data: bytes) -> None:
        """Send what the terminal wrote, once the browser knows which terminal it is."""
        await self._greeted.wait()
        if not self._is_closed:
            await self._send({"type": "websocket.send", "bytes": data})

    async def ended(self, exit_code: int | None, ended_by: str) -> None:
        """Tell that the shell has ended, and close."""
        await self._greeted.wait()
        await self._tell(type="ended", exit_code=exit_code, ended_by=ended_by)
        await self._close(ENDED)

    def close_soon(self, code: int) -> None:
        """Close the socket with this code, without waiting."""
        self._spawn(self._close(code))

    # --- coming --------------------------------------------------------------------------------------------------

    async def _connect(self) -> None:
        # Accepted first, so that the browser learns the code: a refused handshake only ever reads 1006.
        await self._send({"type": "websocket.accept"})
        user = self.scope["user"]
        if not user.is_authenticated:
            await self._close(SIGNED_OUT)
            return
        try:
            await self._attach(user, self.scope["url_route"]["kwargs"]["workspace_id"])
        except NotFound:
            await self._close(NOT_ALLOWED)
        except PyAgentError as error:
            await self._tell(type="refused", **error.to_dict())
            await self._close(NOT_ALLOWED if error.code == "forbidden" else REFUSED)

    async def _attach(self, user: Any, workspace_id: int) -> None:
        asked = parse_qs(self.scope.get("query_string", b"").decode("latin-1"))
        rows, cols, after = (
            _number(asked, name, default) for name, default in (("rows", 24), ("cols", 80), ("after", 0))
        )
        entry, files = await in_database(self._enter, user, workspace_id)
        terminals = get_terminals()
        session: Session | None = None
        if wanted := asked.get("session", [""])[0]:
            try:
                session = terminals.find(wanted, user_id=user.pk, workspace_id=workspace_id)
                session.terminal.resize(rows, cols)
            except NotFound:
                await self._tell(type="gone")  # it ended meanwhile: the browser is told, and gets a new one
        if session is None:
            session = await terminals.open(
                user_id=user.pk, workspace_id=workspace_id, files=files, rows=rows, cols=cols
            )
            after = 0
        # Of the shell, not of this socket: a shell outlives it by a minute.
        session.guard_by(_guard(session, entry, user))
        if self._is_closed:
            return  # the browser has left while the shell started; the session waits a minute for it
        replay = session.attach(self, after=after)
        self._session = session
        await self._tell(type="ready", session=session.id, offset=replay.offset)
        if replay.data:
            await self._send({"type": "websocket.send", "bytes": replay.data})
        self._greeted.set()

    def _enter(self, user: Any, workspace_id: int) -> tuple[Pass, Any]:
        workspace = workspace_for(user, workspace_id, role=Role.MEMBER)
        entry, _ = pass_for(user, self.scope["session"], workspace_id)
        return entry, repository_of(workspace).files_dir

    # --- frames of the browser -----------------------------------------------------------------------------------

    async def _read(self, message: dict[str, Any]) -> None:
        session = self._session
        if session is None:
            return
        raw, text = message.get("bytes"), message.get("text")
        if len(raw or text or "") > MAX_FRAME_BYTES:
            await self._close(BAD_FRAME)
        elif raw is not None:
            session.type(raw)
        else:
            try:
                self._command(session, orjson.loads(text or ""))
            except (ValueError, KeyError, TypeError, AttributeError):
                await self._close(BAD_FRAME)

    def _command(self, session: Session, command: dict[str, Any]) -> None:
        match command["type"]:
            case "ack":
                session.acknowledge(_checked(command["bytes"]))
            case "resize":
                session.terminal.resize(_checked(command["rows"]), _checked(command["cols"]))
            case "close":
                self._spawn(get_terminals().end(session, ENDED))
            case _:
                raise ValueError(command["type"])

    # --- going ---------------------------------------------------------------------------------------------------

    async def _tell(self, **fields: Any) -> None:
        if not self._is_closed:
            await self._send({"type": "websocket.send", "text": orjson.dumps(fields).decode()})

    async def _close(self, code: int) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._greeted.set()
            await self._send({"type": "websocket.close", "code": code})

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _guard(session: Session, entry: Pass, user: Any) -> None:
    """End the terminal of a person who may no longer have one."""
    async with AccessWatch(get_sockets(), entry) as watch:
        while not session.is_over:
            await watch.wait()
            try:
                code = await in_database(_refusal, entry, user)
            except Exception:
                log.exception("access could not be looked at again; trying once more")
                continue
            if code is not None:
                await get_terminals().end(session, code)
                return


def _refusal(entry: Pass, user: Any) -> int | None:
    if (code := refused({entry}).get(entry)) is not None:
        return code
    role = role_of(user, entry.workspace_id)
    return None if role and includes(role, Role.MEMBER) else NOT_ALLOWED


def _number(asked: dict[str, list[str]], name: str, default: int) -> int:
    value = asked.get(name, [""])[0]
    return int(value) if value.isascii() and value.isdigit() and len(value) < 17 else default


def _checked(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < MAX_NUMBER:
        raise ValueError(value)
    return value
