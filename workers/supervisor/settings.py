"""What the environment asks for, checked before anything starts."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from workers.config import home_dir, read_int, read_secret
from workers.errors import ConfigError
from workers.supervisor.errors import AlreadyRunning, PortTaken

MODEL_PORT = 8091
# sockaddr_un holds 108 bytes, the last of them zero.
MAX_SOCKET_PATH = 107


@dataclass(frozen=True, slots=True)
class Settings:
    """Where everything is, and which parts somebody else already runs."""

    home: Path
    host: str
    port: int
    has_own_redis: bool
    """False when REDIS_URL names a server that the operator runs."""
    has_own_model: bool
    """False when PYAGENT_MODEL_URL names one."""
    model_port: int
    worker_processes: int
    log_format: str

    @property
    def socket_path(self) -> Path:
        return self.home / "run" / "valkey.sock"

    @property
    def probe_host(self) -> str:
        """The address under which this machine reaches its own pages."""
        if self.host in ("0.0.0.0", ""):  # noqa: S104 - compared, not bound
            return "127.0.0.1"
        return "::1" if self.host == "::" else self.host


def read_settings(env: Mapping[str, str]) -> Settings:
    """Return the settings of `env`.

    Raises:
        ConfigError: a value makes no sense.
    """
    port = read_int("PORT", env, 8000)
    if not 0 < port < 65536:
        raise ConfigError(f"PORT={port} is no port; choose one between 1 and 65535", port=port)
    settings = Settings(
        home=home_dir(env),
        host=env.get("PYAGENT_HOST", "127.0.0.1"),
        port=port,
        has_own_redis=not read_secret("REDIS_URL", env),
        has_own_model=not env.get("PYAGENT_MODEL_URL"),
        model_port=read_int("PYAGENT_MODEL_PORT", env, 0),
        worker_processes=max(read_int("PYAGENT_WORKERS", env, 2), 1),
        log_format=env.get("PYAGENT_LOG", ""),
    )
    if settings.has_own_redis and len(os.fsencode(settings.socket_path)) > MAX_SOCKET_PATH:
        raise ConfigError(
            f"PYAGENT_HOME={settings.home} is too long a path for a unix socket; choose a shorter one",
            path=str(settings.home),
        )
    return settings


def make_home(home: Path) -> None:
    """Make PYAGENT_HOME and its folders, closed to everybody else.

    Raises:
        ConfigError: it cannot be made, or belongs to somebody else.
    """
    try:
        for folder in (home, home / "keys", home / "run", home / "valkey"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if stat.S_IMODE(folder.stat().st_mode) & 0o077:
                folder.chmod(0o700)
    except OSError as error:
        raise ConfigError(f"PYAGENT_HOME={home} cannot be used: {error.strerror}", path=str(home)) from error


@contextlib.contextmanager
def hold_home(home: Path) -> Iterator[None]:
    """Keep every other supervisor out of `home` for as long as the block runs, a kill -9 included.

    Raises:
        AlreadyRunning: another one is in.
    """
    path = home / "run" / "supervisor.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 32).decode().strip() or "?"
            raise AlreadyRunning(
                f"PyAgent already runs on {home} (process {holder}). "
                "Stop it, or give this one another PYAGENT_HOME and PORT.",
                path=str(home),
            ) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def is_port_free(host: str, port: int) -> bool:
    """Return whether a server could listen there.

    Raises:
        ConfigError: this machine has no such address.
    """
    with socket.socket(_family(host), socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            # With SO_REUSEADDR a bind succeeds beside one that is bound and does not listen yet; listening
            # decides.
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise ConfigError(f"cannot listen on {host} port {port}: {error.strerror}", host=host) from error
    return True


def check_port(host: str, port: int) -> None:
    """Raise PortTaken when the pages could not be served there."""
    if not is_port_free(host, port):
        raise PortTaken(
            f"Port {port} is taken by another program. Stop that one, or choose another: make run PORT={port + 1}",
            port=port,
        )


def choose_model_port(asked: int) -> int:
    """Return the model server's port: the asked one, else the usual one, else any that is free.

    Raises:
        PortTaken: the operator asked for one that is taken.
    """
    if asked:
        if not is_port_free("127.0.0.1", asked):
            raise PortTaken(f"Port {asked} (PYAGENT_MODEL_PORT) is taken by another program.", port=asked)
        return asked
    if is_port_free("127.0.0.1", MODEL_PORT):
        return MODEL_PORT
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
