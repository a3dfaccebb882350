from __future__ import annotations

import pytest

from tests.webapp.agents.test_api import caller
from webapp.agents import services
from webapp.agents.budgets import default_budget, set_default_budget
from webapp.errors import Invalid
from workers.queue import Budget

pytestmark = pytest.mark.django_db(transaction=True)
GIVEN = {"steps": 7, "tokens": None, "seconds": 60, "cost_usd": 0.5}
TOO_MUCH = [
    {"steps": 0},
    {"steps": 1001},
    {"tokens": 0},
    {"tokens": 10**9 + 1},
    {"seconds": 0},
    {"seconds": 86_401},
    {"cost_usd": -1},
    {"cost_usd": float("nan")},
]


def test_a_run_stops_where_the_workspace_says_unless_its_caller_says_otherwise(workspace, people, rung):
    options = {"workspace": workspace, "requested_by": people.member, "agent": "tidy", "goal": ""}
    assert services.start_run(**options).budget == {
        "steps": 40,
        "tokens": 400_000,
        "seconds": 900,
        "cost_usd": None,
    }
    set_default_budget(workspace=workspace, budget=Budget(**GIVEN))
    rung()
    assert services.start_run(**options).budget == GIVEN
    assert rung()[0]["budget"] == GIVEN
    assert services.start_run(**options, budget=Budget(steps=3)).budget["steps"] == 3


@pytest.mark.parametrize("limit", TOO_MUCH)
def test_refuses_a_limit_that_is_none(workspace, people, limit):
    budget = Budget(**limit)
    with pytest.raises(Invalid):
        set_default_budget(workspace=workspace, budget=budget)
    with pytest.raises(Invalid):
        services.start_run(
            workspace=workspace, requested_by=people.member, agent="tidy", goal="", budget=budget
        )
    assert default_budget(workspace) == Budget()


def test_maintainers_set_it_on_the_page(workspace, people, browser):
    page = f"/w/{workspace.pk}/settings/models/"
    fields = {"steps": "7", "tokens": "", "seconds": "60", "cost_usd": "0.5"}
    assert browser(people.stranger).post(f"{page}budget/", fields).status_code == 404
    assert browser(people.member).post(f"{page}budget/", fields).status_code == 403
    assert default_budget(workspace) == Budget()
    client = browser(people.maintainer)
    assert 'name="steps" value="40"' in client.get(page).content.decode()
    assert client.post(f"{page}budget/", fields)["Location"] == page
    assert default_budget(workspace) == Budget(**GIVEN)
    refused = client.post(f"{page}budget/", {**fields, "steps": "5000", "seconds": "x", "cost_usd": "nan"})
    assert refused.status_code == 422
    assert 'value="5000"' in refused.content.decode()
    assert "less than or equal to 1000" in refused.content.decode()
    assert default_budget(workspace) == Budget(**GIVEN)
    assert 'name="steps"' not in client.get("/settings/models/").content.decode()


def test_maintainers_set_it_over_rest(workspace, people):
    base = f"/workspaces/{workspace.pk}/budget"
    assert caller(people.viewer, "read")("get", base).json()["steps"] == 40
    assert caller(people.stranger)("get", base).status_code == 404
    assert caller(people.member)("put", base, GIVEN).status_code == 403
    assert caller(people.maintainer, "run")("put", base, GIVEN).status_code == 403
    call = caller(people.maintainer)
    assert call("put", base, GIVEN).json() == GIVEN
    assert call("get", base).json() == GIVEN
    for limit in TOO_MUCH:
        assert call("put", base, GIVEN | limit).status_code == 422, limit
    assert call("get", base).json() == GIVEN
