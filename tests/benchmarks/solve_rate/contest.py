"""What both agents get and what an attempt leaves: the same files, words, model, meter, sandbox and limits."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.solve_rate.metering import Endpoint, Meter
from tests.benchmarks.solve_rate.scoring import is_solved
from tests.benchmarks.solve_rate.tasks import RepairTask

COMMAND_TIMEOUT_S = 60.0
# What a contestant writes in its place: everything that was said and done, in its own form.
STORY = "story.json"


@dataclass(frozen=True, slots=True)
class Budget:
    """Where an attempt must stop, whoever makes it."""

    tokens: int = 150_000
    steps: int = 30
    seconds: int = 900
    answer_tokens: int = 4096
    """The longest single answer."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One agent on one task, once."""

    agent: str
    task: str
    round: int
    is_solved: bool
    ending: str
    """How the agent itself says that it ended."""
    calls: int
    input_tokens: int
    output_tokens: int
    seconds: float
    verdict: str
    """The end of what the hidden tests said."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


# Works on the task's goal against the model at the given base URL, leaves its result in the folder `files`
# that does not exist yet below the given place, and returns that folder and how it ended.
Contestant = Callable[[RepairTask, Endpoint, Budget, Path], Awaitable[tuple[Path, str]]]


async def attempt(
    name: str,
    contestant: Contestant,
    task: RepairTask,
    endpoint: Endpoint,
    budget: Budget,
    place: Path,
    *,
    round: int,
) -> Attempt:
    """Let one agent try one task in the new folder `place`, score what it left, and return how it went."""
    place.mkdir(parents=True)
    started = time.monotonic()
    async with Meter(endpoint, budget_tokens=budget.tokens, answer_tokens=budget.answer_tokens) as meter:
        metered = Endpoint(
            meter.base_url,
            endpoint.model,
            None,
            has_tools=endpoint.has_tools,
            context_tokens=endpoint.context_tokens,
        )
        files, ending = await contestant(task, metered, budget, place)
    seconds = time.monotonic() - started
    solved, output = await is_solved(files, task)
    return Attempt(
        agent=name,
        task=task.name,
        round=round,
        is_solved=solved,
        ending=ending,
        calls=meter.calls,
        input_tokens=meter.input_tokens,
        output_tokens=meter.output_tokens,
        seconds=round_s(seconds),
        verdict=output[-600:],
    )


def round_s(seconds: float) -> float:
    return float(f"{seconds:.1f}")
