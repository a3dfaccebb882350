from __future__ import annotations

import threading

import pytest

from tests.framework.repos import commit_files, write_files
from tests.webapp.reviews.conftest import BASE, THREE_HUNKS, Desk
from tests.webapp.reviews.test_deciding import in_threads
from webapp.codehealth.models import Audit
from webapp.errors import Conflict, Invalid
from webapp.reviews import services
from webapp.reviews.models import ChangeSet, LandingIntent, Revision
from webapp.reviews.services import landing as landing_service
from webapp.reviews.showing import new_side
from workers.changes import landing
from workers.changes.errors import LandingConflict


def test_lands_exactly_the_accepted_hunks_as_one_commit_with_trailers(desk: Desk) -> None:
    change_set = desk.three_hunks()
    before = desk.repository.head()
    desk.decide(change_set, 0, "accepted")
    desk.decide(change_set, 1, "rejected")
    edited = [line.replace("111", "4711") for line in new_side(desk.hunks(change_set)[2])]
    desk.decide(change_set, 2, "edited", edited_new_lines=edited)
    landed = desk.apply(change_set)
    wanted = THREE_HUNKS.replace(b"return 105\n", b"return 5\n").replace(b"return 111\n", b"return 4711\n")
    assert desk.at_head("calc.py") == desk.read("calc.py") == wanted
    (info,) = desk.repository.log(limit=1)
    assert info.parents == (before,)
    assert (info.sha, info.author, info.email) == (landed.landed_commit, "Max", "max@example.org")
    message = desk.repository.bare.text("log", "-1", "--format=%(trailers:only,unfold)", landed.landed_commit)
    assert message.splitlines() == [
        f"Change-Set: {change_set.pk}",
        "Agent: tidy",
        f"Run: {change_set.run_id}",
        "Accepted-by: Max <max@example.org>",
    ]
    assert landed.status == ChangeSet.Status.LANDED
    assert landed.landed_by == desk.company.maintainer
    assert desk.repository.status() == []


def test_audits_what_landed(desk: Desk) -> None:
    tangled = BASE["calc.py"].replace(b"    return 3\n", b"    if f1():\n        return 1\n    return 3\n")
    change_set = desk.loaded(desk.propose({"calc.py": tangled}))
    desk.decide(change_set, 0, "accepted")
    landed = desk.apply(change_set)
    audit = Audit.objects.get(commit=landed.landed_commit)
    (file,) = audit.report["files"]
    assert (audit.cause, audit.files, audit.worst_complexity) == ("landed", 1, 2)
    assert file["functions"] == [{"name": "f3", "line": 13, "before": 1, "after": 2}]


def test_refuses_a_diff_that_is_not_the_newest_and_a_choice_that_has_changed_since(desk: Desk) -> None:
    change_set = desk.three_hunks()
    desk.decide(change_set, 0, "accepted")
    selection = desk.resolved(change_set).selection
    with pytest.raises(Conflict, match="newer revision"):
        desk.apply(change_set, diff_hash="0" * 64)
    desk.decide(change_set, 1, "accepted")
    with pytest.raises(Conflict, match="decided about a hunk"):
        desk.apply(change_set, selection=selection)
    assert desk.at_head("calc.py") == BASE["calc.py"]
    desk.apply(change_set, selection=desk.resolved(change_set).selection)


def test_refuses_while_nothing_is_accepted_or_a_must_fix_is_open(desk: Desk) -> None:
    change_set = desk.three_hunks()
    with pytest.raises(Invalid, match="No hunk is accepted"):
        desk.apply(change_set)
    desk.decide(change_set, 0, "accepted")
    remark = services.comment(change_set=change_set, author=desk.company.member, text="No!", kind="must-fix")
    with pytest.raises(Invalid, match="1 must-fix comment is not resolved"):
        desk.apply(change_set)
    services.resolve_comment(comment=remark, resolved_by=desk.company.member)
    desk.apply(change_set)


