"""Unattended work of a company, for the tests of its doors."""

from __future__ import annotations

from tests.framework.people import Company
from webapp.unattended import services
from webapp.unattended.services.calling import CallingFields


def unattended_of(company: Company, text: str) -> dict[str, int | str]:
    """Return the ids of the owner's schedule, webhook and goal; they say `text`."""
    given = CallingFields(name=text, agent="tidy", goal=text)
    schedule = services.create_schedule(
        workspace=company.workspace,
        created_by=company.owner,
        given=given,
        when=services.When(cron="0 3 * * *"),
    )
    webhook, _ = services.create_webhook(
        workspace=company.workspace, created_by=company.owner, given=given, terms=services.Terms()
    )
    goal = services.set_goal(
        workspace=company.workspace,
        set_by=company.owner,
        given=given,
        limits=services.Limits(command=text, criteria=text),
    )
    return {
        "goal_id": goal.pk,
        "schedule_id": schedule.pk,
        "webhook_id": webhook.pk,
        "public_id": webhook.public_id,
    }
