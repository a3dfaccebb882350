"""Every door that the URLconf and the OpenAPI schema name, tried by a stranger, by nobody, and without the CSRF token.

The lists are read from the code, so a new door is tested the day it is made.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

import pytest
from django.db import transaction
from django.test import Client
from django.urls import get_resolver
from django.urls.resolvers import URLPattern, URLResolver

from tests.framework.people import Company
from tests.framework.unattended import unattended_of
from webapp.accounts.models import User
from webapp.agents.models import Approval, PolicyVersion, Run, Step
from webapp.agents.services import define_agent
from webapp.agents.services.definitions import AgentFields
from webapp.chat.models import Channel
from webapp.chat.services import post_message
from webapp.learning.models import Lesson, LessonEvidence
from webapp.reviews.models import ChangeSet

# Doors that anybody may knock on: they tell nothing about people or workspaces.
PUBLIC = {"setup", "invitation", "healthz", "readyz"}
# Doors whose unsafe methods carry proof of their own instead of a form's token.
CSRF_EXEMPT = {"internal_credentials", "internal_spend", "hook"}
SECRET = "canary-7f3a"
RUN_ID = uuid.UUID("12345678-1234-4123-8123-123456789abc")


def walk(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, str]]:
    for pattern in resolver.url_patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield path, pattern.name or ""
        else:
            yield from walk(pattern, path)


DOORS = [(path, name) for path, name in walk(get_resolver()) if not path.startswith(("accounts/", "api/"))]
WORKSPACE_DOORS = [(path, name) for path, name in DOORS if "<int:workspace_id>" in path]


def fill(path: str, values: dict[str, object]) -> str:
    return "/" + re.sub(r"<\w+:(\w+)>", lambda found: str(values[found[1]]), path)


@pytest.fixture
def values(company: Company) -> dict[str, object]:
    """Identities of real things in the company's workspace, each holding the canary."""
    channel = Channel.objects.filter(workspace=company.workspace).first()
    assert channel is not None
    message = post_message(
        workspace=company.workspace, channel=channel, author=company.owner, text=SECRET, topic=SECRET
    ).message
    run = Run.objects.create(
        id=RUN_ID, workspace=company.workspace, agent="tidy", goal=SECRET, status="finished"
    )
    Step.objects.create(run=run, step_id="s1", kind="thought", title=SECRET, started_at=run.created_at, seq=1)
    Approval.objects.create(run=run, step_id="s1", tool=SECRET, call_hash="0" * 64)
    PolicyVersion.objects.create(
        workspace=company.workspace, number=1, text=f"version = 1\nname = '{SECRET}'\n"
    )
    change_set = ChangeSet.objects.create(
        workspace=company.workspace, agent="tidy", title=SECRET, target_branch="main"
    )
    company.workspace.description = SECRET
    company.workspace.save()
    agent = define_agent(
        workspace=company.workspace,
        defined_by=company.owner,
        name="canary",
        visibility="private",
        fields=AgentFields(description=SECRET, instructions=SECRET),
    )
    lesson = Lesson.objects.create(
        workspace=company.workspace, key="k", pattern=SECRET, source="person", edited_by=company.owner
    )
    LessonEvidence.objects.create(
        workspace=company.workspace, lesson=lesson, origin="x", source="test", pattern=SECRET, text=SECRET
    )
    return {
        "workspace_id": company.workspace.pk, "user_id": company.member.pk, "invitation_id": 1, "name": channel.name,
        "message_id": message.pk, "run_id": run.pk, "step_id": "s1", "profile_id": 1, "change_set_id": change_set.pk,
        "key": "0" * 32, "file_id": "0" * 16, "comment_id": 1, "evidence_id": 1, "token": "x" * 43, "key_id": 1,
        **unattended_of(company, SECRET),
        "measurement_id": 1, "rule_id": 1, "definition_id": agent.pk, "number": 1, "lesson_id": lesson.pk,
    }  # fmt: skip


def test_the_list_of_doors_is_not_empty() -> None:
    assert len(WORKSPACE_DOORS) > 40


