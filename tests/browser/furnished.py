"""An installation with something on every page: files, messages, a finished run, a review."""

from __future__ import annotations

import io
import secrets
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import httpx

from tests.framework.stack import Stack

T = TypeVar("T")
LINT = '''"""Parses lines."""
import os, sys
import json


def parse(text, strict=False):
    """Return the fields of a line."""
    unused = 1
    if text == None:
        return []
    if not text.strip() == "":
        return [part for part in text.split(",")]
    return []
'''
FILES = {
    "README.md": "# Parser\n\nReads `a,b,c`.\n",
    "pyproject.toml": '[project]\nname = "parser"\nversion = "1.0"\n',
    "src/parser.py": LINT,
    "src/writer.py": "import os\nimport re\n\n\ndef write(fields):\n    return ','.join(fields)\n",
    "tests/test_parser.py": "import sys\nfrom src.parser import parse\n\n\ndef test_parse():\n    assert parse('a') == ['a']\n",
}


def archive_of(files: dict[str, str | bytes]) -> bytes:
    """Return a .zip of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def wait_for(ask: Callable[[], T | None], *, what: str, timeout_s: float = 60) -> T:
    """Return the first answer that is something."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if (answer := ask()) is not None:
            return answer
        time.sleep(0.1)
    raise AssertionError(f"{what}: nothing within {timeout_s} s")


def make_workspace(api: httpx.Client, name: str, files: dict[str, str | bytes]) -> int:
    """Upload the files as a workspace and return its id once it is ready."""
    upload = {"archive": ("source.zip", archive_of(files), "application/zip")}
    made = api.post("workspaces/upload", data={"name": name}, files=upload).raise_for_status().json()
    workspace_id = int(made["id"])

    def state() -> str | None:
        found = str(api.get(f"workspaces/{workspace_id}").raise_for_status().json()["state"])
        return None if found == "preparing" else found

    assert wait_for(state, what="workspace ready") == "ready"
    return workspace_id


def general(api: httpx.Client, workspace_id: int) -> int:
    """Return the id of the workspace's first channel."""
    return int(api.get(f"workspaces/{workspace_id}/channels").raise_for_status().json()[0]["id"])


def say(
    api: httpx.Client, workspace_id: int, channel_id: int, text: str, topic: str = ""
) -> dict[str, object]:
    """Post a message, waiting where people are asked to be slower, and return what came back."""
    body = {"text": text, "topic": topic, "client_id": secrets.token_hex(8)}
    for _ in range(60):
        reply = api.post(f"workspaces/{workspace_id}/channels/{channel_id}/messages", json=body)
        if reply.status_code != 429:
            break
        time.sleep(float(reply.headers.get("Retry-After", "1")))
    return dict(reply.raise_for_status().json())


def finish_run(api: httpx.Client, workspace_id: int, run_id: str) -> int:
    """Wait until a run has ended well and return the id of its review."""

    def review() -> int | None:
        run = api.get(f"workspaces/{workspace_id}/runs/{run_id}").raise_for_status().json()
        assert run["status"] not in ("failed", "dead", "cancelled"), run
        return run["review_id"] if run["status"] == "finished" else None

    return wait_for(review, what="the run's review")


@dataclass(frozen=True)
class Furnished:
    """Who owns the installation, and the ids of what is in it."""

    owner: str
    workspace_id: int
    channel_id: int
    run_id: str
    review_id: int
    agent_id: int = 0
    schedule_id: int = 0
    webhook_id: int = 0
    lesson_id: int = 0
    goal_id: int = 0

    def pages(self) -> dict[str, str]:
        """Return the path of each page for somebody who is signed in, by its name."""
        base = f"/w/{self.workspace_id}"
        return {
            "home": "/",
            "new workspace": "/new/",
            "channel": f"{base}/c/general/",
            "files": f"{base}/files/?path=src/parser.py",
            "git": f"{base}/git/",
            "lessons": f"{base}/lessons/",
            "lesson": f"{base}/lessons/{self.lesson_id}/",
            "agents": f"{base}/agents/",
            "define an agent": f"{base}/agents/new/",
            "agent": f"{base}/agents/{self.agent_id}/",
            "change an agent": f"{base}/agents/{self.agent_id}/change/",
            "agent version": f"{base}/agents/{self.agent_id}/versions/2/",
            "runs": f"{base}/runs/",
            "run": f"{base}/runs/{self.run_id}/",
            "timeline of a run": f"{base}/runs/{self.run_id}/timeline/",
            "log of a run": f"{base}/runs/{self.run_id}/log/",
            "unattended": f"{base}/unattended/",
            "schedule": f"{base}/unattended/schedules/{self.schedule_id}/",
            "new schedule": f"{base}/unattended/schedules/add/",
            "webhooks": f"{base}/unattended/webhooks/",
            "webhook": f"{base}/unattended/webhooks/{self.webhook_id}/",
            "new webhook": f"{base}/unattended/webhooks/add/",
            "goals": f"{base}/unattended/goals/",
            "goal": f"{base}/unattended/goals/{self.goal_id}/",
            "new goal": f"{base}/unattended/goals/add/",
            "reviews": f"{base}/reviews/",
            "review": f"{base}/reviews/{self.review_id}/",
            "fleet of a workspace": f"{base}/fleet/",
            "fleet": "/fleet/",
            "health": f"{base}/health/",
            "health of a file": f"{base}/health/file/?path=src/parser.py",
            "health limits": f"{base}/health/limits/",
            "health patterns": f"{base}/health/patterns/",
            "members": f"{base}/members/",
            "workspace settings": f"{base}/settings/",
            "workspace models": f"{base}/settings/models/",
            "spending": f"{base}/spend/",
            "prices": f"{base}/settings/models/prices/",
            "models of each agent": f"{base}/settings/models/agents/",
            "workspace policy": f"{base}/settings/policy/",
            "version of the policy": f"{base}/settings/policy/1/",
            "search": f"{base}/search/?q=parser",
            "profile": "/settings/",
            "models": "/settings/models/",
            "add a model": "/settings/models/add/",
            "installation models": "/installation/models/",
            "people": "/people/",
            "password": "/accounts/password/change/",
            "two-factor": "/accounts/2fa/",
            "sessions": "/accounts/sessions/",
            "error": "/w/999999/",
        }


