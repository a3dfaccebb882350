"""The patterns that a workspace adds to the built-in ones."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from django.db import transaction

from webapp.codehealth import events
from webapp.codehealth.models import PatternRule
from webapp.codehealth.rules import rules_of
from webapp.errors import Conflict, Invalid
from webapp.events.publish import publish_on_commit
from webapp.workspaces.models import Workspace
from workers.codehealth.patterns import PatternSet, Rule

if TYPE_CHECKING:
    from webapp.accounts.models import User

MAX_RULES = 50
MAX_ENDINGS = 20
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_ENDING = re.compile(r"\.?[a-z0-9._+-]{1,20}", re.IGNORECASE)


@transaction.atomic
def add_rule(
    *,
    workspace: Workspace,
    added_by: User,
    name: str,
    pattern: str,
    message: str,
    kind: str = PatternRule.Kind.CUSTOM,
    endings: list[str] | None = None,
) -> PatternRule:
    """Return the new rule.

    Raises:
        Invalid: name, kind or endings are not of their form.
        InvalidRule: the pattern does not compile, is too large or would be found everywhere.
        Conflict: the workspace has a rule of this name, or too many.
    """
    endings = [ending if ending.startswith(".") else f".{ending}" for ending in endings or []]
    if not _NAME.fullmatch(name):
        raise Invalid(
            "A rule's name is of a–z, digits and -, at most 40, and begins with a letter.", field="name"
        )
    if kind not in PatternRule.Kind.values:
        raise Invalid(f"A rule's kind is one of {', '.join(PatternRule.Kind.values)}.", field="kind")
    if len(endings) > MAX_ENDINGS or not all(_ENDING.fullmatch(ending) for ending in endings):
        raise Invalid(f"File endings look like .py; at most {MAX_ENDINGS}.", field="endings")
    message = " ".join(message.split())
    if not 1 <= len(message) <= 120:
        raise Invalid(
            "Say in at most 120 characters what is wrong with what the rule finds.", field="message"
        )
    PatternSet([Rule(id=name, message=message, pattern=pattern, kind="custom", endings=tuple(endings))])
    # The workspace's row lets two who add at once see each other.
    Workspace.objects.select_for_update().get(pk=workspace.pk)
    known = rules_of(workspace)
    if len(known) >= MAX_RULES:
        raise Conflict(f"A workspace has at most {MAX_RULES} rules of its own.")
    if any(rule.id == name for rule in known):
        raise Conflict("There is a rule of this name.", field="name")
    rule = PatternRule.objects.create(
        workspace=workspace, name=name, kind=kind, message=message, pattern=pattern, endings=endings
    )
    publish_on_commit(workspace.pk, events.PatternRulesChanged(by=added_by.display_name))
    return rule


@transaction.atomic
def delete_rule(*, rule: PatternRule, deleted_by: User) -> None:
    """Take a rule out."""
    workspace_id = rule.workspace_id
    rule.delete()
    publish_on_commit(workspace_id, events.PatternRulesChanged(by=deleted_by.display_name))
