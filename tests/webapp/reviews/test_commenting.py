from __future__ import annotations

import pytest
from django.db import transaction

from tests.webapp.reviews.conftest import Desk
from webapp.agents.models import Run
from webapp.agents.services import retry_run
from webapp.agents.services.ending import end_run
from webapp.errors import Conflict, Invalid, NotFound
from webapp.reviews import services
from webapp.reviews.models import ChangeSet, ReviewComment


def test_takes_the_lines_code_from_the_diff_and_sanitises_the_text(desk: Desk) -> None:
    change_set = desk.three_hunks()
    remark = services.comment(
        change_set=change_set, author=desk.company.member, path="calc.py", line=2, side="old", kind="question",
        text="Was `0` <script>alert(1)</script> [x](javascript:alert(1)) ![i](http://a/b.png)",
    )  # fmt: skip
    assert (remark.code, remark.hunk_key) == ("    return 0", desk.hunks(change_set)[0].key)
    assert (
        "<script" not in remark.html and 'href="javascript' not in remark.html and "<img" not in remark.html
    )
    assert "<code>0</code>" in remark.html


def test_refuses_places_that_the_revision_does_not_show(desk: Desk) -> None:
    change_set = desk.three_hunks()
    fields = {"change_set": change_set, "author": desk.company.member, "text": "x"}
    with pytest.raises(Invalid):
        services.comment(**fields, path="calc.py", line=30)
    with pytest.raises(NotFound):
        services.comment(**fields, path="README.md", line=1)
    with pytest.raises(Invalid):
        services.comment(**fields, line=1)
    with pytest.raises(Invalid):
        services.comment(**{**fields, "text": " \n "})
    other = services.comment(change_set=desk.three_hunks(), author=desk.company.member, text="x")
    with pytest.raises(Invalid):
        services.comment(**fields, parent=other)
    services.discard(change_set=change_set, discarded_by=desk.company.member)
    with pytest.raises(Conflict):
        services.comment(**fields, kind="must-fix")
    services.comment(**fields, kind="note")


def test_hands_the_agent_path_line_code_and_the_rejected_hunks_with_reasons(desk: Desk) -> None:
    change_set = desk.three_hunks()
    remark = services.comment(
        change_set=change_set,
        author=desk.company.member,
        text="Fix this.",
        kind="must-fix",
        path="calc.py",
        line=2,
    )
    services.comment(change_set=change_set, author=desk.company.maintainer, text="And soon.", parent=remark)
    settled = services.comment(change_set=change_set, author=desk.company.member, text="Done?")
    services.resolve_comment(comment=settled, resolved_by=desk.company.member)
    desk.decide(change_set, 1, "rejected", reason="Keep five.")
    run = services.send_comments(change_set=change_set, sent_by=desk.company.member)
    told = run.job["revision_of"]
    revision = change_set.revisions.get()
    assert (run.agent, run.change_set_id, run.base_commit) == ("tidy", change_set.pk, revision.base_commit)
    assert (told["change_set_id"], told["revision"], told["commit"]) == (change_set.pk, 1, revision.commit)
    (item,) = told["comments"]
    assert item == {
        "id": remark.pk, "kind": "must-fix", "path": "calc.py", "line": 2, "side": "new", "hunk": desk.hunks(change_set)[0].key,
        "code": "    return 100", "text": "Fix this.\n\nAnd soon.",
    }  # fmt: skip
    (rejected,) = told["rejected"]
    assert (rejected["path"], rejected["reason"]) == ("calc.py", "Keep five.")
    assert "+    return 105" in rejected["lines"]
    change_set.refresh_from_db()
    remark.refresh_from_db()
    assert (change_set.turn, remark.is_sent) == ("agent", True)


def test_sends_nothing_twice_and_waits_for_the_answer(desk: Desk) -> None:
    change_set = desk.three_hunks()
    with pytest.raises(Invalid, match="nothing to send"):
        services.send_comments(change_set=change_set, sent_by=desk.company.member)
    services.comment(change_set=change_set, author=desk.company.member, text="x")
    services.send_comments(change_set=change_set, sent_by=desk.company.member)
    services.comment(change_set=change_set, author=desk.company.member, text="y")
    with pytest.raises(Conflict, match="answering already"):
        services.send_comments(change_set=change_set, sent_by=desk.company.member)
    Run.objects.filter(change_set=change_set).update(status=Run.Status.FINISHED)
    second = services.send_comments(change_set=change_set, sent_by=desk.company.member)
    assert [item["text"] for item in second.job["revision_of"]["comments"]] == ["y"]


def test_trying_a_failed_answer_again_takes_the_turn_again(desk: Desk) -> None:
    change_set = desk.three_hunks()
    remark = services.comment(change_set=change_set, author=desk.company.member, text="Fix", kind="must-fix")
    run = services.send_comments(change_set=change_set, sent_by=desk.company.member)
    with transaction.atomic():
        end_run(run, Run.Status.FAILED, code="provider_timeout", message="No answer", is_retryable=True)
    change_set.refresh_from_db()
    remark.refresh_from_db()
    assert (change_set.turn, remark.is_sent) == ("reviewer", False)
    again = retry_run(run=run, requested_by=desk.company.maintainer)
    change_set.refresh_from_db()
    remark.refresh_from_db()
    assert (again.change_set_id, again.base_commit) == (change_set.pk, run.base_commit)
    assert again.job["revision_of"] == run.job["revision_of"]
    assert (change_set.turn, remark.is_sent) == ("agent", True)
    with pytest.raises(Conflict, match="answering already"):
        retry_run(run=run, requested_by=desk.company.member)
    with transaction.atomic():
        end_run(again, Run.Status.FAILED, code="provider_timeout", message="No answer", is_retryable=True)
    services.discard(change_set=change_set, discarded_by=desk.company.member)
    with pytest.raises(Conflict, match="discarded"):
        retry_run(run=again, requested_by=desk.company.member)
    assert Run.objects.filter(change_set=change_set).count() == 2


def test_keeps_what_an_agent_only_said_as_a_remark(desk: Desk) -> None:
    change_set = desk.three_hunks()
    ChangeSet.objects.update(turn="agent")
    services.return_turn(
        desk.run(change_set=change_set, status=Run.Status.FINISHED, answer="It is **fine** as it is.")
    )
    (remark,) = ReviewComment.objects.all()
    assert (remark.agent, remark.parent_id, remark.is_sent) == ("tidy", None, True)
    assert "<strong>fine</strong>" in remark.html
    change_set.refresh_from_db()
    assert change_set.turn == "reviewer"


def test_resolves_and_opens_again(desk: Desk) -> None:
    change_set = desk.three_hunks()
    remark = services.comment(change_set=change_set, author=desk.company.member, text="x", kind="must-fix")
    reply = services.comment(change_set=change_set, author=desk.company.member, text="y", parent=remark)
    services.resolve_comment(comment=reply, resolved_by=desk.company.maintainer)
    remark.refresh_from_db()
    assert remark.resolved_by == desk.company.maintainer
    services.resolve_comment(comment=remark, resolved_by=desk.company.member, is_resolved=False)
    remark.refresh_from_db()
    assert remark.resolved_at is None
