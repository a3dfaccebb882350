"""What went wrong, as the classes of `workers.errors`: from HTTP answers and the clients' exceptions.

The official clients keep requests (with their keys) on their exceptions. So an error that leaves this
package is always built anew, from a cleaned message, and never chained to the client's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from workers.errors import (
    ContextTooLong,
    ProviderAuthFailed,
    ProviderBadReply,
    ProviderCutOff,
    ProviderError,
    ProviderRateLimited,
    ProviderRejected,
    ProviderTimeout,
    ProviderUnavailable,
)

_TOO_LONG = re.compile(
    r"context.?(length|size|window)|maximum context|(prompt|input) is too long|too many (input )?tokens"
    r"|exceed.{0,40}(context|tokens)",
    re.IGNORECASE,
)
_NO_MONEY = re.compile(r"insufficient.?quota|credit balance|billing", re.IGNORECASE)
_KEY_LIKE = re.compile(r"\b(sk|pk|key|Bearer)[-_ ][\w*.\-]{6,}", re.IGNORECASE)
_PREFIX = re.compile(r"^Error code: \d+ - ")  # the official clients' own, and said already
# Anthropic and several compatible servers report an error inside a stream that began with 200, by its
# type's name.
_STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "exceed_context_size_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "server_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


def clean(text: str, *, secret: str | None = None, limit: int = 300) -> str:
    """Return `text` on one line, cut to `limit`, without `secret` or anything that looks like a key."""
    if secret:
        text = text.replace(secret, "[secret]")
    text = _KEY_LIKE.sub("[secret]", text[: 20 * limit])
    text = "".join(char if char.isprintable() else " " for char in text)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def retry_after_s(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Return the wait that a provider asks for in seconds, or None when it asks for none that can be read."""
    value = headers.get("retry-after-ms")
    try:
        if value is not None:
            return max(0.0, float(value) / 1000)
        value = headers.get("retry-after")
        return None if value is None else max(0.0, float(value))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(str(value))
    except ValueError:
        return None
    return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())


def fault_of_status(
    status: int, message: str, *, headers: Mapping[str, str], secret: str | None = None
) -> ProviderError:
    """Return the error for an HTTP answer with this status and message."""
    said = clean(message, secret=secret) or f"HTTP {status}"
    if status in (401, 403):
        return ProviderAuthFailed(status=status)  # its message may quote a part of the key
    if status == 429:
        if _NO_MONEY.search(message):
            return ProviderRejected(f"the provider's account has no credit left: {said}", status=status)
        return ProviderRateLimited(retry_after_s=retry_after_s(headers))
    if _TOO_LONG.search(message):
        return ContextTooLong(status=status)
    if status in (408, 504):
        return ProviderTimeout(f"the provider's own time limit passed: {said}", status=status)
    if status >= 500:
        wait_s = retry_after_s(headers)
        return ProviderUnavailable(
            f"the provider answered {status}: {said}", status=status, retry_after_s=wait_s
        )
    if 300 <= status < 400:
        return ProviderRejected("the endpoint redirects elsewhere; redirects are not followed", status=status)
    return ProviderRejected(f"the provider refused the request ({status}): {said}", status=status)


def fault_of_body(body: Any, message: str, *, secret: str | None = None) -> ProviderError:
    """Return the error for one that a provider reported inside a running stream."""
    error = body.get("error", body) if isinstance(body, Mapping) else {}
    error = error if isinstance(error, Mapping) else {}
    code = error.get("code")
    status = _STATUS_OF_TYPE.get(str(error.get("type")), 500)
    if isinstance(code, int) and 300 <= code < 600:
        status = code
    return fault_of_status(status, str(error.get("message") or message), headers={}, secret=secret)


def fault_of(error: Exception, *, secret: str | None) -> ProviderError:
    """Return the error that stands for one raised by a provider's client or by reading its answer.

    Raises:
        Exception: `error` itself, when it is none of theirs but a mistake of ours.
    """
    for inner in _chain(error):
        if isinstance(inner, ProviderError):  # raised below the client, by our own transport
            return inner
    names = {kind.__name__ for kind in type(error).__mro__}
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and status >= 300:
        response = getattr(error, "response", None)
        headers = getattr(response, "headers", {})
        return fault_of_status(status, _message_of(error), headers=headers, secret=secret)
    if isinstance(error, TimeoutError) or names & {"APITimeoutError", "TimeoutException"}:
        return ProviderTimeout("the provider did not answer in time")
    if isinstance(error, ConnectionError) or names & {"APIConnectionError", "TransportError", "StreamError"}:
        return _connection_fault(error)
    if names & {"APIError", "APIStatusError", "ResponseError"}:
        return fault_of_body(getattr(error, "body", None), _message_of(error), secret=secret)
    is_unreadable = names & {
        "JSONDecodeError",
        "UnicodeDecodeError",
        "ValidationError",
        "APIResponseValidationError",
    }
    if is_unreadable:
        return ProviderBadReply("the provider's answer cannot be read")
    raise error


def _connection_fault(error: Exception) -> ProviderError:
    for inner in _chain(error):
        if type(inner).__name__ in ("RemoteProtocolError", "ReadError", "IncompleteRead"):
            return ProviderCutOff()
    return ProviderUnavailable("the provider cannot be reached")


def _message_of(error: Exception) -> str:
    message = getattr(error, "message", None) or getattr(error, "error", None) or str(error)
    return _PREFIX.sub("", str(message))


def _chain(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    inner: BaseException | None = error
    while inner is not None and inner not in found:
        found.append(inner)
        inner = inner.__cause__ or inner.__context__
    return found
