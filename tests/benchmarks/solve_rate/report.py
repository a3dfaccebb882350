"""What a contest is told as: a table for people, JSON for whoever compares later."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

from tests.benchmarks.solve_rate.contest import Attempt


def table(attempts: Sequence[Attempt]) -> str:
    """Return a Markdown table: a row per task, a column per agent, the sums below."""
    agents = list(dict.fromkeys(one.agent for one in attempts))
    tasks = list(dict.fromkeys(one.task for one in attempts))
    lines = ["| task | " + " | ".join(agents) + " |", "|---" * (len(agents) + 1) + "|"]
    for task in tasks:
        cells = [
            _cell([one for one in attempts if (one.agent, one.task) == (agent, task)]) for agent in agents
        ]
        lines.append(f"| {task} | " + " | ".join(cells) + " |")
    sums = [_cell([one for one in attempts if one.agent == agent]) for agent in agents]
    lines.append("| **all** | " + " | ".join(f"**{cell}**" for cell in sums) + " |")
    return "\n".join(lines)


def _cell(attempts: Sequence[Attempt]) -> str:
    if not attempts:
        return "not run"
    solved = sum(one.is_solved for one in attempts)
    tokens = sum(one.input_tokens + one.output_tokens for one in attempts) // len(attempts)
    seconds = sum(one.seconds for one in attempts) / len(attempts)
    return f"{solved} of {len(attempts)} ({tokens:,} tokens, {seconds:.0f} s each)"


def sign_test(attempts: Sequence[Attempt], first: str, second: str) -> tuple[int, int, float]:
    """Return how often only `first` and only `second` solved a task in a round, and the two-sided sign test's p."""
    solved = {(one.agent, one.task, one.round): one.is_solved for one in attempts}
    pairs = [
        (won, solved.get((second, task, round)))
        for (agent, task, round), won in solved.items()
        if agent == first
    ]
    only_first = sum(a and b is False for a, b in pairs)
    only_second = sum(b is True and not a for a, b in pairs)
    n, k = only_first + only_second, min(only_first, only_second)
    p = min(1.0, 2 * sum(comb(n, i) for i in range(k + 1)) / 2**n) if n else 1.0
    return only_first, only_second, p
