"""Limits of a workspace: refused in the service, required of a review when somebody applies it."""

from __future__ import annotations

import pytest

from tests.framework.people import Company
from tests.framework.repos import commit_files
from tests.webapp.reviews.conftest import BASE, Desk
from webapp.codehealth.errors import LimitsBroken
from webapp.codehealth.services import set_limits
from webapp.errors import Invalid
from webapp.reviews.models import LandingIntent
from webapp.workspaces.repositories import repository_of
from workers.codehealth.metrics import audit_source
from workers.codehealth.thresholds import Thresholds, broken_by


def limit(company: Company, **fields: object) -> None:
    values = {
        "max_cyclomatic": None, "max_cognitive": None, "min_maintainability": None, "no_worse": False, "is_required": True,
    } | fields  # fmt: skip
    set_limits(workspace=company.workspace, set_by=company.maintainer, **values)  # type: ignore[arg-type]


def branches(count: int, name: str = "f3") -> bytes:
    body = "".join(f"    if f1() == {number}:\n        return {number}\n" for number in range(count))
    return f"def {name}():\n{body}    return 3\n".encode()


def with_f3(count: int) -> bytes:
    return BASE["calc.py"].replace(b"def f3():\n    return 3\n", branches(count))


@pytest.fixture
def desk(company: Company) -> Desk:
    repository = repository_of(company.workspace)
    commit_files(repository, BASE)
    return Desk(company, repository)


def accepted(desk: Desk, data: bytes) -> object:
    change_set = desk.loaded(desk.propose({"calc.py": data}))
    for number in range(len(desk.hunks(change_set))):
        desk.decide(change_set, number, "accepted")
    return change_set


def test_apply_is_refused_with_function_and_figure_while_limits_are_required(desk: Desk) -> None:
    limit(desk.company, max_cyclomatic=3)
    change_set = accepted(desk, with_f3(4))
    with pytest.raises(LimitsBroken) as refused:
        desk.apply(change_set)  # type: ignore[arg-type]
    assert "calc.py:13: f3 has complexity 5, over 3 (it was 1)" in str(refused.value)
    (breach,) = refused.value.facts["breaches"]
    assert breach == {
        "path": "calc.py", "function": "f3", "line": 13, "figure": "cyclomatic", "value": 5, "before": 1, "limit": 3,
        "sentence": "calc.py:13: f3 has complexity 5, over 3 (it was 1)",
    }  # fmt: skip
    assert desk.at_head("calc.py") == BASE["calc.py"]
    assert not LandingIntent.objects.exists()
    limit(desk.company, max_cyclomatic=3, is_required=False)
    desk.apply(change_set)  # type: ignore[arg-type]
    assert desk.at_head("calc.py") == with_f3(4)


def test_only_what_is_accepted_counts(desk: Desk) -> None:
    limit(desk.company, max_cyclomatic=3)
    both = with_f3(4).replace(b"return 11\n", b"return 111\n")
    change_set = desk.loaded(desk.propose({"calc.py": both}))
    desk.decide(change_set, 0, "rejected")
    desk.decide(change_set, 1, "accepted")
    desk.apply(change_set)
    assert desk.at_head("calc.py") == BASE["calc.py"].replace(b"return 11\n", b"return 111\n")


def test_a_change_that_no_longer_parses_is_refused(desk: Desk) -> None:
    limit(desk.company, max_cyclomatic=50)
    change_set = accepted(desk, BASE["calc.py"].replace(b"def f0():", b"def f0(:"))
    with pytest.raises(LimitsBroken, match="calc.py no longer parses, line 1"):
        desk.apply(change_set)  # type: ignore[arg-type]


def test_what_was_over_the_limit_may_get_better(desk: Desk) -> None:
    commit_files(desk.repository, {"calc.py": with_f3(20)})
    limit(desk.company, max_cyclomatic=3, no_worse=True)
    desk.apply(accepted(desk, with_f3(10)))  # type: ignore[arg-type]
    with pytest.raises(LimitsBroken, match=r"complexity 12, over 3 \(it was 11\)"):
        desk.apply(accepted(desk, with_f3(11)))  # type: ignore[arg-type]


