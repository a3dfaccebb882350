from __future__ import annotations

import uuid

import pytest

from tests.webapp.reviews.conftest import BASE, THREE_HUNKS, Desk
from webapp.agents.models import Run
from webapp.reviews import services
from webapp.reviews.models import ChangeSet, Evidence, ReviewComment, Revision
from webapp.reviews.selectors import load_review
from workers.events import ChangeProposed


def test_opens_a_change_set_with_its_numbers_and_keeps_the_commit(desk: Desk) -> None:
    revision = desk.propose({"calc.py": THREE_HUNKS, "new.py": b"x = 1\n"})
    change_set = desk.loaded(revision)
    assert (change_set.file_count, change_set.hunk_count, change_set.added, change_set.deleted) == (
        2,
        4,
        4,
        3,
    )
    assert change_set.status == ChangeSet.Status.OPEN
    assert change_set.turn == ChangeSet.Turn.REVIEWER
    assert change_set.target_branch == "main"
    assert desk.repository.ref(f"refs/agent/{change_set.pk}/1") == revision.commit
    assert desk.at_head("calc.py") == BASE["calc.py"]


def test_is_one_change_set_when_the_proposal_is_told_twice(desk: Desk) -> None:
    run = desk.run()
    first = desk.propose({"calc.py": THREE_HUNKS}, run=run)
    event = ChangeProposed(
        run_id=str(run.pk),
        fence=1,
        run_seq=1,
        base_commit=first.base_commit,
        commit=first.commit,
        title="Again",
        summary="",
    )
    assert services.open_review(run=run, proposal=event).pk == first.pk
    assert ChangeSet.objects.count() == 1
    assert Revision.objects.count() == 1


def test_puts_tests_after_sources_and_lock_files_last_and_folded(desk: Desk) -> None:
    change_set = desk.loaded(
        desk.propose(
            {
                "poetry.lock": b"x\n",
                "a_docs.md": b"x\n",
                "tests/test_calc.py": b"def test_x():\n    assert 1\n",
                "calc.py": THREE_HUNKS,
                "auth/login.py": b"def login():\n    return True\n",
            }
        )
    )
    files = desk.resolved(change_set).files
    assert [file.path for file in files] == [
        "auth/login.py",
        "calc.py",
        "tests/test_calc.py",
        "a_docs.md",
        "poetry.lock",
    ]
    assert [file.is_folded for file in files] == [False, False, False, False, True]


def test_measures_the_risk_of_each_hunk_for_itself(desk: Desk) -> None:
    tangled = BASE["calc.py"].replace(
        b"    return 3\n", b"    if f1():\n        if f2():\n            return 1\n    return 3\n"
    )
    tangled = tangled.replace(b"    return 9\n", b"    return 99\n")
    tests = BASE["tests/test_calc.py"].replace(b"def test_f0():\n    assert f0() == 0\n", b"")
    change_set = desk.loaded(desk.propose({"calc.py": tangled, "tests/test_calc.py": tests}))
    resolved = desk.resolved(change_set)
    first, second = (resolved.risks[hunk.key] for hunk in resolved.file("calc.py").hunks)
    assert (first["complexity_before"], first["complexity_after"]) == (1, 3)
    assert (second["complexity_before"], second["complexity_after"]) == (1, 1)
    (deleted,) = (resolved.risks[hunk.key] for hunk in resolved.file("tests/test_calc.py").hunks)
    assert (deleted["tests_deleted"], deleted["asserts_deleted"], deleted["level"]) == (1, 1, "high")
    assert change_set.risk == "high"


def test_says_when_a_hunk_cannot_stand_without_the_others(desk: Desk) -> None:
    change_set = desk.loaded(desk.propose({"calc.py": b"text = '''\n" + BASE["calc.py"] + b"'''\n"}))
    resolved = desk.resolved(change_set)
    assert [resolved.risks[hunk.key]["needs_others"] for hunk in resolved] == [True, True]


def test_flags_characters_that_hide(desk: Desk) -> None:
    change_set = desk.loaded(desk.propose({"calc.py": BASE["calc.py"] + "# \u202e odd\n".encode()}))
    (hunk,) = desk.hunks(change_set)
    strip = desk.resolved(change_set).risks[hunk.key]
    assert strip["hides_characters"] is True
    assert change_set.risk == "high"


