from __future__ import annotations

import json
import threading
import time

import pytest
from django.conf import settings
from django.test import Client

from tests.webapp.agents.conftest import Engine
from webapp import vault
from webapp.agents import choosing, internal
from webapp.agents.models import ModelProfile, Run

pytestmark = pytest.mark.django_db(transaction=True)
CANARY = "sk-canary-4f1d2c3b5a697887"


@pytest.fixture
def keyed(run, people):
    """The run, on a profile with a key."""
    profile = ModelProfile.objects.create(
        user=people.member, name="own", provider="openai", model="gpt", sealed_key=vault.seal(CANARY)
    )
    run.model_profile = profile
    run.save()
    return run


def ask(run, *, token=None, client=None, **changed):
    body = {
        "run_id": str(run.pk),
        "fence": run.fence,
        "credential_ref": choosing.credential_ref(run.model_profile),
        **changed,
    }
    headers = {"X-PyAgent-Internal": settings.INTERNAL_TOKEN if token is None else token}
    client = client or Client(enforce_csrf_checks=True)
    return client.post(
        "/internal/credentials/", json.dumps(body), content_type="application/json", headers=headers
    )


def test_hands_the_key_to_the_worker_that_holds_the_run(keyed):
    Engine(keyed).start()
    reply = ask(keyed)
    assert reply.json() == {"secret": CANARY}
    assert reply["Cache-Control"] == "no-store"


def test_waits_for_the_row_of_a_run_that_has_just_begun(keyed):
    Run.objects.filter(pk=keyed.pk).update(rung_at=keyed.created_at)

    def begin() -> None:
        from django.db import connection

        time.sleep(0.3)
        Engine(keyed).start()
        connection.close()

    thread = threading.Thread(target=begin)
    thread.start()
    try:
        assert ask(keyed).status_code == 200
    finally:
        thread.join()


@pytest.mark.parametrize("token", ["", "wrong", "ä", "x" * 64])
def test_answers_only_the_engine(keyed, token):
    Engine(keyed).start()
    reply = ask(keyed, token=token)
    assert reply.status_code == 403
    assert CANARY not in reply.content.decode()


def test_does_not_answer_a_person_who_is_signed_in(keyed, people, browser):
    Engine(keyed).start()
    assert ask(keyed, token="", client=browser(people.boss)).status_code == 403


@pytest.mark.parametrize(
    "changed",
    [
        {"fence": 2},
        {"credential_ref": "profile:999999"},
        {"credential_ref": ""},
        {"run_id": "00000000-0000-0000-0000-000000000000"},
        {"run_id": "no uuid"},
        {"run_id": "\x00"},
    ],
)
def test_says_the_same_to_every_wrong_question(keyed, changed):
    Engine(keyed).start()
    reply = ask(keyed, **changed)
    assert reply.status_code == 404
    assert reply.json()["error"]["message"] == "There is no such credential for this run."


def test_does_not_hand_out_another_profiles_key(keyed, people):
    other = ModelProfile.objects.create(
        user=people.stranger,
        name="o",
        provider="openai",
        model="m",
        sealed_key=vault.seal("sk-other-key-123456"),
    )
    Engine(keyed).start()
    assert ask(keyed, credential_ref=choosing.credential_ref(other)).status_code == 404


@pytest.mark.parametrize("status", ["queued", "cancelling", "finished", "failed", "cancelled", "dead"])
def test_answers_only_while_the_run_is_running(keyed, status, monkeypatch):
    monkeypatch.setattr(internal, "STARTING_S", 0.1)
    Run.objects.filter(pk=keyed.pk).update(status=status, rung_at=None)
    assert ask(keyed).status_code == 404


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", "null", '{"run_id": 1, "fence": "1", "credential_ref": null}', "{" * 5000]
)
def test_refuses_what_is_no_question(body, db):
    reply = Client().post(
        "/internal/credentials/",
        body,
        content_type="application/json",
        headers={"X-PyAgent-Internal": settings.INTERNAL_TOKEN},
    )
    assert reply.status_code == 422


def test_answers_no_get(db):
    assert Client().get("/internal/credentials/").status_code == 405


def test_slows_down_a_run_that_asks_too_often(keyed):
    Engine(keyed).start()
    statuses = [ask(keyed).status_code for _ in range(internal.PER_RUN + 1)]
    assert statuses == [200] * internal.PER_RUN + [429]


def test_writes_no_key_to_the_log(keyed, capfd, caplog):
    Engine(keyed).start()
    ask(keyed)
    ask(keyed, fence=9)
    out = capfd.readouterr()
    assert "credential" in out.err + caplog.text
    assert CANARY not in out.out + out.err + caplog.text
    assert settings.INTERNAL_TOKEN not in out.out + out.err + caplog.text


def test_says_when_the_vault_key_has_changed(keyed, monkeypatch):
    Engine(keyed).start()
    monkeypatch.setattr(settings, "VAULT_KEY", "another")
    assert ask(keyed).json()["error"]["code"] == "secret_unreadable"
