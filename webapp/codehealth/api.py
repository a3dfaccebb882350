"""The health of code over REST: what the pages show, limits, audits of commits, and long measurements."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpRequest
from ninja import Path, Query, Router, Status

from webapp.accounts.access import require_scope
from webapp.api import ErrorReply
from webapp.codehealth import schemas, selectors, services
from webapp.codehealth.checking import limits_of
from webapp.codehealth.rules import findings_in, rule_of
from webapp.workspaces.access import workspace_for
from webapp.workspaces.models import Role, Workspace

router = Router(tags=["code health"])
ERRORS: dict[Any, Any] = {code: ErrorReply for code in (401, 403, 404, 422)}
# 409: the workspace is still being prepared. 504: git took too long.
READING: dict[Any, Any] = {**ERRORS, 409: ErrorReply, 504: ErrorReply}
BIGGEST_ID = 2**63 - 1
# In an address a character may take twelve; the server reads 16 KB of it.
MAX_PATH = 1_000
# Ids are bounded, so that no database is asked for a number that it cannot hold.
Id: Any = Path(..., ge=1, le=BIGGEST_ID)
ROOT = "/{workspace_id}/codehealth"
Order = Literal["path", "lines", "maintainability", "cyclomatic", "cognitive"]


def _readable(request: HttpRequest, workspace_id: int) -> Workspace:
    return workspace_for(require_scope(request, "read"), workspace_id)


@router.get(
    f"{ROOT}/summary", response={200: schemas.SummaryOut, **ERRORS}, summary="Read the health in short"
)
def read_summary(request: HttpRequest, workspace_id: int = Id) -> Any:
    """Return the sums over all source files of the shared checkout, committed or not."""
    workspace = _readable(request, workspace_id)
    return schemas.summary(selectors.health_of(workspace), selectors.open_measurements(workspace))


@router.get(f"{ROOT}/files", response={200: schemas.SourceFilesPage, **ERRORS}, summary="List measured files")
def list_files(
    request: HttpRequest,
    workspace_id: int = Id,
    under: str = Query("", max_length=MAX_PATH, description="Only below this folder.", examples=["src"]),
    order: Order = "path",
    offset: int = Query(0, ge=0, le=1_000_000),
    limit: int = Query(200, ge=1, le=1_000),
) -> Any:
    """Return the source files, by path or the worst first."""
    entries = selectors.below(selectors.entries_of(_readable(request, workspace_id)), under.strip("/"))
    return schemas.files_page(selectors.ordered(entries, order), offset=offset, limit=limit)


@router.get(
    f"{ROOT}/file", response={200: schemas.SourceFileDetail, **ERRORS}, summary="Read a file's figures"
)
def read_file(
    request: HttpRequest,
    workspace_id: int = Id,
    path: str = Query(..., min_length=1, max_length=MAX_PATH, examples=["src/parser.py"]),
) -> Any:
    """Return everything measured of one file, function by function."""
    workspace = _readable(request, workspace_id)
    return schemas.file_detail(path, *selectors.figures_of_file(workspace, path))


@router.get(f"{ROOT}/hotspots", response={200: list[schemas.HotspotOut], **READING}, summary="List hotspots")
def list_hotspots(request: HttpRequest, workspace_id: int = Id, limit: int = Query(20, ge=1, le=200)) -> Any:
    """Return the files that are hard to read and change often, the hottest first: commits × cognitive complexity."""
    workspace = _readable(request, workspace_id)
    found = selectors.hotspots_of(workspace, selectors.entries_of(workspace), limit=limit)
    return [schemas.hotspot(one) for one in found]


@router.get(f"{ROOT}/trend", response={200: list[schemas.TrendPointOut], **READING}, summary="Read the trend")
def read_trend(request: HttpRequest, workspace_id: int = Id, limit: int = Query(100, ge=1, le=500)) -> Any:
    """Return the measured ones of the last commits of the current branch, oldest first; `POST measurements` measures more."""
    return selectors.trend_of(_readable(request, workspace_id), limit=limit)


@router.get(f"{ROOT}/thresholds", response={200: schemas.LimitsOut, **ERRORS}, summary="Read the limits")
def read_limits(request: HttpRequest, workspace_id: int = Id) -> Any:
    """Return what the workspace tolerates; null switches a limit off."""
    return limits_of(_readable(request, workspace_id))


@router.put(f"{ROOT}/thresholds", response={200: schemas.LimitsOut, **ERRORS}, summary="Set the limits")
def change_limits(request: HttpRequest, limits: schemas.LimitsIn, workspace_id: int = Id) -> Any:
    """Set what the workspace tolerates, and whether applying a change that breaks it is refused; for maintainers."""
    user = require_scope(request, "admin")
    workspace = workspace_for(user, workspace_id, role=Role.MAINTAINER)
    return services.set_limits(workspace=workspace, set_by=user, **limits.dict())


@router.get(
    f"{ROOT}/findings",
    response={200: schemas.FindingsOut, **READING},
    summary="Find what should not be there",
)
def list_findings(request: HttpRequest, workspace_id: int = Id) -> Any:
    """Look through the files as they stand now for secrets, conflict marks, debugging leftovers and the workspace's rules."""
    found, has_more = findings_in(_readable(request, workspace_id))
    return schemas.findings(found, has_more=has_more)


