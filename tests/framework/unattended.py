"""Unattended work of a company, for the tests of its doors."""

from __future__ import annotations

from tests.framework.people import Company
from webapp.unattended import services
from webapp.unattended.services.calling import CallingFields


def unattended_of(company: Company, text: str) -> dict[str, int]:
    """Return the ids of the owner's schedule; it says `text`."""
    given = CallingFields(name=text, agent="tidy", goal=text)
    schedule = services.create_schedule(
        workspace=company.workspace,
        created_by=company.owner,
        given=given,
        when=services.When(cron="0 3 * * *"),
    )
    return {"schedule_id": schedule.pk}
