"""Running git so that neither a repository nor the machine can make it do anything else than it was asked.

Arguments are a list, never a shell line; the repository, work tree and index are always named; no
configuration but the repository's own is read, and that file is written by us alone; hooks, filters, file
monitors, prompts, replaced objects and every transport are off unless a call opens one. Paths are bytes ended
by NUL, and never patterns.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from workers.changes.errors import GitFailed, GitOutputTooLarge, GitTimeout
from workers.changes.obstacles import StallWatch, bound_memory, raise_if_held_up
from workers.changes.paths import from_bytes, to_portable

DEFAULT_TIMEOUT_S = 120.0
DEFAULT_OUTPUT_BYTES = 256 << 20
TEMPORARY_INDEX = "tmp-index-"
"""Index files with this prefix are gone after one use and need not reach the disk."""
_DETAIL_BYTES = 2000
_CONFIG = (
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.untrackedCache", "false"),
    ("core.attributesFile", "/dev/null"),
    ("core.excludesFile", "/dev/null"),
    ("core.autocrlf", "false"),
    ("core.safecrlf", "false"),
    ("core.symlinks", "true"),
    ("core.fileMode", "true"),
    ("core.precomposeUnicode", "false"),
    ("core.protectHFS", "true"),
    ("core.protectNTFS", "true"),
    ("core.quotePath", "true"),
    ("core.pager", "cat"),
    ("core.sshCommand", "false"),
    ("core.gitProxy", ""),
    ("core.fsyncMethod", "batch"),
    # larger content is "binary" to a diff and never held in memory as a whole
    ("core.bigFileThreshold", "8m"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("commit.gpgSign", "false"),
    ("log.showSignature", "false"),
    ("diff.algorithm", "histogram"),
    ("diff.renameLimit", "1000"),
    ("diff.indentHeuristic", "true"),
    ("submodule.recurse", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("credential.helper", ""),
    ("http.followRedirects", "false"),
    ("http.emptyAuth", "false"),
    ("transfer.fsckObjects", "true"),
    ("fetch.fsck.zeroPaddedFilemode", "ignore"),
    ("fetch.fsck.missingSpaceBeforeDate", "ignore"),
    ("fetch.fsck.missingSpaceBeforeEmail", "ignore"),
    ("fetch.fsck.badTimezone", "ignore"),
    ("fetch.fsck.zeroPaddedDate", "ignore"),
    ("fetch.fsck.missingEmail", "ignore"),
    ("protocol.allow", "never"),
)


@dataclass(frozen=True, slots=True)
class Git:
    """Git on one repository; `work_tree` and `index` only where a command needs them."""

    git_dir: Path
    work_tree: Path | None = None
    index: Path | None = None
    on_tick: Callable[[], None] | None = None
    """Called about five times a second while git runs; what it raises ends git."""

    def environment(self, extra: Mapping[str, str] = {}) -> dict[str, str]:
        """Return the whole environment of a git process; nothing of ours is passed on."""
        env = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": "/nonexistent",
            "LC_ALL": "C.UTF-8",
            "GIT_DIR": str(self.git_dir),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_SYSTEM": "/dev/null",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "/bin/false",
            "SSH_ASKPASS": "/bin/false",
            "GIT_SSH_COMMAND": "/bin/false",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_LITERAL_PATHSPECS": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_PROTOCOL_FROM_USER": "0",
            "GIT_ALLOW_PROTOCOL": "none",
        }
        if self.work_tree is not None:
            env["GIT_WORK_TREE"] = str(self.work_tree)
        if self.index is not None:
            env["GIT_INDEX_FILE"] = str(self.index)
        return env | dict(extra)

    def argv(self, args: Sequence[str | bytes], config: Sequence[tuple[str, str]] = ()) -> list[str | bytes]:
        flags: list[str | bytes] = ["git"]
        for name, value in (*_CONFIG, *config):
            flags += ["-c", f"{name}={value}"]
        is_kept = self.index is not None and not self.index.name.startswith(TEMPORARY_INDEX)
        flags += ["-c", f"core.fsync=objects,reference{',index' if is_kept else ''}"]
        flags += ["-c", f"core.bare={'false' if self.work_tree else 'true'}"]
        return [*flags, *args]

    def run(
        self,
        *args: str | bytes,
        stdin: bytes = b"",
        ok: tuple[int, ...] = (0,),
        env: Mapping[str, str] = {},
        config: Sequence[tuple[str, str]] = (),
        timeout_s: float = DEFAULT_TIMEOUT_S,
        max_output_bytes: int = DEFAULT_OUTPUT_BYTES,
        on_error_text: Callable[[bytes], None] | None = None,
        on_tick: Callable[[], None] | None = None,
    ) -> bytes:
        """Return what git wrote to its standard output.

        Args:
            ok: Exit codes that are no error.
            config: Settings for this call only; never secrets, since they are arguments.
            on_error_text: Gets what git writes to standard error as it comes (progress).
            on_tick: Called beside the repository's own `on_tick`.

        Raises:
            GitFailed: any other exit code.
            GitTimeout: it took longer than `timeout_s` and was ended.
            GitOutputTooLarge: it wrote more than `max_output_bytes` and was ended.
            FilesHoldGitUp: a file of the work tree never ends to open or to read; git was ended.
        """
        with self.start(args, env=env, config=config) as child:
            reader = _Reader(child, args, stdin, max_output_bytes, on_error_text)
            stall = StallWatch(child.pid, self.work_tree).look if self.work_tree is not None else None
            ticks = [tick for tick in (self.on_tick, on_tick, stall) if tick is not None]
            reader.run(time.monotonic() + timeout_s, ticks)
            code = child.wait()
            if code not in ok:
                if self.work_tree is not None and b"Out of memory" in reader.error_text:
                    raise_if_held_up(self.work_tree)
                raise failed(args, code, reader.error_text)
            return b"".join(reader.output)

    def text(self, *args: str | bytes, **options: object) -> str:
        """Return the first line of the output."""
        return from_bytes(self.run(*args, **options)).strip()  # type: ignore[arg-type]

    @contextmanager
    def start(
        self,
        args: Sequence[str | bytes],
        *,
        env: Mapping[str, str] = {},
        config: Sequence[tuple[str, str]] = (),
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Start git with three pipes in a process group of its own; the whole group is gone at the end."""
        child = subprocess.Popen(
            self.argv(args, config),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment(env),
            cwd=self.git_dir,
            start_new_session=True,
        )
        try:
            if self.work_tree is not None:
                bound_memory(child.pid)
            yield child
        finally:
            end_group(child)
            for pipe in (child.stdin, child.stdout, child.stderr):
                if pipe is not None:
                    try:
                        pipe.close()
                    except BrokenPipeError:
                        continue