@pytest.mark.timeout(180)
def test_a_stranger_finds_nothing_behind_any_door_of_a_workspace(
    company: Company, values: dict[str, object]
) -> None:
    stranger = company.client(company.stranger)
    for path, _ in WORKSPACE_DOORS:
        for method in ("get", "post"):
            reply = getattr(stranger, method)(fill(path, values))
            assert reply.status_code in (404, 405), f"{method} /{path} answered {reply.status_code}"
            assert SECRET not in reply.content.decode(), path


@pytest.mark.timeout(180)
def test_things_of_another_workspace_do_not_open_through_ones_own(
    company: Company, values: dict[str, object]
) -> None:
    stranger = company.client(company.stranger)
    own = company.stranger.memberships.get().workspace_id
    for path, _ in WORKSPACE_DOORS:
        if path.count("<") < 2 or "<slug:name>" in path or "user_id" in path:
            continue
        for method in ("get", "post"):
            reply = getattr(stranger, method)(fill(path, values | {"workspace_id": own}))
            assert SECRET not in reply.content.decode(), path
            assert reply.status_code in (302, 404, 405), f"{method} /{path} answered {reply.status_code}"


@pytest.mark.timeout(180)
def test_nobody_gets_in_anywhere(company: Company, values: dict[str, object]) -> None:
    nobody = Client()
    for path, name in DOORS:
        if name in PUBLIC:
            continue
        for method in ("get", "post"):
            reply = getattr(nobody, method)(fill(path, values))
            assert reply.status_code in (302, 401, 403, 404, 405), (
                f"{method} /{path} answered {reply.status_code}"
            )
            assert SECRET not in reply.content.decode(), path


@pytest.mark.timeout(180)
def test_every_unsafe_method_asks_for_the_csrf_token(company: Company, values: dict[str, object]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(company.owner)
    for path, name in DOORS:
        if name in CSRF_EXEMPT:
            continue
        reply = client.post(fill(path, values), {"confirmation": "Parser", "role": "viewer"})
        assert reply.status_code == 403, f"post /{path} answered {reply.status_code} without the token"


def test_security_headers_stand_on_every_page(company: Company) -> None:
    for path in ("/", "/accounts/login/", "/absent/", f"/w/{company.workspace.pk}/members/"):
        reply = company.client(company.owner).get(path)
        policy = reply["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe-inline" not in policy
        assert "unsafe-eval" not in policy
        assert reply["X-Frame-Options"] == "DENY"
        assert reply["X-Content-Type-Options"] == "nosniff"
        assert reply["Referrer-Policy"] == "same-origin"


def test_trace_is_refused(company: Company) -> None:
    assert company.client(company.owner).generic("TRACE", "/").status_code == 405


# Names of fields of our forms, each filled with what no database stores.
FIELDS = (
    "name", "display_name", "handle", "description", "email", "role", "confirmation", "purpose", "agent", "goal", "text",
    "verdict", "reason", "command", "kind", "side", "diff_hash", "selection", "hunk", "model", "base_url", "provider", "url",
    "priority", "weight", "pattern", "cause", "solution", "pinned",
)  # fmt: skip
HOSTILE_FORM = dict.fromkeys(FIELDS, "a\x00b") | {"scopes": ["a\x00b"], "line": "9" * 30, "seen": "9" * 30}

HOSTILE_QUERY = {
    name: "a\x00b"
    for name in (
        "q",
        "token",
        "near",
        "before",
        "after",
        "topic",
        "cursor",
        "status",
        "agent",
        "which",
        "rev",
        "since",
        "file",
    )
}


@pytest.mark.timeout(300)
def test_nothing_that_the_owner_sends_is_a_server_error(company: Company, values: dict[str, object]) -> None:
    User.objects.filter(pk=company.owner.pk).update(is_installation_owner=True)
    client = company.client(company.owner)
    client.raise_request_exception = False
    for path, name in DOORS:
        if name in ("readyz", "sign_out_everywhere"):  # not ready without a relay; and the session would end
            continue
        hostile = [(path, values)] + [
            (path, values | {key: 2**63}) for key in re.findall(r"<int:(\w+)>", path)
        ]
        for place, filled in hostile:
            for method, data in (("get", HOSTILE_QUERY), ("post", HOSTILE_FORM)):
                with transaction.atomic():
                    reply = getattr(client, method)(fill(place, filled), data)
                    transaction.set_rollback(True)
                assert reply.status_code < 500, f"{method} {fill(place, filled)} answered {reply.status_code}"
