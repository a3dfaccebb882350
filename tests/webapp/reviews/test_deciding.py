from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connection

from tests.webapp.reviews.conftest import Desk
from webapp.errors import Conflict, Invalid, NotFound
from webapp.reviews import services
from webapp.reviews.models import ChangeSet, Decision


def verdicts(desk: Desk, change_set: ChangeSet) -> list[str]:
    return [hunk.verdict for hunk in desk.hunks(change_set)]


def test_counts_the_same_decision_made_twice_as_one(desk: Desk) -> None:
    change_set = desk.three_hunks()
    first = desk.decide(change_set, 0, "accepted")
    again = desk.decide(change_set, 0, "accepted", decided_by=desk.company.maintainer)
    assert first.decision is not None and again.decision is not None
    assert first.decision.pk == again.decision.pk
    assert Decision.objects.count() == 1


def test_lets_the_newest_decision_count_and_undo_bring_back_the_one_before(desk: Desk) -> None:
    change_set = desk.three_hunks()
    key = desk.hunks(change_set)[1].key
    desk.decide(change_set, 1, "accepted")
    desk.decide(change_set, 1, "rejected", reason="Not so.")
    assert verdicts(desk, change_set) == ["pending", "rejected", "pending"]
    services.undo_decision(change_set=change_set, undone_by=desk.company.member, hunk_key=key)
    assert verdicts(desk, change_set) == ["pending", "accepted", "pending"]
    services.undo_decision(change_set=change_set, undone_by=desk.company.member)
    assert verdicts(desk, change_set) == ["pending"] * 3
    with pytest.raises(Invalid):
        services.undo_decision(change_set=change_set, undone_by=desk.company.member)


def test_undoes_a_whole_file_at_once_but_not_what_somebody_decided_since(desk: Desk) -> None:
    change_set = desk.three_hunks()
    services.decide_file(
        change_set=change_set, path="calc.py", verdict="accepted", decided_by=desk.company.member
    )
    desk.decide(change_set, 1, "rejected", decided_by=desk.company.maintainer)
    services.undo_decision(change_set=change_set, undone_by=desk.company.member)
    assert verdicts(desk, change_set) == ["pending", "rejected", "pending"]


def test_keeps_an_edit_when_its_file_is_accepted(desk: Desk) -> None:
    change_set = desk.three_hunks()
    desk.decide(change_set, 0, "edited", edited_new_lines=["def f0():", "    return 42", "", ""])
    count = services.decide_file(
        change_set=change_set, path="calc.py", verdict="accepted", decided_by=desk.company.member
    )
    assert count == 2
    assert verdicts(desk, change_set) == ["edited", "accepted", "accepted"]


def test_tells_the_later_of_two_what_the_earlier_did(desk: Desk) -> None:
    change_set = desk.three_hunks()
    desk.decide(change_set, 0, "accepted", decided_by=desk.company.maintainer, seen=0)
    with pytest.raises(Conflict, match="Max accepted this hunk") as caught:
        desk.decide(change_set, 0, "rejected", seen=0)
    assert caught.value.facts["verdict"] == "accepted"
    desk.decide(change_set, 0, "accepted", seen=0)
    desk.decide(change_set, 0, "rejected", seen=caught.value.facts["decision_id"])
    assert verdicts(desk, change_set)[0] == "rejected"


def test_splits_a_hunk_into_parts_that_are_decided_for_themselves(desk: Desk) -> None:
    body = b"".join(b"line %d\n" % n for n in range(6))
    change_set = desk.loaded(desk.propose({"new.txt": body}))
    (whole,) = desk.hunks(change_set)
    first = desk.decide(change_set, 0, "split", split_after=[1, 3])
    parts = desk.hunks(change_set)
    assert first.key == parts[0].key
    assert [len(part.hunk.lines) for part in parts] == [2, 2, 2]
    assert len({whole.key, *(part.key for part in parts)}) == 4
    desk.decide(change_set, 1, "accepted")
    desk.decide(change_set, 2, "split", split_after=[0])
    assert verdicts(desk, change_set) == ["pending", "accepted", "pending", "pending"]
    services.undo_decision(
        change_set=change_set, undone_by=desk.company.member, hunk_key=desk.hunks(change_set)[3].key
    )
    assert verdicts(desk, change_set) == ["pending", "accepted", "pending"]
    services.undo_decision(change_set=change_set, undone_by=desk.company.member, hunk_key=parts[0].key)
    assert verdicts(desk, change_set) == ["pending"]