@router.get(
    f"{ROOT}/rules", response={200: list[schemas.RuleOut], **ERRORS}, summary="List the workspace's rules"
)
def list_rules(request: HttpRequest, workspace_id: int = Id) -> Any:
    """Return the patterns that the workspace has added to the built-in ones, by name."""
    return list(_readable(request, workspace_id).pattern_rules.all())


@router.post(
    f"{ROOT}/rules", response={201: schemas.RuleOut, **ERRORS, 409: ErrorReply}, summary="Add a rule"
)
def add_rule(request: HttpRequest, rule: schemas.RuleIn, workspace_id: int = Id) -> Any:
    """Add a pattern; for maintainers. It holds for reviews and models from the next one on."""
    user = require_scope(request, "admin")
    workspace = workspace_for(user, workspace_id, role=Role.MAINTAINER)
    return Status(201, services.add_rule(workspace=workspace, added_by=user, **rule.dict()))


@router.delete(f"{ROOT}/rules/{{rule_id}}", response={204: None, **ERRORS}, summary="Delete a rule")
def delete_rule(request: HttpRequest, workspace_id: int = Id, rule_id: int = Id) -> Any:
    """Take a pattern out; for maintainers."""
    user = require_scope(request, "admin")
    workspace = workspace_for(user, workspace_id, role=Role.MAINTAINER)
    services.delete_rule(rule=rule_of(workspace, rule_id), deleted_by=user)
    return Status(204, None)


@router.get(f"{ROOT}/audits", response={200: schemas.AuditPage, **ERRORS}, summary="List audits of commits")
def list_audits(
    request: HttpRequest,
    workspace_id: int = Id,
    before: int | None = Query(None, ge=1, le=BIGGEST_ID),
    limit: int = Query(50, ge=1, le=100),
) -> Any:
    """Return what each commit did to the files it changed, newest first."""
    audits = selectors.latest_audits(_readable(request, workspace_id), limit=limit, before=before)
    return {
        "audits": [schemas.audit(one) for one in audits],
        "next_before": audits[-1].pk if len(audits) == limit else None,
    }


@router.post(
    f"{ROOT}/measurements",
    response={202: schemas.MeasurementOut, **ERRORS, 409: ErrorReply},
    summary="Start an audit",
)
def start_measurement(request: HttpRequest, wanted: schemas.MeasurementIn, workspace_id: int = Id) -> Any:
    """Measure the whole workspace, or the trees of the last commits, in the background; one of each at a time."""
    user = require_scope(request, "write")
    workspace = workspace_for(user, workspace_id, role=Role.MEMBER)
    measurement = services.start_measurement(
        workspace=workspace, kind=wanted.kind, requested_by=user, commits=wanted.commits
    )
    return Status(202, measurement)


@router.get(
    f"{ROOT}/measurements/{{measurement_id}}",
    response={200: schemas.MeasurementOut, **ERRORS},
    summary="Read how far an audit is",
)
def read_measurement(request: HttpRequest, workspace_id: int = Id, measurement_id: int = Id) -> Any:
    """Return a long measurement; those that have ended are kept for a week."""
    return selectors.measurement_of(_readable(request, workspace_id), measurement_id)


@router.post(
    f"{ROOT}/measurements/{{measurement_id}}/cancel",
    response={202: schemas.MeasurementOut, **ERRORS},
    summary="Stop an audit",
)
def cancel_measurement(request: HttpRequest, workspace_id: int = Id, measurement_id: int = Id) -> Any:
    """Ask for a long measurement to be stopped; what it has measured is kept."""
    workspace = workspace_for(require_scope(request, "write"), workspace_id, role=Role.MEMBER)
    return Status(
        202, services.cancel_measurement(measurement=selectors.measurement_of(workspace, measurement_id))
    )
