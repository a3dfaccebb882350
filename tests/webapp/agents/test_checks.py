from __future__ import annotations

from dataclasses import replace

import pytest

from tests.framework.provider_double import Fault, Say
from tests.webapp.agents.conftest import DOUBLE_KEY as KEY
from webapp import vault
from webapp.agents import checks
from webapp.agents.models import ModelProfile
from webapp.errors import Invalid
from workers.config import get_config
from workers.errors import (
    ProviderAuthFailed,
    ProviderBadReply,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
)


@pytest.fixture
def profile(people, double):
    return make(people, double)


def make(people, double, provider="openai", key=KEY):
    return ModelProfile.objects.create(
        user=people.member,
        name="double",
        provider=provider,
        model="test-model",
        base_url=double.base_url(provider),
        sealed_key=vault.seal(key),
    )


def check(profile, **changed):
    return checks.check_profile(**{"profile": profile, "is_installation_owner": True, **changed})


@pytest.mark.parametrize("provider", ["openai", "responses", "anthropic", "ollama"])
def test_shows_what_came_back(people, double, provider):
    double.say("OK")
    assert "answered in" in check(make(people, double, provider))
    assert len(double.asked) == 1


def test_asks_the_embedded_model_where_the_operator_serves_it(double, monkeypatch):
    config = replace(get_config(), model_url=double.base_url("embedded"))
    monkeypatch.setattr("workers.providers.embedded.get_config", lambda: config)
    double.key = None
    double.say("OK")
    assert "answered in" in check(ModelProfile(provider="embedded"), is_installation_owner=False)
    assert "authorization" not in {name.lower() for name in double.asked[0].headers}


def test_says_that_the_key_is_wrong_without_showing_it(people, double):
    with pytest.raises(ProviderAuthFailed) as raised:
        check(make(people, double, key="sk-wrong-0123456789abcdef"))
    assert "sk-wrong" not in str(raised.value) + repr(raised.value.facts)


def test_does_not_wait_for_ever(profile, double):
    double.say(Say(fault=Fault("hang")))
    with pytest.raises(ProviderTimeout):
        check(profile, timeout_s=0.5)


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Fault("garbage"), ProviderBadReply), (Fault("redirect"), ProviderError), (Fault("cut"), ProviderError)],
)
def test_names_the_trouble(profile, double, fault, error):
    double.say(*[Say("OK", fault=fault)] * 8)
    with pytest.raises(error):
        check(profile)


def test_says_when_nobody_listens(people, double):
    profile = make(people, double)
    profile.base_url = "http://127.0.0.1:1/v1"
    with pytest.raises(ProviderUnavailable):
        check(profile)


def test_does_not_call_inside_for_whom_it_is_not(profile, double):
    with pytest.raises(Invalid):
        check(profile, is_installation_owner=False)
    assert double.asked == []
