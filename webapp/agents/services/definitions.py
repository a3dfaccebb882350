"""Defining agents: each edit is a new version, so that nothing that was once said is lost."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Max

from webapp.accounts.handles import RESERVED
from webapp.accounts.models import User
from webapp.agents.budgets import check_budget
from webapp.agents.definitions import TOOLS
from webapp.agents.models import AgentDefinition, AgentVersion, ModelProfile
from webapp.agents.plain import storable_text
from webapp.errors import Conflict, Invalid
from webapp.workspaces.models import Workspace
from workers.agents.registry import AGENTS
from workers.queue import Budget
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
Visibility = AgentDefinition.Visibility
NAME_CHARS: Final = 32
DESCRIPTION_CHARS: Final = 200
INSTRUCTIONS_CHARS: Final = 20_000
MAX_AGENTS: Final = 200
"""Agents of one workspace, archived ones included."""
MAX_VERSIONS: Final = 1_000
_NAME = re.compile(r"[a-z][a-z0-9_-]{1,31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFields:
    """What a person says about an agent."""

    description: str
    instructions: str
    tools: Sequence[str] = field(default_factory=tuple)
    model_profile: ModelProfile | None = None
    """The model it always runs on, from `access.profile_to_run_on`; None for its caller's."""
    budget: Budget | None = None
    note: str = ""


@transaction.atomic
def define_agent(
    *, workspace: Workspace, defined_by: User, name: str, visibility: str, fields: AgentFields
) -> AgentDefinition:
    """Return the new agent with its first version.

    Raises:
        Invalid: a field will not do; `field` names it.
        Conflict: the name is taken, or there are too many agents.
    """
    if visibility not in Visibility.values:
        raise Invalid(f"The visibility is one of {', '.join(Visibility.values)}.", field="visibility")
    home = None if visibility == Visibility.INSTALLATION else workspace
    _check_name(name, workspace)
    _check(fields)
    if AgentDefinition.objects.filter(workspace=home).count() >= MAX_AGENTS:
        raise Conflict(f"There are {MAX_AGENTS} agents already.")
    try:
        with transaction.atomic():
            row = AgentDefinition.objects.create(
                workspace=home, owner=defined_by, name=name, visibility=visibility
            )
    except IntegrityError:
        raise Conflict(f"There is an agent named @{name} here already.", field="name") from None
    _add_version(row, fields, defined_by)
    log.info("agent defined", agent=name, definition_id=row.pk, workspace_id=workspace.pk, by=defined_by.pk)
    return row


@transaction.atomic
def change_agent(
    *, definition: AgentDefinition, changed_by: User, fields: AgentFields, seen: int | None = None
) -> AgentVersion:
    """Return the new version, which answers from now on; runs at work go on with the one they began with.

    Where nothing but the note differs, none is made: the one that answers is returned. `seen` is the number of the version
    that the person changed; without it, whatever answers now is replaced.

    Raises:
        Invalid: a field will not do.
        Conflict: it is archived, has too many versions, or answers in another version than `seen`, which `version` tells.
    """
    row = AgentDefinition.objects.select_for_update().get(pk=definition.pk)
    if row.is_archived:
        raise Conflict("This agent is archived. Bring it back first.")
    if seen is not None and row.current is not None and row.current.number != seen:
        raise Conflict(
            f"Version {row.current.number} was saved while you wrote. Nothing of yours is saved yet: compare, and save again "
            "to put yours after it.",
            version=row.current.number,
        )
    _check(fields)
    version = _add_version(row, fields, changed_by)
    log.info("agent changed", agent=row.name, definition_id=row.pk, version=version.number, by=changed_by.pk)
    return version


def restore_version(*, definition: AgentDefinition, number: int, restored_by: User) -> AgentVersion:
    """Return a new version that says what that one said.

    Raises:
        Invalid: there is no such version.
        Conflict: as `change_agent`, or that one answers already.
    """
    old = definition.versions.filter(number=number).first()
    if old is None:
        raise Invalid("There is no such version.", field="number")
    if AgentDefinition.objects.filter(pk=definition.pk, current=old).exists():
        raise Conflict("This version answers already.")
    fields = AgentFields(
        description=old.description,
        instructions=old.instructions,
        tools=old.tools,
        model_profile=old.model_profile,
        budget=Budget(**old.budget) if old.budget else None,
        note=f"Back to version {number}",
    )
    return change_agent(definition=definition, changed_by=restored_by, fields=fields)


@transaction.atomic
def archive_agent(
    *, definition: AgentDefinition, archived_by: User, is_archived: bool = True
) -> AgentDefinition:
    """Return the agent, which answers no more (its versions and runs stay), or answers again.

    Raises:
        Conflict: its name was given away in the meantime.
    """
    row = AgentDefinition.objects.select_for_update().get(pk=definition.pk)
    row.is_archived = is_archived
    try:
        with transaction.atomic():
            row.save(update_fields=["is_archived"])
    except IntegrityError:
        raise Conflict(f"Another agent is named @{row.name} now.") from None
    log.info("agent archived", agent=row.name, definition_id=row.pk, archived=is_archived, by=archived_by.pk)
    return row


def _add_version(row: AgentDefinition, fields: AgentFields, by: User) -> AgentVersion:
    last = row.versions.aggregate(last=Max("number"))["last"] or 0
    if last >= MAX_VERSIONS:
        raise Conflict(f"This agent has {MAX_VERSIONS:,} versions. Define a new one.")
    said = {
        "description": _line(fields.description),
        "instructions": storable_text(fields.instructions.replace("\r\n", "\n").strip()),
        "tools": [name for name in TOOLS if name in set(fields.tools)],
        "model_profile": fields.model_profile,
        "budget": asdict(fields.budget) if fields.budget is not None else None,
    }
    if row.current is not None and all(getattr(row.current, name) == value for name, value in said.items()):
        return row.current
    version = AgentVersion.objects.create(
        definition=row, number=last + 1, note=_line(fields.note), created_by=by, **said
    )
    row.current = version
    row.save(update_fields=["current"])
    return version


def _line(text: str) -> str:
    return " ".join(storable_text(text).split())


def _check_name(name: str, workspace: Workspace) -> None:
    if not _NAME.fullmatch(name):
        raise Invalid(
            f"A name has 2 to {NAME_CHARS} characters: a–z first, then a–z, digits, - and _.", field="name"
        )
    if name in AGENTS or name in RESERVED or User.objects.filter(handle=name).exists():
        raise Invalid(f"@{name} is somebody already. Choose another name.", field="name")
    is_elsewhere = AgentDefinition.objects.filter(name=name, is_archived=False)
    if is_elsewhere.filter(workspace=None).exists() or is_elsewhere.filter(workspace=workspace).exists():
        raise Conflict(f"There is an agent named @{name} here already.", field="name")


def _check(fields: AgentFields) -> None:
    if not fields.description.strip() or len(fields.description) > DESCRIPTION_CHARS:
        raise Invalid(f"Say in at most {DESCRIPTION_CHARS} characters what it is for.", field="description")
    if not fields.instructions.strip() or len(fields.instructions) > INSTRUCTIONS_CHARS:
        raise Invalid(
            f"Tell it what to be, in at most {INSTRUCTIONS_CHARS:,} characters.", field="instructions"
        )
    if unknown := sorted(set(fields.tools) - set(TOOLS)):
        raise Invalid(f"There is no tool {unknown[0][:40]!r}. Tools: {', '.join(TOOLS)}.", field="tools")
    if len(fields.note) > 200:
        raise Invalid("The note has 200 characters at most.", field="note")
    if fields.budget is not None:
        check_budget(fields.budget)
