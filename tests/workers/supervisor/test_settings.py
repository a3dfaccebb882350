"""A start that cannot work is refused before anything has started, with a line that says what to do."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from workers.errors import ConfigError
from workers.supervisor import programs
from workers.supervisor.errors import AlreadyRunning, PortTaken
from workers.supervisor.settings import (
    MODEL_PORT,
    check_port,
    choose_model_port,
    hold_home,
    is_port_free,
    make_home,
    read_settings,
)

ROOT = Path(__file__).parents[3]


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def start(home: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "workers.supervisor"],
        cwd=ROOT,
        env={**os.environ, "PYAGENT_HOME": str(home), **env},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_refuses_a_taken_port_before_anything_starts(tmp_path: Path, taken_port: int) -> None:
    done = start(tmp_path / "home", PORT=str(taken_port))
    assert done.returncode == 2
    assert done.stdout.count("\n") == 1
    assert f"Port {taken_port} is taken by another program" in done.stdout
    assert f"PORT={taken_port + 1}" in done.stdout
    assert list((tmp_path / "home" / "valkey").iterdir()) == []


def test_refuses_a_second_start_on_the_same_home(tmp_path: Path) -> None:
    make_home(tmp_path / "home")
    with hold_home(tmp_path / "home"):
        done = start(tmp_path / "home", PORT="8")
        assert done.returncode == 2
        assert f"already runs on {tmp_path / 'home'} (process {os.getpid()})" in done.stdout
        with pytest.raises(AlreadyRunning), hold_home(tmp_path / "home"):
            pass
    with hold_home(tmp_path / "home"):
        pass


@pytest.mark.parametrize("port", ["0", "65536", "eighty", "-1"])
def test_refuses_a_port_that_is_none(tmp_path: Path, port: str) -> None:
    with pytest.raises(ConfigError, match="PORT"):
        read_settings({"PYAGENT_HOME": str(tmp_path), "PORT": port})


def test_refuses_a_home_too_deep_for_a_socket_unless_redis_is_elsewhere(tmp_path: Path) -> None:
    deep = str(tmp_path / ("x" * 120))
    with pytest.raises(ConfigError, match="too long"):
        read_settings({"PYAGENT_HOME": deep})
    assert not read_settings({"PYAGENT_HOME": deep, "REDIS_URL": "redis://elsewhere"}).has_own_redis


def test_makes_a_home_that_is_closed_to_others(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    make_home(home)
    for folder in (home, home / "keys", home / "run", home / "valkey"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    with pytest.raises(ConfigError, match="cannot be used"):
        (tmp_path / "file").write_text("")
        make_home(tmp_path / "file")


def test_finds_another_port_for_the_model_unless_one_was_asked_for(taken_port: int) -> None:
    with pytest.raises(PortTaken):
        choose_model_port(taken_port)
    with socket.socket() as listener:
        if is_port_free("127.0.0.1", MODEL_PORT):
            listener.bind(("127.0.0.1", MODEL_PORT))
            listener.listen()
        chosen = choose_model_port(0)
        assert chosen != MODEL_PORT
        check_port("127.0.0.1", chosen)


def test_keeps_the_web_apps_secrets_from_the_engine(tmp_path: Path) -> None:
    env = {
        "PYAGENT_SECRET_KEY": "s",
        "PYAGENT_VAULT_KEY_FILE": "v",
        "DATABASE_URL": "d",
        "EMAIL_HOST_PASSWORD": "e",
        "HOME": "/h",
    }
    settings = read_settings({"PYAGENT_HOME": str(tmp_path)})
    assert set(env) <= set(programs.web(settings, env).env)
    engine = (programs.worker, programs.node, programs.model)
    for program in (*(make(settings, env) for make in engine), programs.valkey(settings)):
        assert not (set(env) - {"HOME"}) & set(program.env), program.name
