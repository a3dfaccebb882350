"""Start everything in order, say when the pages are served, keep it running, end it all within five seconds."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from workers.supervisor import guardian
from workers.supervisor.child import Child, become_subreaper, copy_lines, describe_end, signal_group, start
from workers.supervisor.errors import SetUpFailed
from workers.supervisor.lines import Lines
from workers.supervisor.programs import ROOT, Program, Step

# Together under five seconds, the time a person is asked to wait after Ctrl-C.
PATIENCE_S, LAST_PATIENCE_S, GUARDIAN_PATIENCE_S = 2.5, 1.0, 0.5


class Supervisor:
    """Own every process of one PyAgent."""

    def __init__(self, *, lines: Lines, folder: Path = ROOT) -> None:
        self._lines, self._folder = lines, folder
        self._children: list[Child] = []
        self._steps: dict[int, asyncio.subprocess.Process] = {}
        self._mark = secrets.token_hex(16)
        self._guardian: asyncio.subprocess.Process | None = None
        self._groups: set[str] = set()
        self._not_ours: frozenset[int] = frozenset()
        """Children that this process had before; they are somebody else's to end."""
        self._ended = asyncio.Event()
        self.failure = ""
        """Why everything was stopped, when nobody asked for it."""

    async def open(self) -> None:
        """Start the guardian; must come before anything else is started."""
        self._not_ours = frozenset(_children_of_this_process())
        become_subreaper()
        self._guardian = await self._start_guardian()
        self._watching = asyncio.create_task(self._keep_guardian())

    def stop(self, failure: str = "") -> None:
        """Ask for the end; `failure` says why, when it is one."""
        self.failure = self.failure or failure
        self._ended.set()

    async def until_stopped(self) -> None:
        """Wait until `stop` was called."""
        await self._ended.wait()

    @property
    def is_stopping(self) -> bool:
        return self._ended.is_set()

    def add(self, program: Program) -> Child:
        """Start `program` and keep it running."""
        child = Child(
            program,
            lines=self._lines,
            folder=self._folder,
            mark={guardian.MARK: self._mark},
            on_group=self._tell_guardian,
            on_hopeless=self._give_up,
        )
        self._children.append(child)
        child.run()
        return child

    async def do(self, step: Step) -> str:
        """Run `step` to its end; return what it wrote to standard output.

        Raises:
            SetUpFailed: it ended with another exit status than 0.
        """
        env = {**step.env, guardian.MARK: self._mark}
        process = await start(step.argv, env=env, folder=self._folder, stdout=asyncio.subprocess.PIPE)
        self._steps[process.pid] = process
        self._tell_guardian(f"+{process.pid}")
        assert process.stdout is not None and process.stderr is not None  # noqa: S101 - started with pipes
        said: list[str] = []
        try:
            await asyncio.gather(
                copy_lines(process.stdout, said.append),
                copy_lines(process.stderr, lambda text: self._lines.write(step.name, text)),
            )
            code = await process.wait()
        finally:
            signal_group(process.pid, signal.SIGKILL)
            self._tell_guardian(f"-{process.pid}")
            del self._steps[process.pid]
        if code != 0:
            for line in said:
                self._lines.write(step.name, line)
            raise SetUpFailed(f"{step.name} {describe_end(code)}; its lines above say why", step=step.name)
        return "".join(said)

    async def wait_for(
        self, is_ready: Callable[[], object], *, within_s: float, pause_s: float = 0.05
    ) -> bool:
        """Return whether the awaitable that `is_ready` makes came true in time, and before the end was asked
        for."""
        until = time.monotonic() + within_s
        while not self.is_stopping and time.monotonic() < until:
            if await is_ready():  # type: ignore[misc]
                return True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), pause_s)
        return False

    async def close(self) -> None:
        """End everything: the newest first told, all at once; what others stand on (the first) last."""
        self._ended.set()
        for pid in list(self._steps):
            signal_group(pid, signal.SIGKILL)
        first, rest = self._children[:1], self._children[1:]
        await asyncio.gather(*(child.end(patience_s=PATIENCE_S) for child in rest))
        await asyncio.gather(*(child.end(patience_s=LAST_PATIENCE_S) for child in first))
        self._watching.cancel()
        self._reap_orphans(is_killing=True)
        if (process := self._guardian) is not None and process.stdin is not None:
            process.stdin.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), GUARDIAN_PATIENCE_S)
        self._reap_orphans(is_killing=True)

    def _give_up(self, program: Program) -> None:
        if program.when_hopeless == "stop everything":
            self.stop(f"{program.name} does not stay up; its lines above say why")

    async def _start_guardian(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-S",
            guardian.__file__,
            self._mark,
            stdin=asyncio.subprocess.PIPE,
            env={},
            cwd="/",
            start_new_session=True,
        )

    async def _keep_guardian(self) -> None:
        while self._guardian is not None:
            self._reap_orphans()
            if self._guardian.returncode is not None:
                self._guardian = await self._start_guardian()
                for group in sorted(self._groups):
                    self._write_to_guardian(f"+{group}")
            await asyncio.sleep(1.0)

    def _tell_guardian(self, line: str) -> None:
        if line.startswith("+"):
            self._groups.add(line[1:])
        else:
            self._groups.discard(line[1:])
        self._write_to_guardian(line)

    def _write_to_guardian(self, line: str) -> None:
        if self._guardian is not None and self._guardian.stdin is not None:
            self._guardian.stdin.write(f"{line}\n".encode())

    def _reap_orphans(self, *, is_killing: bool = False) -> None:
        """Take leave of processes that were handed to us when their parent died; `is_killing` ends them
        first."""
        own = {child.pid for child in self._children} | set(self._steps)
        own.add(self._guardian.pid if self._guardian is not None else None)
        for pid in _children_of_this_process():
            if pid in own or pid in self._not_ours:
                continue
            if is_killing:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0 if is_killing else os.WNOHANG)


def _children_of_this_process() -> Sequence[int]:
    found: list[int] = []
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            found += [int(pid) for pid in (task / "children").read_text().split()]
    return found
