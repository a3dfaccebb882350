"""@reviewer asked from the page, over REST and in words; what it says stands on the lines and decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from tests.webapp.reviews.conftest import Desk
from webapp.agents.models import Run
from webapp.agents.services import start_run
from webapp.agents.services.ending import end_run
from webapp.chat.models import Message
from webapp.errors import Conflict, NotFound
from webapp.events.registry import engine_handlers
from webapp.reviews import services
from webapp.reviews.models import ChangeSet, ReviewComment
from webapp.reviews.selectors import load_review
from webapp.workspaces.models import Workspace
from workers.events import ReviewCommented

HX = {"HTTP_HX_REQUEST": "true"}


def url(change_set: ChangeSet) -> str:
    return reverse("review_ask_reviewer", args=[change_set.workspace_id, change_set.pk])


def ask(desk: Desk, change_set: ChangeSet) -> Run:
    return services.ask_review(change_set=change_set, asked_by=desk.company.member)


def say(run: Run, change_set: ChangeSet, *comments: dict[str, Any], **fields: Any) -> None:
    fields = {
        "change_set_id": change_set.pk,
        "revision": 1,
        "comments": list(comments),
        "summary": "It changes **numbers**.",
    } | fields
    event = ReviewCommented(run_id=str(run.pk), fence=1, run_seq=1, **fields)
    for handler in engine_handlers(event):
        handler(event)


def on_line(line: int = 2, **fields: Any) -> dict[str, Any]:
    return {
        "path": "calc.py",
        "side": "new",
        "line": line,
        "kind": "must-fix",
        "text": "Why 100?",
        "quote": "return 100",
    } | fields


def test_hands_the_newest_revision_to_the_reviewer(desk: Desk) -> None:
    change_set = desk.three_hunks()
    run = ask(desk, change_set)
    revision = change_set.revisions.get()
    assert run.agent == "reviewer" and run.change_set_id is None
    assert run.base_commit == revision.commit == run.job["review_of"]["commit"]
    assert run.job["review_of"]["base_commit"] == revision.base_commit
    assert (run.job["review_of"]["change_set_id"], run.job["review_of"]["revision"]) == (change_set.pk, 1)
    change_set.refresh_from_db()
    assert change_set.turn == "reviewer"  # the author's turn does not come by being read


def test_reads_a_change_set_once_at_a_time_and_says_so(desk: Desk) -> None:
    change_set = desk.three_hunks()
    run = ask(desk, change_set)
    with pytest.raises(Conflict):
        ask(desk, change_set)
    client = desk.company.client(desk.company.member)
    page = client.get(reverse("review", args=[change_set.workspace_id, change_set.pk])).content.decode()
    assert "@reviewer is reading" in page
    end_run(run, Run.Status.FAILED, code="x", message="x")
    page = client.get(reverse("review", args=[change_set.workspace_id, change_set.pk])).content.decode()
    assert "Ask @reviewer" in page and "@reviewer is reading" not in page
    ask(desk, change_set)


@pytest.mark.parametrize("words", ["{pk}", "#{pk}", "please review change {pk} closely", "change set {pk}"])
def test_understands_which_change_is_meant(desk: Desk, words: str) -> None:
    first, _ = desk.three_hunks(), desk.loaded(desk.propose({"README.md": b"# New\n"}))
    goal = words.format(pk=first.pk)
    run = start_run(
        workspace=desk.company.workspace, requested_by=desk.company.member, agent="reviewer", goal=goal
    )
    assert run.job["review_of"]["change_set_id"] == first.pk


def test_takes_the_last_open_change_when_none_is_named(desk: Desk) -> None:
    fields = {
        "workspace": desk.company.workspace,
        "requested_by": desk.company.member,
        "agent": "reviewer",
        "goal": "",
    }
    with pytest.raises(NotFound):
        start_run(**fields)
    first, second = desk.three_hunks(), desk.loaded(desk.propose({"README.md": b"# New\n"}))
    assert start_run(**fields).job["review_of"]["change_set_id"] == second.pk
    services.discard(change_set=second, discarded_by=desk.company.member)
    assert start_run(**fields | {"goal": "the last change"}).job["review_of"]["change_set_id"] == first.pk


def test_reads_the_files_as_the_change_has_them_whatever_else_was_wished(desk: Desk) -> None:
    change_set = desk.three_hunks()
    run = start_run(
        workspace=desk.company.workspace,
        requested_by=desk.company.member,
        agent="reviewer",
        goal=f"change {change_set.pk}",
        base_commit=desk.repository.head(),  # as an agent that hands this goal on has it
    )
    assert run.base_commit == change_set.revisions.get().commit


def test_names_no_change_of_another_workspace(desk: Desk) -> None:
    other = ChangeSet.objects.create(
        workspace=Workspace.objects.get(name="Elsewhere"), agent="tidy", title="x", target_branch="main"
    )
    desk.three_hunks()
    with pytest.raises(NotFound):
        start_run(
            workspace=desk.company.workspace,
            requested_by=desk.company.member,
            agent="reviewer",
            goal=str(other.pk),
        )


def test_writes_comments_as_the_agents_once_and_decides_nothing(desk: Desk) -> None:
    change_set = desk.three_hunks()
    run = ask(desk, change_set)
    for _ in range(2):
        say(run, change_set, on_line(), on_line(2, side="old", text="Was 0.", kind="note"))
    rows = list(change_set.comments.all())
    assert [(row.agent, row.author, row.kind, row.line, row.code) for row in rows] == [
        ("reviewer", None, "must-fix", 2, "    return 100"),
        ("reviewer", None, "note", 2, "    return 0"),
        ("reviewer", None, "note", None, ""),
    ]
    assert rows[0].hunk_key == desk.hunks(change_set)[0].key
    assert "<strong>numbers</strong>" in rows[2].html
    assert {hunk.verdict for hunk in desk.hunks(change_set)} == {"pending"}
    review = load_review(change_set)
    assert (review.header.must_fix, review.header.unsent) == (
        1,
        2,
    )  # the author can be asked to answer the lines
    page = desk.company.client(desk.company.viewer).get(
        reverse("review", args=[change_set.workspace_id, change_set.pk])
    )
    assert page.content.decode().count("<strong>@reviewer</strong>") == 3


def test_writes_only_what_the_revision_that_was_read_shows(desk: Desk) -> None:
    change_set = desk.three_hunks()
    run = ask(desk, change_set)
    say(
        run,
        change_set,
        on_line(30),
        on_line(path="README.md"),
        on_line(path="../../etc/passwd"),
        on_line(kind="approve"),
        on_line(text="  "),
        summary="",
    )
    assert not change_set.comments.exists()


def test_keeps_to_the_revision_that_was_read_when_a_newer_one_is_there(desk: Desk) -> None:
    change_set = desk.three_hunks()
    reading = ask(desk, change_set)
    services.comment(change_set=change_set, author=desk.company.member, text="Please.")
    answering = services.send_comments(change_set=change_set, sent_by=desk.company.member)
    base = change_set.revisions.get().base_commit
    desk.propose({"README.md": b"# Other\n"}, run=answering, base=base)
    assert change_set.revisions.count() == 2
    say(reading, change_set, on_line())
    (row,) = change_set.comments.filter(agent="reviewer", line=2)
    assert (row.revision.number, row.code) == (1, "    return 100")


def test_does_not_take_comments_for_a_change_that_the_run_was_not_given(desk: Desk) -> None:
    change_set, other = desk.three_hunks(), desk.three_hunks()
    run = ask(desk, change_set)
    say(run, other, on_line())
    say(run, change_set, on_line(), revision=2)
    say(desk.run(), change_set, on_line())
    assert not ReviewComment.objects.exists()


def test_does_not_let_markup_of_an_agent_through(desk: Desk) -> None:
    change_set = desk.three_hunks()
    run = ask(desk, change_set)
    say(run, change_set, on_line(text="<img src=x onerror=alert(1)> [x](javascript:alert(1))"), summary="")
    html = change_set.comments.get().html
    assert "<img" not in html and 'href="javascript' not in html


def test_shows_its_card_where_the_change_was_proposed(desk: Desk) -> None:
    run = start_run(
        workspace=desk.company.workspace, requested_by=desk.company.member, agent="tidy", goal="Tidy"
    )
    change_set = desk.loaded(desk.propose({"README.md": b"# New\n"}, run=run))
    reading = ask(desk, change_set)
    cards = {card.run_id: card.topic_id for card in Message.objects.exclude(run=None)}
    assert cards[reading.pk] == cards[run.pk]


def test_is_asked_by_members_from_the_page_and_over_rest(
    desk: Desk, api_key: Callable[..., dict[str, str]]
) -> None:
    change_set = desk.three_hunks()
    company = desk.company
    assert company.client(company.viewer).post(url(change_set), **HX).status_code == 403
    assert company.client(company.stranger).post(url(change_set), **HX).status_code == 404
    reply = company.client(company.member).post(url(change_set), **HX)
    assert "@reviewer is reading" in reply.content.decode()
    run = Run.objects.get(agent="reviewer")
    end_run(run, Run.Status.FINISHED, answer="x")
    address = f"/api/v1/workspaces/{change_set.workspace_id}/reviews/{change_set.pk}/review"
    told = company.client(None).post(address, headers=api_key(company.member, "read", "run", "review"))
    assert told.status_code == 202, told.content
    assert Run.objects.get(pk=told.json()["run_id"]).agent == "reviewer"
    weak = api_key(company.member, "read", "review")
    assert company.client(None).post(address, headers=weak).status_code == 403


def test_hands_a_change_to_the_tester_when_it_is_named_and_lands_its_tests_beside_it(desk: Desk) -> None:
    change_set = desk.three_hunks()
    fields = {"workspace": desk.company.workspace, "requested_by": desk.company.member, "agent": "tester"}
    run = start_run(**fields, goal=f"write tests for change {change_set.pk}")
    commit = change_set.revisions.get().commit
    assert (run.base_commit, run.job["review_of"]["commit"]) == (commit, commit)
    assert start_run(**fields, goal="test 12 cases of calc.py").job["review_of"] is None
    with pytest.raises(NotFound):
        start_run(**fields, goal="test change 999")
    assert not load_review(change_set).header.is_under_review
    tests = desk.loaded(desk.propose({"tests/test_f.py": b"def test_f(): ...\n"}, run=run, base=commit))
    desk.decide(tests, 0, "accepted")
    try:
        desk.apply(tests)
    except Conflict:  # its base is no commit of the branch: carried over first, then it lands
        tests.refresh_from_db()
        desk.apply(tests)
    assert desk.at_head("tests/test_f.py") == b"def test_f(): ...\n"
    assert b"return 100" not in desk.at_head("calc.py")  # the change itself is decided about by itself