def end_group(child: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the process group that `child` leads, and collect it."""
    if child.poll() is None:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        child.wait()


def failed(args: Sequence[str | bytes], code: int, error_text: bytes) -> GitFailed:
    """Return the error for a git that ended with `code`."""
    name = os.fsdecode(args[0])
    detail = to_portable(from_bytes(error_text[-_DETAIL_BYTES:]).strip())
    lines = detail.splitlines() or [f"exit code {code}"]
    # What git says after it (“Please make sure you have the correct access rights …”) is advice about every reason.
    why = next((line for line in lines if line.startswith(("fatal: ", "error: "))), lines[-1])
    return GitFailed(f"git {name} failed: {why}", command=name, exit_code=code, detail=detail)


class _Reader:
    """Feeds and drains the three pipes of a child at once."""

    def __init__(
        self,
        child: subprocess.Popen[bytes],
        args: Sequence[str | bytes],
        stdin: bytes,
        max_output_bytes: int,
        on_error_text: Callable[[bytes], None] | None,
    ) -> None:
        self.child, self.args, self.left = child, args, memoryview(stdin)
        self.output: list[bytes] = []
        self.error_text = b""
        self.size, self.max_output_bytes = 0, max_output_bytes
        self.on_error_text = on_error_text

    def run(self, deadline: float, ticks: Sequence[Callable[[], None]]) -> None:
        child = self.child
        assert child.stdin and child.stdout and child.stderr  # noqa: S101 - opened as pipes by `start`
        with selectors.DefaultSelector() as selector:
            selector.register(child.stdout, selectors.EVENT_READ, self._read_output)
            selector.register(child.stderr, selectors.EVENT_READ, self._read_error)
            os.set_blocking(child.stdin.fileno(), False)
            selector.register(child.stdin, selectors.EVENT_WRITE, self._write)
            while selector.get_map():
                for key, _ in selector.select(0.2):
                    if not key.data(key.fd):
                        selector.unregister(key.fileobj)
                        if key.fileobj is child.stdin:
                            child.stdin.close()
                for tick in ticks:
                    tick()
                if time.monotonic() > deadline:
                    raise GitTimeout(command=os.fsdecode(self.args[0]))

    def _write(self, fd: int) -> bool:
        try:
            self.left = self.left[os.write(fd, self.left[: 1 << 16]) :] if self.left else self.left
        except BrokenPipeError:
            return False
        return bool(self.left)

    def _read_output(self, fd: int) -> bool:
        piece = os.read(fd, 1 << 18)
        self.output.append(piece)
        self.size += len(piece)
        if self.size > self.max_output_bytes:
            raise GitOutputTooLarge(command=os.fsdecode(self.args[0]), limit_bytes=self.max_output_bytes)
        return bool(piece)

    def _read_error(self, fd: int) -> bool:
        piece = os.read(fd, 1 << 16)
        self.error_text = (self.error_text + piece)[-8 * _DETAIL_BYTES :]
        if piece and self.on_error_text is not None:
            self.on_error_text(piece)
        return bool(piece)