SIGNED_OUT = {
    "sign-in": "/accounts/login/",
    "sign-up closed": "/accounts/signup/",
    "password reset": "/accounts/password/reset/",
}


def furnish_unattended(api: httpx.Client, workspace_id: int) -> tuple[int, int, int]:
    """Make unattended work and return the ids of a schedule, of a webhook that was called and of a goal."""
    place = f"workspaces/{workspace_id}/unattended"
    schedule = {
        "name": "Tidy at night",
        "agent": "tidy",
        "goal": "src only",
        "cron": "0 3 * * 1-5",
        "zone": "Europe/Berlin",
    }
    schedule_id = int(api.post(f"{place}/schedules", json=schedule).raise_for_status().json()["id"])
    api.post(f"{place}/schedules/{schedule_id}/start").raise_for_status()
    webhook = {"name": "New issues", "agent": "tidy", "goal": "Look at {{ issue.title }}", "proof": "bearer"}
    made = api.post(f"{place}/webhooks", json=webhook).raise_for_status().json()
    headers = {
        "Authorization": f"Bearer {made['secret']}",
        "X-GitHub-Event": "issues",
        "Webhook-Id": "72d3162e",
    }
    httpx.post(made["address"], json={"issue": {"title": "It breaks"}}, headers=headers).raise_for_status()
    # One round, whose command never succeeds; nobody waits for its end.
    goal = {
        "name": "Tidy and typed",
        "agent": "tidy",
        "goal": "Tidy up src",
        "command": "false",
        "max_rounds": 1,
    }
    goal_id = int(api.post(f"{place}/goals", json=goal).raise_for_status().json()["id"])
    return schedule_id, int(made["id"]), goal_id


def furnish(stack: Stack) -> Furnished:
    """Make an owner, a workspace, talk, a comment and an edit that is not committed."""
    owner = stack.person(f"owner-{secrets.token_hex(3)}", is_owner=True)
    with stack.api(owner) as api:
        workspace_id = make_workspace(api, "Parser", dict(FILES))
        channel_id = general(api, workspace_id)
        text = (
            "The **parser** is [here](https://example.org/):\n\n```python\nprint('now')\n```\n\n"
            "| a | b |\n|---|---|\n| 1 | 2 |\n\n> quoted"
        )
        say(api, workspace_id, channel_id, text)
        say(
            api, workspace_id, channel_id, "A second topic, `code` and a list:\n\n- one\n- two", "release 1.0"
        )
        called = say(api, workspace_id, channel_id, "@tidy please clean this up")
        run_id = str(called["run_ids"][0])  # type: ignore[index]
        review_id = finish_run(api, workspace_id, run_id)
        policy = api.get(f"workspaces/{workspace_id}/policy").raise_for_status().json()["text"]
        changed = {
            "text": policy.replace("more_files_than = 20", "more_files_than = 10"),
            "note": "Ask earlier",
        }
        api.put(f"workspaces/{workspace_id}/policy", json=changed).raise_for_status()
        body = {"path": "notes.md", "text": "# Notes\n", "expected": None}
        api.put(f"workspaces/{workspace_id}/file", json=body).raise_for_status()
        agent: dict[str, object] = {"description": "Keeps the manual in step", "instructions": "Write short."}
        made = api.post(f"workspaces/{workspace_id}/agents", json={"name": "docs-writer", **agent})
        agent_id = int(made.raise_for_status().json()["id"])
        changed = agent | {"instructions": "Write short.\nIn English.", "note": "Says which language"}
        api.put(f"workspaces/{workspace_id}/agents/{agent_id}", json=changed).raise_for_status()
        schedule_id, webhook_id, goal_id = furnish_unattended(api, workspace_id)
        lesson = {"pattern": "Use Decimal for money; float loses cents.", "solution": "decimal.Decimal"}
        written = api.post(f"workspaces/{workspace_id}/lessons", json=lesson).raise_for_status().json()
    return Furnished(
        owner=owner,
        workspace_id=workspace_id,
        channel_id=channel_id,
        run_id=run_id,
        review_id=review_id,
        agent_id=agent_id,
        schedule_id=schedule_id,
        webhook_id=webhook_id,
        lesson_id=int(written["id"]),
        goal_id=goal_id,
    )
