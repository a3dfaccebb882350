"""Files of the workspace that come with a goal."""

from __future__ import annotations

from collections.abc import Sequence

from webapp.workspaces.models import Workspace
from webapp.workspaces.repositories import repository_of
from workers.agents.attachments import MAX_ATTACHMENTS, InvalidAttachment, check_size, media_type_of
from workers.changes.errors import ChangeError
from workers.changes.files import WorkspaceFiles
from workers.errors import PyAgentError


def attached(
    workspace: Workspace, paths: Sequence[str], *, named: Sequence[str] = ()
) -> list[dict[str, str]]:
    """Return the attachments as a job carries them: path and media type, each file once.

    Args:
        paths: Files that a person chose.
        named: Files that a message names; one that does not exist, or will not do, is only a word of the message.

    Raises:
        InvalidAttachment: a chosen file is absent, too large or of a kind that no model reads, or there are too many.
    """
    chosen = list(dict.fromkeys(path.strip().removeprefix("./") for path in paths if path.strip()))
    if len(chosen) > MAX_ATTACHMENTS:
        raise InvalidAttachment(f"At most {MAX_ATTACHMENTS} files come with a goal.", path=chosen[-1])
    if not chosen and not named:
        return []
    files = WorkspaceFiles(repository_of(workspace).files_dir)
    found = [_checked(files, path) for path in chosen]
    for path in named:
        if path in chosen or len(found) >= MAX_ATTACHMENTS:
            continue
        try:
            found.append(_checked(files, path))
        except PyAgentError:
            continue
    return found


def _checked(files: WorkspaceFiles, path: str) -> dict[str, str]:
    media_type = media_type_of(path)
    try:
        entry = files.stat(path)
    except ChangeError as error:
        raise InvalidAttachment(f"“{path}” cannot be attached: {error}", path=path) from error
    if entry.kind != "file":
        raise InvalidAttachment(f"“{path}” is no file.", path=path)
    check_size(path, media_type, entry.size_bytes)
    return {"path": path, "media_type": media_type}
