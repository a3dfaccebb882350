"""Work that starts without a person, over the whole stack: it is done once, and waits in a review like a person's call."""

from __future__ import annotations

import hashlib
import hmac
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.browser.furnished import FILES, finish_run, make_workspace, wait_for
from tests.framework.stack import Stack

pytestmark = [pytest.mark.flow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def installation() -> Iterator[Stack]:
    """An installation of its own, since its relay is killed."""
    with tempfile.TemporaryDirectory(prefix="pyagent-unattended-") as folder:
        running = Stack(Path(folder) / "home")
        try:
            running.start(timeout_s=90)
            yield running
        finally:
            running.stop()


@pytest.fixture(scope="module")
def api(installation: Stack) -> Iterator[httpx.Client]:
    with installation.api(installation.person("ada", is_owner=True)) as client:
        yield client


def kill_relay(installation: Stack) -> None:
    """End the relay as a crash would; the supervisor starts another."""
    assert installation.process is not None
    for child in psutil.Process(installation.process.pid).children(recursive=True):
        if "relay" in child.cmdline():
            child.kill()


def test_a_schedule_runs_once_a_minute_through_the_death_of_its_relay(
    installation: Stack, api: httpx.Client
) -> None:
    workspace_id = make_workspace(api, "Nightly", dict(FILES))
    place = f"workspaces/{workspace_id}/unattended/schedules"
    before = api.get(f"workspaces/{workspace_id}/git/log").raise_for_status().json()
    body = {"name": "Tidy", "agent": "tidy", "cron": "* * * * *"}
    schedule_id = api.post(place, json=body).raise_for_status().json()["id"]
    kill_relay(installation)

    def firings() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = api.get(f"{place}/{schedule_id}/firings").raise_for_status().json()
        return found

    first = wait_for(lambda: next(iter(firings()), None), what="the first due moment", timeout_s=90)
    assert first["outcome"] == "started"
    kill_relay(installation)
    api.post(f"{place}/{schedule_id}/switch", json={"is_enabled": False}).raise_for_status()
    review_id = finish_run(api, workspace_id, first["run_id"])
    run = api.get(f"workspaces/{workspace_id}/runs/{first['run_id']}").raise_for_status().json()
    assert review_id and run["status"] == "finished"
    assert api.get(f"workspaces/{workspace_id}/git/log").json() == before, "nothing lands by itself"
    time.sleep(3)
    moments = [one["moment"] for one in firings()]
    assert len(moments) == len(set(moments)) <= 2
    assert len(api.get(f"workspaces/{workspace_id}/runs").json()["runs"]) == len(moments)


def test_a_webhook_starts_a_run_that_waits_in_a_review(installation: Stack, api: httpx.Client) -> None:
    workspace_id = make_workspace(api, "Hooked", dict(FILES))
    place = f"workspaces/{workspace_id}/unattended/webhooks"
    body = {"name": "Push", "agent": "tidy", "goal": "Tidy up after {{ pusher.name }}"}
    hook = api.post(place, json=body).raise_for_status().json()
    sent = json.dumps({"pusher": {"name": "grace"}}).encode()
    signature = hmac.new(hook["secret"].encode(), sent, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "X-GitHub-Event": "push", "X-GitHub-Delivery": "1"}
    assert httpx.post(hook["address"], content=sent, headers=headers).status_code == 404, "not signed"
    headers["X-Hub-Signature-256"] = f"sha256={signature}"
    replies = [httpx.post(hook["address"], content=sent, headers=headers) for _ in range(2)]
    assert [reply.json()["status"] for reply in replies] == ["started", "seen"]
    (delivery,) = api.get(f"{place}/{hook['id']}/deliveries").raise_for_status().json()
    assert finish_run(api, workspace_id, delivery["run_id"])
    log = installation.log.read_text(errors="replace")
    assert hook["secret"] not in log and "grace" not in log
