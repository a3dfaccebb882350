"""Commands of the workspace socket: counted, validated, and answered with data or an error's code."""

from __future__ import annotations

import inspect
import time
from functools import cache
from typing import Any

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from webapp.accounts.models import User
from webapp.errors import DATABASE_AWAY, UNSTORABLE, Invalid, NotFound, TooMany, Unavailable, unstorable
from webapp.events.registry import Command, find_command
from webapp.realtime.metrics import COMMANDS
from webapp.workspaces.access import workspace_for
from workers.errors import PyAgentError
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
# Per person and process. A person who types and clicks stays far below; a script should use the API.
LIMITS: list[RateLimitItem] = [parse("40/5 second"), parse("240/minute")]
_limiter = SlidingWindowCounterRateLimiter(MemoryStorage())


def run_command(user: User, workspace_id: int, name: str, args: Any) -> dict[str, Any]:
    """Return the `reply` frame's fields for one command: `ok` with `data`, or not `ok` with `error`."""
    try:
        data = _call(user, workspace_id, name, args)
    except PyAgentError as error:
        COMMANDS.labels("refused").inc()
        return {"ok": False, "error": error.to_dict()}
    except UNSTORABLE:
        COMMANDS.labels("refused").inc()
        return {"ok": False, "error": unstorable().to_dict()}
    except DATABASE_AWAY as error:
        COMMANDS.labels("failed").inc()
        log.warning("database is away", command=name, error=str(error))
        return {"ok": False, "error": Unavailable("The database does not answer; try again.").to_dict()}
    except Exception:
        COMMANDS.labels("failed").inc()
        log.exception("command failed", command=name, user_id=user.pk, workspace_id=workspace_id)
        return {"ok": False, "error": PyAgentError("Something went wrong on our side.").to_dict()}
    COMMANDS.labels("ok").inc()
    return {"ok": True, "data": data}


def _call(user: User, workspace_id: int, name: str, args: Any) -> dict[str, Any]:
    check_rate(user.pk)
    function = find_command(name)
    if function is None:
        raise NotFound(f"There is no command {name!r}.")
    try:
        parsed = arguments_of(function).model_validate(args if args is not None else {})
    except ValidationError as error:
        fields = [{"where": ".".join(map(str, item["loc"])), "what": item["msg"]} for item in error.errors()]
        raise Invalid("Some fields cannot be accepted.", fields=fields) from None
    # Asked anew for every command: a role may have changed since the socket was opened.
    workspace = workspace_for(user, workspace_id)
    return function(user, workspace, **{key: getattr(parsed, key) for key in type(parsed).model_fields})


def check_rate(user_id: int) -> None:
    """Count one command of this person.

    Raises:
        TooMany: the person is over a limit; `retry_after_s` says how long to wait.
    """
    key = f"user:{user_id}"
    for limit in LIMITS:
        if not _limiter.hit(limit, key):
            reset = _limiter.get_window_stats(limit, key).reset_time
            raise TooMany(
                "That was too fast; wait a moment.", retry_after_s=max(1, round(reset - time.time()))
            )


@cache
def arguments_of(function: Command) -> type[BaseModel]:
    """Return a model of the command's arguments after `user` and `workspace`; unknown names are refused."""
    fields: dict[str, Any] = {}
    for parameter in list(inspect.signature(function).parameters.values())[2:]:
        annotation = parameter.annotation
        if isinstance(annotation, str):
            annotation = eval(annotation, function.__globals__)  # noqa: S307  our own source, postponed annotations
        fields[parameter.name] = (
            annotation,
            ... if parameter.default is parameter.empty else parameter.default,
        )
    config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
    return create_model(f"{function.__name__}_arguments", __config__=config, **fields)
