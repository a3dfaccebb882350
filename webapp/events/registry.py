"""Where apps say what they answer: engine events that they record, and commands that the workspace socket may call.

Registration happens when Django loads each app's `handlers` and `commands`; the relay and the socket look things up here,
so that neither needs to know the apps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workers.events import EngineEvent

EngineHandler = Callable[[Any], None]
Command = Callable[..., dict[str, Any]]

_engine_handlers: dict[type[EngineEvent], list[EngineHandler]] = {}
_commands: dict[str, Command] = {}


def on_engine_event(kind: type[EngineEvent]) -> Callable[[EngineHandler], EngineHandler]:
    """Register a handler that records `kind`. It runs inside the relay's transaction for that event, once per event."""

    def register(handler: EngineHandler) -> EngineHandler:
        _engine_handlers.setdefault(kind, []).append(handler)
        return handler

    return register


def engine_handlers(event: EngineEvent) -> list[EngineHandler]:
    """Return the handlers for this event, in the order in which the apps were loaded."""
    return _engine_handlers.get(type(event), [])


def command(name: str) -> Callable[[Command], Command]:
    """Register a socket command: a sync function `(user, workspace, **args) -> dict` that asks `access` and calls one service."""

    def register(function: Command) -> Command:
        if name in _commands:
            raise ValueError(f"two commands are named {name}")
        _commands[name] = function
        return function

    return register


def find_command(name: str) -> Command | None:
    """Return the command of this name, or None."""
    return _commands.get(name)