def test_lands_when_only_other_files_moved(desk: Desk) -> None:
    change_set = desk.three_hunks()
    desk.decide(change_set, 0, "accepted")
    commit_files(desk.repository, {"README.md": b"# Newer\n"})
    write_files(desk.repository, {"notes.txt": b"not committed\n"})
    desk.apply(change_set)
    assert desk.at_head("README.md") == b"# Newer\n"
    assert desk.read("notes.txt") == b"not committed\n"
    assert [row.path for row in desk.repository.status()] == ["notes.txt"]


def test_carries_hunks_over_to_a_moved_base_and_asks_to_look_again(desk: Desk) -> None:
    change_set = desk.three_hunks()
    desk.decide(change_set, 0, "accepted")
    old = desk.resolved(change_set).revision
    moved = b"# A new head\n\n" + BASE["calc.py"].replace(b"    return 5\n", b"    return 50\n")
    commit_files(desk.repository, {"calc.py": moved})
    with pytest.raises(Conflict, match="1 hunk no longer fits") as caught:
        desk.apply(change_set)
    assert caught.value.facts["is_carried_over"] is True
    assert desk.at_head("calc.py") == moved
    resolved = desk.resolved(change_set)
    assert (resolved.revision.number, resolved.revision.origin) == (2, Revision.Origin.REBASE)
    assert resolved.revision.diff_hash != old.diff_hash
    assert [hunk.verdict for hunk in resolved] == ["accepted", "pending"]
    assert [(file.diff.added, file.diff.deleted) for file in resolved.files] == [(2, 2)]
    (conflict,) = resolved.revision.conflicts
    assert conflict["reason"] == "changed"
    with pytest.raises(Conflict):
        desk.apply(change_set, diff_hash=old.diff_hash)
    desk.apply(change_set)
    assert desk.at_head("calc.py") == moved.replace(b"    return 0\n", b"    return 100\n")


def test_shows_an_edit_that_is_not_committed_as_a_conflict_and_changes_nothing(desk: Desk) -> None:
    change_set = desk.three_hunks()
    desk.decide(change_set, 0, "accepted")
    edited = BASE["calc.py"].replace(b"    return 0\n", b"    return -1\n")
    write_files(desk.repository, {"calc.py": edited})
    head = desk.repository.head()
    with pytest.raises(Conflict, match="1 hunk no longer fits and is shown as a conflict"):
        desk.apply(change_set)
    assert (desk.repository.head(), desk.read("calc.py")) == (head, edited)
    (conflict,) = desk.resolved(change_set).revision.conflicts
    assert conflict["hunk"]["path"] == "calc.py"
    # What it does not touch can land beside it; the edit stays, and stays uncommitted.
    desk.decide(change_set, 0, "accepted")
    desk.apply(change_set)
    assert desk.at_head("calc.py") == BASE["calc.py"].replace(b"    return 5\n", b"    return 105\n")
    assert desk.read("calc.py") == edited.replace(b"    return 5\n", b"    return 105\n")


def test_refuses_a_hunk_on_lines_that_are_not_committed_and_changes_nothing(desk: Desk) -> None:
    mine = BASE["calc.py"] + b"def mine():\n    return 1\n"
    write_files(desk.repository, {"calc.py": mine})
    change_set = desk.loaded(desk.propose({"calc.py": mine.replace(b"    return 1\n", b"    return 2\n")}))
    services.decide_file(change_set=change_set, path=None, verdict="accepted", decided_by=desk.company.member)
    head = desk.repository.head()
    with pytest.raises(LandingConflict, match="Commit those first") as caught:
        desk.apply(change_set)
    assert list(caught.value.facts["paths"]) == ["calc.py"]
    change_set.refresh_from_db()
    assert change_set.status == ChangeSet.Status.OPEN
    assert (desk.repository.head(), desk.read("calc.py")) == (head, mine)


