from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from webapp.errors import Invalid
from webapp.unattended import cron

NOW = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)
BERLIN = "Europe/Berlin"


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type]


def test_the_next_moment_is_of_the_zone() -> None:
    assert cron.next_after("0 9 * * *", "UTC", NOW) == utc(2026, 11, 27, 9)
    assert cron.next_after("0 9 * * *", BERLIN, NOW) == utc(2026, 11, 27, 8)


def test_an_hour_that_the_clock_leaves_out_is_made_up_and_one_that_comes_twice_is_once() -> None:
    spring = cron.next_after("30 2 * * *", BERLIN, utc(2026, 3, 28, 12))
    assert spring == utc(2026, 3, 29, 1)  # 02:30 does not exist; 03:00 summer time
    autumn = [utc(2026, 10, 24, 12)]
    for _ in range(3):
        autumn.append(cron.next_after("30 2 * * *", BERLIN, autumn[-1]))
    assert autumn[1:] == [utc(2026, 10, 25, 0, 30), utc(2026, 10, 26, 1, 30), utc(2026, 10, 27, 1, 30)]


@pytest.mark.parametrize(
    ("written", "zone", "field"),
    [
        ("0 9 * *", "UTC", "cron"),
        ("0 0 9 * * *", "UTC", "cron"),  # seconds: nobody needs an agent every second
        ("0 9 31 2 *", "UTC", "cron"),
        ("61 * * * *", "UTC", "cron"),
        ("@daily", "UTC", "cron"),
        ("0 9 * * * " + "1," * 200, "UTC", "cron"),
        ("0 9 * * *", "Mars/Olympus", "zone"),
        ("0 9 * * *", "../etc/passwd", "zone"),
    ],
)
def test_what_is_no_time_is_refused_with_the_field(written: str, zone: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        cron.check(written, zone, now=NOW)
    assert refused.value.facts["field"] == field


def test_the_last_due_moment_and_how_many_passed_before_it() -> None:
    since = utc(2026, 11, 20, 3)
    due = cron.last_due("0 3 * * *", "UTC", since=since, until=NOW)
    assert (due.moment, due.missed) == (utc(2026, 11, 26, 3), 6)
    assert cron.last_due("0 3 * * *", "UTC", since=since, until=since).missed == 0


def test_a_long_outage_of_a_frequent_schedule_is_counted_to_a_bound_and_ends_at_the_last_moment() -> None:
    due = cron.last_due(
        "* * * * *", BERLIN, since=NOW - timedelta(days=400), until=NOW + timedelta(seconds=30)
    )
    assert (due.moment, due.missed) == (NOW, cron.COUNT_AT_MOST)


def test_it_is_said_in_words() -> None:
    assert cron.words("0 9 * * 1-5") == "At 09:00 on Monday through Friday"
