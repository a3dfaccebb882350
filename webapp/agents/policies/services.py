"""A workspace's policy is saved, in versions, and an old one is brought back."""

from __future__ import annotations

from typing import Final

from django.db import transaction

from webapp.accounts.models import User
from webapp.agents.plain import storable_text
from webapp.agents.policies import access, selectors
from webapp.agents.policies.models import PolicyVersion
from webapp.errors import Conflict, Invalid
from webapp.workspaces.models import Workspace
from workers.agents.policy.pack import InvalidPolicy, built_in_text, parse_pack
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
MAX_VERSIONS: Final = 1_000


@transaction.atomic
def save_policy(
    *, workspace: Workspace, text: str, saved_by: User, note: str = "", expected: int | None = None
) -> PolicyVersion:
    """Return the new version of the workspace's policy; runs that are rung for from now on follow it.

    Args:
        expected: Number of the version that was changed; None writes over whatever counts now.

    Raises:
        Invalid: the pack makes no sense; the message says where and why.
        Conflict: somebody saved another version meanwhile, or nothing differs.
    """
    text = text.replace("\r\n", "\n").strip("\n") + "\n"
    try:
        parse_pack(text)
    except InvalidPolicy as error:
        raise Invalid(str(error), field="text") from error
    Workspace.objects.select_for_update().get(pk=workspace.pk)
    current = selectors.current_version(workspace)
    number = current.number if current else 0
    if expected is not None and expected != number:
        raise Conflict(f"Version {number} was saved meanwhile; look at it first.", version=number)
    if text == (current.text if current else built_in_text()):
        raise Conflict("This is the policy as it stands; nothing differs.")
    if number >= MAX_VERSIONS:
        raise Conflict(f"A workspace keeps {MAX_VERSIONS:,} versions of its policy.")
    version = PolicyVersion.objects.create(
        workspace=workspace,
        number=number + 1,
        text=storable_text(text),
        note=storable_text(note.strip(), limit=200)[:200],
        saved_by=saved_by,
    )
    log.info("policy saved", workspace_id=workspace.pk, number=version.number, by=saved_by.pk)
    return version


def restore_policy(*, workspace: Workspace, number: int, restored_by: User) -> PolicyVersion:
    """Return a new version with the text of an old one; number 0 is the pack that comes with PyAgent.

    Raises:
        NotFound: there is no such version.
        Conflict: it is the one that counts.
    """
    text = built_in_text() if number == 0 else access.version_for(workspace, number).text
    note = "Back to the pack that comes with PyAgent" if number == 0 else f"Back to version {number}"
    return save_policy(workspace=workspace, text=text, saved_by=restored_by, note=note)