def test_an_edit_saved_in_the_very_moment_of_landing_is_no_loss(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_set = desk.three_hunks()
    desk.decide(change_set, 0, "accepted")
    edited = BASE["calc.py"].replace(b"    return 0\n", b"    return -1\n")
    real = landing.execute

    def save_first(*args: object, **kwargs: object) -> object:
        write_files(desk.repository, {"calc.py": edited})
        return real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(landing_service.landing, "execute", save_first)
    head = desk.repository.head()
    with pytest.raises(LandingConflict) as caught:
        desk.apply(change_set)
    assert list(caught.value.facts["paths"]) == ["calc.py"]
    change_set.refresh_from_db()
    assert change_set.status == ChangeSet.Status.OPEN
    assert (desk.repository.head(), desk.read("calc.py")) == (head, edited)
    assert [intent.outcome for intent in LandingIntent.objects.all()] == ["rolled_back"]


def test_an_edit_and_a_split_keep_their_meaning_when_the_lines_around_them_change(desk: Desk) -> None:
    """What a person typed is bound to the changed lines, not to how many lines of context stood around them that day."""
    change_set = desk.three_hunks()
    lines = ["", "", "def f11():", "    return 4711", "", ""]
    desk.decide(change_set, 2, "edited", edited_new_lines=lines)
    desk.decide(change_set, 1, "split", split_after=[3])
    desk.decide(change_set, 2, "accepted")
    _, _, rest = BASE["calc.py"].partition(b"    return 4\n\n\n")
    moved = rest.replace(b"    return 10\n\n\n", b"    return 10\n\n# Eleven\n\n")
    commit_files(desk.repository, {"calc.py": moved})
    with pytest.raises(Conflict, match="1 hunk no longer fits"):
        desk.apply(change_set)
    assert [hunk.verdict for hunk in desk.hunks(change_set)] == ["pending", "accepted", "edited"]
    desk.apply(change_set)
    wanted = moved.replace(b"    return 5\n", b"    return 5\n    return 105\n")
    assert desk.at_head("calc.py") == wanted.replace(b"    return 11\n", b"    return 4711\n")


def test_an_edit_that_reaches_into_lines_that_changed_is_to_be_decided_anew(desk: Desk) -> None:
    change_set = desk.three_hunks()
    lines = ["", "", "def f5():", "    return 55", "", "", "def six():"]
    desk.decide(change_set, 1, "edited", edited_new_lines=lines)
    commit_files(desk.repository, {"calc.py": BASE["calc.py"].replace(b"def f6():\n", b"def f6(renamed):\n")})
    with pytest.raises(Conflict, match="carried over"):
        desk.apply(change_set)
    assert [hunk.verdict for hunk in desk.hunks(change_set)] == ["pending"] * 3


def test_lands_an_edit_without_what_is_not_committed_around_it(desk: Desk) -> None:
    mine = BASE["calc.py"].replace(b"def f6():\n", b"def f6(mine):\n")
    write_files(desk.repository, {"calc.py": mine})
    change_set = desk.loaded(desk.propose({"calc.py": mine.replace(b"    return 5\n", b"    return 105\n")}))
    lines = ["", "", "def f5():", "    return 55", "", "", "def f6(mine):"]
    desk.decide(change_set, 0, "edited", edited_new_lines=lines)
    desk.apply(change_set)
    assert desk.at_head("calc.py") == BASE["calc.py"].replace(b"    return 5\n", b"    return 55\n")
    assert desk.read("calc.py") == mine.replace(b"    return 5\n", b"    return 55\n")


def test_refuses_another_branch_than_it_was_made_for(desk: Desk) -> None:
    change_set = desk.three_hunks()
    desk.decide(change_set, 0, "accepted")
    desk.repository.switch_branch("other", create=True)
    with pytest.raises(Conflict, match="made for the branch main"):
        desk.apply(change_set)


def test_takes_nothing_out_of_another_branch_than_it_landed_on(desk: Desk) -> None:
    change_set = desk.three_hunks()
    desk.decide(change_set, 0, "accepted")
    landed = desk.apply(change_set)
    desk.repository.switch_branch("other", create=True)
    with pytest.raises(Conflict, match="landed on the branch main"):
        services.revert(change_set=landed, reverted_by=desk.company.maintainer)
    landed.refresh_from_db()
    assert (landed.status, desk.repository.head()) == ("landed", landed.landed_commit)


def test_takes_a_landed_change_set_out_again_by_a_commit_and_can_take_it_up_anew(desk: Desk) -> None:
    change_set = desk.three_hunks()
    services.decide_file(change_set=change_set, path=None, verdict="accepted", decided_by=desk.company.member)
    landed = desk.apply(change_set)
    commit_files(desk.repository, {"README.md": b"# Later\n"})
    reverted = services.revert(change_set=landed, reverted_by=desk.company.maintainer)
    assert desk.at_head("calc.py") == desk.read("calc.py") == BASE["calc.py"]
    assert desk.at_head("README.md") == b"# Later\n"
    assert (reverted.status, reverted.reverted_commit) == ("reverted", desk.repository.head())
    (info,) = desk.repository.log(limit=1)
    assert info.subject == "Revert “Make it better”"
    assert {audit.cause for audit in Audit.objects.all()} == {"landed", "reverted"}
    again = services.reopen(change_set=reverted, reopened_by=desk.company.member)
    assert desk.apply(again).status == "landed"
    assert desk.at_head("calc.py") == THREE_HUNKS


def test_refuses_to_take_out_what_later_commits_have_changed(desk: Desk) -> None:
    change_set = desk.three_hunks()
    desk.decide(change_set, 0, "accepted")
    landed = desk.apply(change_set)
    later = desk.read("calc.py").replace(b"return 100\n", b"return 1000\n")
    commit_files(desk.repository, {"calc.py": later})
    with pytest.raises(LandingConflict):
        services.revert(change_set=landed, reverted_by=desk.company.maintainer)
    landed.refresh_from_db()
    assert (landed.status, desk.at_head("calc.py")) == ("landed", later)
    with pytest.raises(Conflict):
        services.revert(change_set=desk.three_hunks(), reverted_by=desk.company.maintainer)


class Died(BaseException):
    """Stands for the end of the process: nothing may catch it and clean up."""


@pytest.mark.parametrize("has_moved", [False, True])
def test_settles_a_landing_whose_process_died_between_intent_and_row(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, has_moved: bool
) -> None:
    change_set = desk.three_hunks()
    desk.decide(change_set, 0, "accepted")
    real = landing.execute

    def die(*args: object, **kwargs: object) -> None:
        if has_moved:
            real(*args, **kwargs)  # type: ignore[arg-type]
        raise Died

    with monkeypatch.context() as patched, pytest.raises(Died):
        patched.setattr(landing_service.landing, "execute", die)
        desk.apply(change_set)
    change_set.refresh_from_db()
    assert change_set.status == ChangeSet.Status.LANDING
    with pytest.raises(Conflict):
        desk.decide(change_set, 1, "accepted")
    ((_, outcome),) = services.recover_open_intents()
    assert services.recover_open_intents() == []
    change_set.refresh_from_db()
    assert (outcome, change_set.status) == (("landed", "landed") if has_moved else ("rolled_back", "open"))
    assert (desk.at_head("calc.py") != BASE["calc.py"]) is has_moved
    assert desk.at_head("calc.py") == desk.read("calc.py")
    assert services.audit_landings() == (1 if has_moved else 0)
    assert services.audit_landings() == 0
    if not has_moved:
        assert desk.apply(change_set).status == "landed"


@pytest.mark.django_db(transaction=True)
def test_leaves_a_landing_alone_that_is_at_work(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    change_set = desk.three_hunks()
    desk.decide(change_set, 0, "accepted")
    is_there, may_go = threading.Event(), threading.Event()
    real = landing.execute

    def slow(*args: object, **kwargs: object) -> object:
        is_there.set()
        assert may_go.wait(20)
        return real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(landing_service.landing, "execute", slow)

    def recover() -> object:
        assert is_there.wait(20)
        try:
            return services.recover_open_intents()
        finally:
            may_go.set()

    landed, recovered = in_threads(lambda: desk.apply(change_set), recover)
    assert recovered == []
    assert isinstance(landed, ChangeSet) and landed.status == "landed"


@pytest.mark.django_db(transaction=True)
def test_lands_once_when_two_apply_at_once(desk: Desk) -> None:
    change_set = desk.three_hunks()
    desk.decide(change_set, 0, "accepted")
    results = in_threads(
        lambda: desk.apply(change_set), lambda: desk.apply(change_set, applied_by=desk.company.owner)
    )
    assert sum(isinstance(result, ChangeSet) for result in results) == 1, results
    assert sum(isinstance(result, Conflict) for result in results) == 1, results
    assert LandingIntent.objects.count() == 1
    assert len(desk.repository.log(limit=10)) == 3
