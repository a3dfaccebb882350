from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction

from tests.framework.people import Company
from tests.webapp.unattended.conftest import NOW, end, make_schedule
from webapp.agents.models import Run
from webapp.chat.models import Channel, Message
from webapp.errors import Conflict, NotFound
from webapp.events.registry import rights_lost
from webapp.unattended import services
from webapp.unattended.models import Act, Firing, Schedule
from webapp.unattended.services import firing as firing_service
from webapp.unattended.services.calling import CallingFields
from webapp.workspaces.models import Membership, Role
from webapp.workspaces.services import set_role

HOUR = timedelta(hours=1)
pytestmark = pytest.mark.django_db(transaction=True)


def outcomes(schedule: Schedule) -> list[str]:
    return list(schedule.firings.order_by("moment").values_list("outcome", flat=True))


def test_a_due_moment_starts_one_run_in_the_name_of_its_owner(company: Company, schedule: Schedule) -> None:
    assert services.fire_due(now=NOW) == 0
    assert services.fire_due(now=NOW + HOUR) == 1
    run = Run.objects.get()
    assert (run.origin, run.requested_by, run.agent) == ("schedule", company.member, "tidy")
    firing = schedule.firings.get()
    assert (firing.run, firing.moment, firing.outcome, firing.missed) == (run, NOW + HOUR, "started", 0)
    schedule.refresh_from_db()
    assert schedule.next_at == NOW + 2 * HOUR


def test_the_same_moment_never_starts_a_second_run(company: Company, schedule: Schedule) -> None:
    for _ in range(3):
        services.fire_due(now=NOW + HOUR)
    end(Run.objects.get())
    # The clock is put back, or somebody sets the schedule's time to what it was.
    Schedule.objects.update(next_at=NOW + HOUR)
    services.fire_due(now=NOW + HOUR + timedelta(seconds=5))
    assert Run.objects.count() == Firing.objects.count() == 1


@pytest.mark.timeout(60)
def test_two_relays_at_the_same_moment_start_one_run(company: Company, schedule: Schedule) -> None:
    barrier, faults = threading.Barrier(4), []

    def relay() -> None:
        try:
            barrier.wait()
            services.fire_due(now=NOW + HOUR)
        except Exception as error:
            faults.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=relay) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert Run.objects.count() == Firing.objects.count() == 1


