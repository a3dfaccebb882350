"""The embedded queue, for real: private, durable, back after a kill."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import redis

from workers.supervisor import programs
from workers.supervisor.child import start
from workers.supervisor.lines import Lines
from workers.supervisor.readiness import answers_ping, shut_down
from workers.supervisor.settings import Settings, make_home, read_settings
from workers.supervisor.supervisor import Supervisor


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = read_settings({"PYAGENT_HOME": str(tmp_path / "home")})
    make_home(made.home)
    return made


@pytest.fixture
async def supervisor() -> AsyncIterator[Supervisor]:
    opened = Supervisor(lines=Lines())
    await opened.open()
    yield opened
    await opened.close()


async def test_keeps_what_it_was_told_when_it_is_killed(supervisor: Supervisor, settings: Settings) -> None:
    child = supervisor.add(programs.valkey(settings))
    assert await supervisor.wait_for(lambda: answers_ping(settings.socket_path), within_s=20)
    client = redis.Redis(unix_socket_path=str(settings.socket_path))
    client.set("kept", "yes")
    await asyncio.sleep(1.2)  # appendfsync everysec
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert await supervisor.wait_for(lambda: _is_back(child, first, settings), within_s=20)
    assert client.get("kept") == b"yes"
    client.close()


async def _is_back(child: object, first: int, settings: Settings) -> bool:
    pid = getattr(child, "pid")  # noqa: B009 - read anew each time
    return pid not in (None, first) and await answers_ping(settings.socket_path)


async def test_is_deaf_to_the_network_and_closed_to_others(
    supervisor: Supervisor, settings: Settings
) -> None:
    child = supervisor.add(programs.valkey(settings))
    assert await supervisor.wait_for(lambda: answers_ping(settings.socket_path), within_s=20)
    assert stat.S_IMODE(settings.socket_path.stat().st_mode) == 0o700
    assert psutil.Process(child.pid).net_connections("inet") == []


async def test_ends_a_server_that_an_earlier_run_left_behind(settings: Settings) -> None:
    program = programs.valkey(settings)
    process = await start(program.argv, env=program.env, folder=settings.home)
    for _ in range(200):
        if await answers_ping(settings.socket_path):
            break
        await asyncio.sleep(0.05)
    assert await shut_down(settings.socket_path)
    assert await asyncio.wait_for(process.wait(), 10) == 0
    assert not await shut_down(settings.socket_path)


async def test_leaves_alone_what_this_process_had_started_before(settings: Settings) -> None:
    program = programs.valkey(settings)
    process = await start(program.argv, env=program.env, folder=settings.home)
    opened = Supervisor(lines=Lines())
    await opened.open()
    await opened.close()
    assert process.returncode is None
    assert psutil.pid_exists(process.pid)
    process.kill()
    await process.wait()
