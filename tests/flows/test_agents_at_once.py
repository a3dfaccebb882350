"""Three agents at once on one repository: each in a worktree of its own, and what they propose merges or shows the conflict."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.browser.furnished import finish_run, make_workspace, wait_for
from tests.framework.provider_double.script import Asked, Call, Say
from tests.framework.provider_double.threaded import running_double
from tests.framework.stack import Stack

pytestmark = [pytest.mark.flow, pytest.mark.timeout(240)]
SUM = "def add(a, b):\n    return a - b\n"
FAR = "".join(f"# line {n}\n" for n in range(40))
GREETING = '\nGREETING = "hello"\n'
FILES: dict[str, str | bytes] = {"calc.py": SUM + FAR + GREETING, "notes.py": "NOTE = 1\n"}
EDITS = {
    "sum": [("calc.py", "a - b", "a + b")],
    "greeting": [("calc.py", '"hello"', '"hallo"'), ("notes.py", "NOTE = 1", "NOTE = 2")],
    "difference": [("calc.py", "a - b", "b - a")],
}
THOUGHT = "I look closely, so that the others are at work meanwhile. " * 4


def play(asked: Asked) -> Say:
    """Think for a while, make the edits that the goal names, and finish."""
    said = "\n".join(message["content"] for message in asked.messages if message["role"] == "user")
    goal = re.search(r"mend the (\w+)", said)
    if not asked.tools or goal is None:
        return Say("OK")
    calls = [
        Call("edit_file", {"path": path, "old_text": old, "new_text": new})
        for path, old, new in EDITS[goal[1]]
    ]
    script = [
        Say(THOUGHT, (Call("list_files"),), token_wait_s=0.1),
        *(Say("This is wrong.", (call,)) for call in calls),
        Say(THOUGHT, (Call("read_file", {"path": "calc.py"}),), token_wait_s=0.05),
        Say("", (Call("finish", {"answer": f"The {goal[1]} is mended."}),)),
    ]
    return script[min(sum(message["role"] == "tool" for message in asked.messages), len(script) - 1)]


@pytest.fixture(scope="module")
def installation() -> Iterator[Stack]:
    """An installation whose worker has room for three runs at once."""
    with tempfile.TemporaryDirectory(prefix="pyagent-at-once-") as folder:
        running = Stack(Path(folder) / "home", PYAGENT_WORKERS="3")
        try:
            running.start(timeout_s=90)
            yield running
        finally:
            running.stop()


@pytest.fixture(scope="module")
def api(installation: Stack) -> Iterator[httpx.Client]:
    with installation.api(installation.person("ada", is_owner=True)) as client:
        yield client


class Desk:
    """Calls agents on one repository, and decides about what they propose."""

    def __init__(self, installation: Stack, api: httpx.Client, model_url: str) -> None:
        self.workspace_id = make_workspace(api, "Sums", FILES)
        self.api, self.base = api, f"workspaces/{self.workspace_id}"
        self.worktrees = installation.home / "workspaces" / str(self.workspace_id) / "worktrees"
        model = {
            "name": "m",
            "provider": "openai",
            "model": "scripted",
            "base_url": model_url,
            "is_default": True,
        }
        api.post("models", json=model).raise_for_status()

    def call(self, goal: str) -> str:
        body = {"agent": "coder", "goal": f"mend the {goal} in calc.py"}
        return str(self.api.post(f"{self.base}/runs", json=body).raise_for_status().json()["id"])

    def run(self, run_id: str) -> dict[str, Any]:
        return dict(self.api.get(f"{self.base}/runs/{run_id}").raise_for_status().json())

    def review(self, review_id: int) -> dict[str, Any]:
        return dict(self.api.get(f"{self.base}/reviews/{review_id}").raise_for_status().json())

    def accept(self, review_id: int) -> None:
        for file in self.review(review_id)["files"]:
            for hunk in file["hunks"]:
                place = f"{self.base}/reviews/{review_id}/hunks/{hunk['key']}/decision"
                self.api.post(place, json={"verdict": "accepted"}).raise_for_status()

    def apply(self, review_id: int) -> httpx.Response:
        seen = self.review(review_id)
        body = {"diff_hash": seen["diff_hash"], "selection": seen["selection"]}
        return self.api.post(f"{self.base}/reviews/{review_id}/apply", json=body)

    def text(self, path: str) -> str:
        found = self.api.get(f"{self.base}/file", params={"path": path}).raise_for_status().json()
        return str(found["text"])


def test_what_does_not_overlap_lands_and_what_does_shows_the_conflict(
    installation: Stack, api: httpx.Client
) -> None:
    with running_double() as double:
        double.brain = play
        desk = Desk(installation, api, double.base_url("openai"))
        runs = {goal: desk.call(goal) for goal in EDITS}

        def places() -> set[str] | None:
            found = {path.name for path in desk.worktrees.glob("*") if path.is_dir()}
            return found if len(found) >= 3 else None

        assert len(wait_for(places, what="three worktrees at once", timeout_s=60)) == 3
        reviews = {goal: finish_run(api, desk.workspace_id, run_id) for goal, run_id in runs.items()}

    ended = [desk.run(run_id) for run_id in runs.values()]
    assert max(run["started_at"] for run in ended) < min(run["finished_at"] for run in ended), "not at once"
    deadline = time.monotonic() + 10
    while any(path.is_dir() for path in desk.worktrees.glob("*")) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [path for path in desk.worktrees.glob("*") if path.is_dir()], "a worktree was left behind"
    assert (desk.text("calc.py"), desk.text("notes.py")) == (SUM + FAR + GREETING, "NOTE = 1\n")
    # Each proposes its own edits and nobody else's.
    for goal, review_id in reviews.items():
        assert {file["path"] for file in desk.review(review_id)["files"]} == {
            path for path, *_ in EDITS[goal]
        }
        desk.accept(review_id)

    assert desk.apply(reviews["sum"]).status_code == 200
    # The other end of the same file: carried over to what stands there now, looked at again, and landed beside it.
    moved = desk.apply(reviews["greeting"])
    assert moved.status_code == 409, moved.text
    assert moved.json()["error"]["facts"] == {"is_carried_over": True, "number": 2, "conflicts": 0}
    assert desk.apply(reviews["greeting"]).status_code == 200
    merged = SUM.replace("a - b", "a + b") + FAR + GREETING.replace("hello", "hallo")
    assert (desk.text("calc.py"), desk.text("notes.py")) == (merged, "NOTE = 2\n")

    # The same line: the conflict is shown, and nothing is overwritten.
    refused = desk.apply(reviews["difference"])
    assert refused.status_code == 409, refused.text
    assert refused.json()["error"]["facts"]["conflicts"] == 1
    shown = desk.review(reviews["difference"])
    assert shown["conflicts"] == [{"path": "calc.py", "words": "these lines have changed meanwhile"}]
    assert desk.apply(reviews["difference"]).status_code == 422, "nothing of it is left to apply"
    assert desk.text("calc.py") == merged
