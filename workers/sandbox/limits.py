"""How much a sandboxed command may use, and what came out of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

MIB = 1024 * 1024
GIB = 1024 * MIB

EndedBy = Literal["exit", "timeout", "cancel", "memory", "output", "signal", "processes", "disk"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one command. Every one is enforced; see `jail` and `watch` for how."""

    memory_bytes: int = 1 * GIB
    """Of all its processes together, /tmp included."""
    cpu_s: int = 600
    """Of one process."""
    processes: int = 128
    """Processes and threads at one time."""
    file_bytes: int = 512 * MIB
    """Of one file."""
    open_files: int = 1024
    wall_s: float = 600.0
    output_bytes: int = 1 * MIB
    """What `Result.output` keeps: the first half and the last. `HARD_OUTPUT` times as much ends the command.
    """
    disk_bytes: int = 2 * GIB
    """How much the workspace may grow."""
    inodes: int = 20_000
    """How many files and folders the command may add."""
    tmp_bytes: int = 256 * MIB
    """Of its folder for temporary files, which lives in memory."""


HARD_OUTPUT = 16
"""A command that writes this many times `output_bytes` is ended: nobody reads it, and it costs the page that
streams it."""

# A person's shell may stay open for half a day; what it starts is bounded like everything else.
TERMINAL_LIMITS = replace(Limits(), wall_s=12 * 3600.0, cpu_s=4 * 3600, memory_bytes=2 * GIB, processes=256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a command left behind."""

    exit_code: int | None
    """None when a signal ended it."""
    signal: int | None
    duration_s: float
    output: str
    """stdout and stderr as they came, UTF-8 with U+FFFD for what is not, escapes as they are, NUL as U+2400.
    """
    output_bytes: int
    """How much it wrote, kept or not."""
    is_truncated: bool
    ended_by: EndedBy

    @property
    def is_ok(self) -> bool:
        return self.ended_by == "exit" and self.exit_code == 0
