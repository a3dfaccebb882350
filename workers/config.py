"""Settings of the engine, read once from the environment: one name each, the same names as the web app's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from workers.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Config:
    """What a process of the engine needs to know about where it runs."""

    home: Path
    redis_url: str
    internal_url: str
    """Base URL of the web app as this machine reaches it, for credentials."""
    internal_token_file: Path
    model_url: str
    """Base URL of the embedded model server."""
    model_context_tokens: int = 4096
    """How much one conversation with the embedded model may hold."""
    allow_private_endpoints: bool = True
    """Whether model endpoints on loopback and private addresses may be called (Ollama is usually local)."""

    @property
    def workspaces_dir(self) -> Path:
        return self.home / "workspaces"

    def workspace_root(self, workspace_id: int) -> Path:
        """Return the folder that holds one workspace's repository, files, vault and worktrees."""
        return self.workspaces_dir / str(int(workspace_id))


def read_secret(name: str, env: Mapping[str, str], default: str = "") -> str:
    """Return setting `name`, or the content of the file that `name`_FILE points to.

    Raises:
        ConfigError: the file is named but cannot be read.
    """
    if path := env.get(f"{name}_FILE"):
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            raise ConfigError(f"{name}_FILE cannot be read: {error.strerror}", path=path) from error
    return env.get(name, default)


def read_int(name: str, env: Mapping[str, str], default: int) -> int:
    """Return setting `name` as a whole number.

    Raises:
        ConfigError: it is none.
    """
    try:
        return int(env.get(name) or default)
    except ValueError as error:
        raise ConfigError(f"{name} must be a whole number", name=name) from error


def read_bool(name: str, env: Mapping[str, str], default: bool) -> bool:
    """Return setting `name` as yes or no.

    Raises:
        ConfigError: it is neither.
    """
    value = env.get(name, "").strip().lower()
    if not value:
        return default
    if value in ("1", "true", "yes", "on"):
        return True
    if value in ("0", "false", "no", "off"):
        return False
    raise ConfigError(f"{name} must be 1 or 0", name=name)


def home_dir(env: Mapping[str, str]) -> Path:
    """Return PYAGENT_HOME as an absolute path; `./var` when it is not set."""
    return Path(env.get("PYAGENT_HOME", "var")).absolute()


def load_config(env: Mapping[str, str]) -> Config:
    """Return the configuration that `env` describes."""
    home = home_dir(env)
    port = env.get("PORT", "8000")
    return Config(
        home=home,
        redis_url=read_secret("REDIS_URL", env, f"unix://{home}/run/valkey.sock"),
        internal_url=env.get("PYAGENT_INTERNAL_URL", f"http://127.0.0.1:{port}"),
        internal_token_file=Path(
            env.get("PYAGENT_INTERNAL_TOKEN_FILE", str(home / "keys" / "internal-token"))
        ),
        model_url=env.get(
            "PYAGENT_MODEL_URL", f"http://127.0.0.1:{env.get('PYAGENT_MODEL_PORT', '8091')}/v1"
        ),
        model_context_tokens=read_int("PYAGENT_MODEL_CONTEXT", env, 4096),
        allow_private_endpoints=read_bool("PYAGENT_ALLOW_PRIVATE_ENDPOINTS", env, True),
    )


@cache
def get_config() -> Config:
    """Return this process's configuration; read once."""
    return load_config(os.environ)
