"""@planner over the whole stack with one slot: it hands on, waits without it, gives results on, and ends within its budget."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.browser.furnished import make_workspace
from tests.framework.provider_double.planned import Insatiable, play
from tests.framework.provider_double.script import Brain
from tests.framework.provider_double.threaded import running_double
from tests.framework.stack import Stack

pytestmark = [pytest.mark.flow, pytest.mark.timeout(240)]
FINAL = ("finished", "failed", "cancelled", "dead")


@pytest.fixture(scope="module")
def one_slot() -> Iterator[Stack]:
    """An installation whose only worker can do one thing at a time: a parent that held its slot would wait for ever."""
    with tempfile.TemporaryDirectory(prefix="pyagent-planner-") as folder:
        running = Stack(Path(folder) / "home", PYAGENT_WORKERS="1")
        try:
            running.start(timeout_s=90)
            yield running
        finally:
            running.stop()


@contextmanager
def plan(stack: Stack, name: str, brain: Brain, **body: Any) -> Iterator[tuple[httpx.Client, str, str]]:
    """Let @planner work on a scripted model; give the client, the workspace's address and the run's."""
    api = stack.api(stack.person(name, is_owner=True))
    base = f"workspaces/{make_workspace(api, name, {'README.md': 'Two files are to come.'})}"
    with running_double() as double:
        double.brain = brain
        address = double.base_url("openai")
        model = {
            "name": "m",
            "provider": "openai",
            "model": "scripted",
            "base_url": address,
            "is_default": True,
        }
        api.post("models", json=model).raise_for_status()
        started = api.post(f"{base}/runs", json={"agent": "planner", "goal": "Write both files", **body})
        yield api, base, f"{base}/runs/{started.raise_for_status().json()['id']}"


def wait(api: httpx.Client, address: str, *, timeout_s: float = 120) -> dict[str, Any]:
    ends_at = time.monotonic() + timeout_s
    while True:
        run: dict[str, Any] = api.get(address).raise_for_status().json()
        if run["status"] in FINAL:
            return run
        assert time.monotonic() < ends_at, run
        time.sleep(0.2)


def test_two_children_one_after_the_other_bring_two_change_sets(one_slot: Stack) -> None:
    with plan(one_slot, "pia", play) as (api, base, address):
        run = wait(api, address)
        assert run["status"] == "finished", run
        lineage = api.get(f"{address}/lineage").raise_for_status().json()
    assert [(row["depth"], row["run"]["agent"]) for row in lineage] == [
        (0, "planner"),
        (1, "coder"),
        (1, "coder"),
    ]
    children = [row["run"] for row in lineage[1:]]
    assert all(child["status"] == "finished" for child in children)
    reviews = [child["review_id"] for child in children]
    assert run["answer"].startswith("Both files are written.\n\n**Tasks**")
    for child in children:
        assert f"change set {child['review_id']}" in run["answer"]
    changed = [
        [file["path"] for file in api.get(f"{base}/reviews/{review}").raise_for_status().json()["files"]]
        for review in reviews
    ]
    assert changed == [["one.py"], ["two.py"]]  # the second stands on the first and shows its own change only
    for review, paths in zip(reviews, changed, strict=True):
        land(api, f"{base}/reviews/{review}")
        assert api.get(f"{base}/file", params={"path": paths[0]}).status_code == 200


def land(api: httpx.Client, review: str) -> None:
    """Accept everything of a change set and apply it, again when the branch has moved on."""
    for _ in range(2):
        seen = api.get(review).raise_for_status().json()
        for file in seen["files"]:
            for hunk in file["hunks"]:
                decision = f"{review}/hunks/{hunk['key']}/decision"
                api.post(decision, json={"verdict": "accepted"}).raise_for_status()
        seen = api.get(review).raise_for_status().json()
        reply = api.post(
            f"{review}/apply", json={"diff_hash": seen["diff_hash"], "selection": seen["selection"]}
        )
        if reply.status_code != 409:
            break
    assert reply.status_code == 200, reply.text


def test_a_planner_that_hands_on_other_words_for_ever_ends_within_its_budget(one_slot: Stack) -> None:
    budget = {"steps": 40, "tokens": 60_000, "seconds": 600}
    with plan(one_slot, "per", Insatiable(), budget=budget) as (api, _, address):
        run = wait(api, address, timeout_s=180)
        lineage = api.get(f"{address}/lineage").raise_for_status().json()
    runs = [row["run"] for row in lineage]
    assert all(one["status"] in FINAL for one in runs)
    assert len(runs) > 3 and max(row["depth"] for row in lineage) <= 4
    assert sum(one["input_tokens"] + one["output_tokens"] for one in runs) <= budget["tokens"]
    assert run["answer"].startswith("**Not finished.**"), run
