"""What chat does when something happens elsewhere. Loaded when Django starts."""

from __future__ import annotations

from typing import Any

from webapp.chat import services
from webapp.chat.services import calling, summing
from webapp.events.registry import (
    Prepared,
    on_approval_asked,
    on_run_prepared,
    on_run_queued,
    on_workspace_created,
)


@on_workspace_created
def furnish_workspace(workspace: Any) -> None:
    """A new workspace gets its first channel."""
    services.furnish(workspace)


@on_run_prepared("scribe")
def summary_prepared(run: Any) -> Prepared:
    """A run of @scribe is handed the messages that it is to sum up."""
    return summing.prepare_summary(run)


@on_run_queued
def show_card(run: Any) -> None:
    """A run gets its card in a channel."""
    calling.post_card(run)


@on_approval_asked
def tell_of_question(approval: Any) -> None:
    """A call that waits for a person is told in the conversation in which its run stands."""
    run = approval.run
    whom = "" if approval.needs_maintainer or run.requested_by is None else f"@{run.requested_by.handle} "
    who = "A maintainer answers" if approval.needs_maintainer else "Answer"
    services.post_notice(
        run=run,
        text=f"{whom}May I run `{approval.tool}`? {approval.reason} {who} on [the run](/w/{run.workspace_id}/runs/{run.pk}/).",
    )
