"""Where apps say what they answer: engine events that they record, and commands that the workspace socket may call.

Registration happens when Django loads each app's `handlers` and `commands`; the relay and the socket look things up here,
so that neither needs to know the apps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from workers.events import EngineEvent

EngineHandler = Callable[[Any], None]
Command = Callable[..., dict[str, Any]]
RunHook = Callable[[Any], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What an app above `agents` adds to a run before it is queued."""

    job: Mapping[str, Any] = field(default_factory=dict)
    """Fields of its `workers.queue.Job`."""
    base_commit: str = ""
    """Commit to work on, whatever else was wished; empty for no wish."""


Preparation = Callable[[Any], Prepared]


@dataclass(frozen=True, slots=True)
class Periodic:
    """Housekeeping that the relay process calls again and again, outside any transaction."""

    name: str
    every_s: float
    function: Callable[[], None]


_engine_handlers: dict[type[EngineEvent], list[EngineHandler]] = {}
_commands: dict[str, Command] = {}
_periodic: list[Periodic] = []
_preparations: dict[str, Preparation] = {}
_run_queued: list[RunHook] = []
_run_ended: list[RunHook] = []
_approval_asked: list[RunHook] = []
_workspace_created: list[Callable[[Any], None]] = []
_rights_lost: list[Callable[[int, int | None], None]] = []
_key_revoked: list[Callable[[Any], None]] = []


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


def periodic(*, every_s: float) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register housekeeping: a sync function without arguments that the relay process calls every `every_s` seconds."""

    def register(function: Callable[[], None]) -> Callable[[], None]:
        _periodic.append(Periodic(f"{function.__module__}.{function.__name__}", every_s, function))
        return function

    return register


def periodic_functions() -> list[Periodic]:
    """Return all registered housekeeping."""
    return list(_periodic)


def on_run_prepared(agent: str) -> Callable[[Preparation], Preparation]:
    """Register what a run of `agent` is handed besides its goal, such as the change set that it is to read.

    Called with the row before it is saved, in the transaction that makes it; what it raises the caller hears.
    """

    def register(hook: Preparation) -> Preparation:
        _preparations[agent] = hook
        return hook

    return register


def prepare_run(run: Any) -> Prepared:
    """Return what the app that knows about this run's agent adds to it; nothing for most agents."""
    hook = _preparations.get(run.agent)
    return hook(run) if hook is not None else Prepared()


def on_run_queued(hook: RunHook) -> RunHook:
    """Register what follows when somebody has called an agent, from wherever: called in the transaction that makes the row.

    `run.retry_of` names the run that is tried again, so that the new card can stand where the old one stood.
    """
    _run_queued.append(hook)
    return hook


def run_queued(run: Any) -> None:
    """Tell the apps above `agents` about a new run."""
    for hook in _run_queued:
        hook(run)


def on_run_ended(hook: RunHook) -> RunHook:
    """Register what happens when a run (an `agents.Run`) has ended, however it ended: called in the transaction that ends it."""
    _run_ended.append(hook)
    return hook


def run_ended(run: Any) -> None:
    """Tell the apps above `agents` that this run has ended; raises what a hook raises, so that rows agree."""
    for hook in _run_ended:
        hook(run)


def on_approval_asked(hook: RunHook) -> RunHook:
    """Register what happens when a run's call (`agents.Approval`) waits for a person's yes: called once, in its transaction."""
    _approval_asked.append(hook)
    return hook


def approval_asked(approval: Any) -> None:
    """Tell the apps above `agents` that this call waits for a person."""
    for hook in _approval_asked:
        hook(approval)


def on_workspace_created(hook: Callable[[Any], None]) -> Callable[[Any], None]:
    """Register what a new workspace (a `workspaces.Workspace`) gets: called in the transaction that creates it."""
    _workspace_created.append(hook)
    return hook


def workspace_created(workspace: Any) -> None:
    """Tell the apps above `workspaces` that this workspace was created."""
    for hook in _workspace_created:
        hook(workspace)


def on_rights_lost(hook: Callable[[int, int | None], None]) -> Callable[[int, int | None], None]:
    """Register what ends when a person may call agents no more: called with their id and the workspace's, None for all."""
    _rights_lost.append(hook)
    return hook


def rights_lost(user_id: int, workspace_id: int | None) -> None:
    """Tell the apps above that this person may call agents no more, in the transaction that takes the right away."""
    for hook in _rights_lost:
        hook(user_id, workspace_id)


def on_key_revoked(hook: Callable[[Any], None]) -> Callable[[Any], None]:
    """Register what ends with a key (an `accounts.ApiKey`): called in the transaction that revokes it."""
    _key_revoked.append(hook)
    return hook


def key_revoked(key: Any) -> None:
    """Tell the apps above that this key was revoked."""
    for hook in _key_revoked:
        hook(key)
