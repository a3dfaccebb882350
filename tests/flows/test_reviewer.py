"""@reviewer over the whole stack: asked over REST about a change, its comments stand on the review's lines and page."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.browser.furnished import make_workspace
from tests.framework.provider_double import reviewed_coder
from tests.framework.provider_double.script import Asked, Call, Say
from tests.framework.provider_double.threaded import running_double
from tests.framework.stack import Stack

pytestmark = [pytest.mark.flow, pytest.mark.timeout(240)]
REMARK = {
    "path": "notes.py",
    "side": "new",
    "line": 1,
    "quote": 'GREETING = "hallo"',
    "kind": "must-fix",
    "text": "Nobody asked for another greeting.",
}


def play(asked: Asked) -> Say:
    """Be the coder to @coder, and to @reviewer a reviewer of whose comments one holds."""
    if "read_diff" not in asked.tools:
        return reviewed_coder.play(asked)
    wrong = REMARK | {"line": 99, "text": "There is no such line."}
    return Say(calls=(Call("finish", {"answer": "One thing too much.", "comments": [REMARK, wrong]}),))


@pytest.fixture
def installation() -> Iterator[Stack]:
    with tempfile.TemporaryDirectory(prefix="pyagent-reviewer-") as folder:
        running = Stack(Path(folder) / "home")
        try:
            running.start(timeout_s=90)
            yield running
        finally:
            running.stop()


def wait(api: httpx.Client, address: str) -> dict[str, Any]:
    ends_at = time.monotonic() + 90
    while True:
        run: dict[str, Any] = api.get(address).raise_for_status().json()
        if run["status"] in ("finished", "failed", "cancelled", "dead"):
            return run
        assert time.monotonic() < ends_at, run
        time.sleep(0.2)


def test_comments_on_the_lines_of_a_change_that_another_agent_made(installation: Stack) -> None:
    api = installation.api(installation.person("ada", is_owner=True))
    base = f"workspaces/{make_workspace(api, 'Sums', reviewed_coder.FILES)}"
    with running_double() as double:
        double.brain = play
        model = {
            "name": "m",
            "provider": "openai",
            "model": "scripted",
            "base_url": double.base_url("openai"),
        }
        api.post("models", json={**model, "is_default": True}).raise_for_status()
        body = {"agent": "coder", "goal": "fix the failing test in calc.py"}
        started = api.post(f"{base}/runs", json=body).raise_for_status().json()
        proposed = wait(api, f"{base}/runs/{started['id']}")["review_id"]
        review = f"{base}/reviews/{proposed}"
        asked = api.post(f"{review}/review").raise_for_status().json()["run_id"]
        run = wait(api, f"{base}/runs/{asked}")
    assert run["status"] == "finished", run
    assert "1 comment was dropped" in run["answer"]
    seen = api.get(review).raise_for_status().json()
    said = [(one["author"], one["kind"], one["path"], one["line"]) for one in seen["comments"]]
    assert said == [("@reviewer", "must-fix", "notes.py", 1), ("@reviewer", "note", "", None)]
    assert seen["comments"][0]["code"] == 'GREETING = "hallo"'
    assert (seen["accepted"], seen["rejected"]) == (0, 0)
