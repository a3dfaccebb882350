"""A run over the whole stack whose first model fails, and one that the workspace's limit stops before it overspends."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.browser.furnished import make_workspace, wait_for
from tests.framework.provider_double import Fault, ProviderDouble
from tests.framework.provider_double.script import Asked, Call, Say
from tests.framework.provider_double.threaded import running_double
from tests.framework.stack import Stack

pytestmark = [pytest.mark.flow, pytest.mark.timeout(300)]
FINAL = ("finished", "failed", "cancelled", "dead")
KEYS = {"refused": "sk-refused-0123456789", "good": "sk-good-0123456789"}


def play(asked: Asked) -> Say:
    """Refuse the first model's key; the second reads a file for 9,000 tokens a turn, and then is done."""
    if asked.model == "refused":
        return Say(fault=Fault("http", 401))
    if any(message["role"] == "tool" for message in asked.messages):
        return Say("", (Call("finish", {"answer": "x is 1."}),), usage=(9_000, 10))
    return Say("", (Call("read_file", {"path": "a.py"}),), usage=(9_000, 10))


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with tempfile.TemporaryDirectory(prefix="pyagent-money-") as folder:
        running = Stack(Path(folder) / "home")
        try:
            running.start()
            yield running
        finally:
            running.stop()


@pytest.fixture
def double() -> Iterator[ProviderDouble]:
    with running_double() as double:
        double.brain = play
        yield double


def run_to_its_end(api: httpx.Client, base: str) -> dict[str, Any]:
    started = (
        api.post(f"{base}/runs", json={"agent": "coder", "goal": "what is x in a.py?"})
        .raise_for_status()
        .json()
    )

    def ended() -> dict[str, Any] | None:
        run: dict[str, Any] = api.get(f"{base}/runs/{started['id']}").raise_for_status().json()
        return run if run["status"] in FINAL else None

    return wait_for(ended, what="the run's end", timeout_s=90)


def test_goes_on_with_the_next_model_and_stops_before_it_overspends(
    stack: Stack, double: ProviderDouble
) -> None:
    with stack.api(stack.person("ada", is_owner=True)) as api:
        workspace_id = make_workspace(api, "Money", {"a.py": "x = 1\n"})
        base = f"workspaces/{workspace_id}"
        ids = []
        for name, key in KEYS.items():
            model = {
                "name": name,
                "provider": "openai",
                "model": name,
                "base_url": double.base_url("openai"),
                "context_tokens": 32_000,
                "key": key,
                "owner": "workspace",
                "workspace_id": workspace_id,
            }
            ids.append(api.post("models", json=model).raise_for_status().json()["id"])
        api.put(f"{base}/agent-models", json={"agent": "coder", "models": ids}).raise_for_status()
        price = {"model": "good", "input_usd_per_mtok": 100.0, "output_usd_per_mtok": 100.0}
        api.put(f"{base}/prices", json=price).raise_for_status()

        run = run_to_its_end(api, base)
        assert run["status"] == "finished", run
        assert "refused cannot answer; good is asked instead" in [step["title"] for step in run["steps"]]
        asked = [(one.model, one.headers["authorization"]) for one in double.asked]
        assert asked == [
            ("refused", f"Bearer {KEYS['refused']}"),
            ("good", f"Bearer {KEYS['good']}"),
            ("good", f"Bearer {KEYS['good']}"),
        ]
        spent = api.get(f"{base}/spend").raise_for_status().json()
        assert spent["today"]["calls"] == 2 and spent["today"]["cost_usd"] == pytest.approx(1.802)
        assert [row["name"] for row in spent["by_model"]] == ["good"]

        # One more call of a turn's cost fits, the next one's worst case does not.
        api.put(f"{base}/spend/limits", json={"day_usd": 3.6}).raise_for_status()
        run = run_to_its_end(api, base)
        assert len(double.asked) <= 5
        told = f"{run['error_message']} {run['answer']}"
        assert "Budget exceeded: the workspace’s budget for today of $3.60" in told, run
        assert api.get(f"{base}/spend").raise_for_status().json()["today"]["cost_usd"] < 3.6
