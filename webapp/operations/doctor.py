"""What `doctor`, `/readyz` and the owner's page tell about each component: which, where, healthy, and why not."""

from __future__ import annotations

import importlib.metadata
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import redis
from django.conf import settings
from django.db import connection
from kombu.exceptions import OperationalError

from webapp.events.publish import redis_client
from workers.config import get_config
from workers.errors import PyAgentError
from workers.queue import read_fleet
from workers.sandbox import check_mechanism

RELAY_HEARTBEAT_KEY = "pyagent:relay:heartbeat"


@dataclass(frozen=True, slots=True)
class Finding:
    """One component: `is_needed` says whether the product stands still without it."""

    component: str
    which: str
    where: str
    is_healthy: bool
    why: str = ""
    is_needed: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as plain values."""
        return asdict(self)


def _database() -> Finding:
    which = connection.vendor
    parts = connection.settings_dict
    where = (
        str(parts["NAME"])
        if which == "sqlite"
        else f"{parts.get('HOST') or 'local socket'}:{parts.get('PORT') or 5432}/{parts['NAME']}"
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT sqlite_version()" if which == "sqlite" else "SHOW server_version")
        version = cursor.fetchone()[0]
    return Finding("database", f"{which} {version}", where, True)


def _redis() -> Finding:
    info = redis_client().info("server")
    name = "Valkey" if "valkey_version" in info else "Redis"
    return Finding(
        "redis",
        f"{name} {info.get('valkey_version') or info['redis_version']}",
        get_config().redis_url.rpartition("@")[2],
        True,
    )


def _workers() -> Finding:
    from workers.celery import app

    with app.connection_for_write() as broker:
        answers = app.control.inspect(timeout=1.0, connection=broker).ping() or {}
    if not answers:
        return Finding(
            "workers",
            "Celery",
            "",
            False,
            "No worker answers. Start one: celery -A workers.celery worker -Q cpu,gpu",
        )
    return Finding("workers", f"Celery, {len(answers)} answering", ", ".join(sorted(answers)), True)


def _relay() -> Finding:
    beat = redis_client().get(RELAY_HEARTBEAT_KEY)
    age_s = time.time() - float(beat) if beat else None
    if age_s is None or age_s > 15:
        return Finding(
            "relay",
            "python manage.py relay",
            "",
            False,
            "No heartbeat for 15 s. Start it: python manage.py relay",
        )
    return Finding("relay", "python manage.py relay", f"heartbeat {age_s:.0f} s ago", True)


def _fleet() -> Finding:
    state = read_fleet(redis_client())
    which = "python -m workers.node"
    if state is None:
        why = "No node process leads the fleet, so runs stay queued. Start one: python -m workers.node"
        return Finding("fleet", which, "", False, why)
    slots = sum(node.slots for node in state.nodes)
    devices = sum(len(node.devices) for node in state.nodes)
    gpus = f"{devices} GPU{'s' if devices != 1 else ''}" if devices else "no GPU"
    nodes = f"{len(state.nodes)} node{'s' if len(state.nodes) != 1 else ''}"
    where = f"led by {state.leader}; {nodes}, {slots} slots, {gpus}"
    return Finding("fleet", which, where, slots > 0, "" if slots else "No worker has announced itself.")


def _model() -> Finding:
    url = get_config().model_url.removesuffix("/v1") + "/health"
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:  # noqa: S310 (our own configured address)
            is_ready = reply.status == 200
    except urllib.error.HTTPError as error:
        return Finding(
            "embedded model",
            "SmolLM2-135M-Instruct",
            url,
            False,
            f"still loading ({error.code})",
            is_needed=False,
        )
    except OSError as error:
        return Finding(
            "embedded model",
            "SmolLM2-135M-Instruct",
            url,
            False,
            f"does not answer: {error}",
            is_needed=False,
        )
    return Finding("embedded model", "SmolLM2-135M-Instruct", url, is_ready, is_needed=False)


def _sandbox() -> Finding:
    mechanism = check_mechanism()
    return Finding(
        "sandbox",
        f"{mechanism.name} {mechanism.version}",
        shutil.which("bwrap") or "",
        mechanism.is_available,
        mechanism.reason or "",
    )


def _rust_core() -> Finding:
    import rust_core

    return Finding(
        "rust core",
        f"rust_core {importlib.metadata.version('rust_core')}",
        str(Path(rust_core.__file__ or "").parent),
        True,
    )


def _git() -> Finding:
    path = shutil.which("git") or ""
    return Finding("git", "git", path, bool(path), "" if path else "Install git.")


def _disk() -> Finding:
    usage = shutil.disk_usage(settings.PYAGENT_HOME)
    free_gb = usage.free / 1e9
    is_enough = free_gb > 1
    return Finding(
        "disk",
        f"{free_gb:.1f} GB free",
        str(settings.PYAGENT_HOME),
        is_enough,
        "" if is_enough else "Less than 1 GB is free; saves may be refused soon.",
    )


def _front_end() -> Finding:
    is_built = settings.ASSET_MANIFEST.exists()
    return Finding(
        "front end",
        "static/dist",
        str(settings.ASSET_MANIFEST.parent),
        is_built,
        "" if is_built else "Run `make web`.",
    )


CHECKS: dict[str, Callable[[], Finding]] = {
    "database": _database,
    "redis": _redis,
    "relay": _relay,
    "workers": _workers,
    "fleet": _fleet,
    "sandbox": _sandbox,
    "rust core": _rust_core,
    "git": _git,
    "front end": _front_end,
    "embedded model": _model,
    "disk": _disk,
}


def examine(only: tuple[str, ...] = ()) -> list[Finding]:
    """Return a finding for each component; one that cannot even be asked is unhealthy with the reason."""
    findings = []
    for name, check in CHECKS.items():
        if only and name not in only:
            continue
        try:
            findings.append(check())
        except (PyAgentError, ImportError, OSError) as error:
            findings.append(Finding(name, "", "", False, str(error)))
        except (redis.RedisError, OperationalError):
            where = get_config().redis_url.rpartition("@")[2]
            why = "Nothing answers here. Start PyAgent with `make run`, or set REDIS_URL."
            findings.append(Finding(name, "needs Redis or Valkey", where, False, why))
        except Exception as error:
            # Drivers raise errors of their own; whatever it is, an operator wants to read it and the other components.
            findings.append(Finding(name, "", "", False, f"{type(error).__name__}: {error}"))
    return findings
