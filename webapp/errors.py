"""One table from error codes to replies, for pages and the API alike.

Hidden and absent are the same: `NotFound` never says which.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.db import DataError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from redis import RedisError

from workers.changes.paths import to_portable
from workers.errors import PyAgentError
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
DATABASE_AWAY = (OperationalError, InterfaceError)
# PostgreSQL says of NUL in a text or of a number beyond its column that it cannot be stored: the caller's doing.
UNSTORABLE = (DataError,)
BIGGEST_ID = 2**63 - 1
_LONE = re.compile("[\ud800-\udfff]")


class NotFound(PyAgentError):
    """There is no such thing, or you may not see it."""

    code = "not_found"


class Forbidden(PyAgentError):
    """You can see this, but your role does not allow that."""

    code = "forbidden"


class Invalid(PyAgentError):
    """What was sent cannot be accepted; the message says why."""

    code = "invalid"


class Conflict(PyAgentError):
    """Somebody was faster, or the thing has moved on; load it again."""

    code, retryable = "conflict", True


class TooMany(PyAgentError):
    """Too many requests; wait a little."""

    code, retryable = "too_many", True


class TooLarge(PyAgentError):
    """What was sent is larger than it may be."""

    code = "too_large"


class WrongMethod(PyAgentError):
    """This address takes only what a form or a program sends to it; go back to the page before."""

    code = "wrong_method"


class Unavailable(PyAgentError):
    """A part of the system that this needs does not answer at the moment."""

    code, retryable = "unavailable", True


STATUS: dict[str, int] = {
    "not_found": 404,
    "forbidden": 403,
    "invalid": 422,
    "conflict": 409,
    "too_many": 429,
    "too_large": 413,
    "unavailable": 503,
    "wrong_method": 405,
    # files and git
    "change_failed": 422,
    "path_refused": 422,
    "file_missing": 404,
    "not_a_file": 422,
    "file_too_large": 413,
    "path_taken": 409,
    "version_conflict": 409,
    "transaction_refused": 422,
    "workspace_busy": 503,
    "storage_full": 507,
    # The disk under us, not what was asked for: whoever runs the server mends it.
    "storage_failed": 503,
    "backup_damaged": 503,
    "journal_damaged": 503,
    "kernel_too_old": 503,
    "access_denied": 422,
    "diff_unreadable": 422,
    "search_pattern_invalid": 422,
    "git_failed": 422,
    "git_timeout": 504,
    "files_hold_git_up": 422,
    "git_output_too_large": 413,
    "unknown_revision": 404,
    "branch_ambiguous": 409,
    "ref_moved": 409,
    "nothing_to_commit": 409,
    "workspace_exists": 409,
    "remote_refused": 422,
    "remote_too_large": 413,
    # Like a model provider: what a person can mend is 422, what the remote did is 424.
    "remote_auth_failed": 422,
    "remote_unavailable": 424,
    "push_rejected": 409,
    "archive_refused": 422,
    "hunk_mismatch": 409,
    "landing_conflict": 409,
    "limits_broken": 422,
    # the engine
    "sandbox_unavailable": 503,
    "sandbox_refused": 422,
    "sandbox_error": 503,
    "secret_unreadable": 409,
    "unknown_agent": 422,
    # Model providers: what a person can mend is 422; what the provider did is 424 (Failed Dependency), not an error of ours.
    "provider_error": 424,
    "provider_address_refused": 422,
    "provider_timeout": 424,
    "provider_unavailable": 424,
    "provider_rate_limited": 429,
    "provider_rejected": 422,
    "provider_auth_failed": 422,
    "provider_bad_reply": 424,
    "provider_cut_off": 424,
    "context_too_long": 422,
    "invalid_rule": 422,
    "invalid_attachment": 422,
}

RETRY_AFTER_S: dict[str, int] = {"storage_failed": 60}
"""Errors with 503 that take longer than the usual seconds to go away."""


def status_of(error: PyAgentError) -> int:
    """Return the HTTP status for this error; 500 for a code that has none."""
    return STATUS.get(error.code, 500)


def unstorable() -> Invalid:
    """Return the error for data that the database takes in no column."""
    return Invalid(
        "Something that was sent cannot be stored: a NUL character, or a number that is too large."
    )


def body_of(error: PyAgentError) -> dict[str, Any]:
    """Return what a reply says of the error, as valid JSON: a name that is not UTF-8 reads as the files API writes it."""
    return {key: _portable(value) for key, value in error.to_dict().items()}


def _portable(value: Any) -> Any:
    if isinstance(value, str):
        # Some errors name paths that are portable already; those hold no lone surrogate, and twice would be wrong.
        return to_portable(value) if _LONE.search(value) else value
    if isinstance(value, dict):
        return {key: _portable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_portable(inner) for inner in value]
    return value


def redis_away() -> Unavailable:
    """Return the error for what cannot be done without Redis, such as counting wrong passwords."""
    return Unavailable("Redis, which this needs, does not answer at the moment. Try again in a moment.")


def log_failure(request: HttpRequest, error: PyAgentError, status: int) -> None:
    """Write down what is not the caller's doing, with a traceback where the fault may be ours."""
    if status >= 500:
        log.error(
            "request failed", path=request.path, code=error.code, error=str(error), exc_info=status == 500
        )


