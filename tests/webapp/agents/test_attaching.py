"""Files that come with a goal: chosen, or named in it, and carried by the job."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.conf import settings
from django.urls import reverse

from webapp.agents import services
from webapp.agents.models import Run
from webapp.agents.services.launching import build_job
from workers.agents.attachments import InvalidAttachment

pytestmark = pytest.mark.django_db(transaction=True)
PICTURE = {"path": "docs/shot.png", "media_type": "image/png"}


@pytest.fixture
def files(workspace) -> Path:
    root = Path(settings.PYAGENT_HOME) / "workspaces" / str(workspace.pk) / "files"
    (root / "docs").mkdir()
    (root / "docs" / "shot.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (root / "notes.md").write_text("# Notes\n")
    (root / "big.gif").write_bytes(b"GIF89a" + b"\0" * 5 * 1024 * 1024)
    return root


def _start(workspace, people, goal="look", **fields):
    return services.start_run(
        workspace=workspace, requested_by=people.member, agent="coder", goal=goal, **fields
    )


def test_what_is_chosen_or_named_comes_with_the_goal_and_with_a_retry(workspace, people, files):
    run = _start(
        workspace, people, "make it like docs/shot.png and big.gif", attachments=["./notes.md", "notes.md"]
    )
    assert build_job(run).attachments == [{"path": "notes.md", "media_type": "text/markdown"}, PICTURE]
    run.refresh_from_db()
    services.cancel_run(run=run, cancelled_by=people.member)
    run.refresh_from_db()
    again = services.retry_run(run=run, requested_by=people.member)
    assert build_job(again).attachments == build_job(run).attachments


@pytest.mark.parametrize(
    ("paths", "says"),
    [
        (["absent.png"], "cannot be attached"),
        (["../../secret.png"], "cannot be attached"),
        (["parser.py"], "cannot be attached; these can"),
        (["big.gif"], "the limit is"),
        ([f"{n}.png" for n in range(9)], "At most 8"),
    ],
)
def test_refuses_what_cannot_come_with_a_goal(workspace, people, files, paths, says):
    with pytest.raises(InvalidAttachment, match=says):
        _start(workspace, people, attachments=paths)
    assert not Run.objects.exists()


def test_the_start_form_and_rest_take_paths(workspace, people, files, browser):
    client = browser(people.member)
    body = {"agent": "coder", "goal": "look", "attachments": "docs/shot.png\n\nnotes.md"}
    client.post(reverse("start_run", args=[workspace.pk]), body)
    assert len(Run.objects.get().job["attachments"]) == 2
    reply = client.post(
        f"/api/v1/workspaces/{workspace.pk}/runs",
        json.dumps({"agent": "coder", "goal": "look", "attachments": ["gone.png"]}),
        content_type="application/json",
    )
    assert reply.status_code == 422, reply.content
    assert reply.json()["error"]["code"] == "invalid_attachment"
