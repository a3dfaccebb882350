"""The door that programs knock on. No session counts here: a call proves itself by the webhook's secret, or learns nothing."""

from __future__ import annotations

from allauth.account.adapter import get_adapter
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from webapp.errors import TooLarge
from webapp.unattended.services import delivering


@csrf_exempt
@require_POST
def hook(request: HttpRequest, public_id: str) -> JsonResponse:
    """Take a delivery; 202 says that it was taken, now or before."""
    declared = request.META.get("CONTENT_LENGTH") or "0"
    if not declared.isdigit() or int(declared) > delivering.MAX_BODY_BYTES:
        raise TooLarge("A delivery has 1 MiB at most.", limit_bytes=delivering.MAX_BODY_BYTES)
    outcome = delivering.receive(
        public_id,
        headers=request.headers,
        body=request.body,
        address=get_adapter().get_client_ip(request),
    )
    return JsonResponse({"status": outcome}, status=202)
