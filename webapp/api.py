"""The REST API under /api/v1: one NinjaAPI, a router per app, keys and sessions as sign-in, one error shape."""

from __future__ import annotations

from typing import Annotated, Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import DataError
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from ninja import Field, NinjaAPI, Schema
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.security import APIKeyHeader, SessionAuth
from pydantic import ConfigDict

from webapp.errors import body_of, log_failure, say_when_to_retry, status_of, unstorable
from webapp.seen import DIGEST_CHARS
from workers.errors import PyAgentError


class ErrorBody(Schema):
    """What went wrong: a stable code, words for people, whether trying again can help, and facts."""

    code: str
    message: str
    retryable: bool = False
    facts: dict[str, Any] = {}


class Body(Schema):
    """What a request says. A field that does not exist is refused: a slip of the pen would be left out in silence."""

    model_config = ConfigDict(extra="forbid")


class ErrorReply(Schema):
    """The body of every reply that is not a success."""

    error: ErrorBody


SeenIn = Annotated[
    str | None,
    Field(
        max_length=DIGEST_CHARS,
        description="What `seen` was when you read it. Where it says something else by now, nothing is saved and the answer "
        "is 409, whose facts give the new `seen`. Left out, whatever stands there is replaced.",
        examples=["5f2c8a90d1e3b764"],
    ),
]
SeenOut = Annotated[
    str,
    Field(
        description="Give it back when you change this, so that nobody's words are replaced unread.",
        examples=["5f2c8a90d1e3b764"],
    ),
]


class KeyAuth(APIKeyHeader):
    """`Authorization: Bearer pya_…`, or `X-API-Key: pya_…`."""

    param_name = "X-API-Key"

    def _get_key(self, request: HttpRequest) -> str | None:
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        return value if scheme.lower() == "bearer" else request.headers.get(self.param_name)

    def authenticate(self, request: HttpRequest, key: str | None) -> Any:
        """Return the person whose key it is, with the key's scopes and workspace bound to them, or None."""
        from webapp.accounts.services import authenticate_key

        user = authenticate_key(key) if key else None
        if user is not None:
            request.user = user
        return user


class DocumentedAPI(NinjaAPI):
    """Adds to each operation what any may meet: 503 while the database is away, and with a body 413 and 422."""

    def get_openapi_schema(self, *args: Any, **kwargs: Any) -> Any:
        """Return the schema with those answers."""
        schema = super().get_openapi_schema(*args, **kwargs)
        reply = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorReply"}}}}
        for path in schema["paths"].values():
            for operation in path.values():
                operation["responses"].setdefault(503, {"description": "Not available now", **reply})
                if "requestBody" in operation:
                    operation["responses"].setdefault(413, {"description": "Too large", **reply})
                    operation["responses"].setdefault(422, {"description": "Not acceptable", **reply})
        return schema


api = DocumentedAPI(
    title="PyAgent",
    version="1",
    description="Everything a page does can be done here with an API key.",
    # Pages ask the same API with their session; that way asks for the CSRF token too.
    auth=[KeyAuth(), SessionAuth(csrf=True)],
    docs_url=None,
    urls_namespace="api",
)


def _reply(request: HttpRequest, status: int, code: str, message: str, **facts: Any) -> HttpResponse:
    return api.create_response(
        request,
        {"error": {"code": code, "message": message, "retryable": False, "facts": facts}},
        status=status,
    )


@api.exception_handler(PyAgentError)
def _named(request: HttpRequest, error: PyAgentError) -> HttpResponse:
    status = status_of(error)
    log_failure(request, error, status)
    response = api.create_response(request, {"error": body_of(error)}, status=status)
    say_when_to_retry(response, error, status)
    return response


@api.exception_handler(DataError)
def _unstorable(request: HttpRequest, error: DataError) -> HttpResponse:
    return _named(request, unstorable())


@api.exception_handler(ValidationError)
def _validation(request: HttpRequest, error: ValidationError) -> HttpResponse:
    fields = [
        {"where": ".".join(str(part) for part in item["loc"]), "what": item["msg"]} for item in error.errors
    ]
    return _reply(request, 422, "invalid", "Some fields cannot be accepted.", fields=fields)


@api.exception_handler(AuthenticationError)
def _unauthenticated(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    response = _reply(request, 401, "unauthenticated", "Send an API key as `Authorization: Bearer pya_…`.")
    response["WWW-Authenticate"] = "Bearer"
    return response


@api.exception_handler(HttpError)
def _http(request: HttpRequest, error: HttpError) -> HttpResponse:
    # A body that is not even JSON is as unacceptable as one with wrong fields: one status for both.
    if error.status_code == 400:
        return _reply(request, 422, "invalid", "The body is not valid JSON.")
    return _reply(
        request, error.status_code, "forbidden" if error.status_code == 403 else "refused", error.message
    )


@api.exception_handler(MultiPartParserError)
def _multipart(request: HttpRequest, error: MultiPartParserError) -> HttpResponse:
    return _reply(request, 422, "invalid", f"The form cannot be read: {error}")


@api.exception_handler(RequestDataTooBig)
def _too_large(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
    return _reply(
        request,
        413,
        "too_large",
        "The body is larger than 12 MB.",
        limit_bytes=settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
    )


api.add_router("", "webapp.accounts.api.router")
api.add_router("/workspaces", "webapp.workspaces.api.router")
api.add_router("/workspaces", "webapp.codehealth.api.router")
api.add_router("/workspaces", "webapp.learning.api.router")
api.add_router("/workspaces", "webapp.editor.api.router")
api.add_router("/workspaces", "webapp.editor.git_api.router")
api.add_router("", "webapp.agents.api.router")
api.add_router("/workspaces", "webapp.chat.api.router")
api.add_router("/workspaces", "webapp.reviews.api.router")
api.add_router("/workspaces", "webapp.unattended.api.router")
api.add_router("", "webapp.fleet.api.router")
