from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client

from tests.framework.people import Company
from webapp import vault
from webapp.agents.models import Run
from webapp.unattended import services
from webapp.unattended.models import Act, Delivery, Webhook
from webapp.unattended.proofs import sign
from webapp.unattended.services import delivering
from webapp.unattended.services.calling import CallingFields
from webapp.workspaces.models import Role
from webapp.workspaces.services import set_role

pytestmark = pytest.mark.django_db(transaction=True)
PAYLOAD = {"issue": {"title": "It breaks"}, "action": "opened"}
Deliver = Callable[..., HttpResponse]


def make_webhook(company: Company, **more: Any) -> tuple[Webhook, str]:
    terms = services.Terms(proof=more.pop("proof", "signature"), event_names=more.pop("event_names", ""))
    given = CallingFields(**({"name": "Issues", "agent": "tidy", "goal": "See {{ issue.title }}"} | more))
    return services.create_webhook(
        workspace=company.workspace, created_by=company.member, given=given, terms=terms
    )


def send(webhook: Webhook, body: Any, *, client: Client | None = None, **headers: str) -> HttpResponse:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    kind = headers.pop("content_type", "application/json")
    client = client or Client(enforce_csrf_checks=True)
    return client.post(f"/hooks/{webhook.public_id}", raw, content_type=kind, headers=headers)


def signed(webhook: Webhook, secret: str, body: Any = PAYLOAD, **headers: str) -> HttpResponse:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return send(webhook, raw, **{"X-Hub-Signature-256": sign(secret, raw)} | headers)


def test_a_signed_delivery_starts_a_run_in_the_name_of_its_owner(company: Company) -> None:
    webhook, secret = make_webhook(company)
    reply = signed(webhook, secret, **{"X-GitHub-Delivery": "d-1", "X-GitHub-Event": "issues"})
    assert (reply.status_code, reply.json()) == (202, {"status": "started"})
    run = Run.objects.get()
    assert (run.origin, run.requested_by, run.agent) == ("webhook", company.member, "tidy")
    assert "⟦issue.title⟧" in run.goal and 'issue.title = "It breaks"' in run.goal
    delivery = webhook.deliveries.get()
    assert (delivery.delivery_id, delivery.event, delivery.outcome, delivery.run) == (
        "d-1",
        "issues",
        "started",
        run,
    )


def test_the_signature_is_githubs_own(company: Company) -> None:
    # GitHub's documentation gives this example of a secret, a body and what they make.
    assert sign("It's a Secret to Everybody", b"Hello, World!") == (
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    )


@pytest.mark.parametrize("how", ["same", "other id", "other body"])
def test_what_was_taken_is_not_taken_again(company: Company, how: str) -> None:
    webhook, secret = make_webhook(company)
    signed(webhook, secret, **{"X-GitHub-Delivery": "d-1"})
    body = {**PAYLOAD, "n": 2} if how == "other body" else PAYLOAD
    # The id is not signed: whoever has overheard a delivery can give it another one.
    again = signed(webhook, secret, body, **{"X-GitHub-Delivery": "d-2" if how == "other id" else "d-1"})
    assert (again.status_code, again.json()) == (202, {"status": "seen"})
    assert Run.objects.count() == 1
    assert webhook.deliveries.get().repeats == 1


