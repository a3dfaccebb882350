"""Work that starts without a person, over the whole stack: it is done once, and waits in a review like a person's call."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.browser.furnished import FILES, finish_run, make_workspace, wait_for
from tests.framework.provider_double.script import Asked, Call, Say
from tests.framework.provider_double.threaded import running_double
from tests.framework.stack import Stack

pytestmark = [pytest.mark.flow, pytest.mark.timeout(300)]


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


def kill(installation: Stack, word: str) -> None:
    """End the processes that have this word in their command line, as a crash would; the supervisor starts others."""
    assert installation.process is not None
    for child in psutil.Process(installation.process.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if word in child.cmdline():
                child.kill()


def test_a_schedule_runs_once_a_minute_through_the_death_of_its_relay(
    installation: Stack, api: httpx.Client
) -> None:
    workspace_id = make_workspace(api, "Nightly", dict(FILES))
    place = f"workspaces/{workspace_id}/unattended/schedules"
    before = api.get(f"workspaces/{workspace_id}/git/log").raise_for_status().json()
    body = {"name": "Tidy", "agent": "tidy", "cron": "* * * * *"}
    schedule_id = api.post(place, json=body).raise_for_status().json()["id"]
    kill(installation, "relay")

    def firings() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = api.get(f"{place}/{schedule_id}/firings").raise_for_status().json()
        return found

    first = wait_for(lambda: next(iter(firings()), None), what="the first due moment", timeout_s=90)
    assert first["outcome"] == "started"
    kill(installation, "relay")
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


SUMS: dict[str, str | bytes] = {
    "calc.py": "def add(a, b):\n    return a - b\n",
    "test_calc.py": "from calc import add\n\n\ndef test_add():\n    assert add(2, 3) == 5\n",
}
SLOW = "I look closely at what is there, word by word, before I do anything. " * 3


def in_rounds(asked: Asked) -> Say:
    """A coder that errs in its first round and forgets the docstring in its second, and an auditor that wants one."""
    said = "\n".join(message["content"] for message in asked.messages if message["role"] == "user")
    done = [message for message in asked.messages if message["role"] == "tool"]
    if not asked.tools:
        return Say("OK")
    if "edit_file" not in asked.tools:
        has_docstring = any('"""' in message["content"] for message in done)
        verdict = {
            "is_reached": has_docstring,
            "reason": "calc.py:2",
            "next": "Write a docstring.",
            "answer": "Seen.",
        }
        call = Call("finish", verdict) if done else Call("read_file", {"path": "calc.py"})
        return Say("I look.", (call,))
    if "Write a docstring." in said:
        old, new = "    return a + b", '    """Return the sum."""\n    return a + b'
    elif "must succeed, and it does not" in said:
        old, new = "a * b", "a + b"
    else:
        old, new = "a - b", "a * b"
    edit = Call("edit_file", {"path": "calc.py", "old_text": old, "new_text": new})
    remarks = [
        {"comment_id": int(number), "text": "Done."} for number in re.findall(r"Comment (\d+) \(", said)
    ]
    finish = Call("finish", {"answer": "Done.", **({"answers": remarks} if remarks else {})})
    script = (Say(SLOW, (Call("list_files"),), token_wait_s=0.05), Say("So.", (edit,)))
    return script[len(done)] if len(done) < len(script) else Say("", (finish,))


def test_a_goal_goes_through_its_rounds_and_the_death_of_every_process_to_one_review(
    installation: Stack, api: httpx.Client
) -> None:
    workspace_id = make_workspace(api, "Sums", SUMS)
    place = f"workspaces/{workspace_id}/unattended/goals"
    before = api.get(f"workspaces/{workspace_id}/git/log").raise_for_status().json()
    with running_double() as double:
        double.brain = in_rounds
        model = {"name": "m", "provider": "openai", "model": "s", "base_url": double.base_url("openai")}
        model_id = api.post("models", json=model).raise_for_status().json()["id"]
        body = {
            "name": "Green",
            "agent": "coder",
            "goal": "Make add in calc.py right",
            "command": "python3 -m pytest -q",
            "criteria": "add has a docstring",
            "model_id": model_id,
        }
        goal = f"{place}/{api.post(place, json=body).raise_for_status().json()['id']}"

        def round_is(number: int, stage: str) -> bool | None:
            found = api.get(f"{goal}/rounds").raise_for_status().json()
            return bool(found) and (found[0]["number"], found[0]["stage"]) >= (number, stage) or None

        def ended() -> dict[str, Any] | None:
            found: dict[str, Any] = api.get(goal).raise_for_status().json()
            return None if found["state"] == "working" else found

        wait_for(lambda: round_is(1, "work"), what="the first round", timeout_s=30)
        kill(installation, "celery")
        wait_for(lambda: round_is(2, ""), what="the second round", timeout_s=120)
        kill(installation, "relay")
        found = wait_for(ended, what="the end of the goal", timeout_s=120)
    assert found["state"] == "reached", found
    rounds = api.get(f"{goal}/rounds").raise_for_status().json()
    assert [(row["number"], row["revision"], row["is_reached"]) for row in rounds] == [
        (3, 3, True),
        (2, 2, False),
        (1, 1, False),
    ]
    assert "1 failed" in rounds[2]["words"] and "Write a docstring." in rounds[1]["words"]
    review = api.get(f"workspaces/{workspace_id}/reviews/{found['change_set_id']}").raise_for_status().json()
    assert (review["status"], review["revision"], review["evidence_state"]) == ("open", 3, "passed")
    assert len(api.get(f"workspaces/{workspace_id}/reviews").json()["reviews"]) == 1
    assert api.get(f"workspaces/{workspace_id}/git/log").json() == before, "nothing lands by itself"
