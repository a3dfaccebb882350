"""The error pages that Django asks for itself."""

from __future__ import annotations

import sys

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

from webapp.errors import DATABASE_AWAY, NotFound, database_away_reply, error_reply


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return the same reply for an address that does not exist as for a thing that is hidden."""
    return error_reply(request, NotFound(), 404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Return a page that needs neither the database nor a session."""
    error = sys.exc_info()[1]
    if isinstance(error, DATABASE_AWAY):  # in a middleware; a view's errors do not come here
        return database_away_reply(request, error)
    if request.path.startswith("/api/"):
        body = {
            "code": "internal_error",
            "message": "Something went wrong on our side.",
            "retryable": False,
            "facts": {},
        }
        return JsonResponse({"error": body}, status=500)
    return HttpResponse(render_to_string("500.html"), status=500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Return a 403 that says what to do."""
    from webapp.errors import Forbidden

    return error_reply(
        request,
        Forbidden(
            "The form was open for too long, or came from elsewhere. Load the page again and send it once more."
        ),
        403,
    )
