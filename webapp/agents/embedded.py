"""Whether the embedded model is ready, as its server says it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

import httpx

from workers.config import get_config

CACHE_S = 3.0
TIMEOUT_S = 1.5


@dataclass(frozen=True, slots=True)
class ModelServerState:
    """What the page shows: `state` and a sentence."""

    state: Literal["ready", "loading", "unavailable"]
    note: str


_seen: dict[str, tuple[float, ModelServerState]] = {}


def health_url(model_url: str) -> str:
    """Return where the model server tells its health: beside its API, not under it."""
    return model_url.rstrip("/").removesuffix("/v1") + "/health"


def ask(url: str) -> ModelServerState:
    """Return what the server at `url` says about itself."""
    try:
        reply = httpx.get(url, timeout=TIMEOUT_S, trust_env=False)
    except httpx.HTTPError:
        return ModelServerState(
            "unavailable", "The model server does not answer. Agents that need no model work all the same."
        )
    if reply.status_code == 200:
        return ModelServerState("ready", "Ready. A model this small can chat; it cannot program.")
    if reply.status_code == 503:
        return ModelServerState("loading", "The model is being loaded; this takes a few seconds.")
    return ModelServerState("unavailable", f"The model server answers {reply.status_code}.")


def state(*, now: float | None = None) -> ModelServerState:
    """Return the embedded model's state; the server is asked at most every three seconds."""
    url = health_url(get_config().model_url)
    now = time.monotonic() if now is None else now
    if url in _seen and now - _seen[url][0] < CACHE_S:
        return _seen[url][1]
    found = ask(url)
    _seen[url] = (now, found)
    return found
