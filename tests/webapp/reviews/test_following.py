"""An answer that comes when its change set has landed: only what is new in it is offered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.framework.repos import commit_files
from tests.webapp.reviews.conftest import BASE, THREE_HUNKS, Desk
from webapp.agents.models import Run
from webapp.reviews import services
from webapp.reviews.handlers import change_proposed
from webapp.reviews.models import ChangeSet, ReviewComment, Revision
from webapp.reviews.selectors import load_review
from webapp.reviews.services import landing as landing_service
from webapp.reviews.services import opening
from webapp.reviews.services.rebasing import carry_over
from workers.changes import landing
from workers.events import ChangeProposed


def answering(desk: Desk, change_set: ChangeSet, **fields: Any) -> Run:
    """The run that answers the newest revision, handed over before the change set lands."""
    revision = change_set.revisions.latest("number")
    ChangeSet.objects.filter(pk=change_set.pk).update(turn="agent")
    job = {
        "revision_of": {
            "change_set_id": change_set.pk,
            "revision": revision.number,
            "commit": revision.commit,
        }
    }
    return desk.run(change_set=change_set, job=job, base_commit=revision.base_commit, **fields)


def answer(desk: Desk, run: Run, files: Mapping[str, bytes | None], **fields: Any) -> Revision:
    return desk.propose(files, run=run, base=run.base_commit, **fields)


def shown(desk: Desk, change_set: ChangeSet) -> list[tuple[str, str]]:
    """The changed lines of each hunk."""
    return [
        (hunk.hunk.path, "".join(f"{line.kind}{line.text}" for line in hunk.hunk.lines if line.kind != " "))
        for hunk in desk.hunks(change_set)
    ]


def test_offers_only_what_is_new_since_everything_landed(desk: Desk) -> None:
    change_set = desk.three_hunks()
    remark = services.comment(
        change_set=change_set,
        author=desk.company.member,
        text="Why 105?",
        path="calc.py",
        line=22,
        kind="question",
    )
    run = answering(desk, change_set)
    for number in range(3):
        desk.decide(change_set, number, "accepted")
    desk.apply(change_set)
    files = {"calc.py": THREE_HUNKS.replace(b"return 105\n", b"return 1050\n"), "README.md": b"# Calc 2\n"}
    answers = [{"comment_id": remark.pk, "text": "It should be 1050."}]
    revision = answer(desk, run, files, answers=answers)
    assert revision.change_set_id != change_set.pk and not revision.conflicts
    following = desk.loaded(revision)
    new = [("calc.py", "-    return 105+    return 1050"), ("README.md", "-# Calc+# Calc 2")]
    assert sorted(shown(desk, following)) == sorted(new)
    assert (following.run_id, following.status, following.turn) == (run.pk, "open", "reviewer")
    assert following.summary.startswith(f"Follows review {change_set.pk}, which had landed by then")

    run.status, run.answer = Run.Status.FINISHED, "I have looked at **it**."
    services.return_turn(run)
    change_set.refresh_from_db()
    assert (change_set.status, change_set.turn, change_set.revisions.count()) == ("landed", "reviewer", 1)
    reply = ReviewComment.objects.get(parent=remark)
    told, said = change_set.comments.filter(agent="tidy", parent=None).order_by("id")
    assert reply.text == "It should be 1050." and "<strong>it</strong>" in said.html
    assert f'href="/w/{change_set.workspace_id}/reviews/{following.pk}/"' in told.html
    assert load_review(following).header.evidence == "unverified"

    for number in range(2):
        desk.decide(following, number, "accepted")
    assert desk.apply(following).status == "landed", "nothing has to be carried over"
    assert {path: desk.at_head(path) for path in files} == files == {path: desk.read(path) for path in files}


def test_does_not_offer_again_what_was_left_out_or_edited_but_what_was_worked_on_since(desk: Desk) -> None:
    change_set = desk.three_hunks()
    run = answering(desk, change_set)
    desk.decide(change_set, 0, "rejected", reason="No")
    desk.decide(change_set, 1, "rejected", reason="Higher")
    edited = [
        line.text.replace("111", "112") for line in desk.hunks(change_set)[2].hunk.lines if line.kind != "-"
    ]
    desk.decide(change_set, 2, "edited", edited_new_lines=edited)
    desk.apply(change_set)
    revision = answer(desk, run, {"calc.py": THREE_HUNKS.replace(b"return 105\n", b"return 1050\n")})
    following = desk.loaded(revision)
    assert shown(desk, following) == [("calc.py", "-    return 5+    return 1050")]
    desk.decide(following, 0, "accepted")
    desk.apply(following)
    expected = (
        BASE["calc.py"].replace(b"return 5\n", b"return 1050\n").replace(b"return 11\n", b"return 112\n")
    )
    assert desk.at_head("calc.py") == desk.read("calc.py") == expected


def test_stands_on_what_landed_also_when_that_was_carried_over_first(desk: Desk) -> None:
    change_set = desk.three_hunks()
    run = answering(desk, change_set)
    for number in range(3):
        desk.decide(change_set, number, "accepted")
    commit_files(desk.repository, {"calc.py": b"import os\n\n" + BASE["calc.py"]})
    assert carry_over(change_set=change_set, repository=desk.repository, carried_by=desk.company.member)
    desk.apply(change_set)
    revision = answer(desk, run, {"calc.py": THREE_HUNKS.replace(b"return 105\n", b"return 1050\n")})
    following = desk.loaded(revision)
    assert shown(desk, following) == [("calc.py", "-    return 105+    return 1050")]
    carried = carry_over(change_set=following, repository=desk.repository, carried_by=desk.company.member)
    assert carried is not None and not carried.conflicts
    desk.decide(following, 0, "accepted")
    desk.apply(following)
    assert desk.at_head("calc.py") == b"import os\n\n" + THREE_HUNKS.replace(
        b"return 105\n", b"return 1050\n"
    )


def test_says_so_when_the_answer_adds_nothing(desk: Desk) -> None:
    change_set = desk.three_hunks()
    remark = services.comment(change_set=change_set, author=desk.company.member, text="Not the first two.")
    run = answering(desk, change_set)
    desk.decide(change_set, 2, "accepted")
    desk.apply(change_set)
    fields = {"answers": [{"comment_id": remark.pk, "text": "Taken back."}]}
    files = {"calc.py": BASE["calc.py"].replace(b"return 11\n", b"return 111\n")}
    for _ in range(2):
        assert desk.offer(files, run=run, base=run.base_commit, **fields) is None
    assert ChangeSet.objects.count() == 1
    assert ReviewComment.objects.get(parent=remark).text == "Taken back."
    (told,) = change_set.comments.filter(agent="tidy", parent=None)
    assert told.text == "This had landed before the answer came, and the answer adds nothing to it."


def test_told_twice_is_one_and_a_second_offer_is_its_next_revision(desk: Desk) -> None:
    change_set = desk.three_hunks()
    run = answering(desk, change_set)
    desk.decide(change_set, 0, "accepted")
    desk.apply(change_set)
    first = answer(desk, run, {"calc.py": THREE_HUNKS, "README.md": b"# One\n"})
    again = answer(desk, run, {"calc.py": THREE_HUNKS, "README.md": b"# One\n"})
    second = answer(desk, run, {"calc.py": THREE_HUNKS, "README.md": b"# Two\n"})
    assert again == first
    assert (second.change_set_id, second.number) == (first.change_set_id, 2)
    assert shown(desk, desk.loaded(second)) == [("README.md", "-# Calc+# Two")]
    assert change_set.comments.filter(agent="tidy").count() == 1


@pytest.mark.parametrize("has_moved", [False, True])
def test_waits_for_the_end_of_a_landing_whose_process_has_died(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, has_moved: bool
) -> None:
    change_set = desk.three_hunks()
    run = answering(desk, change_set)
    desk.decide(change_set, 0, "accepted")
    real = landing.execute

    def die(*args: Any, **kwargs: Any) -> None:
        if has_moved:
            real(*args, **kwargs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(landing_service.landing, "execute", die)
        desk.apply(change_set)
    revision = answer(desk, run, {"calc.py": THREE_HUNKS.replace(b"return 100\n", b"return 1000\n")})
    change_set.refresh_from_db()
    assert change_set.status == ("landed" if has_moved else "open")
    assert (revision.change_set_id == change_set.pk) is not has_moved
    changed = "-    return 100+    return 1000" if has_moved else "-    return 0+    return 1000"
    assert shown(desk, desk.loaded(revision))[0] == ("calc.py", changed)


def test_offers_all_of_it_when_what_landed_was_taken_out_again(desk: Desk) -> None:
    change_set = desk.three_hunks()
    run = answering(desk, change_set)
    desk.decide(change_set, 0, "accepted")
    desk.apply(change_set)
    services.revert(change_set=change_set, reverted_by=desk.company.maintainer)
    revision = answer(desk, run, {"calc.py": THREE_HUNKS.replace(b"return 105\n", b"return 1050\n")})
    assert len(shown(desk, desk.loaded(revision))) == 3


def test_an_answer_that_lands_between_two_looks_is_drawn_anew(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_set = desk.three_hunks()
    run = answering(desk, change_set)
    for number in range(3):
        desk.decide(change_set, number, "accepted")
    real, calls = opening.diff, []

    def land_first(*args: Any) -> Any:
        calls.append(args)
        if len(calls) == 1:
            desk.apply(change_set)
        return real(*args)

    monkeypatch.setattr(opening, "diff", land_first)
    revision = answer(desk, run, {"calc.py": THREE_HUNKS.replace(b"return 105\n", b"return 1050\n")})
    assert len(calls) == 2
    assert shown(desk, desk.loaded(revision)) == [("calc.py", "-    return 105+    return 1050")]


def test_is_told_by_the_event_of_the_run(desk: Desk) -> None:
    change_set = desk.three_hunks()
    run = answering(desk, change_set)
    desk.decide(change_set, 0, "accepted")
    desk.apply(change_set)
    revision = change_set.revisions.get()
    change_proposed(
        ChangeProposed(
            run_id=str(run.pk), fence=1, run_seq=1, base_commit=revision.base_commit, commit=revision.commit,
            title="Same", summary="Same.",
        )
    )  # fmt: skip
    assert ChangeSet.objects.count() == 1
