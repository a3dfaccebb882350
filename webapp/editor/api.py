"""Files over REST; the editor page uses the same doors."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Status

from webapp.accounts.access import person, require_scope
from webapp.api import ErrorReply
from webapp.editor import schemas, services
from webapp.editor.documents import MAX_TEXT_BYTES, decode
from webapp.workspaces import access
from webapp.workspaces.models import Role, Workspace
from webapp.workspaces.repositories import repository_of
from workers.changes.files import WorkspaceFiles
from workers.changes.paths import from_portable, to_portable
from workers.codehealth.metrics import audit_source

router = Router(tags=["files"])
ERRORS: dict[Any, Any] = {code: ErrorReply for code in (401, 403, 404, 409, 413, 422, 503, 507)}
SEARCH_LIMIT = 500
# Percent-encoded, a character may take 12 bytes of the request line, which the web server bounds at 16 KiB.
MAX_PATH_CHARS = 1000


def readable(request: HttpRequest, workspace_id: int) -> Workspace:
    """Return the workspace for somebody who may read it."""
    return access.workspace_for(require_scope(request, "read"), workspace_id)


def writable(request: HttpRequest, workspace_id: int) -> Workspace:
    """Return the workspace for somebody who may edit it."""
    return access.workspace_for(require_scope(request, "write"), workspace_id, role=Role.MEMBER)


def files_of(workspace: Workspace) -> WorkspaceFiles:
    """Return the workspace's shared checkout."""
    return WorkspaceFiles(repository_of(workspace).files_dir)


@router.get(
    "/{int:workspace_id}/files", response={200: list[schemas.EntryOut], **ERRORS}, summary="List a folder"
)
def list_folder(
    request: HttpRequest, workspace_id: int, path: str = Query("", max_length=MAX_PATH_CHARS)
) -> Any:
    """Return the entries of a folder, folders first; the root for an empty path."""
    entries = files_of(readable(request, workspace_id)).list_dir(from_portable(path))
    return [
        {
            "name": to_portable(one.name),
            "path": to_portable(one.path),
            "kind": one.kind,
            "size_bytes": one.size_bytes,
        }
        for one in entries
    ]


@router.get("/{int:workspace_id}/file", response={200: schemas.DocumentOut, **ERRORS}, summary="Read a file")
def read_file(
    request: HttpRequest,
    workspace_id: int,
    path: str = Query(..., min_length=1, max_length=MAX_PATH_CHARS, examples=["src/parser.py"]),
) -> Any:
    """Return a file's text with its version and audit."""
    content = files_of(readable(request, workspace_id)).read(from_portable(path), max_bytes=MAX_TEXT_BYTES)
    document = decode(content)
    audit = schemas.AuditOut.of(audit_source(content.data, path=path)) if document.text is not None else None
    fields = {
        name: getattr(document, name)
        for name in ("text", "encoding", "line_separator", "version", "size_bytes", "why_not")
    }
    return {"path": path, "audit": audit, **fields}


@router.put("/{int:workspace_id}/file", response={200: schemas.SavedOut, **ERRORS}, summary="Save a file")
def save_file(request: HttpRequest, workspace_id: int, body: schemas.SaveIn) -> Any:
    """Write a file unless somebody saved a newer version: then 409, and nothing is written."""
    workspace = writable(request, workspace_id)
    saved = services.save_file(
        workspace=workspace,
        user=person(request),
        path=from_portable(body.path),
        text=services.require_text(body.text),
        encoding=body.encoding,
        expected=body.expected,
    )
    return {
        "version": saved.version,
        "size_bytes": saved.size_bytes,
        "audit": schemas.AuditOut.of(saved.audit),
    }


@router.delete("/{int:workspace_id}/file", response={204: None, **ERRORS}, summary="Delete a file or folder")
def delete_path(
    request: HttpRequest,
    workspace_id: int,
    path: str = Query(..., min_length=1, max_length=MAX_PATH_CHARS, examples=["src/parser.py"]),
) -> Any:
    """Delete a file, or a folder with everything in it."""
    services.delete_path(
        workspace=writable(request, workspace_id), user=person(request), path=from_portable(path)
    )
    return Status(204, None)


@router.post(
    "/{int:workspace_id}/files/move", response={204: None, **ERRORS}, summary="Rename a file or folder"
)
def move_path(request: HttpRequest, workspace_id: int, body: schemas.MoveIn) -> Any:
    """Rename or move; nothing may be at the target."""
    workspace = writable(request, workspace_id)
    services.move_path(
        workspace=workspace,
        user=person(request),
        source=from_portable(body.source),
        target=from_portable(body.target),
    )
    return Status(204, None)


@router.post("/{int:workspace_id}/files/folder", response={204: None, **ERRORS}, summary="Make a folder")
def make_folder(request: HttpRequest, workspace_id: int, body: schemas.PathIn) -> Any:
    """Make a folder and those above it."""
    services.make_folder(
        workspace=writable(request, workspace_id), user=person(request), path=from_portable(body.path)
    )
    return Status(204, None)


@router.get(
    "/{int:workspace_id}/files/search",
    response={200: schemas.FileSearchOut, **ERRORS},
    summary="Search in files",
)
def search(
    request: HttpRequest,
    workspace_id: int,
    q: str = Query(..., min_length=1, max_length=500, examples=["def parse"]),
    is_regex: bool = False,
    is_case_sensitive: bool = False,
    glob: str = Query("", max_length=200),
) -> Any:
    """Return up to 500 matching lines within 5 s; text files over 8 MiB are counted, not read."""
    matches = files_of(readable(request, workspace_id)).search(
        q, is_regex=is_regex, is_case_sensitive=is_case_sensitive, path_glob=glob, limit=SEARCH_LIMIT
    )
    shown = [
        {"path": to_portable(one.path), "line": one.line, "column": one.column, "text": to_portable(one.text)}
        for one in matches
    ]
    return {"matches": shown, "is_complete": matches.ended_by == "done", "skipped": matches.skipped}


@router.post(
    "/{int:workspace_id}/files/audit", response={200: schemas.AuditOut, **ERRORS}, summary="Measure a buffer"
)
def audit_buffer(request: HttpRequest, workspace_id: int, body: schemas.AuditIn) -> Any:
    """Measure a text as if it were the file at `path`, without saving it."""
    readable(request, workspace_id)
    return schemas.AuditOut.of(audit_source(services.require_text(body.text), path=body.path))
