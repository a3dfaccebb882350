"""`python -m workers.supervisor`: run PyAgent on this machine until Ctrl-C.

Exit status: 0 when asked to end, 1 when something that cannot be done without does not stay up, 2 when it
cannot start like this (a taken port, a setting that makes no sense).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace

from workers.errors import PyAgentError
from workers.supervisor import programs
from workers.supervisor.errors import SetUpFailed
from workers.supervisor.lines import Lines
from workers.supervisor.readiness import answers_health, answers_ping, shut_down
from workers.supervisor.settings import (
    Settings,
    check_port,
    choose_model_port,
    hold_home,
    make_home,
    read_settings,
)
from workers.supervisor.supervisor import Supervisor

QUEUE_READY_S, PAGES_READY_S = 60.0, 60.0
FORCED = 130


async def bring_up(supervisor: Supervisor, settings: Settings, env: Mapping[str, str], lines: Lines) -> None:
    """Start everything in order; say the URL once the pages are served.

    Node, worker and model come last: on a small machine their start would delay the first page.

    Raises:
        SetUpFailed: what the pages need did not come up.
    """
    if settings.has_own_redis:
        if await shut_down(settings.socket_path):
            lines.say("ended the queue that an earlier run had left behind")
        supervisor.add(programs.valkey(settings))
        if not await supervisor.wait_for(lambda: answers_ping(settings.socket_path), within_s=QUEUE_READY_S):
            if supervisor.is_stopping:
                return
            raise SetUpFailed(f"valkey does not answer on {settings.socket_path}")
    await supervisor.do(programs.migrate(settings, env))
    if supervisor.is_stopping:
        return
    supervisor.add(programs.web(settings, env))
    url = (await supervisor.do(programs.prepare(settings, env))).strip()
    supervisor.add(programs.relay(settings, env))
    is_up = await supervisor.wait_for(
        lambda: answers_health(settings.probe_host, settings.port), within_s=PAGES_READY_S
    )
    if supervisor.is_stopping:
        return
    lines.say(
        f"PyAgent is ready: {url}" if is_up else "the pages do not answer yet; the lines of “web” may say why"
    )
    supervisor.add(programs.node(settings, env))
    supervisor.add(programs.worker(settings, env))
    if settings.has_own_model:
        supervisor.add(programs.model(settings, env))


async def supervise(settings: Settings, env: Mapping[str, str], lines: Lines) -> str:
    """Run everything until somebody asks for the end; return why it failed, or nothing."""
    supervisor = Supervisor(lines=lines)
    loop = asyncio.get_running_loop()

    def ask_to_end() -> None:
        if supervisor.is_stopping:
            os._exit(FORCED)  # asked twice: the guardian does the rest
        lines.say("stopping")
        supervisor.stop()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ask_to_end)
    await supervisor.open()
    starting = asyncio.create_task(bring_up(supervisor, settings, env, lines))
    ending = asyncio.create_task(supervisor.until_stopped())
    try:
        await asyncio.wait([starting, ending], return_when=asyncio.FIRST_COMPLETED)
        if starting.done() and (error := starting.exception()) is not None:
            supervisor.stop(str(error) if isinstance(error, PyAgentError) else repr(error))
        await ending
    finally:
        await supervisor.close()
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError, PyAgentError):
            await starting
    return supervisor.failure


def main() -> int:
    """Check what can be checked first, then run; return the exit status."""
    lines = Lines(log_format=os.environ.get("PYAGENT_LOG", ""))
    try:
        settings = read_settings(os.environ)
        make_home(settings.home)
        with hold_home(settings.home):
            check_port(settings.host, settings.port)
            if settings.has_own_model:
                settings = replace(settings, model_port=choose_model_port(settings.model_port))
            if sys.version_info < (3, 12):
                # The older default keeps a thread per child, and a process with threads may not run code
                # after fork.
                asyncio.set_child_watcher(asyncio.PidfdChildWatcher())
            failure = asyncio.run(supervise(settings, dict(os.environ), lines))
    except PyAgentError as error:
        lines.say(f"cannot start: {error}")
        return 2
    if failure:
        lines.say(f"stopped: {failure}")
        return 1
    lines.say("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