@pytest.mark.parametrize(
    ("verdict", "fields"),
    [
        ("maybe", {}),
        ("edited", {}),
        ("accepted", {"edited_new_lines": ["x"]}),
        ("edited", {"edited_new_lines": ["two\nlines"]}),
        ("edited", {"edited_new_lines": ["nul\x00"]}),
        ("split", {}),
        ("split", {"split_after": []}),
        ("split", {"split_after": [-1]}),
        ("split", {"split_after": [10_000]}),
        ("split", {"split_after": [0]}),
    ],
)
def test_refuses_a_verdict_that_does_not_fit(desk: Desk, verdict: str, fields: dict[str, object]) -> None:
    change_set = desk.three_hunks()
    with pytest.raises(Invalid):
        desk.decide(change_set, 0, verdict, **fields)
    assert not Decision.objects.exists()


def test_refuses_a_hunk_that_is_gone_and_a_change_set_that_is_closed(desk: Desk) -> None:
    change_set = desk.three_hunks()
    with pytest.raises(NotFound):
        services.decide_hunk(
            change_set=change_set, hunk_key="0" * 32, verdict="accepted", decided_by=desk.company.member
        )
    services.discard(change_set=change_set, discarded_by=desk.company.member)
    with pytest.raises(Conflict):
        desk.decide(change_set, 0, "accepted")
    services.reopen(change_set=change_set, reopened_by=desk.company.member)
    desk.decide(change_set, 0, "accepted")


def test_decides_about_a_change_without_text_like_any_other(desk: Desk) -> None:
    base = desk.repository.head()
    change_set = desk.loaded(
        desk.propose(
            {"image.bin": bytes(range(256)), "README.md": b"# Calc\n"},
            base=base,
            modes={"README.md": "100755"},
        )
    )
    assert [hunk.hunk.kind for hunk in desk.hunks(change_set)] == ["mode", "whole"] or [
        hunk.hunk.kind for hunk in desk.hunks(change_set)
    ] == ["whole", "mode"]
    with pytest.raises(Invalid):
        desk.decide(change_set, 0, "edited", edited_new_lines=["x"])
    services.decide_file(
        change_set=change_set, path="image.bin", verdict="accepted", decided_by=desk.company.member
    )
    desk.apply(change_set)
    assert desk.at_head("image.bin") == bytes(range(256))


def in_threads(*works: Callable[[], object]) -> list[object]:
    """Run all at once, each with a database connection of its own; return results or exceptions in order."""
    barrier = threading.Barrier(len(works))
    results: list[object] = [None] * len(works)

    def run(index: int, work: Callable[[], object]) -> None:
        barrier.wait(timeout=10)
        try:
            results[index] = work()
        except Exception as error:
            results[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=item) for item in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return results


@pytest.mark.django_db(transaction=True)
def test_gives_two_who_decide_at_once_one_winner_and_one_who_is_told(desk: Desk) -> None:
    change_set = desk.three_hunks()
    for number in range(3):
        key = desk.hunks(change_set)[number].key
        results = in_threads(
            *(
                lambda key=key, verdict=verdict, by=by: services.decide_hunk(
                    change_set=change_set, hunk_key=key, verdict=verdict, decided_by=by, seen=0
                )
                for verdict, by in (("accepted", desk.company.member), ("rejected", desk.company.maintainer))
            )
        )
        assert sum(isinstance(result, Conflict) for result in results) == 1, results
        assert Decision.objects.filter(hunk_key=key).count() == 1


@pytest.mark.django_db(transaction=True)
def test_makes_one_decision_of_two_that_agree_at_once(desk: Desk) -> None:
    change_set = desk.three_hunks()
    key = desk.hunks(change_set)[0].key
    results = in_threads(
        *(
            lambda by=by: services.decide_hunk(
                change_set=change_set, hunk_key=key, verdict="accepted", decided_by=by, seen=0
            )
            for by in (desk.company.member, desk.company.maintainer, desk.company.owner)
        )
    )
    assert not [result for result in results if isinstance(result, Exception)]
    assert Decision.objects.filter(hunk_key=key).count() == 1
