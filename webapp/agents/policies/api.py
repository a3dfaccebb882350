"""The policy and approvals over REST."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema

from webapp.accounts.access import require_scope
from webapp.agents import services as agents
from webapp.agents.access import run_for
from webapp.agents.policies import access, selectors, services
from webapp.agents.policies.models import PolicyVersion
from webapp.api import Body, ErrorReply
from webapp.workspaces.access import workspace_for
from webapp.workspaces.models import Role
from workers.agents.policy.pack import MAX_CHARS, built_in_text

router = Router(tags=["policies"])
ERRORS: dict[Any, Any] = {401: ErrorReply, 403: ErrorReply, 404: ErrorReply, 422: ErrorReply}
CHANGING: dict[Any, Any] = {**ERRORS, 409: ErrorReply}
EXAMPLE = 'version = 1\n\n[[rule]]\nname = "secrets"\neffect = "ask"\nreason = "It reads secrets."\npaths = ["**/.env"]\n'


class PolicyVersionOut(Schema):
    """A version of the policy, without its text."""

    number: int = Field(description="0 is the pack that comes with PyAgent.")
    note: str
    saved_by: str
    saved_at: datetime | None


class PolicyOut(PolicyVersionOut):
    """A version of the policy."""

    text: str = Field(description="TOML; its head explains the rules.")
    diff: list[str] = Field(description="Against the version before, as lines of a unified diff.")


class PolicyIn(Body):
    """A new version of the policy."""

    text: str = Field(max_length=MAX_CHARS, examples=[EXAMPLE])
    note: str = Field("", max_length=200)
    expected: int | None = Field(
        None, description="Number of the version that was changed, to refuse overwriting others."
    )


class ApprovalOut(Schema):
    """A call that waited, or waits, for a person's yes."""

    step_id: str
    tool: str = Field(examples=["run_command"])
    arguments: str
    rule: str = Field(examples=["secrets"])
    reason: str
    needs_maintainer: bool
    asked_at: datetime
    verdict: Literal["", "approve", "deny"]
    decided_by: str
    decided_at: datetime | None
    text: str
    is_open: bool
    may_decide: bool = Field(description="Whether you may answer now.")


class ApprovalIn(Body):
    """A yes or no to exactly this call."""

    verdict: Literal["approve", "deny"]
    text: str = Field("", max_length=8_000, description="What the agent is told with a no.")


def _version(version: PolicyVersion) -> dict[str, Any]:
    return {
        "number": version.number,
        "note": version.note,
        "saved_by": str(version.saved_by or ""),
        "saved_at": version.saved_at,
    }


def _whole(version: PolicyVersion) -> dict[str, Any]:
    diff = selectors.diff_lines(selectors.text_before(version), version.text)
    return _version(version) | {"text": version.text, "diff": diff}


@router.get(
    "/workspaces/{int:workspace_id}/policy", response={200: PolicyOut, **ERRORS}, summary="Get the policy"
)
def get_policy(request: HttpRequest, workspace_id: int) -> Any:
    """Return the policy that runs follow."""
    workspace = workspace_for(require_scope(request, "read"), workspace_id)
    current = selectors.current_version(workspace)
    if current is None:
        return {
            "number": 0,
            "note": "",
            "saved_by": "",
            "saved_at": None,
            "text": built_in_text(),
            "diff": [],
        }
    return _whole(current)


@router.put(
    "/workspaces/{int:workspace_id}/policy", response={200: PolicyOut, **CHANGING}, summary="Save the policy"
)
def put_policy(request: HttpRequest, workspace_id: int, body: PolicyIn) -> Any:
    """Save a new version; for maintainers. Runs that begin from now on follow it."""
    user = require_scope(request, "admin")
    workspace = workspace_for(user, workspace_id, role=Role.MAINTAINER)
    return _whole(services.save_policy(workspace=workspace, saved_by=user, **body.dict()))


@router.get(
    "/workspaces/{int:workspace_id}/policy/versions",
    response={200: list[PolicyVersionOut], **ERRORS},
    summary="List versions of the policy",
)
def list_versions(request: HttpRequest, workspace_id: int) -> Any:
    """Return all versions, newest first."""
    workspace = workspace_for(require_scope(request, "read"), workspace_id)
    return [_version(version) for version in selectors.versions(workspace)]


@router.get(
    "/workspaces/{int:workspace_id}/policy/versions/{int:number}",
    response={200: PolicyOut, **ERRORS},
    summary="Get a version of the policy",
)
def get_version(request: HttpRequest, workspace_id: int, number: int) -> Any:
    """Return one version with its diff."""
    return _whole(access.version_for(workspace_for(require_scope(request, "read"), workspace_id), number))


@router.post(
    "/workspaces/{int:workspace_id}/policy/versions/{int:number}/restore",
    response={200: PolicyOut, **CHANGING},
    summary="Bring a version of the policy back",
)
def restore_version(request: HttpRequest, workspace_id: int, number: int) -> Any:
    """Save an old version as the newest; 0 is the pack that comes with PyAgent. For maintainers."""
    user = require_scope(request, "admin")
    workspace = workspace_for(user, workspace_id, role=Role.MAINTAINER)
    return _whole(services.restore_policy(workspace=workspace, number=number, restored_by=user))


@router.get(
    "/workspaces/{int:workspace_id}/runs/{uuid:run_id}/approvals",
    response={200: list[ApprovalOut], **ERRORS},
    summary="List approvals of a run",
)
def list_approvals(request: HttpRequest, workspace_id: int, run_id: UUID) -> Any:
    """Return what the run asked people, oldest first."""
    user = require_scope(request, "read")
    return selectors.approvals_of(run_for(user, run_id, workspace_id=workspace_id), viewer=user)


@router.post(
    "/workspaces/{int:workspace_id}/runs/{uuid:run_id}/approvals/{step_id}",
    response={200: list[ApprovalOut], **CHANGING},
    summary="Approve or deny a call",
)
def decide(request: HttpRequest, workspace_id: int, run_id: UUID, step_id: str, body: ApprovalIn) -> Any:
    """Answer a call that waits: as who called the agent, or as a maintainer. It counts for exactly this call, once."""
    user = require_scope(request, "run")
    approval = access.approval_to_decide(user, run_id, step_id, workspace_id=workspace_id)
    agents.steer_run(run=approval.run, by=user, kind=body.verdict, step_id=step_id, text=body.text)
    return selectors.approvals_of(approval.run, viewer=user)