def test_two_at_once_start_one_run(company: Company) -> None:
    webhook, secret = make_webhook(company)
    barrier, answers = threading.Barrier(4), []

    def caller() -> None:
        try:
            barrier.wait()
            answers.append(signed(webhook, secret).json()["status"])
        finally:
            connection.close()

    threads = [threading.Thread(target=caller) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["seen", "seen", "seen", "started"]
    assert Run.objects.count() == 1


def test_with_a_timestamp_the_same_body_counts_again_and_an_old_one_does_not(company: Company) -> None:
    webhook, secret = make_webhook(company)
    raw = orjson.dumps(PAYLOAD)

    def at(moment: int, *, of: int | None = None) -> HttpResponse:
        signature = sign(secret, f"{moment if of is None else of}.".encode() + raw)
        return send(webhook, raw, **{"X-Hub-Signature-256": signature, "Webhook-Timestamp": str(moment)})

    now = int(time.time())
    assert [at(now).status_code, at(now - 1).status_code] == [202, 202]
    assert Run.objects.count() == 2
    assert at(now).json() == {"status": "seen"}
    assert at(now - 600).status_code == at(now + 600).status_code == 404
    assert at(now, of=now - 600).status_code == 404, "an old signature with a new time"
    assert Run.objects.count() == 2


def test_a_bearer_secret_is_taken_where_it_was_chosen_and_nowhere_else(company: Company) -> None:
    webhook, secret = make_webhook(company, proof="bearer")
    for _ in range(2):  # without an id each call counts
        assert send(webhook, PAYLOAD, Authorization=f"Bearer {secret}").status_code == 202
    assert Run.objects.count() == 2
    named = {"Authorization": f"bearer {secret}", "Webhook-Id": "w-1"}
    assert send(webhook, PAYLOAD, **named).json() == {"status": "started"}
    assert send(webhook, PAYLOAD, **named).json() == {"status": "seen"}
    assert signed(webhook, secret).status_code == 404
    other, other_secret = make_webhook(company)
    assert send(other, PAYLOAD, Authorization=f"Bearer {other_secret}").status_code == 404


def test_every_refusal_reads_the_same_and_nothing_is_written(company: Company) -> None:
    webhook, secret = make_webhook(company)
    raw = orjson.dumps(PAYLOAD)
    right = sign(secret, raw)
    absent = Webhook(public_id="x" * 43)
    off, off_secret = make_webhook(company)
    services.switch_webhook(webhook=off, is_on=False, by=company.member)
    signed_in = company.client(company.owner)
    refusals = [
        signed(absent, secret),
        send(webhook, raw),
        send(webhook, raw, client=signed_in),
        send(webhook, raw, client=signed_in, **{"X-Hub-Signature-256": "sha256=" + "0" * 64}),
        send(webhook, raw, **{"X-Hub-Signature-256": right.removeprefix("sha256=")}),
        send(webhook, raw + b" ", **{"X-Hub-Signature-256": right}),
        send(webhook, raw, **{"X-Hub-Signature-256": sign("", raw)}),
        send(webhook, raw, **{"X-Hub-Signature-256": sign("0" * 43, raw)}),
        send(absent, raw, **{"X-Hub-Signature-256": sign("0" * 43, raw)}),
        send(webhook, raw, Authorization=f"Bearer {secret}"),
        send(webhook, raw, **{"X-Hub-Signature-256": "sha256=\u00e4\u00f6"}),
        signed(off, off_secret),
        send(webhook, b"no json", content_type="text/plain"),
    ]
    assert {reply.status_code for reply in refusals} == {404}
    assert len({reply.content for reply in refusals}) == 1
    assert not Run.objects.exists() and not Delivery.objects.exists()


def test_only_post_is_heard(company: Company) -> None:
    webhook, _ = make_webhook(company)
    for path in (f"/hooks/{webhook.public_id}", "/hooks/" + "x" * 43):
        assert company.client(company.owner).get(path).status_code == 405


def test_what_has_proved_itself_must_be_json_and_not_large(company: Company) -> None:
    webhook, secret = make_webhook(company)
    assert signed(webhook, secret, b"{").status_code == 422
    assert signed(webhook, secret, b"[" * 100_000).status_code == 422
    form = signed(webhook, secret, b"payload={}", content_type="application/x-www-form-urlencoded")
    assert form.status_code == 422 and "application/json" in form.json()["error"]["message"]
    large = b'"' + b"a" * delivering.MAX_BODY_BYTES + b'"'
    assert signed(webhook, secret, large).status_code == 413
    assert send(Webhook(public_id="x" * 43), large).status_code == 413
    assert not Run.objects.exists()


def test_events_are_chosen_and_a_ping_starts_nothing(company: Company) -> None:
    webhook, secret = make_webhook(company)
    assert signed(webhook, secret, {"zen": 1}, **{"X-GitHub-Event": "ping"}).json() == {"status": "ignored"}
    chosen, chosen_secret = make_webhook(company, event_names="issues, push")
    assert chosen.event_names == "issues push"
    statuses = [
        signed(chosen, chosen_secret, {"n": name}, **{"X-GitHub-Event": name}).json()["status"]
        for name in ("issues", "push", "star", "")
    ]
    assert statuses == ["started", "started", "ignored", "ignored"]


def test_too_many_are_asked_to_wait(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivering, "PER_MINUTE", 2)
    monkeypatch.setattr(delivering, "REFUSED_PER_MINUTE", 3)
    webhook, secret = make_webhook(company)
    assert [signed(webhook, secret, {"n": n}).status_code for n in range(3)] == [202, 202, 429]
    assert [send(webhook, PAYLOAD).status_code for _ in range(4)] == [404, 404, 404, 429]
    other, other_secret = make_webhook(company)
    assert signed(other, other_secret).status_code == 202, (
        "who proves to know the secret is heard from any address"
    )


def test_what_could_not_be_started_may_be_sent_again(company: Company) -> None:
    webhook, secret = make_webhook(company)
    company.workspace.state = "preparing"
    company.workspace.save()
    assert signed(webhook, secret).status_code == 409
    assert webhook.deliveries.get().outcome == "failed"
    company.workspace.state = "ready"
    company.workspace.save()
    assert signed(webhook, secret).json() == {"status": "started"}
    assert webhook.deliveries.get().outcome == "started"


def test_it_stops_with_its_owners_rights(company: Company) -> None:
    webhook, secret = make_webhook(company)
    set_role(workspace=company.workspace, user_id=company.member.pk, role=Role.VIEWER)
    webhook.refresh_from_db()
    assert not webhook.is_enabled and "no more" in webhook.stop_note
    assert signed(webhook, secret).status_code == 404
    services.switch_webhook(webhook=webhook, is_on=True, by=company.maintainer)
    assert signed(webhook, secret).status_code == 202
    assert Run.objects.get().requested_by == company.maintainer


def test_a_new_secret_makes_the_old_one_useless(company: Company) -> None:
    webhook, old = make_webhook(company)
    new = services.renew_secret(webhook=webhook, renewed_by=company.member)
    assert signed(webhook, old).status_code == 404
    assert signed(webhook, new).status_code == 202
    assert [act.verb for act in Act.objects.all()] == ["renewed", "made"]


def test_who_makes_a_new_secret_starts_runs_in_their_own_name(company: Company) -> None:
    webhook, _ = make_webhook(company)
    new = services.renew_secret(webhook=webhook, renewed_by=company.maintainer)
    assert signed(webhook, new).status_code == 202
    assert Run.objects.get().requested_by == company.maintainer
    assert Act.objects.first().note == f"takes it over from {company.member}"


def test_the_secret_stands_nowhere_in_the_clear(company: Company) -> None:
    webhook, secret = make_webhook(company)
    row = Webhook.objects.get()
    assert secret.encode() not in bytes(row.sealed_secret)
    assert vault.unseal(row.sealed_secret) == secret
    assert secret not in repr(list(Act.objects.values()))


def test_one_sealed_with_another_vault_key_answers_like_none(company: Company, settings: Any) -> None:
    webhook, secret = make_webhook(company)
    settings.VAULT_KEY = "another"
    assert signed(webhook, secret).status_code == 404


def test_what_is_old_is_forgotten(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivering, "KEEP_AT_MOST", 2)
    webhook, secret = make_webhook(company)
    for n in range(4):
        signed(webhook, secret, {"n": n})
    Delivery.objects.filter(pk=webhook.deliveries.first().pk).update(received_at="2026-01-01T00:00Z")  # type: ignore[union-attr]
    delivering.prune_deliveries()
    assert webhook.deliveries.count() == 2
