"""The main job by programs, on both databases: call, comment, second revision, moved base, land, take out again."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.browser.furnished import make_workspace
from tests.framework.postgres import PostgresServer
from tests.framework.provider_double.reviewed_coder import FILES, play
from tests.framework.provider_double.threaded import running_double
from tests.framework.stack import Stack

pytestmark = [pytest.mark.flow, pytest.mark.timeout(240)]


@pytest.fixture(params=["sqlite", "postgres"])
def installation(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """All processes on one of the two databases."""
    postgres = PostgresServer() if request.param == "postgres" else None
    with tempfile.TemporaryDirectory(prefix="pyagent-job-") as folder:
        environment = {"DATABASE_URL": postgres.url} if postgres else {}
        running = Stack(Path(folder) / "home", **environment)
        try:
            running.start(timeout_s=90)
            yield running
        finally:
            running.stop()
            if postgres:
                postgres.stop()


def wait(api: httpx.Client, address: str) -> dict[str, Any]:
    ends_at = time.monotonic() + 90
    while True:
        run: dict[str, Any] = api.get(address).raise_for_status().json()
        if run["status"] in ("finished", "failed", "cancelled", "dead"):
            return run
        assert time.monotonic() < ends_at, run
        time.sleep(0.2)


def test_a_change_goes_from_the_call_to_the_branch_and_back(installation: Stack) -> None:
    api = installation.api(installation.person("ada", is_owner=True))
    base = f"workspaces/{make_workspace(api, 'Sums', FILES)}"

    def post(path: str, /, **body: Any) -> httpx.Response:
        return api.post(f"{base}/{path}", json=body)

    def file(path: str) -> dict[str, Any]:
        found: dict[str, Any] = api.get(f"{base}/file", params={"path": path}).raise_for_status().json()
        return found

    with running_double() as double:
        double.brain = play
        model = {
            "name": "m",
            "provider": "openai",
            "model": "scripted",
            "base_url": double.base_url("openai"),
        }
        model_id = api.post("models", json={**model, "is_default": True}).raise_for_status().json()["id"]
        started = post(
            "runs", agent="coder", goal="fix the failing test in calc.py", model_id=model_id
        ).json()
        run = wait(api, f"{base}/runs/{started['id']}")
        assert run["status"] == "finished", run
        review = f"reviews/{run['review_id']}"

        # A must-fix goes to the agent and comes back as a revision with an answer.
        remark = post(f"{review}/comments", text="Say why.", kind="must-fix", path="calc.py", line=2)
        assert remark.status_code == 201, remark.text
        answering = post(f"{review}/send").raise_for_status().json()["run_id"]
        assert wait(api, f"{base}/runs/{answering}")["status"] == "finished"
    seen = api.get(f"{base}/{review}").json()
    assert (seen["revision"], seen["evidence_state"], seen["cost_usd"]) == (2, "passed", None)
    assert "It says so now." in repr(seen["comments"])
    hunks = {file["path"]: file["hunks"][0]["key"] for file in seen["files"]}
    post(f"{review}/hunks/{hunks['calc.py']}/decision", verdict="accepted").raise_for_status()
    post(f"{review}/hunks/{hunks['notes.py']}/decision", verdict="rejected", reason="No.").raise_for_status()

    def apply() -> httpx.Response:
        now = api.get(f"{base}/{review}").json()
        return post(f"{review}/apply", diff_hash=now["diff_hash"], selection=now["selection"])

    assert apply().status_code == 422, "the must-fix is open"
    post(f"{review}/comments/{remark.json()['id']}/resolve", is_resolved=True).raise_for_status()

    # Somebody changes the file meanwhile: nothing lands before it was looked at again; the decisions stay.
    saved = file("calc.py")
    moved = "# moved\n" + saved["text"]
    body = {"path": "calc.py", "text": moved, "expected": saved["version"]}
    api.put(f"{base}/file", json=body).raise_for_status()
    post("git/stage", paths=["calc.py"]).raise_for_status()
    post("git/commit", message="Move").raise_for_status()
    refused = apply()
    assert refused.status_code == 409 and "carried over" in refused.text, refused.text
    seen = api.get(f"{base}/{review}").json()
    assert (seen["revision"], seen["accepted"], seen["rejected"]) == (3, 1, 1)
    landed = apply()
    assert landed.status_code == 200, landed.text
    assert file("calc.py")["text"] == moved.replace("a - b", 'a + b  # the sum, not the "difference"')
    assert file("notes.py")["text"] == FILES["notes.py"]
    assert post(f"{review}/revert").raise_for_status().json()["status"] == "reverted"
    assert file("calc.py")["text"] == moved
