"""Doors for the worker that holds a run: the one place where a stored key leaves the web app, and what may still be spent."""

from __future__ import annotations

import hmac
import time
from typing import Any, Final
from uuid import UUID

import orjson
import redis
from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST

from webapp import vault
from webapp.agents import routes, spending
from webapp.agents.models import Run
from webapp.errors import Forbidden, Invalid, NotFound, TooMany, Unavailable
from webapp.events.counting import count_within
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
PER_RUN: Final = 20
WINDOW_S: Final = 60
STARTING_S: Final = 5.0
MAX_BODY_BYTES: Final = 4_096


def _is_from_engine(request: HttpRequest) -> bool:
    given = request.headers.get("X-PyAgent-Internal", "").encode()
    return hmac.compare_digest(given, settings.INTERNAL_TOKEN.encode())


def _read(request: HttpRequest) -> tuple[str, int, str]:
    """Return run, fence and the name of a credential; that is empty at doors which need none."""
    try:
        body: Any = orjson.loads(request.body[: MAX_BODY_BYTES + 1])
        run_id, fence, ref = body["run_id"], body["fence"], body.get("credential_ref", "")
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise Invalid("Send run_id, fence and what is asked for as JSON.") from error
    if (
        not isinstance(run_id, str)
        or not isinstance(ref, str)
        or type(fence) is not int
        or not 0 < fence < 2**31
    ):
        raise Invalid("Send run_id, fence and what is asked for as JSON.")
    return run_id, fence, ref


def _slow_down(run_id: str) -> None:
    if count_within(f"pyagent:credentials:{run_id}", WINDOW_S) > PER_RUN:
        raise TooMany("This run has asked too often.", retry_after_s=WINDOW_S)


def _holding_run(run_id: str, fence: int, ref: str | None, *, wait_s: float = STARTING_S) -> Run | None:
    """Return the run that this worker holds. A worker asks as soon as it has begun, often before the relay has written that."""
    try:
        key = UUID(run_id)
    except ValueError:
        return None
    ends_at = time.monotonic() + wait_s
    while True:
        run = Run.objects.select_related("model_profile", "workspace").filter(pk=key, fence=fence).first()
        if run is None or (ref is not None and routes.profile_named(run, ref) is None):
            return None
        if run.status == Run.Status.RUNNING:
            return run
        if run.status != Run.Status.QUEUED or run.rung_at is None or time.monotonic() >= ends_at:
            return None
        time.sleep(0.05)


@csrf_exempt
@require_POST
@sensitive_variables("secret")
def credentials(request: HttpRequest) -> JsonResponse:
    """Return `{"secret": …}` of a profile that this running run may use; say nothing more in any other case."""
    if not _is_from_engine(request):
        raise Forbidden("This address is for the engine.")
    run_id, fence, ref = _read(request)
    _slow_down(run_id[:64])
    run = _holding_run(run_id, fence, ref)
    profile = routes.profile_named(run, ref) if run is not None else None
    if run is None or profile is None or not profile.sealed_key:
        log.warning("credential refused", run_id=run_id[:64], fence=fence)
        raise NotFound("There is no such credential for this run.")
    secret = vault.unseal(profile.sealed_key)
    log.info("credential handed out", run_id=str(run.pk), fence=fence, profile_id=profile.pk)
    response = JsonResponse({"secret": secret})
    response["Cache-Control"] = "no-store"
    return response


@csrf_exempt
@require_POST
def spend(request: HttpRequest) -> JsonResponse:
    """Write into Redis what may still be spent, for the worker that holds this run; tell it nothing else."""
    if not _is_from_engine(request):
        raise Forbidden("This address is for the engine.")
    run_id, fence, _ = _read(request)
    _slow_down(run_id[:64])
    run = _holding_run(run_id, fence, None)
    if run is None:
        raise NotFound("There is no such run.")
    try:
        spending.seed(run)
    except redis.RedisError as error:
        raise Unavailable("Redis is away; ask again.", retry_after_s=2) from error
    return JsonResponse({"is_seeded": True})
