from __future__ import annotations

import socket
from contextlib import nullcontext
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from tests.webapp.agents.conftest import DOUBLE_KEY
from webapp import vault
from webapp.agents import choosing, endpoints
from webapp.agents.access import ProfileOwner
from webapp.agents.models import ModelProfile
from webapp.agents.services.profiles import ProfileFields, make_default, save_profile
from webapp.errors import Conflict, Invalid
from workers.config import get_config
from workers.providers.addresses import ProviderAddressRefused
from workers.providers.registry import open_provider
from workers.providers.retry import RetryPolicy
from workers.providers.types import ModelChoice

CANARY = "sk-canary-4f1d2c3b5a697887"


def fields(**changed):
    return ProfileFields(**{"name": "Work", "provider": "openai", "model": "gpt", "key": CANARY, **changed})


@pytest.fixture
def mine(people):
    return ProfileOwner(user=people.member)


def save(owner, profile=None, *, is_owner=True, **changed):
    return save_profile(
        owner=owner, fields=fields(**changed), is_installation_owner=is_owner, profile=profile
    )


def test_keeps_the_key_encrypted(mine):
    profile = save(mine)
    stored = bytes(ModelProfile.objects.get(pk=profile.pk).sealed_key)
    assert CANARY.encode() not in stored
    assert vault.unseal(stored) == CANARY


def test_keeps_the_stored_key_when_none_is_typed(mine):
    profile = save(mine)
    changed = save(mine, profile, name="Home", key=None)
    assert changed.name == "Home"
    assert vault.unseal(changed.sealed_key) == CANARY


def test_forgets_the_key_when_asked(mine):
    assert not save(mine, save(mine), key="").has_key


@pytest.mark.parametrize("moved", [{"base_url": "https://93.184.216.34/v1"}, {"provider": "anthropic"}])
def test_sends_a_stored_key_to_no_other_address(mine, moved):
    assert not save(mine, save(mine), key=None, **moved).has_key


def test_has_one_default_for_each_owner(mine, people, workspace):
    first, second = save(mine, is_default=True), save(mine, is_default=True)
    shared = save(ProfileOwner(workspace=workspace), is_default=True)
    first.refresh_from_db()
    assert not first.is_default
    assert second.is_default and shared.is_default
    assert choosing.default_profile(people.member, workspace) == second
    make_default(owner=mine, profile=None)
    assert choosing.default_profile(people.member, workspace) == shared


def test_needs_nothing_for_the_embedded_model_and_keeps_nothing(mine):
    profile = save(mine, provider="embedded", model="", base_url="http://127.0.0.1:1/")
    assert (profile.model, profile.base_url, profile.has_key) == ("", "", False)
    choice = choosing.choice_of(profile)
    assert choice.provider == "embedded"
    assert choice.price is not None and choice.price.input_usd_per_mtok == 0


def test_a_model_may_be_silent_as_long_as_its_profile_says(mine, people, browser):
    profile = save(mine, first_token_s=7, between_tokens_s=3)
    choice = choosing.choice_of(profile)
    assert (choice.first_token_s, choice.between_tokens_s) == (7, 3)
    assert choosing.choice_of(save(mine)).first_token_s is None
    page, client = f"/settings/models/{profile.pk}/", browser(people.member)
    assert 'name="first_token_s" value="7"' in client.get(page).content.decode()
    sent = {"name": "Work", "provider": "openai", "model": "gpt", "tool_use": "auto", "between_tokens_s": "9"}
    assert client.post(page, {**sent, "first_token_s": "901"}).status_code == 422
    assert client.post(page, sent).status_code == 302
    profile.refresh_from_db()
    assert (profile.first_token_s, profile.between_tokens_s) == (None, 9)


def test_says_whether_it_sees_images_and_what_its_key_may_be_used_for(mine, people, browser):
    given = {"requests_per_minute": 60, "tokens_per_minute": 90_000, "max_concurrency": 4}
    profile = save(mine, provider="responses", has_vision=False, **given)
    assert profile.base_url == "https://api.openai.com/v1"
    choice = choosing.choice_of(profile)
    assert (choice.provider, choice.has_vision, choice.max_concurrency) == ("responses", False, 4)
    assert (choice.requests_per_minute, choice.tokens_per_minute) == (60, 90_000)
    page, client = f"/settings/models/{profile.pk}/", browser(people.member)
    shown = client.get(page).content.decode()
    assert '<option value="False" selected>' in shown and 'name="tokens_per_minute" value="90000"' in shown
    sent = {"name": "Work", "provider": "responses", "model": "gpt", "tool_use": "auto", "has_vision": "True"}
    assert client.post(page, {**sent, "max_concurrency": "0"}).status_code == 422
    assert client.post(page, sent).status_code == 302
    profile.refresh_from_db()
    assert (profile.has_vision, profile.max_concurrency) == (True, None)


@pytest.mark.parametrize("limit", ["requests_per_minute", "tokens_per_minute", "max_concurrency"])
def test_refuses_a_rate_limit_that_is_none(mine, limit):
    with pytest.raises(Invalid) as refused:
        save(mine, **{limit: 0})
    assert refused.value.facts["field"] == limit


def test_leaves_an_unknown_price_unknown(mine):
    assert choosing.choice_of(save(mine)).price is None
    assert choosing.choice_of(save(mine, input_usd_per_mtok=0.0, output_usd_per_mtok=0.0)).price is not None


