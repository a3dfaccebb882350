"""What @scribe is handed: more than the usual messages, of what is meant, and nothing beyond the workspace."""

from __future__ import annotations

from typing import Any

import pytest

from tests.framework.people import Company
from webapp.agents.models import Run
from webapp.agents.services import retry_run, start_run
from webapp.agents.services.ending import end_run
from webapp.chat import selectors, services
from webapp.chat.models import Channel
from webapp.chat.services.channels import create_channel
from webapp.errors import NotFound
from webapp.workspaces.models import Workspace


def handed(run: Run) -> list[tuple[str, str]]:
    return [(item["author"], item["text"]) for item in run.job["conversation"]]


def called(posted: Any) -> Run:
    return posted.runs[0]


def test_is_handed_the_channel_where_it_was_called(company: Company, say: Any, channel: Channel) -> None:
    for number in range(40):
        say(company.member, f"line {number}", topic=f"t{number % 3}")
    run = called(say(company.member, "@scribe", topic="other"))
    assert len(handed(run)) == 40  # more than the 30 that others get
    assert handed(run)[0] == ("Mia", "line 0")
    item = run.job["conversation"][1]
    assert (item["place"], item["topic"], item["number"]) == (f"#{channel.name}", "t1", "2")
    assert channel.messages.get(pk=int(item["id"])).text == "line 1"


def test_is_handed_the_topic_that_is_meant(company: Company, say: Any) -> None:
    say(company.member, "soon", topic="release")
    say(company.member, "cake", topic="lunch")
    assert handed(called(say(company.member, "@scribe this topic", topic="lunch"))) == [("Mia", "cake")]
    run = called(say(company.member, "@scribe topic: Release", topic="lunch"))
    assert handed(run) == [("Mia", "soon")]
    assert run.job["conversation"][0]["place"].endswith(", topic release")


def test_is_handed_the_channel_that_is_named(company: Company, say: Any) -> None:
    other = create_channel(workspace=company.workspace, name="random")
    say(company.viewer, "there", channel=other)
    assert handed(called(say(company.member, "@scribe #random please"))) == [("Vera", "there")]
    with pytest.raises(NotFound):
        say(company.member, "@scribe #secret")


def test_leaves_out_what_was_deleted_and_its_own_summaries(company: Company, say: Any) -> None:
    gone = say(company.member, "never mind").message
    services.delete_message(workspace=company.workspace, message=gone)
    first = called(say(company.member, "@scribe"))
    end_run(first, Run.Status.FINISHED, answer="## Decisions")
    tidied = called(say(company.member, "@tidy"))
    end_run(tidied, Run.Status.FINISHED, answer="All is tidy.")
    say(company.member, "stays")
    run = called(say(company.member, "@scribe"))
    assert handed(run) == [("Mia", "@tidy"), ("@tidy", "All is tidy."), ("Mia", "stays")]


def test_keeps_to_its_bounds_and_to_the_newest(
    company: Company, say: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "SUMMED_MESSAGES", 5)
    monkeypatch.setattr(selectors, "SUMMED_CHARS", 20)
    for number in range(9):
        say(company.member, f"line {number}")
    run = called(say(company.member, "@scribe"))
    assert [text for _, text in handed(run)] == ["line 6", "line 7", "line 8"]


def test_names_no_channel_of_another_workspace(company: Company, say: Any) -> None:
    elsewhere = Workspace.objects.get(name="Elsewhere")
    create_channel(workspace=elsewhere, name="hidden")
    with pytest.raises(NotFound):
        say(company.member, "@scribe #hidden")


def test_is_called_from_the_runs_page_and_again(company: Company, say: Any, channel: Channel) -> None:
    say(company.member, "hello")
    run = start_run(
        workspace=company.workspace, requested_by=company.member, agent="scribe", goal=f"#{channel.name}"
    )
    assert ("Mia", "hello") in handed(run)
    lunch = called(say(company.member, "@scribe this topic", topic="lunch"))
    end_run(lunch, Run.Status.FAILED, code="x", message="x")
    say(company.member, "cake", topic="lunch")
    assert handed(retry_run(run=lunch, requested_by=company.member)) == [("Mia", "cake")]
