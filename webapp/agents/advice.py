"""What a person can do about a failed run: one sentence per error code."""

from __future__ import annotations

from typing import Final

ADVICE: Final[dict[str, str]] = {
    "provider_auth_failed": "Type the key in again under Settings → Models, and test it there.",
    "provider_rejected": "Check the model's name and its limits under Settings → Models.",
    "provider_address_refused": "Change the model's address under Settings → Models.",
    "provider_timeout": "Try again; if it happens often, give it more time under Settings → Models, or choose a faster model.",
    "provider_unavailable": "The provider has trouble or cannot be reached; try again in a few minutes.",
    "provider_rate_limited": "Wait a little and try again, or choose another model.",
    "provider_bad_reply": "Try again; if it happens again, test the model under Settings → Models.",
    "provider_cut_off": "Try again; nothing was lost but this answer.",
    "context_too_long": "Ask for something smaller, or choose a model that can read more.",
    "budget_exceeded": "Ask for something smaller, or raise the budget of a run in the workspace’s settings, under Models.",
    "credential_refused": "Call the agent again; if this comes again, type the model's key in again under Settings → Models.",
    "credential_unavailable": "Try again in a moment.",
    "secret_unreadable": "The vault key has changed: type the model's key in again under Settings → Models.",
    "sandbox_unavailable": "Whoever runs this server can see what is missing with `python manage.py doctor`.",
    "relay_silent": "Try again; if it happens again, the relay process is not running.",
    "worker_lost": "Look at the last step: it most likely used too much memory. Ask for something smaller.",
    "storage_full": "The server's disk is full; whoever runs it has to make room.",
    "storage_failed": "The server's disk has a fault; whoever runs it has to look at it. Then try again.",
    "journal_damaged": "The message says what whoever runs this server has to do.",
    "backup_damaged": "The server's disk has lost data; whoever runs it has to look at it.",
    "kernel_too_old": "This server needs Linux 5.6 or newer; whoever runs it has to update it.",
    "conflict": "Try again when the workspace is ready.",
    "internal_error": "This is a fault of ours; the server's log has the details.",
}


def advice_for(code: str, *, is_retryable: bool) -> str:
    """Return what to do about this error; nothing when there is no error."""
    if not code or code == "run_cancelled":
        return ""
    return ADVICE.get(code, "Try again." if is_retryable else "Change the request and call the agent again.")
