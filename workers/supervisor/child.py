"""One process under supervision: started in a group of its own, read line by line, started again when it
dies."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from workers.supervisor.lines import MAX_LINE_BYTES, Lines
from workers.supervisor.programs import Program

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
_LIBC = ctypes.CDLL(None, use_errno=True)
# What dies again and again still comes back within the 30 s in which a worker's runs are to go on.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 8.0
# Whoever has run for so long was healthy: its next death begins a new count.
HEALTHY_S = 60.0
# For what a process wrote last; somebody who left its group may hold the pipe open for longer.
LAST_WORDS_S = 0.2
HOPELESS_DEATHS, HOPELESS_S = 5, 60.0


def become_subreaper() -> None:
    """Have every orphan below this process handed to this one, so that none gets away."""
    _LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _die_with(parent: int) -> Callable[[], None]:
    def prepare() -> None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # the supervisor died in between
            os._exit(1)

    return prepare


async def start(
    argv: list[str], *, env: Mapping[str, str], folder: Path, stdout: int | None = None
) -> asyncio.subprocess.Process:
    """Start a process in a session and group of its own that the kernel kills when this one dies."""
    return await asyncio.create_subprocess_exec(
        *argv,
        env=dict(env),
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE if stdout is not None else asyncio.subprocess.STDOUT,
        start_new_session=True,
        limit=MAX_LINE_BYTES,
        # Safe: this process has one thread.
        preexec_fn=_die_with(os.getpid()),
    )


async def copy_lines(stream: asyncio.StreamReader, write: Callable[[str], None]) -> None:
    """Pass on every line of `stream`; one that is too long comes in pieces."""
    while True:
        try:
            line = await stream.readuntil(b"\n")
        except asyncio.IncompleteReadError as error:
            if error.partial:
                write(error.partial.decode("utf-8", "replace"))
            return
        except asyncio.LimitOverrunError:
            line = await stream.read(MAX_LINE_BYTES)
        write(line.decode("utf-8", "replace"))


def signal_group(pid: int, number: signal.Signals) -> None:
    """Send `number` to the whole group of `pid`."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def describe_end(code: int) -> str:
    """Return how a process ended, in words."""
    if code >= 0:
        return f"ended with exit status {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


class Child:
    """Keep one program running."""

    def __init__(
        self,
        program: Program,
        *,
        lines: Lines,
        folder: Path,
        mark: Mapping[str, str],
        on_group: Callable[[str], None],
        on_hopeless: Callable[[Program], None],
    ) -> None:
        self.program = program
        self._lines, self._folder, self._mark = lines, folder, mark
        self._on_group, self._on_hopeless = on_group, on_hopeless
        self._process: asyncio.subprocess.Process | None = None
        self._is_ending = False
        self._deaths: deque[float] = deque(maxlen=HOPELESS_DEATHS)
        self._pause_s = FIRST_PAUSE_S
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    def run(self) -> None:
        """Start it, and again whenever it dies, until `end`."""
        self._task = asyncio.create_task(self._keep_running(), name=self.program.name)

    async def _keep_running(self) -> None:
        while not self._is_ending:
            started = time.monotonic()
            how = await self._run_once()
            if self._is_ending:
                return
            now = time.monotonic()
            if now - started > HEALTHY_S:
                self._deaths.clear()
                self._pause_s = FIRST_PAUSE_S
            self._deaths.append(now)
            is_hopeless = len(self._deaths) == HOPELESS_DEATHS and now - self._deaths[0] < HOPELESS_S
            if is_hopeless and self.program.when_hopeless != "keep trying":
                self._lines.say(
                    f"{self.program.name} {how}, {HOPELESS_DEATHS} times in a short time: given up"
                )
                self._on_hopeless(self.program)
                return
            self._lines.say(f"{self.program.name} {how}; starting it again in {self._pause_s:g} s")
            await asyncio.sleep(self._pause_s)
            self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)

    async def _run_once(self) -> str:
        """Run it to its end; return how it ended."""
        env = {**self.program.env, **self._mark}
        try:
            process = await start(self.program.argv, env=env, folder=self._folder)
        except OSError as error:
            return f"cannot be started ({error.strerror})"
        self._process = process
        self._on_group(f"+{process.pid}")
        assert process.stdout is not None  # noqa: S101 - started with a pipe
        copy = asyncio.create_task(copy_lines(process.stdout, self._write))
        try:
            await _end_of(process)
        finally:
            # What it started must not go on without it, nor hold its pipe open.
            signal_group(process.pid, signal.SIGKILL)
            self._on_group(f"-{process.pid}")
            await asyncio.wait([copy], timeout=LAST_WORDS_S)
            copy.cancel()
        return describe_end(process.returncode if process.returncode is not None else 0)

    def _write(self, text: str) -> None:
        if not self.program.unsaid or self.program.unsaid not in text:
            self._lines.write(self.program.name, text)

    async def end(self, *, patience_s: float) -> None:
        """Ask it to end, and make it after `patience_s`."""
        self._is_ending = True
        if self._task is None:
            return
        if (pid := self.pid) is not None:
            if self.program.is_group_told:
                signal_group(pid, signal.SIGTERM)
            else:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
            await asyncio.wait([self._task], timeout=patience_s)
            if not self._task.done() and self.pid is not None:
                signal_group(pid, signal.SIGKILL)
                await asyncio.wait([self._task], timeout=1.0)
        self._task.cancel()
        await asyncio.wait([self._task], timeout=1.0)


async def _end_of(process: asyncio.subprocess.Process) -> None:
    """Wait until `process` itself has ended.

    Not `process.wait()`: that waits for its pipes too, which its children may hold open for ever.
    """
    loop = asyncio.get_running_loop()
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        descriptor = -1
    if descriptor >= 0:
        ended = asyncio.Event()
        loop.add_reader(descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)
    while process.returncode is None:  # noqa: ASYNC110 - a moment, until asyncio has noticed too
        await asyncio.sleep(0.002)