def test_of_two_who_save_at_once_what_both_have_read_one_is_told(
    company: Company, schedule: Schedule
) -> None:
    was, told = schedule.seen, []

    def save(name: str) -> None:
        given, when = CallingFields(name=name, agent="tidy"), services.When(cron="0 * * * *")
        try:
            services.change_schedule(
                schedule=schedule, changed_by=company.member, given=given, when=when, seen=was
            )
        except Conflict as error:
            told.append((name, error.facts["seen"]))
        finally:
            connection.close()

    threads = [threading.Thread(target=save, args=(name,)) for name in ("One", "Two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    saved = Schedule.objects.get()
    assert told == [("Two" if saved.name == "One" else "One", saved.seen)]


def test_what_is_deleted_meanwhile_is_gone_and_no_fault(company: Company, schedule: Schedule) -> None:
    stale = Schedule.objects.get()
    services.delete_schedule(schedule=schedule, deleted_by=company.member)
    given, when = CallingFields(name="x", agent="tidy"), services.When(cron="0 * * * *")
    with pytest.raises(NotFound):
        services.change_schedule(schedule=stale, changed_by=company.member, given=given, when=when)
    with pytest.raises(NotFound):
        services.switch_schedule(schedule=stale, is_on=False, by=company.member)
    with pytest.raises(NotFound):
        services.delete_schedule(schedule=stale, deleted_by=company.member)


def test_a_jump_of_the_clock_forth_and_back_starts_one_run(company: Company, schedule: Schedule) -> None:
    services.fire_due(now=NOW + HOUR)
    services.fire_due(now=NOW)
    services.fire_due(now=NOW + HOUR + timedelta(seconds=1))
    assert Run.objects.count() == 1


def test_after_an_outage_one_missed_moment_is_made_up_and_the_others_are_told(
    company: Company, schedule: Schedule
) -> None:
    services.fire_due(now=NOW + 20 * HOUR + timedelta(minutes=5))
    firing = schedule.firings.get()
    assert (firing.moment, firing.missed, firing.outcome) == (NOW + 20 * HOUR, 19, "started")
    assert Run.objects.count() == 1


def test_while_the_last_run_works_the_next_is_left_out_and_said(company: Company, schedule: Schedule) -> None:
    services.fire_due(now=NOW + HOUR)
    services.fire_due(now=NOW + 2 * HOUR)
    assert outcomes(schedule) == ["started", "skipped"]
    assert "still at work" in schedule.firings.get(outcome="skipped").note
    end(Run.objects.get())
    services.fire_due(now=NOW + 3 * HOUR)
    assert outcomes(schedule) == ["started", "skipped", "started"]


def test_one_that_queues_waits_for_the_end_of_the_last_and_only_one_waits(company: Company) -> None:
    schedule = make_schedule(company, when_busy="queue")
    for hours in (1, 2, 3):
        services.fire_due(now=NOW + hours * HOUR)
    assert outcomes(schedule) == ["started", "waiting", "skipped"]
    services.start_waiting()
    assert Run.objects.count() == 1
    end(Run.objects.get())
    assert outcomes(schedule) == ["started", "started", "skipped"]
    assert Run.objects.count() == 2


def test_what_waits_is_left_out_when_the_schedule_is_switched_off(company: Company) -> None:
    schedule = make_schedule(company, when_busy="queue")
    services.fire_due(now=NOW + HOUR)
    services.fire_due(now=NOW + 2 * HOUR)
    services.switch_schedule(schedule=schedule, is_on=False, by=company.member)
    end(Run.objects.get())
    assert outcomes(schedule) == ["started", "skipped"]


def test_a_run_that_cannot_be_started_is_told_and_the_schedule_goes_on(
    company: Company, schedule: Schedule
) -> None:
    company.workspace.state = "preparing"
    company.workspace.save()
    services.fire_due(now=NOW + HOUR)
    firing = schedule.firings.get()
    assert (firing.outcome, firing.run) == ("failed", None)
    assert "not ready" in firing.note
    schedule.refresh_from_db()
    assert schedule.is_enabled and schedule.next_at == NOW + 2 * HOUR


def test_it_does_not_run_on_another_model_when_the_chosen_one_is_gone(company: Company) -> None:
    from webapp.agents.models import ModelProfile

    profile = ModelProfile.objects.create(user=company.member, name="mine", provider="embedded")
    schedule = make_schedule(company, agent="coder", goal="look", profile_id=profile.pk)
    profile.delete()
    services.fire_due(now=NOW + HOUR)
    assert schedule.firings.get().outcome == "failed"
    assert not Run.objects.exists()


def test_it_stops_when_its_owner_loses_the_right_to_call_agents(company: Company, schedule: Schedule) -> None:
    set_role(workspace=company.workspace, user_id=company.member.pk, role=Role.VIEWER)
    schedule.refresh_from_db()
    assert not schedule.is_enabled and schedule.next_at is None
    assert "call agents here no more" in schedule.stop_note
    act = Act.objects.first()
    assert act is not None and (act.verb, act.by) == ("disabled", None)
    services.fire_due(now=NOW + HOUR)
    assert not Run.objects.exists()


def test_a_right_lost_elsewhere_leaves_it_alone(company: Company, schedule: Schedule) -> None:
    with transaction.atomic():
        rights_lost(company.member.pk, company.workspace.pk + 1)
    schedule.refresh_from_db()
    assert schedule.is_enabled
    with transaction.atomic():
        rights_lost(company.member.pk, None)
    schedule.refresh_from_db()
    assert not schedule.is_enabled


def test_rights_that_were_lost_unheard_count_at_the_due_moment(company: Company, schedule: Schedule) -> None:
    Membership.objects.filter(user=company.member).delete()  # as a restored backup may have it
    services.fire_due(now=NOW + HOUR)
    schedule.refresh_from_db()
    assert not schedule.is_enabled
    assert not Run.objects.exists()


def test_its_card_stands_in_the_channel_and_topic_that_it_names(company: Company) -> None:
    channel = Channel.objects.get(workspace=company.workspace)
    make_schedule(company, channel_id=channel.pk, topic="nightly")
    services.fire_due(now=NOW + HOUR)
    card = Message.objects.get(run__isnull=False)
    assert (card.channel, card.topic.name) == (channel, "nightly")


def test_a_person_starts_it_by_hand_and_is_written_down(company: Company, schedule: Schedule) -> None:
    firing = services.start_now(schedule=schedule, asked_by=company.maintainer, now=NOW)
    assert firing.run is not None
    assert (firing.run.requested_by, firing.asked_by) == (company.member, company.maintainer)
    with pytest.raises(Conflict, match="still at work"):
        services.start_now(schedule=schedule, asked_by=company.maintainer)
    assert [act.verb for act in Act.objects.all()] == ["started", "made"]


def test_the_oldest_firings_are_forgotten(
    company: Company, schedule: Schedule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(firing_service, "KEEP_FIRINGS", 2)
    for hour in range(5):
        Firing.objects.create(schedule=schedule, moment=NOW + hour * HOUR, outcome="skipped")
    firing_service.prune_firings()
    assert sorted(schedule.firings.values_list("moment", flat=True)) == [NOW + 3 * HOUR, NOW + 4 * HOUR]
