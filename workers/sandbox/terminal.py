"""A person's shell in the same sandbox that agents get, behind a pseudo-terminal.

The terminal is opened outside and becomes the shell's controlling terminal inside, by a `setsid` that runs
within the sandbox; so job control works, and no terminal of ours is ever within reach. TIOCSTI, which types
into a terminal, could then only reach this very one, and seccomp denies it anyway.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import struct
import termios
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from workers.sandbox import jail
from workers.sandbox.cgroups import Cgroup
from workers.sandbox.errors import SandboxError
from workers.sandbox.limits import TERMINAL_LIMITS, EndedBy, Limits
from workers.sandbox.mechanism import require_mechanism
from workers.sandbox.process import kill_sandbox, start_sandbox
from workers.sandbox.watch import Watch

# Whoever started us may have told us to ignore Ctrl-C, as a shell does with what it runs beside itself.
SHELL = [
    "/usr/bin/env",
    "--default-signal",
    "/usr/bin/setsid",
    "--ctty",
    "/bin/bash",
    "--noprofile",
    "--rcfile",
    "/etc/pyagent.bashrc",
    "-i",
]
MAX_ROWS, MAX_COLS = 500, 1000
ENVIRONMENT = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}


def _set_size(descriptor: int, rows: int, cols: int) -> None:
    rows, cols = min(max(rows, 1), MAX_ROWS), min(max(cols, 1), MAX_COLS)
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class Terminal:
    """One open shell. `read` gives what it shows, `write` types; `close` leaves no process."""

    def __init__(
        self,
        master: int,
        process: asyncio.subprocess.Process,
        *,
        launch: jail.Launch,
        watch: Watch,
        cgroup: Cgroup | None,
        limits: Limits,
    ) -> None:
        self._master, self._process, self._launch, self._cgroup = master, process, launch, cgroup
        self._watch, self._limits = watch, limits
        self._waiters: set[asyncio.Future[None]] = set()
        self._closing: asyncio.Future[None] | None = None
        self._eye = asyncio.create_task(self._end_when_too_much())
        self.ended_by: EndedBy = "exit"
        """Why it ended; known once `read` has returned b""."""

    @classmethod
    async def open(
        cls,
        *,
        files: Path,
        rows: int = 24,
        cols: int = 80,
        limits: Limits = TERMINAL_LIMITS,
        env: Mapping[str, str] = jail.NO_ENV,
    ) -> Self:
        """Return a running shell that starts in `files`.

        Raises:
            SandboxUnavailable: this machine cannot confine a shell, so none was started.
            SandboxRefused: `files` is no folder.
        """
        bwrap = require_mechanism()
        master, slave = os.openpty()
        cgroup = Cgroup.open(limits)
        launch: jail.Launch | None = None
        try:
            os.set_blocking(master, False)
            _set_size(master, rows, cols)
            launch = jail.prepare(
                SHELL, bwrap=bwrap, files=files, cwd=".", limits=limits, env={**ENVIRONMENT, **env},
                cgroup=cgroup, has_terminal=True,
            )  # fmt: skip
            watch = Watch(files=files, limits=limits, cgroup=cgroup, status_fd=launch.status_read)
            process = await start_sandbox(launch, watch, stdin=slave, stdout=slave, stderr=slave)
        except BaseException:
            os.close(master)
            if launch is not None:
                launch.close()
                os.close(launch.status_read)
            if cgroup is not None:
                cgroup.close()
            raise
        finally:
            os.close(slave)
        return cls(master, process, launch=launch, watch=watch, cgroup=cgroup, limits=limits)

    @property
    def exit_code(self) -> int | None:
        """The shell's exit code; None while it runs."""
        return self._process.returncode

    async def read(self, max_bytes: int = 65536) -> bytes:
        """Return the next bytes it shows, at most `max_bytes`; b"" once it has ended."""
        while self._master >= 0:
            try:
                return os.read(self._master, max_bytes)
            except BlockingIOError:
                await self._until_ready(is_write=False)
            except OSError:  # EIO: nobody holds the other end any more
                return b""
        return b""

    async def write(self, data: bytes) -> None:
        """Type `data`; waits while the shell does not read.

        Raises:
            SandboxError: the terminal has ended.
        """
        view = memoryview(data)
        while view:
            if self._master < 0:
                raise SandboxError("the terminal has ended")
            try:
                view = view[os.write(self._master, view) :]
            except BlockingIOError:
                await self._until_ready(is_write=True)
            except OSError as error:
                raise SandboxError("the terminal has ended") from error

    def resize(self, rows: int, cols: int) -> None:
        """Tell the programs in it how large it is now."""
        if self._master >= 0:
            _set_size(self._master, rows, cols)

    async def close(self) -> None:
        """End the shell and everything it started; returns when nothing is left. May be called again."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        self._eye.cancel()
        await kill_sandbox(self._process, self._watch)
        await self._process.wait()
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._master)
        loop.remove_writer(self._master)
        master, self._master = self._master, -1
        for waiter in list(self._waiters):
            _wake(waiter)
        os.close(master)
        os.close(self._launch.status_read)
        if self._cgroup is not None:
            await asyncio.to_thread(self._cgroup.close)

    async def _end_when_too_much(self) -> None:
        ended_by: EndedBy = "timeout"
        with contextlib.suppress(asyncio.TimeoutError):
            ended_by = await asyncio.wait_for(self._watch.until_too_much(), self._limits.wall_s)
        self.ended_by = ended_by
        await kill_sandbox(self._process, self._watch)

    async def _until_ready(self, *, is_write: bool) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        self._waiters.add(ready)
        descriptor = self._master
        add, remove = (
            (loop.add_writer, loop.remove_writer) if is_write else (loop.add_reader, loop.remove_reader)
        )
        add(descriptor, _wake, ready)
        try:
            await ready
        finally:
            self._waiters.discard(ready)
            if self._master == descriptor:
                remove(descriptor)