def test_is_unverified_without_evidence_and_verified_only_on_this_very_tree(desk: Desk) -> None:
    assert load_review(desk.three_hunks()).header.evidence == "unverified"
    run = desk.run()
    base = desk.repository.head()
    revision = desk.propose({"README.md": b"# C\n"}, run=run, base=base)
    item = {"command": "pytest", "exit_code": 0, "duration_ms": 5, "output": "ok \x00\udc80"}
    good = desk.propose(
        {"README.md": b"# D\n"},
        base=base,
        evidence=[{**item, "tree": desk.repository.tree_of(revision.commit)}],
    )
    assert load_review(desk.loaded(good)).header.evidence == "stale"
    same = desk.propose({"README.md": b"# C\n"}, base=base, evidence=[{**item, "tree": revision.tree}])
    header = load_review(desk.loaded(same)).header
    assert (header.evidence, header.evidence_of) == ("passed", "tests")
    lint = {**item, "command": "ruff check --diff tests/test_calc.py", "tree": revision.tree}
    linted = desk.propose({"README.md": b"# C\n"}, base=base, evidence=[lint])
    header = load_review(desk.loaded(linted)).header
    assert (header.evidence, header.evidence_of) == ("passed", "checks")
    failed = desk.propose(
        {"README.md": b"# C\n"}, base=base, evidence=[{**item, "exit_code": 1, "tree": revision.tree}]
    )
    assert load_review(desk.loaded(failed)).header.evidence == "failed"
    assert Evidence.objects.filter(output__contains="ok").count() == 4


def test_adds_a_revision_to_the_change_set_that_a_run_answers_and_keeps_decisions_on_hunks_that_stay(
    desk: Desk,
) -> None:
    change_set = desk.three_hunks()
    desk.decide(change_set, 0, "accepted")
    desk.decide(change_set, 2, "accepted")
    remark = services.comment(
        change_set=change_set,
        author=desk.company.member,
        text="Why?",
        kind="question",
        path="calc.py",
        line=2,
    )
    ChangeSet.objects.filter(pk=change_set.pk).update(turn="agent")
    answering = desk.run(change_set=change_set)
    base = change_set.revisions.get().base_commit
    answer = desk.propose(
        {"calc.py": THREE_HUNKS.replace(b"return 111\n", b"return 1111\n")}, run=answering, base=base,
        answers=[{"comment_id": remark.pk, "text": "Because of **this**."}, {"comment_id": 999_999, "text": "lost"}],
    )  # fmt: skip
    change_set.refresh_from_db()
    assert (answer.change_set_id, answer.number, change_set.turn) == (change_set.pk, 2, "reviewer")
    assert [hunk.verdict for hunk in desk.hunks(change_set)] == ["accepted", "pending", "pending"]
    (reply,) = ReviewComment.objects.filter(parent=remark)
    assert (reply.agent, reply.author) == ("tidy", None)
    assert "<strong>this</strong>" in reply.html
    compared = load_review(change_set, since=1).interdiff
    assert compared is not None
    assert (
        compared.count("same"),
        compared.count("changed"),
        compared.count("new"),
        compared.count("gone"),
    ) == (2, 1, 0, 0)


def test_opens_a_change_set_of_its_own_when_the_answered_one_is_closed(desk: Desk) -> None:
    change_set = desk.three_hunks()
    services.discard(change_set=change_set, discarded_by=desk.company.member)
    answer = desk.propose({"README.md": b"# Other\n"}, run=desk.run(change_set=change_set))
    assert answer.change_set_id != change_set.pk


@pytest.mark.parametrize("status", [Run.Status.FAILED, Run.Status.CANCELLED])
def test_gives_the_turn_back_and_lets_comments_be_sent_anew_when_an_answering_run_fails(
    desk: Desk, status: str
) -> None:
    change_set = desk.three_hunks()
    remark = services.comment(change_set=change_set, author=desk.company.member, text="Fix", kind="must-fix")
    ReviewComment.objects.update(is_sent=True)
    ChangeSet.objects.update(turn="agent")
    run = desk.run(
        change_set=change_set, status=status, job={"revision_of": {"comments": [{"id": remark.pk}]}}
    )
    services.return_turn(run)
    change_set.refresh_from_db()
    remark.refresh_from_db()
    assert (change_set.turn, remark.is_sent) == ("reviewer", False)


def test_keeps_paths_that_are_no_utf8_and_lines_with_nul(desk: Desk) -> None:
    odd = b"bad-\xff\xfe.txt".decode("utf-8", "surrogateescape")
    late_nul = b"x\n" * 5000 + b"a\x00b\xff\n"
    change_set = desk.loaded(desk.propose({odd: b"hello\n", "late.txt": late_nul}))
    resolved = desk.resolved(change_set)
    assert {file.path for file in resolved.files} == {odd, "late.txt"}
    for number in range(len(list(resolved))):
        desk.decide(change_set, number, "accepted")
    landed = desk.apply(change_set)
    assert desk.at_head(odd) == b"hello\n"
    assert desk.at_head("late.txt") == late_nul
    assert landed.status == "landed"


def test_does_nothing_for_a_run_that_is_gone(desk: Desk) -> None:
    from webapp.reviews.handlers import change_proposed

    change_proposed(
        ChangeProposed(
            run_id=str(uuid.uuid4()),
            fence=1,
            run_seq=1,
            base_commit="0" * 40,
            commit="0" * 40,
            title="",
            summary="",
        )
    )
    assert not ChangeSet.objects.exists()
