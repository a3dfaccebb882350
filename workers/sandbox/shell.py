"""Run one command in a sandbox: lines as they come, bounds that hold, nothing left running afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from workers.sandbox import jail
from workers.sandbox.cgroups import Cgroup
from workers.sandbox.errors import SandboxError
from workers.sandbox.limits import HARD_OUTPUT, EndedBy, Limits, Result
from workers.sandbox.mechanism import require_mechanism
from workers.sandbox.output import BoundedOutput, LineSplitter
from workers.sandbox.process import finish_even_if_cancelled, kill_sandbox, start_sandbox
from workers.sandbox.watch import Watch

CHUNK = 64 * 1024
OnLine = Callable[[str], Awaitable[None] | None]


async def run(
    command: str | Sequence[str],
    *,
    files: Path,
    cwd: str = ".",
    limits: Limits = Limits(),  # noqa: B008 - frozen
    env: Mapping[str, str] = jail.NO_ENV,
    network: bool = False,
    on_line: OnLine | None = None,
    stdin: bytes | None = None,
    read_only: Sequence[Path] = (),
    stop: asyncio.Event | None = None,
) -> Result:
    """Return how `command` ended in a sandbox that sees `files` at /workspace and nothing else of the
    machine.

    Args:
        command: Text for bash, or a program and its arguments.
        files: The one folder it may change.
        cwd: Where in it the command starts.
        env: Added to the sandbox's own short environment; nothing of this process's is passed on.
        network: Gives it the machine's network, loopback included: only for what a person allowed.
        on_line: Called with each line (long ones in pieces) as it comes; while it waits, the command's output
            waits.
        read_only: More folders it may read, at their own paths.
        stop: When set, the command is ended, with `ended_by="cancel"`.

    Raises:
        SandboxUnavailable: this machine cannot confine a command, so it was not run.
        SandboxRefused: the request makes no sense.
        SandboxError: bubblewrap could not build the sandbox.
        asyncio.CancelledError: after every process of the command is gone.
    """
    bwrap = require_mechanism()
    words = ["/bin/bash", "-c", command] if isinstance(command, str) else list(command)
    cgroup = Cgroup.open(limits)
    launch: jail.Launch | None = None
    try:
        launch = jail.prepare(
            words,
            bwrap=bwrap,
            files=files,
            cwd=cwd,
            limits=limits,
            env=env,
            network=network,
            read_only=read_only,
            cgroup=cgroup,
        )
        watch = Watch(files=files, limits=limits, cgroup=cgroup, status_fd=launch.status_read)
        pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        process = await start_sandbox(
            launch,
            watch,
            stdin=null if stdin is None else pipe,
            stdout=pipe,
            stderr=asyncio.subprocess.STDOUT,
        )
        return await _Running(process, watch, cgroup, limits, on_line).finish(stdin, stop)
    finally:
        if launch is not None:
            launch.close()
            if launch.status_read >= 0:
                os.close(launch.status_read)
        if cgroup is not None:
            cgroup.close()


class _Running:
    """One command between its start and its result."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        watch: Watch,
        cgroup: Cgroup | None,
        limits: Limits,
        on_line: OnLine | None,
    ) -> None:
        self._process, self._watch, self._cgroup, self._limits = process, watch, cgroup, limits
        self._on_line = on_line
        self._output = BoundedOutput(limits.output_bytes)
        self._started = time.monotonic()

    async def finish(self, stdin: bytes | None, stop: asyncio.Event | None) -> Result:
        """Wait for the first of: end, too much of something, time, a stop. Leaves no process behind."""
        pump = asyncio.create_task(self._pump())
        eye = asyncio.create_task(self._watch.until_too_much())
        feed = asyncio.create_task(self._feed(stdin))
        stopped = asyncio.create_task(stop.wait()) if stop is not None else None
        tasks: list[asyncio.Task[object]] = [t for t in (pump, eye, feed, stopped) if t is not None]
        ended_by: EndedBy = "exit"
        try:
            awaited = [task for task in tasks if task is not feed]
            done, _ = await asyncio.wait(
                awaited, timeout=self._limits.wall_s, return_when=asyncio.FIRST_COMPLETED
            )
            if pump in done:
                ended_by = pump.result()
            elif eye in done:
                ended_by = eye.result()
            else:
                ended_by = "cancel" if done else "timeout"
            if ended_by not in {"exit", "output"}:
                await kill_sandbox(self._process, self._watch)
                # What it wrote before its end is still in the pipe.
                await asyncio.wait([pump], timeout=1.0)
        finally:
            _, cancelled = await finish_even_if_cancelled(self._end(tasks))
        if cancelled is not None:
            raise cancelled
        return self._result(ended_by)

    async def _end(self, tasks: list[asyncio.Task[object]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await kill_sandbox(self._process, self._watch)
        stream = self._process.stdout
        assert stream is not None  # noqa: S101 - started with a pipe
        # asyncio sees a process's end only once its pipe is read to the end, and stops reading a full one.
        while await stream.read(CHUNK):
            pass
        await self._process.wait()

    async def _pump(self) -> EndedBy:
        stream = self._process.stdout
        assert stream is not None  # noqa: S101 - started with a pipe
        splitter = LineSplitter()
        while chunk := await stream.read(CHUNK):
            self._output.add(chunk)
            await self._emit(splitter.feed(chunk))
            if self._output.total_bytes > self._limits.output_bytes * HARD_OUTPUT:
                return "output"
        await self._emit(splitter.finish())
        return "exit"

    async def _emit(self, lines: list[str]) -> None:
        if self._on_line is None:
            return
        for line in lines:
            waiting = self._on_line(line)
            if inspect.isawaitable(waiting):
                await waiting

    async def _feed(self, data: bytes | None) -> None:
        stream = self._process.stdin
        if data is None or stream is None:
            return
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            stream.write(data)
            await stream.drain()
            stream.close()

    def _result(self, ended_by: EndedBy) -> Result:
        self._watch.read_status()
        code = self._process.returncode
        text = self._output.text()
        if ended_by == "exit" and self._cgroup is not None and self._cgroup.oom_kills():
            ended_by = "memory"
        if ended_by == "exit" and not self._watch.has_started_command:
            raise SandboxError(
                f"the sandbox could not be built: {text.strip()[:500]}", exit_code=code, output=text[:2000]
            )
        number: int | None = None
        if code is not None and code < 0:
            number = -code
        elif ended_by == "exit" and code is not None and code - 128 in signal.valid_signals():
            # Bubblewrap and shells report a child's signal as 128 + n.
            number, ended_by = code - 128, "signal"
        return Result(
            exit_code=code if ended_by == "exit" else None,
            signal=number,
            duration_s=time.monotonic() - self._started,
            output=text,
            output_bytes=self._output.total_bytes,
            is_truncated=self._output.is_truncated,
            ended_by=ended_by,
        )