@pytest.mark.parametrize(
    "changed",
    [
        {"name": " "},
        {"provider": "other"},
        {"model": ""},
        {"tool_use": "maybe"},
        {"context_tokens": 1},
        {"first_token_s": 0},
        {"between_tokens_s": 901},
        {"input_usd_per_mtok": 1.0},
        {"input_usd_per_mtok": -1.0, "output_usd_per_mtok": 1.0},
        {"input_usd_per_mtok": float("nan"), "output_usd_per_mtok": 1.0},
        {"key": "ключ"},
        {"key": "two\nlines"},
        {"base_url": "http://169.254.169.254/"},
        {"base_url": "https://93.184.216.34/" + "x" * 600},
    ],
)
def test_refuses_what_makes_no_sense(mine, changed):
    with pytest.raises(Invalid):
        save(mine, **changed)
    assert not ModelProfile.objects.exists()


def test_keeps_private_addresses_from_ordinary_members_until_the_owner_offers_them(mine):
    with pytest.raises(Invalid):
        save(mine, is_owner=False, base_url="http://127.0.0.1:11434/v1")
    save(ProfileOwner(), base_url="http://127.0.0.1:11434/v1")
    assert (
        save(mine, is_owner=False, base_url="http://127.0.0.1:11434/v1").base_url
        == "http://127.0.0.1:11434/v1"
    )


OLLAMA = {"provider": "ollama", "model": "qwen"}


def test_ollamas_usual_place_is_as_private_as_if_it_were_typed(mine, workspace):
    refused = []
    for owner in (mine, ProfileOwner(workspace=workspace)):
        for base_url in ("", " ", "http://127.0.0.1:11434"):
            with pytest.raises(Invalid) as error:
                save(owner, is_owner=False, base_url=base_url, **OLLAMA)
            refused.append((str(error.value), error.value.facts))
    assert all(one == refused[0] for one in refused)
    assert "private network" in refused[0][0] and refused[0][1]["field"] == "base_url"
    assert not ModelProfile.objects.exists()
    assert save(mine, **OLLAMA).base_url == "http://127.0.0.1:11434"


@pytest.mark.parametrize("stored", ["", "http://127.0.0.1:11434"])
def test_the_owner_offers_ollamas_usual_place_with_or_without_its_name(mine, workspace, stored):
    offer = ModelProfile.objects.create(name="all", provider="ollama", base_url=stored, is_of_operator=True)
    profile = save(mine, is_owner=False, **OLLAMA)
    assert choosing.choice_of(profile, workspace).may_be_private
    offer.delete()
    assert not choosing.choice_of(profile, workspace).may_be_private, "it is offered no more"


def test_an_ollama_that_was_stored_without_an_address_goes_on(mine, people, workspace):
    old = ModelProfile.objects.create(
        user=people.member, name="old", provider="ollama", model="qwen", sealed_key=vault.seal(CANARY)
    )
    assert choosing.choice_of(old, workspace).may_be_private
    changed = save(mine, old, key=None, **OLLAMA)
    assert (changed.base_url, changed.has_key) == ("http://127.0.0.1:11434", True), "it is where it was"


def test_no_ollama_of_this_machine_where_the_operator_allows_none(mine, monkeypatch):
    config = replace(get_config(), allow_private_endpoints=False)
    monkeypatch.setattr(endpoints, "get_config", lambda: config)
    with pytest.raises(Invalid):
        save(mine, **OLLAMA)


def test_stops_at_fifty(mine, people):
    ModelProfile.objects.bulk_create(
        ModelProfile(user=people.member, name=str(n), provider="ollama", model="m") for n in range(50)
    )
    with pytest.raises(Conflict):
        save(mine)


INSIDE = "http://models.example.org:8080/v1"


def test_a_name_that_leads_inside_once_it_is_stored_opens_nothing_for_members(mine, people, workspace):
    profile = save(mine, is_owner=False, base_url=INSIDE)
    assert not choosing.choice_of(profile, workspace).may_be_private
    save(ProfileOwner(), base_url=INSIDE)
    assert choosing.choice_of(profile, workspace).may_be_private, "the owner offers it to everybody"
    ModelProfile.objects.filter(user=None).delete()
    assert not choosing.choice_of(profile, workspace).may_be_private, "and offers it no more"


def test_what_the_owner_of_the_installation_saves_may_lead_inside_until_somebody_else_saves_it(workspace):
    shared = ProfileOwner(workspace=workspace)
    profile = save(shared, base_url=INSIDE)
    assert choosing.choice_of(profile, workspace).may_be_private
    profile = save(shared, profile, is_owner=False, base_url=INSIDE)
    assert not choosing.choice_of(profile, workspace).may_be_private


async def test_a_run_is_not_led_inside_by_a_changed_answer_of_dns(double, monkeypatch):
    """The canary listens on the loopback; nothing may reach it."""
    port = urlsplit(double.base_url("openai")).port
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
    url = f"http://models.example.org:{port}/v1"
    for is_allowed, asked in ((False, 0), (True, 1)):
        double.say("OK")
        choice = ModelChoice("openai", "test-model", base_url=url, may_be_private=is_allowed)
        provider = open_provider(choice, secret=DOUBLE_KEY, retries=RetryPolicy(tries=1))
        try:
            with nullcontext() if is_allowed else pytest.raises(ProviderAddressRefused):
                await provider.check()
        finally:
            await provider.aclose()
        assert len(double.asked) == asked
