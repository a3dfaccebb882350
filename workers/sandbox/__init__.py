"""Commands and terminals behind walls: the only door by which anything written by an agent or in a workspace
gets executed."""

from workers.sandbox.errors import SandboxError, SandboxRefused, SandboxUnavailable
from workers.sandbox.limits import TERMINAL_LIMITS, Limits, Result
from workers.sandbox.mechanism import Mechanism, check_mechanism
from workers.sandbox.shell import run
from workers.sandbox.terminal import Terminal

__all__ = [
    "TERMINAL_LIMITS",
    "Limits",
    "Mechanism",
    "Result",
    "SandboxError",
    "SandboxRefused",
    "SandboxUnavailable",
    "Terminal",
    "check_mechanism",
    "run",
]
