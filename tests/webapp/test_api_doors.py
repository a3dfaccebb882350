"""Every operation that the OpenAPI schema names, tried by everybody who may not use it.

Paths, bodies and people are made from the schema, so a new operation is tested the day it is written.
"""

from __future__ import annotations

import json
import re
import shutil
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from ninja import Schema

from tests.framework.people import Company
from tests.framework.unattended import unattended_of
from webapp.accounts.models import SCOPES, ApiKey, Invitation, User
from webapp.accounts.services import create_api_key, create_invitation, hash_token
from webapp.agents.models import Approval, ModelProfile, PolicyVersion, Run, Step
from webapp.agents.services import define_agent
from webapp.agents.services.definitions import AgentFields
from webapp.api import api
from webapp.chat.models import Channel
from webapp.chat.services import post_message
from webapp.codehealth.models import Measurement, PatternRule
from webapp.learning.models import Lesson, LessonEvidence
from webapp.reviews.models import ChangeSet
from webapp.workspaces.models import Workspace

SECRET = "canary-7f3a"
RUN_ID = uuid.UUID("12345678-1234-4123-8123-123456789abc")
SCHEMA: dict[str, Any] = api.get_openapi_schema()
SAFE = ("get", "head")


@dataclass(frozen=True)
class Operation:
    """One line of the schema."""

    method: str
    path: str
    body: dict[str, Any] | None
    is_form: bool
    query: dict[str, Any]
    is_raw: bool = False
    """Whether the query is percent-encoded already."""

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"

    @property
    def is_of_a_workspace(self) -> bool:
        return "{workspace_id}" in self.path

    def try_out(self, client: Client, values: dict[str, Any], **headers: str) -> HttpResponse:
        """Call it and take back whatever it wrote."""
        with transaction.atomic():
            reply = self.call(client, values, **headers)
            transaction.set_rollback(True)
        return reply

    def call(self, client: Client, values: dict[str, Any], **headers: str) -> HttpResponse:
        path = re.sub(r"{(\w+)}", lambda found: str(values[found[1]]), self.path)
        more: dict[str, Any] = {"headers": headers}
        if self.is_form:
            more["data"] = {"name": "x", "archive": SimpleUploadedFile("x.zip", b"PK")}
        elif self.body is not None:
            more |= {"data": json.dumps(self.body), "content_type": "application/json"}
        if self.query:
            path += "?" + (
                "&".join(f"{k}={v}" for k, v in self.query.items()) if self.is_raw else urlencode(self.query)
            )
        return getattr(client, self.method)(path, **more)


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    return SCHEMA["components"]["schemas"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def sample(schema: dict[str, Any]) -> Any:
    """Return a value that the schema takes: its example, else the least that fits."""
    if schema.get("examples"):
        return schema["examples"][0]
    if "allOf" in schema or "$ref" in schema:
        return sample(_resolved((schema.get("allOf") or [schema])[0]))
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    if "anyOf" in schema:
        return sample(schema["anyOf"][0])
    if schema.get("type") == "object":
        return {name: sample(schema["properties"][name]) for name in schema.get("required", [])}
    plain = {"string": "a" * max(1, schema.get("minLength", 1)), "integer": schema.get("minimum", 1)}
    if schema.get("type") == "array":
        return [sample(schema["items"])]
    return plain.get(schema.get("type", ""), True)


def _operations() -> list[Operation]:
    found = []
    for path, methods in SCHEMA["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            body = content.get("application/json")
            query = {
                one["name"]: sample(one["schema"])
                for one in operation.get("parameters", [])
                if one["in"] == "query" and one["required"]
            }
            found.append(
                Operation(
                    method,
                    path,
                    sample(_resolved(body["schema"])) if body else None,
                    "multipart/form-data" in content,
                    query,
                )
            )
    return found


OPERATIONS = _operations()
IN_WORKSPACES = [one for one in OPERATIONS if one.is_of_a_workspace]


@pytest.fixture(autouse=True)
def _nothing_uploaded_stays() -> Iterator[None]:
    """Rows are rolled back, so nobody unpacks or removes what a test has sent, whether it passes or not."""
    yield
    for archive in (Path(settings.PYAGENT_HOME) / "uploads").glob("*"):
        shutil.rmtree(archive)


@pytest.fixture
def values(company: Company) -> dict[str, Any]:
    """Identities of real things in the company's workspace and of its owner, each holding the canary."""
    workspace = company.workspace
    channel = Channel.objects.filter(workspace=workspace).first()
    assert channel is not None
    message = post_message(workspace=workspace, channel=channel, author=company.owner, text=SECRET).message
    run = Run.objects.create(id=RUN_ID, workspace=workspace, agent="tidy", goal=SECRET, status="failed")
    Step.objects.create(run=run, step_id="s1", kind="thought", title=SECRET, started_at=run.created_at, seq=1)
    Approval.objects.create(run=run, step_id="s1", tool=SECRET, call_hash="0" * 64)
    PolicyVersion.objects.create(workspace=workspace, number=1, text=f"version = 1\nname = '{SECRET}'\n")
    change_set = ChangeSet.objects.create(
        workspace=workspace, agent="tidy", title=SECRET, target_branch="main"
    )
    workspace.description = SECRET
    workspace.save()
    profile = ModelProfile.objects.create(user=company.owner, name=SECRET, provider="embedded")
    key, _ = create_api_key(user=company.owner, name=SECRET, scopes=["read"])
    invitation, _ = create_invitation(invited_by=company.owner, workspace=workspace, email=f"{SECRET}@x.org")
    rule = PatternRule.objects.create(workspace=workspace, name="own", message=SECRET, pattern="x")
    measurement = Measurement.objects.create(
        workspace=workspace, kind="workspace", state="failed", note=SECRET
    )
    agent = define_agent(
        workspace=workspace,
        defined_by=company.owner,
        name="canary",
        visibility="private",
        fields=AgentFields(description=SECRET, instructions=SECRET),
    )
    lesson = Lesson.objects.create(
        workspace=workspace, key="k", pattern=SECRET, source="person", edited_by=company.owner
    )
    LessonEvidence.objects.create(
        workspace=workspace, lesson=lesson, origin="x", source="test", pattern=SECRET, text=SECRET
    )
    return {
        "workspace_id": workspace.pk, "user_id": company.member.pk, "invitation_id": invitation.pk,
        "channel_id": channel.pk, "message_id": message.pk, "run_id": run.pk, "step_id": "s1", "model_id": profile.pk,
        "change_set_id": change_set.pk, "key": "0" * 32, "comment_id": 1, "evidence_id": 1, "key_id": key.pk,
        "rule_id": rule.pk, "measurement_id": measurement.pk, "agent_id": agent.pk, "number": 1,
        **unattended_of(company, SECRET),
        "lesson_id": lesson.pk, "remote_name": "origin",
    }  # fmt: skip


def headers_of(person: User, scopes: list[str], workspace: Workspace | None = None) -> dict[str, str]:
    token = f"pya_{uuid.uuid4()}"
    ApiKey.objects.create(
        user=person, name="t", prefix="t", key_hash=hash_token(token), scopes=scopes, workspace=workspace
    )
    return {"authorization": f"Bearer {token}"}


def test_the_list_of_operations_is_not_empty() -> None:
    assert len(OPERATIONS) > 75
    assert len(IN_WORKSPACES) > 60


@pytest.mark.timeout(180)
def test_nobody_gets_in_anywhere(values: dict[str, Any]) -> None:
    for operation in OPERATIONS:
        for headers in ({}, {"authorization": "Bearer pya_wrong"}, {"x-api-key": "' OR 1=1"}):
            reply = operation.call(Client(), values, **headers)
            assert reply.status_code == 401, f"{operation} answered {reply.status_code}"
            assert SECRET not in reply.content.decode()


@pytest.mark.timeout(180)
def test_a_stranger_finds_nothing_in_a_workspace(company: Company, values: dict[str, Any]) -> None:
    headers = headers_of(company.stranger, list(SCOPES))
    for operation in IN_WORKSPACES:
        reply = operation.call(Client(), values, **headers)
        assert reply.status_code == 404, f"{operation} answered {reply.status_code}: {reply.content[:200]!r}"
        assert SECRET not in reply.content.decode(), operation


@pytest.mark.timeout(180)
def test_things_of_another_workspace_do_not_open_through_ones_own(
    company: Company, values: dict[str, Any]
) -> None:
    own = company.stranger.memberships.get().workspace_id
    headers = headers_of(company.stranger, list(SCOPES))
    for operation in OPERATIONS:
        if operation.path.count("{") < (2 if operation.is_of_a_workspace else 1):
            continue
        reply = operation.call(Client(), values | {"workspace_id": own}, **headers)
        assert reply.status_code == 404, f"{operation} answered {reply.status_code}: {reply.content[:200]!r}"
        assert SECRET not in reply.content.decode(), operation


@pytest.mark.timeout(180)
def test_a_key_without_scopes_may_do_nothing(company: Company, values: dict[str, Any]) -> None:
    headers = headers_of(company.owner, [])
    for operation in OPERATIONS:
        reply = operation.call(Client(), values, **headers)
        assert reply.status_code == 403, f"{operation} answered {reply.status_code}"
        assert SECRET not in reply.content.decode(), operation


@pytest.mark.timeout(180)
def test_a_key_that_reads_changes_nothing(company: Company, values: dict[str, Any]) -> None:
    headers = headers_of(company.owner, ["read"])
    for operation in OPERATIONS:
        # Measuring a buffer stores nothing; it is a POST because a buffer is long.
        if operation.method in SAFE or operation.path.endswith("/files/audit"):
            continue
        reply = operation.call(Client(), values, **headers)
        assert reply.status_code == 403, f"{operation} answered {reply.status_code}"


@pytest.mark.timeout(180)
def test_a_key_bound_to_one_workspace_reaches_no_other_and_nothing_of_the_person(
    company: Company, values: dict[str, Any]
) -> None:
    User.objects.filter(pk=company.owner.pk).update(is_installation_owner=True)
    elsewhere = Workspace.objects.exclude(pk=company.workspace.pk).get()
    elsewhere.memberships.create(user=company.owner, role="owner")
    headers = headers_of(company.owner, list(SCOPES), elsewhere)
    for operation in OPERATIONS:
        reply = operation.call(Client(), values, **headers)
        # The models that agents may run on in the key's own workspace are the person's too.
        assert SECRET not in reply.content.decode() or str(operation) == "GET /api/v1/models", operation
        if operation.is_of_a_workspace:
            assert reply.status_code == 404, f"{operation} answered {reply.status_code}"
        elif operation.method not in SAFE and not operation.path.endswith(("/me/keys", "/embedded/test")):
            assert reply.status_code in (403, 404), f"{operation} answered {reply.status_code}"
    assert User.objects.get(pk=company.member.pk).is_active
    assert ApiKey.objects.get(pk=values["key_id"]).revoked_at is None
    assert not Invitation.objects.filter(workspace=None).exists()


# What every member does, a viewer too; and what a person does for themselves.
FOR_VIEWERS = re.compile(r"/(messages(/{message_id}(/reactions)?)?|read|files/audit)$")


@pytest.mark.timeout(180)
def test_a_viewer_talks_and_changes_nothing_else(company: Company, values: dict[str, Any]) -> None:
    headers = headers_of(company.viewer, list(SCOPES))
    for operation in IN_WORKSPACES:
        if operation.method in SAFE or FOR_VIEWERS.search(operation.path):
            continue
        reply = operation.call(Client(), values, **headers)
        assert reply.status_code == 403, f"{operation} answered {reply.status_code}: {reply.content[:200]!r}"


@pytest.mark.timeout(180)
def test_a_session_needs_the_csrf_token(company: Company, values: dict[str, Any]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(company.owner)
    for operation in OPERATIONS:
        if operation.method in SAFE:
            continue
        reply = operation.call(client, values)
        assert reply.status_code == 403, f"{operation} answered {reply.status_code}"


@pytest.mark.timeout(180)
def test_the_owner_finds_no_server_error(company: Company, values: dict[str, Any]) -> None:
    headers = headers_of(company.owner, list(SCOPES))
    for operation in sorted(OPERATIONS, key=lambda one: one.path.endswith("{workspace_id}/delete")):
        reply = operation.call(Client(), values, **headers)
        documented = SCHEMA["paths"][operation.path][operation.method]["responses"]
        assert reply.status_code < 500, f"{operation} answered {reply.status_code}"
        assert reply.status_code in documented, (
            f"{operation} answered {reply.status_code}, which is not documented"
        )


HUGE = (2**31, 10**30)
HOSTILE = ("a\x00b", "\ud800")


def _properties(operation: Operation, kind: str) -> list[str]:
    content = SCHEMA["paths"][operation.path][operation.method]["requestBody"]["content"]
    properties = _resolved(content["application/json"]["schema"]).get("properties", {})
    return [
        name
        for name, schema in properties.items()
        if kind in {schema.get("type"), *(one.get("type") for one in schema.get("anyOf", []))}
    ]


@pytest.mark.timeout(400)
def test_no_text_and_no_number_of_a_body_is_a_server_error(company: Company, values: dict[str, Any]) -> None:
    headers = headers_of(company.owner, list(SCOPES))
    for operation in OPERATIONS:
        if operation.is_form or operation.body is None:
            continue
        spoilt = [(name, text) for name in _properties(operation, "string") for text in HOSTILE]
        spoilt += [(name, size) for name in _properties(operation, "integer") for size in HUGE]
        for name, value in spoilt:
            reply = replace(operation, body=operation.body | {name: value}).try_out(
                Client(), values, **headers
            )
            assert reply.status_code < 500, f"{operation}: {name}={value!r:.30} answered {reply.status_code}"
    reply = Client().get(f"/api/v1/workspaces/{values['workspace_id']}", headers=headers)
    assert reply.status_code == 200, "the workspace was there all the time"


@pytest.mark.timeout(400)
def test_no_query_and_no_number_that_anybody_sends_is_a_server_error(
    company: Company, values: dict[str, Any]
) -> None:
    headers = headers_of(company.owner, list(SCOPES))
    for operation in OPERATIONS:
        parameters = SCHEMA["paths"][operation.path][operation.method].get("parameters", [])
        asked = [one["name"] for one in parameters if one["in"] == "query"]
        for name in asked:
            for text in ("a%00b", "9" * 30):
                spoilt = replace(operation, query=operation.query | {name: text}, is_raw=True)
                reply = spoilt.try_out(Client(), values, **headers)
                assert reply.status_code < 500, (
                    f"{operation}: {name}={text[:20]!r} answered {reply.status_code}"
                )
        for name in re.findall(r"{(\w+)}", operation.path):
            for number in (0, 2**63, "a%00b"):
                reply = operation.try_out(Client(), values | {name: number}, **headers)
                assert reply.status_code < 500, f"{operation}: {name}={number} answered {reply.status_code}"


def _shows_how(schema: dict[str, Any]) -> bool:
    schema = _resolved((schema.get("allOf") or [schema])[0])
    plain = {"boolean", "integer", "number"}
    return bool({"examples", "enum", "const"} & schema.keys()) or schema.get("type") in plain


def test_whatever_must_be_sent_has_an_example() -> None:
    for operation in OPERATIONS:
        described = SCHEMA["paths"][operation.path][operation.method]
        needed = {
            one["name"]: one["schema"]
            for one in described.get("parameters", [])
            if one["in"] == "query" and one["required"]
        }
        if operation.body is not None:
            body = _resolved(described["requestBody"]["content"]["application/json"]["schema"])
            needed |= {name: body["properties"][name] for name in body.get("required", [])}
        for name, schema in needed.items():
            assert _shows_how(schema), f"{operation}: {name} has no example"


def _all_schemas(kind: type) -> Iterator[type]:
    for sub in kind.__subclasses__():
        yield sub
        yield from _all_schemas(sub)


def test_each_schema_has_a_name_of_its_own() -> None:
    """Of two with one name the description knows only one, and says the other's fields wrongly."""
    names = Counter(
        kind.__name__ for kind in set(_all_schemas(Schema)) if kind.__module__.startswith("webapp.")
    )
    assert [name for name, count in names.items() if count > 1] == []
