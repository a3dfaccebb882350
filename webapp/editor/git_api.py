"""Git over REST; the page uses the same doors."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpRequest, StreamingHttpResponse
from django.utils.text import slugify
from ninja import Query, Router, Status

from webapp.accounts.access import person, require_scope
from webapp.api import ErrorReply
from webapp.editor import schemas, services
from webapp.editor.api import MAX_PATH_CHARS, readable, writable
from webapp.editor.documents import MAX_TEXT_BYTES, decode
from webapp.editor.streaming import send_later
from webapp.workspaces import access
from webapp.workspaces.models import Remote, Role
from webapp.workspaces.repositories import repository_of
from webapp.workspaces.services import set_remote
from workers.changes.errors import FileTooLarge
from workers.changes.files import FileContent, version_of
from workers.changes.paths import from_portable, to_portable

router = Router(tags=["git"])
ERRORS: dict[Any, Any] = {code: ErrorReply for code in (401, 403, 404, 409, 413, 422, 503, 504, 507)}
FROM_ANY = schemas.BringIn(remote="")
TALKING: dict[Any, Any] = {**ERRORS, 424: ErrorReply}


_BYTES = {"schema": {"type": "string", "format": "binary"}}
ARCHIVE = {
    "responses": {
        200: {"description": "OK", "content": {"application/zip": _BYTES, "application/gzip": _BYTES}}
    }
}


@router.get(
    "/{int:workspace_id}/git", response={200: schemas.GitOut, **ERRORS}, summary="Where the repository stands"
)
def status(request: HttpRequest, workspace_id: int) -> Any:
    """Return branch, branches, how they stand to what was fetched, HEAD, changed paths and remotes."""
    workspace = readable(request, workspace_id)
    repository = repository_of(workspace)
    return {
        "branch": to_portable(repository.branch()),
        "branches": [to_portable(name) for name in repository.branches()],
        "fetched": [
            {"remote": each.remote, "branch": to_portable(each.name)}
            for each in services.unknown_here(repository)
        ],
        "upstream": [
            {"remote": each.remote, "behind": each.behind, "ahead": each.ahead}
            for each in services.namesakes(repository)
        ],
        "head": repository.head(),
        "status": [
            {"path": to_portable(one.path), "index": one.index, "worktree": one.worktree}
            for one in repository.status()
        ],
        "remotes": list(workspace.remotes.order_by("name").values_list("name", flat=True)),
    }


@router.post("/{int:workspace_id}/git/stage", response={204: None, **ERRORS}, summary="Stage paths")
def stage(request: HttpRequest, workspace_id: int, body: schemas.PathsIn) -> Any:
    """Put the paths' changes into the next commit."""
    paths = [from_portable(path) for path in body.paths]
    services.stage(
        workspace=writable(request, workspace_id), user=person(request), paths=paths, is_staged=True
    )
    return Status(204, None)


@router.post("/{int:workspace_id}/git/unstage", response={204: None, **ERRORS}, summary="Unstage paths")
def unstage(request: HttpRequest, workspace_id: int, body: schemas.PathsIn) -> Any:
    """Take the paths' changes out of the next commit; the files stay as they are."""
    paths = [from_portable(path) for path in body.paths]
    services.stage(
        workspace=writable(request, workspace_id), user=person(request), paths=paths, is_staged=False
    )
    return Status(204, None)


@router.post(
    "/{int:workspace_id}/git/commit",
    response={201: schemas.CommitMade, **ERRORS},
    summary="Commit what is staged",
)
def commit(request: HttpRequest, workspace_id: int, body: schemas.CommitIn) -> Any:
    """Commit what is staged in your name."""
    return Status(
        201,
        {
            "commit": services.commit(
                workspace=writable(request, workspace_id), user=person(request), message=body.message
            )
        },
    )


@router.post("/{int:workspace_id}/git/switch", response={204: None, **ERRORS}, summary="Switch branch")
def switch(request: HttpRequest, workspace_id: int, body: schemas.SwitchIn) -> Any:
    """Check another branch out for everybody, a fetched one too; refused when uncommitted edits would be lost."""
    services.switch_branch(
        workspace=writable(request, workspace_id),
        user=person(request),
        name=from_portable(body.branch),
        is_new=body.is_new,
        remote_name=body.remote,
    )
    return Status(204, None)


@router.get(
    "/{int:workspace_id}/git/remotes",
    response={200: list[schemas.RemoteOut], **ERRORS},
    summary="List remotes",
)
def list_remotes(request: HttpRequest, workspace_id: int) -> Any:
    """Return the remotes; credentials are never given back."""
    return [_remote_out(remote) for remote in readable(request, workspace_id).remotes.order_by("name")]


@router.put(
    "/{int:workspace_id}/git/remotes", response={200: schemas.RemoteOut, **ERRORS}, summary="Store a remote"
)
def store_remote(request: HttpRequest, workspace_id: int, body: schemas.RemoteIn) -> Any:
    """Add or change a remote and its credential; for maintainers."""
    workspace = access.workspace_for(require_scope(request, "admin"), workspace_id, role=Role.MAINTAINER)
    return _remote_out(
        set_remote(
            workspace=workspace, name=body.name, url=body.url, username=body.username, token=body.token
        )
    )


