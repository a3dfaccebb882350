from __future__ import annotations

from datetime import date

import pytest
from django.utils import timezone

from webapp.agents import choosing, leases, prices, routes
from webapp.agents.models import ModelProfile
from webapp.agents.prices import PriceRow, price_of, set_price
from webapp.agents.services import start_run
from webapp.errors import Invalid, NotFound
from workers.providers.types import Price

pytestmark = pytest.mark.django_db(transaction=True)


def profile(model="gpt-5", provider="openai", base_url="https://api.openai.com/v1", **fields):
    return ModelProfile(name="m", provider=provider, model=model, base_url=base_url, **fields)


def own(model, given, made, **more):
    return PriceRow(model=model, input_usd_per_mtok=given, output_usd_per_mtok=made, **more)


def test_a_profiles_own_price_wins_then_the_workspaces_then_the_table_to_begin_with(workspace):
    assert price_of(profile(), workspace) == Price(1.25, 10.0, 0.125, None)
    set_price(workspace=workspace, row=own("gpt-5", 2.0, 20.0, cached_input_usd_per_mtok=1.0))
    assert price_of(profile(), workspace) == Price(2.0, 20.0, 1.0, None)
    priced = profile(input_usd_per_mtok=7.0, output_usd_per_mtok=8.0)
    assert price_of(priced, workspace) == Price(7.0, 8.0)
    assert choosing.choice_of(profile(), workspace).price == Price(2.0, 20.0, 1.0, None)


@pytest.mark.parametrize(
    "unknown",
    [
        {"model": "gpt-9"},
        {"base_url": "https://openrouter.ai/api/v1"},
        {"base_url": "http://127.0.0.1:8000/v1"},
        {"provider": "ollama", "base_url": ""},
        {"model": "gpt-5-extra"},
    ],
)
def test_nobody_knows_the_price_of_another_model_or_of_the_same_elsewhere(workspace, unknown):
    assert price_of(profile(**unknown), workspace) is None
    assert choosing.choice_of(profile(**unknown), workspace).price is None


def test_what_is_written_holds_wherever_the_model_is_served(workspace, elsewhere):
    served = profile(model="qwen", provider="ollama", base_url="http://127.0.0.1:11434")
    set_price(workspace=workspace, row=own("qwen", 0.0, 0.0))
    assert price_of(served, workspace) == Price(0.0, 0.0, None, None)
    assert price_of(served, elsewhere) is None


@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "claude-sonnet-4-5-20250929"])
def test_knows_a_version_by_its_date(workspace, model):
    found = price_of(profile(model=model, provider="anthropic", base_url=""), workspace)
    assert found == Price(3.0, 15.0, 0.3, 3.75)
    assert price_of(profile(model="gpt-4o-2024-08-06"), workspace) == Price(2.5, 10.0, 1.25, None)


def test_each_line_to_begin_with_says_from_when_and_where(workspace):
    table = prices.table(workspace)
    assert len(table) > 10 and len({row.model for row in table}) == len(table)
    for row in table:
        assert row.as_of == prices.AS_OF and row.source.startswith("https://")


def test_a_line_of_ones_own_takes_the_place_of_the_first_and_goes_again(workspace):
    set_price(workspace=workspace, row=own("gpt-5", 2.0, 20.0, as_of=date(2026, 1, 1), source="contract 7"))
    (line,) = [row for row in prices.table(workspace) if row.model == "gpt-5"]
    assert line.is_own and (line.source, line.as_of) == ("contract 7", date(2026, 1, 1))
    prices.delete_price(workspace=workspace, model="gpt-5")
    assert price_of(profile(), workspace) == Price(1.25, 10.0, 0.125, None)
    with pytest.raises(NotFound):
        prices.delete_price(workspace=workspace, model="gpt-5")


def test_a_run_that_waits_is_handed_the_price_that_holds_when_it_is_rung_for(workspace, people, rung):
    """Trap: a price that rose while a run waited was not its first model's, only that of those behind it."""
    first, second = (
        ModelProfile.objects.create(workspace=workspace, name=name, provider="ollama", model=name)
        for name in ("first", "second")
    )
    routes.set_route(workspace=workspace, agent="coder", profile_ids=[first.pk, second.pk])
    for name in ("first", "second"):
        set_price(workspace=workspace, row=own(name, 1.0, 1.0))
    run = start_run(workspace=workspace, requested_by=people.member, agent="coder", goal="x")

    def handed():
        (job,) = rung()
        return [one["price"] and one["price"]["output_usd_per_mtok"] for one in models_of(job)]

    def models_of(job):
        return [job["model"], *(one["model"] for one in job["fallbacks"])]

    def ring_later():
        assert leases.ring_forgotten(now=timezone.now() + leases.RING_AGAIN_AT_MOST) == [run.pk]
        return handed()

    assert handed() == [1.0, 1.0]
    for name in ("first", "second"):
        set_price(workspace=workspace, row=own(name, 2.0, 20.0))
    assert ring_later() == [20.0, 20.0]
    prices.delete_price(workspace=workspace, model="first")
    assert ring_later() == [None, 20.0], "unknown is not what it was"
    ModelProfile.objects.filter(pk=first.pk).update(input_usd_per_mtok=3.0, output_usd_per_mtok=30.0)
    assert ring_later() == [30.0, 20.0]
    ModelProfile.objects.filter(pk=first.pk).update(model="another", output_usd_per_mtok=0.0)
    assert ring_later() == [1.0, 20.0], "what another model costs is not what this one does"
    first.delete()
    assert ring_later() == [1.0, 20.0]


@pytest.mark.parametrize(
    "line",
    [
        own("", 1.0, 1.0),
        own("m", -1.0, 1.0),
        own("m", 1.0, float("nan")),
        own("m", 1.0, 1.0, cache_write_usd_per_mtok=1e6),
        own("m", 1.0, 1.0, source="a\nb"),
    ],
)
def test_refuses_what_is_no_price(workspace, line):
    with pytest.raises(Invalid):
        set_price(workspace=workspace, row=line)