def say_when_to_retry(response: HttpResponse, error: PyAgentError, status: int) -> None:
    """Set Retry-After where the error knows it, and on every 503 that goes away without a person who mends it."""
    if retry_after := error.facts.get("retry_after_s"):
        response["Retry-After"] = str(int(retry_after))
    elif status == 503 and error.retryable:
        response["Retry-After"] = str(RETRY_AFTER_S.get(error.code, 5))


def wants_json(request: HttpRequest) -> bool:
    """Return whether a program asked rather than a person's browser."""
    return request.path.startswith(
        ("/api/", "/internal/", "/hooks/")
    ) or "application/json" in request.headers.get("Accept", "")


class ErrorReplyMiddleware:
    """Turns a PyAgentError that rises out of a view into a reply: JSON, an htmx notice, or a page; and a number in the address
    that is too large into the same reply as an absent thing.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        # Django's own reply is empty; a browser that opens the address of a form would show its own broken page.
        if isinstance(response, HttpResponseNotAllowed) and not response.content:
            allowed = response["Allow"]
            response = error_reply(request, WrongMethod(), 405)
            response["Allow"] = allowed
        return response

    def process_view(
        self, request: HttpRequest, view: Any, args: Any, kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """Return that there is no such thing for a number that no database holds; else go on."""
        if any(isinstance(value, int) and value > BIGGEST_ID for value in kwargs.values()):
            return error_reply(request, NotFound(), 404)
        return None

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Return the reply for a known error, None to let others rise."""
        if isinstance(error, DATABASE_AWAY):
            return database_away_reply(request, error)
        if isinstance(error, UNSTORABLE):
            error = unstorable()
        if isinstance(error, RedisError):
            log.error("Redis does not answer", path=request.path, error=str(error))
            return error_reply(request, redis_away(), STATUS[Unavailable.code])
        if not isinstance(error, PyAgentError):
            return None
        status = status_of(error)
        log_failure(request, error, status)
        return error_reply(request, error, status)


def database_away_reply(request: HttpRequest, error: Exception) -> HttpResponse:
    """Return a 503 made without the database: who is signed in cannot be asked."""
    log.error("the database does not answer", path=request.path, error=str(error))
    body = Unavailable(
        "The database does not answer at the moment. Nothing was changed; try again."
    ).to_dict()
    response: HttpResponse
    if wants_json(request):
        response = JsonResponse({"error": body}, status=503)
    else:
        response = HttpResponse(render_to_string("500.html"), status=503)
    response["Retry-After"] = "5"
    return response


def error_reply(request: HttpRequest, error: PyAgentError, status: int) -> HttpResponse:
    """Return the reply that suits whoever asked."""
    body = body_of(error)
    response: HttpResponse
    if wants_json(request):
        response = JsonResponse({"error": body}, status=status, json_dumps_params={"default": str})
    elif request.headers.get("HX-Request"):
        response = render(request, "_notice.html", {"error": body}, status=status)
        response["HX-Retarget"], response["HX-Reswap"] = "#notices", "beforeend"
    else:
        response = render(request, "error.html", {"error": body, "status": status}, status=status)
    say_when_to_retry(response, error, status)
    return response
