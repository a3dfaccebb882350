"""How many small repairs does @coder solve, beside mini-swe-agent with the same model and budget in the same run?

    python -m tests.benchmarks.coder_solve_rate [--agents coder,mini] [--tasks a,b] [--rounds 3]

The model is any OpenAI-compatible endpoint: PYAGENT_BENCH_BASE_URL, PYAGENT_BENCH_MODEL,
PYAGENT_BENCH_API_KEY (or _FILE), PYAGENT_BENCH_TOOLS=0 for a model that cannot call tools,
PYAGENT_BENCH_CONTEXT in tokens. Without them the embedded model is asked, which proves the protocol only:
it cannot program. `--model solver` takes a scripted model that knows the solutions, and `--model fool` one
that knows none: with them the harness itself is proved.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

from tests.benchmarks.solve_rate.contest import STORY, Attempt, Budget, Contestant, attempt
from tests.benchmarks.solve_rate.metering import Endpoint
from tests.benchmarks.solve_rate.report import sign_test, table
from tests.benchmarks.solve_rate.run_coder import coder
from tests.benchmarks.solve_rate.run_mini import VERSION, install_mini, mini
from tests.benchmarks.solve_rate.solver import Solver
from tests.benchmarks.solve_rate.tasks import load_tasks
from tests.framework.provider_double import ProviderDouble
from workers.config import get_config, read_bool, read_int, read_secret

BENCH_DIR = Path("var/bench")


async def main(options: argparse.Namespace) -> int:
    """Run the contest, print the table and write the details; return 0 when @coder solved at least as many."""
    tasks = load_tasks(options.tasks.split(",") if options.tasks else None)
    budget = Budget(
        tokens=options.tokens,
        steps=options.steps,
        seconds=options.seconds,
        answer_tokens=options.answer_tokens,
    )
    attempts: list[Attempt] = []
    stamp = time.strftime("solve-rate-%Y%m%d-%H%M%S")
    async with AsyncExitStack() as stack:
        endpoint = await _endpoint(options.model, stack)
        # Short, since a Unix socket's path may hold only 107 bytes.
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pyagent-bench-")))
        contestants: dict[str, Contestant] = {}
        for name in options.agents.split(","):
            if name == "coder":
                contestants[name] = await stack.enter_async_context(coder(home / "engine"))
            else:
                contestants[name] = mini(install_mini(BENCH_DIR.absolute() / "mini-swe-agent"))
        print(
            f"model {endpoint.model}, budget {budget.tokens:,} tokens, {budget.steps} steps, {budget.seconds} s"
        )
        for round in range(options.rounds):
            for task in tasks:
                for name, contestant in contestants.items():
                    place = home / f"{name}-{task.name}-{round}"
                    one = await attempt(name, contestant, task, endpoint, budget, place, round=round)
                    attempts.append(one)
                    _keep(place / STORY, BENCH_DIR / stamp / f"{place.name}.json")
                    print(_line(one), flush=True)
    print("\n" + table(attempts))
    _write(attempts, endpoint, budget, BENCH_DIR / stamp)
    return _conclude(attempts)


async def _endpoint(model: str, stack: AsyncExitStack) -> Endpoint:
    if model in ("solver", "fool"):
        brain = Solver(load_tasks() if model == "solver" else [])
        double = await stack.enter_async_context(ProviderDouble(brain))
        has_tools = read_bool("PYAGENT_BENCH_TOOLS", os.environ, True)
        return Endpoint(double.base_url("openai"), f"scripted-{model}", has_tools=has_tools)
    if base_url := os.environ.get("PYAGENT_BENCH_BASE_URL"):
        return Endpoint(
            base_url,
            os.environ.get("PYAGENT_BENCH_MODEL", "default"),
            read_secret("PYAGENT_BENCH_API_KEY", os.environ) or None,
            has_tools=read_bool("PYAGENT_BENCH_TOOLS", os.environ, True),
            context_tokens=read_int("PYAGENT_BENCH_CONTEXT", os.environ, 32_768),
        )
    config = get_config()
    return Endpoint(
        config.model_url, "SmolLM2-135M-Instruct", has_tools=False, context_tokens=config.model_context_tokens
    )


def _line(one: Attempt) -> str:
    verdict = "solved" if one.is_solved else "not solved"
    return (
        f"{one.agent:6} {one.task:16} {verdict:10} {one.calls:3} calls {one.input_tokens + one.output_tokens:8,} tokens "
        f"{one.seconds:6.1f} s  {one.ending}"
    )


def _keep(story: Path, at: Path) -> None:
    if story.exists():
        at.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(story, at)


def _write(attempts: list[Attempt], endpoint: Endpoint, budget: Budget, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "attempts.json"
    facts = {
        "model": endpoint.model,
        "tokens": budget.tokens,
        "steps": budget.steps,
        "seconds": budget.seconds,
        "answer_tokens": budget.answer_tokens,
    }
    data = {**facts, "mini_swe_agent": VERSION, "attempts": [one.to_dict() for one in attempts]}
    path.write_text(json.dumps(data, indent=1))
    print(f"details: {path}")


def _conclude(attempts: list[Attempt]) -> int:
    solved = {name: sum(one.is_solved for one in attempts if one.agent == name) for name in ("coder", "mini")}
    if {one.agent for one in attempts} != {"coder", "mini"}:
        return 0
    only_coder, only_mini, p = sign_test(attempts, "coder", "mini")
    print(f"only coder {only_coder}, only mini {only_mini}, sign test p = {p:.2f}")
    return 0 if solved["coder"] >= solved["mini"] else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.coder_solve_rate", description=__doc__)
    parser.add_argument("--agents", default="coder,mini")
    parser.add_argument("--tasks", help="names, with commas; all without it")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=150_000)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--seconds", type=int, default=900)
    parser.add_argument("--answer-tokens", type=int, default=4096, help="of one answer, for both")
    parser.add_argument("--model", choices=["endpoint", "solver", "fool"], default="endpoint")
    sys.exit(asyncio.run(main(parser.parse_args())))