def test_no_worse_holds_for_functions_that_are_there_below_any_limit() -> None:
    before = audit_source(branches(1), path="x.py")
    after = audit_source(branches(2) + branches(9, "new"), path="x.py")
    (breach,) = [
        one
        for one in broken_by(before, after, Thresholds(None, None, None, no_worse=True))
        if one.name == "cyclomatic"
    ]
    assert breach.sentence == "x.py:1: f3 has complexity 3, worse than before (it was 2)"
    assert broken_by(after, before, Thresholds(None, None, None, no_worse=True)) == []
    assert broken_by(before, None, Thresholds(1, 100.0, 1, no_worse=True)) == []


def test_a_file_may_not_fall_below_the_least_maintainability() -> None:
    before, after = audit_source("x = 1\n", path="x.py"), audit_source(branches(30), path="x.py")
    (breach,) = broken_by(before, after, Thresholds(None, 60.0))
    assert breach.sentence.startswith("x.py: maintainability ") and breach.sentence.endswith("(it was 100)")
    worse = audit_source(branches(60), path="x.py")
    assert broken_by(after, worse, Thresholds(None, 60.0)) == []
    assert (
        len(
            [
                one
                for one in broken_by(after, worse, Thresholds(None, 60.0, no_worse=True))
                if not one.function
            ]
        )
        == 1
    )


@pytest.mark.parametrize(
    "fields", [{"max_cyclomatic": 0}, {"max_cognitive": 10_001}, {"min_maintainability": 100.5}]
)
def test_refuses_a_limit_that_makes_no_sense(company: Company, fields: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        limit(company, **fields)


def test_a_review_shows_each_function_before_and_after_and_what_it_would_break(desk: Desk) -> None:
    limit(desk.company, max_cyclomatic=3)
    data = with_f3(4).replace(b"def f5():\n    return 5\n\n\n", b"") + b"\n\n" + branches(1, "new")
    change_set = desk.loaded(desk.propose({"calc.py": data, "notes.md": b"# Notes\n"}))
    address = f"/w/{desk.company.workspace.pk}/reviews/{change_set.pk}/"
    viewer = desk.company.client(desk.company.viewer)
    assert f'data-hx-get="{address}health/?rev=1"' in viewer.get(address).content.decode()
    piece = viewer.get(f"{address}health/").content.decode()
    assert "cannot be applied" in piece and "calc.py:13: f3 has complexity 5, over 3" in piece
    assert "cyclomatic 1 → 5" in piece
    told = viewer.get(f"/api/v1/workspaces/{desk.company.workspace.pk}/reviews/{change_set.pk}/health").json()
    found = {
        one["qualname"]: (one["before"]["cyclomatic"], one["after"]["cyclomatic"])
        for one in told["functions"]
    }
    assert found == {"f3": (1, 5), "new": (None, 2), "f5": (1, None)}
    assert told["functions"][0]["qualname"] == "f3" and told["is_required"]
    for person, status in ((desk.company.stranger, 404), (None, 302)):
        assert desk.company.client(person).get(f"{address}health/").status_code == status
    assert viewer.get(f"{address}health/?rev=7").status_code == 404


def test_the_page_says_why_apply_is_refused(desk: Desk) -> None:
    limit(desk.company, max_cyclomatic=3)
    change_set = accepted(desk, with_f3(4))
    form = {"diff_hash": desk.resolved(change_set).revision.diff_hash}  # type: ignore[arg-type]
    address = f"/w/{desk.company.workspace.pk}/reviews/{change_set.pk}/apply/"  # type: ignore[attr-defined]
    client = desk.company.client(desk.company.maintainer)
    reply = client.post(address, form, headers={"HX-Request": "true"})
    assert reply.status_code == 422
    assert "f3 has complexity 5, over 3" in reply.content.decode()
