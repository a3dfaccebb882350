from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from webapp.accounts.services import set_active
from webapp.agents import services
from webapp.agents.models import ModelProfile, Run
from webapp.agents.services.losing import take_from_worker
from webapp.errors import Conflict
from webapp.workspaces.services import remove_member, set_role
from workers import events as engine
from workers.events import cancel_key

pytestmark = pytest.mark.django_db(transaction=True)


def test_cancels_a_queued_run_at_once_and_voids_a_worker_that_is_just_taking_it(run, people, redis_client):
    from tests.webapp.agents.conftest import Engine

    hand = Engine(run)
    stopped = services.cancel_run(run=run, cancelled_by=people.member)
    assert stopped.status == Run.Status.CANCELLED
    assert "Member" in stopped.error_message
    assert redis_client.exists(cancel_key(str(run.pk)))
    hand.start()
    assert run.status == Run.Status.CANCELLED


def test_asks_the_worker_of_a_running_run_and_ends_when_it_has_stopped(worker, people, redis_client):
    services.cancel_run(run=worker.run, cancelled_by=people.maintainer)
    worker.run.refresh_from_db()
    assert worker.run.status == Run.Status.CANCELLING
    assert redis_client.exists(cancel_key(str(worker.run.pk)))
    worker.say(engine.RunStopped)
    assert worker.run.status == Run.Status.CANCELLED
    assert "Maintainer" in worker.run.error_message


def test_says_what_became_of_what_a_stopped_run_had_changed(worker, people):
    services.cancel_run(run=worker.run, cancelled_by=people.member)
    worker.say(engine.RunStopped, note="It is offered for review.")
    assert worker.run.error_message.endswith(". It is offered for review.")
    assert "Member" in worker.run.error_message


@pytest.mark.parametrize("has_changed", [True, False])
def test_says_that_work_was_dropped_when_the_worker_was_lost_while_stopping(worker, people, has_changed):
    worker.say(engine.StepStarted, step_id="s1", parent_id=None, kind="tool_call", title="write")
    detail = {"checkpoint": "c" * 40} if has_changed else {}
    worker.say(engine.StepFinished, step_id="s1", status="ok", duration_ms=1, detail=detail)
    services.cancel_run(run=worker.run, cancelled_by=people.member)
    worker.run.refresh_from_db()
    Run.objects.filter(pk=worker.run.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    take_from_worker(worker.run.pk, now=timezone.now())
    worker.run.refresh_from_db()
    assert worker.run.status == Run.Status.CANCELLED
    assert ("was dropped" in worker.run.error_message) == has_changed


def test_keeps_what_a_run_finished_while_it_was_being_stopped(worker, people):
    services.cancel_run(run=worker.run, cancelled_by=people.member)
    worker.say(engine.RunFinished, answer="Done just in time.")
    assert worker.run.status == Run.Status.FINISHED
    assert worker.run.answer == "Done just in time."


def test_cannot_stop_what_has_ended(worker, people):
    worker.say(engine.RunFinished, answer="Done.")
    with pytest.raises(Conflict):
        services.cancel_run(run=worker.run, cancelled_by=people.member)


def test_tries_a_failed_run_again_with_the_same_words(worker, people, rung):
    worker.say(engine.RunFailed, code="provider_timeout", message="No answer.", retryable=True)
    rung()
    again = services.retry_run(run=worker.run, requested_by=people.member)
    assert again.retry_of == worker.run
    assert (again.agent, again.goal) == (worker.run.agent, worker.run.goal)
    (job,) = rung()
    assert (job["run_id"], job["fence"], job["next_seq"]) == (str(again.pk), 1, 1)


def test_does_not_try_again_what_is_at_work_or_went_well(worker, people):
    with pytest.raises(Conflict):
        services.retry_run(run=worker.run, requested_by=people.member)
    worker.say(engine.RunFinished, answer="")
    with pytest.raises(Conflict):
        services.retry_run(run=worker.run, requested_by=people.member)


def test_does_not_lend_one_persons_key_to_another(workspace, people):
    own = ModelProfile.objects.create(user=people.member, name="own", provider="ollama", model="own")
    run = services.start_run(
        workspace=workspace, requested_by=people.member, agent="coder", goal="go", model_profile=own
    )
    services.cancel_run(run=run, cancelled_by=people.member)
    run.refresh_from_db()
    again = services.retry_run(run=run, requested_by=people.maintainer)
    assert again.model_profile is None
    assert again.model_label == "SmolLM2-135M-Instruct (embedded)"
    assert services.retry_run(run=run, requested_by=people.member).model_profile == own


@pytest.mark.parametrize("how", ["removed", "viewer", "shut out"])
def test_an_agent_stops_when_who_called_it_may_call_none_any_more(
    worker, people, workspace, redis_client, how
):
    queued = services.start_run(workspace=workspace, requested_by=people.member, agent="tidy", goal="")
    others = services.start_run(workspace=workspace, requested_by=people.maintainer, agent="tidy", goal="")
    if how == "removed":
        remove_member(workspace=workspace, user_id=people.member.pk)
    elif how == "viewer":
        set_role(workspace=workspace, user_id=people.member.pk, role="viewer")
    else:
        set_active(by=people.maintainer, user_id=people.member.pk, is_active=False)
    for run in (worker.run, queued, others):
        run.refresh_from_db()
    assert worker.run.status == Run.Status.CANCELLING
    assert redis_client.exists(cancel_key(str(worker.run.pk)))
    assert queued.status == Run.Status.CANCELLED
    assert others.status == Run.Status.QUEUED