@router.delete(
    "/{int:workspace_id}/git/remotes/{remote_name}", response={204: None, **ERRORS}, summary="Remove a remote"
)
def remove_remote(request: HttpRequest, workspace_id: int, remote_name: str) -> Any:
    """Forget a remote with its credential and what was fetched of it; for maintainers."""
    workspace = access.workspace_for(require_scope(request, "admin"), workspace_id, role=Role.MAINTAINER)
    services.remove_remote(workspace=workspace, user=person(request), remote_name=remote_name)
    return Status(204, None)


def _remote_out(remote: Remote) -> dict[str, Any]:
    return {
        "name": remote.name,
        "url": remote.url,
        "username": remote.username,
        "has_token": remote.sealed_token is not None,
    }


@router.post("/{int:workspace_id}/git/fetch", response={204: None, **TALKING}, summary="Fetch a remote")
def fetch(request: HttpRequest, workspace_id: int, body: schemas.RemoteRefIn) -> Any:
    """Fetch the remote's branches; what was fetched of other remotes stays."""
    services.fetch(workspace=writable(request, workspace_id), user=person(request), remote_name=body.remote)
    return Status(204, None)


@router.post(
    "/{int:workspace_id}/git/fast-forward",
    response={200: schemas.CommitMade, **ERRORS},
    summary="Bring fetched commits in",
)
def fast_forward(request: HttpRequest, workspace_id: int, body: schemas.BringIn = FROM_ANY) -> Any:
    """Advance the current branch to what was fetched of it; refused when it has commits or edits of its own in the way."""
    sha = services.fast_forward(
        workspace=writable(request, workspace_id), user=person(request), remote_name=body.remote
    )
    return {"commit": sha}


@router.post("/{int:workspace_id}/git/push", response={204: None, **TALKING}, summary="Push a branch")
def push(request: HttpRequest, workspace_id: int, body: schemas.RemoteRefIn) -> Any:
    """Push a branch, fast-forward only; for maintainers, since it leaves the installation."""
    workspace = access.workspace_for(require_scope(request, "apply"), workspace_id, role=Role.MAINTAINER)
    branch = from_portable(body.branch) or repository_of(workspace).branch()
    services.push(workspace=workspace, user=person(request), remote_name=body.remote, branch=branch)
    return Status(204, None)


@router.get(
    "/{int:workspace_id}/git/log", response={200: list[schemas.CommitOut], **ERRORS}, summary="History"
)
def history(
    request: HttpRequest,
    workspace_id: int,
    path: str = Query("", max_length=MAX_PATH_CHARS),
    skip: int = Query(0, ge=0, le=1_000_000),
    limit: int = Query(50, ge=1, le=200),
) -> Any:
    """Return commits, newest first: of the repository, or of one file."""
    log = repository_of(readable(request, workspace_id)).log(
        from_portable(path) or None, limit=limit, skip=skip
    )
    return [
        {"sha": one.sha, "author": one.author, "at": one.at, "subject": to_portable(one.subject)}
        for one in log
    ]


@router.get(
    "/{int:workspace_id}/git/file",
    response={200: schemas.DocumentOut, **ERRORS},
    summary="Read a file of a commit",
)
def read_at(
    request: HttpRequest,
    workspace_id: int,
    commit: str = Query(..., pattern=r"^[0-9a-fA-F]{4,64}$|^HEAD$", examples=["HEAD"]),
    path: str = Query(..., min_length=1, max_length=MAX_PATH_CHARS, examples=["src/parser.py"]),
) -> Any:
    """Return a file as it was in a commit."""
    data = repository_of(readable(request, workspace_id)).read_at(commit, from_portable(path))
    if len(data) > MAX_TEXT_BYTES:
        raise FileTooLarge(path=path, size_bytes=len(data), limit_bytes=MAX_TEXT_BYTES)
    document = decode(FileContent(data, version_of(data), len(data), 0o644))
    fields = {
        name: getattr(document, name)
        for name in ("text", "encoding", "line_separator", "version", "size_bytes", "why_not")
    }
    return {"path": path, "audit": None, **fields}


@router.get(
    "/{int:workspace_id}/git/archive", response=ERRORS, summary="Download an archive", openapi_extra=ARCHIVE
)
def archive(request: HttpRequest, workspace_id: int, kind: Literal["zip", "tar.gz"] = "zip") -> Any:
    """Return the current commit as .zip or .tar.gz."""
    workspace = readable(request, workspace_id)
    repository = repository_of(workspace)
    head = repository.head()
    content_type = "application/zip" if kind == "zip" else "application/gzip"
    name = f"{slugify(workspace.name) or 'workspace'}-{head[:8]}.{kind}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(
        send_later(repository.archive(head, kind)), content_type=content_type, headers=headers
    )
