"""Code health over REST, for a member, a stranger and nobody."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from django.test import Client
from ninja import Schema

from tests.framework.people import Company
from tests.framework.repos import commit_files
from webapp.accounts.models import User
from webapp.codehealth.models import Measurement
from webapp.codehealth.services import audit_commit, refresh_workspace
from webapp.codehealth.services.measurements import run_measurement
from webapp.workspaces.repositories import repository_of

SIMPLE = b"def f():\n    return 1\n"
HARD = b"class C:\n    def m(self, a):\n" + b"        if a:\n            a -= 1\n" * 17
READS = ("summary", "files", "file?path=src/hard.py", "hotspots", "trend", "thresholds", "audits")
LIMITS = {
    "max_cyclomatic": 15, "max_cognitive": None, "min_maintainability": 20.0, "no_worse": True, "is_required": True,
}  # fmt: skip


@pytest.fixture
def commit(company: Company) -> str:
    """A measured workspace; returns its newest commit."""
    sha = commit_files(repository_of(company.workspace), {"easy.py": SIMPLE, "src/hard.py": HARD})
    audit_commit(company.workspace, sha, cause="commit")
    refresh_workspace(company.workspace)
    return sha


@pytest.fixture
def call(company: Company, api_key: Callable[..., dict[str, str]]) -> Callable[..., Any]:
    """Return a function that asks the API as a person."""

    def ask(
        method: str,
        where: str,
        by: User | None,
        scopes: tuple[str, ...] = ("read", "write", "admin"),
        **body: Any,
    ) -> Any:
        client = Client(headers=api_key(by, *scopes)) if by is not None else Client()
        address = f"/api/v1/workspaces/{company.workspace.pk}/codehealth/{where}"
        if method == "get":
            return client.get(address)
        return getattr(client, method)(address, body, content_type="application/json")

    return ask


def test_tells_a_viewer_everything_that_was_measured(
    company: Company, commit: str, call: Callable[..., Any]
) -> None:
    viewer = company.viewer
    summary = call("get", "summary", viewer).json()
    assert (summary["files"], summary["functions"], summary["complex_functions"], summary["cyclomatic"]) == (
        2, 2, 1, 18,
    )  # fmt: skip
    assert summary["measured_at"] is not None and summary["measurements"] == []
    page = call("get", "files?order=cyclomatic&limit=1", viewer).json()
    assert (page["total"], page["next_offset"], page["files"][0]["path"]) == (2, 1, "src/hard.py")
    assert page["files"][0]["cyclomatic"] == {"figure": 18, "function": "C.m", "line": 2}
    assert [one["path"] for one in call("get", "files?under=src", viewer).json()["files"]] == ["src/hard.py"]
    assert [one["path"] for one in call("get", "files?order=maintainability", viewer).json()["files"]] == [
        "src/hard.py",
        "easy.py",
    ]
    detail = call("get", "file?path=src/hard.py", viewer).json()
    (function,) = detail["function_list"]
    assert (function["qualname"], function["cyclomatic"], function["complexity_radon"]) == ("C.m", 18, 18)
    assert detail["raw"]["loc"] == 36 and detail["halstead"]["volume"] > 0
    (hot,) = call("get", "hotspots", viewer).json()
    assert (hot["path"], hot["score"]) == ("src/hard.py", hot["commits"] * hot["cognitive_total"])
    assert hot["cognitive_total"] == 17
    (audit,) = call("get", "audits", viewer).json()["audits"]
    assert (audit["commit"], audit["files"], audit["worst_complexity"]) == (commit, 2, 18)
    assert {one["path"] for one in audit["report"]} == {"easy.py", "src/hard.py"}


def test_starts_reads_and_cancels_a_measurement(
    company: Company, commit: str, call: Callable[..., Any]
) -> None:
    Measurement.objects.all().delete()  # the one that the commit started by itself
    asked = call("post", "measurements", company.member, kind="trend", commits=5)
    assert (asked.status_code, asked.json()["state"]) == (202, "queued")
    number = asked.json()["id"]
    run_measurement(Measurement.objects.select_related("workspace").get(pk=number))
    assert call("get", f"measurements/{number}", company.viewer).json()["state"] == "done"
    points = call("get", "trend", company.viewer).json()
    assert points[-1]["commit"] == commit and points[-1]["files"] == 2 and points[0]["files"] == 0
    other = call("post", "measurements", company.member).json()
    assert call("get", "summary", company.viewer).json()["measurements"][0]["id"] == other["id"]
    stopped = call("post", f"measurements/{other['id']}/cancel", company.member)
    assert (stopped.status_code, stopped.json()["state"]) == (202, "cancelled")
    assert call("post", "measurements", company.viewer).status_code == 403
    assert call("post", "measurements", company.member, ("read",)).status_code == 403
    assert call("post", "measurements", company.member, kind="trend", commits=501).status_code == 422
    assert call("get", "measurements/999999", company.viewer).status_code == 404


def test_a_measurement_of_another_workspace_is_absent(
    company: Company, commit: str, call: Callable[..., Any]
) -> None:
    elsewhere = company.stranger.memberships.get().workspace
    measurement = Measurement.objects.create(workspace=elsewhere, kind="workspace")
    assert call("get", f"measurements/{measurement.pk}", company.owner).status_code == 404
    assert call("post", f"measurements/{measurement.pk}/cancel", company.owner).status_code == 404


def test_maintainers_set_limits_and_everybody_reads_them(company: Company, call: Callable[..., Any]) -> None:
    assert call("get", "thresholds", company.viewer).json()["is_required"] is False
    assert call("put", "thresholds", company.member, **LIMITS).status_code == 403
    assert call("put", "thresholds", company.maintainer, ("read", "write"), **LIMITS).status_code == 403
    told = call("put", "thresholds", company.maintainer, **LIMITS)
    assert told.status_code == 200
    assert LIMITS.items() <= call("get", "thresholds", company.viewer).json().items()
    assert call("put", "thresholds", company.maintainer, **LIMITS | {"max_cyclomatic": 0}).status_code == 422


@pytest.mark.parametrize("where", READS)
def test_a_stranger_and_nobody_learn_nothing(
    company: Company, commit: str, call: Callable[..., Any], where: str
) -> None:
    assert call("get", where, company.member).status_code == 200
    assert call("get", where, company.stranger).status_code == 404
    assert call("get", where, None).status_code == 401


def test_a_stranger_and_nobody_change_nothing(company: Company, call: Callable[..., Any]) -> None:
    for method, where, body in (
        ("post", "measurements", {}),
        ("put", "thresholds", LIMITS),
        ("post", "measurements/1/cancel", {}),
    ):
        assert call(method, where, company.stranger, **body).status_code == 404
        assert call(method, where, None, **body).status_code == 401
    assert not Measurement.objects.exists()


def test_an_unmeasured_workspace_is_empty_and_an_unknown_file_absent(
    company: Company, call: Callable[..., Any]
) -> None:
    summary = call("get", "summary", company.viewer).json()
    assert (summary["files"], summary["measured_at"], summary["maintainability"]) == (0, None, None)
    assert call("get", "files", company.viewer).json() == {"total": 0, "files": [], "next_offset": None}
    assert call("get", "file?path=a.py", company.viewer).status_code == 404
    assert call("get", "trend", company.viewer).json() == []


def test_no_two_schemas_of_the_api_share_a_name() -> None:
    """One would silently stand for the other in the OpenAPI schema."""
    found: dict[str, set[str]] = {}
    for app in ("accounts.api", "agents.api.runs", "agents.api.models", "chat.api", "codehealth.schemas",
                "editor.schemas", "editor.api", "editor.git_api", "reviews.schemas", "workspaces.api"):  # fmt: skip
        for value in vars(import_module(f"webapp.{app}")).values():
            if inspect.isclass(value) and issubclass(value, Schema) and value is not Schema:
                found.setdefault(value.__name__, set()).add(value.__module__)
    assert {name: where for name, where in found.items() if len(where) > 1} == {}
