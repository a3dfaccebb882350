"""Killed at any change of the disk, applying is all landed or not at all, in files, branch and rows; and so is its recovery.

`PYAGENT_STORM=full` kills at every point; otherwise at a fixed choice of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from django.db import connection

from tests.framework.crashing import count_points, ends_itself, points, snapshot_of
from tests.framework.repos import commit_files
from tests.webapp.reviews.conftest import BASE, THREE_HUNKS, Desk
from webapp.reviews import services
from webapp.reviews.models import ChangeSet, LandingIntent

pytestmark = [pytest.mark.storm, pytest.mark.django_db(transaction=True), pytest.mark.timeout(1800)]
REDUCED = 18
OLD = {
    **BASE,
    "gone.txt": b"gone\n" * 9,
    "moves.txt": b"a\nb\nc\nd\n" * 20,
    "tool.sh": b"#!/bin/sh\n",
    "image.bin": bytes(range(256)),
}
NEW: dict[str, bytes | None] = {
    "calc.py": THREE_HUNKS,
    "new/deep.py": b"x = 1\n",
    "gone.txt": None,
    "moves.txt": None,
    "moved.txt": OLD["moves.txt"],
    "tool.sh": OLD["tool.sh"],
    "image.bin": bytes(range(255, -1, -1)),
    "link": b"calc.py",
}
MODES = {"tool.sh": "100755", "link": "120000"}


class Table:
    """One change set of eight files, applied and killed again and again."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        commit_files(desk.repository, OLD)
        self.change_set = desk.loaded(desk.propose(NEW, modes=MODES))
        services.decide_file(
            change_set=self.change_set, path=None, verdict="accepted", decided_by=desk.company.member
        )
        self.hash = desk.resolved(self.change_set).revision.diff_hash
        self.old = snapshot_of(desk.repository.files_dir)
        self.slowest_s = 0.0
        self.apply()
        self.new = snapshot_of(desk.repository.files_dir)
        assert self.new != self.old
        self.take_back()

    def apply(self) -> None:
        # In a child: its connection to the database must be its own.
        connection.close()
        services.apply(
            change_set=self.change_set, applied_by=self.desk.company.maintainer, diff_hash=self.hash
        )

    def recover(self) -> None:
        connection.close()
        services.recover_open_intents()

    def take_back(self) -> None:
        reverted = services.revert(change_set=self.change_set, reverted_by=self.desk.company.maintainer)
        services.reopen(change_set=reverted, reopened_by=self.desk.company.member)

    def killed(self, work: Callable[[], None], at: int) -> None:
        connection.close()
        ends_itself(work, at, is_half=at % 2 == 0)

    def judge(self, at: int) -> str:
        """Recover, then say which of the two ends it came to; anything between them fails the test."""
        began = time.monotonic()
        services.recover_open_intents()
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        self.desk.repository.recover()
        change_set = ChangeSet.objects.get(pk=self.change_set.pk)
        assert not LandingIntent.objects.filter(finished_at=None).exists(), at
        found = snapshot_of(self.desk.repository.files_dir)
        is_landed = change_set.status == ChangeSet.Status.LANDED
        assert change_set.status in (ChangeSet.Status.OPEN, ChangeSet.Status.LANDED), (at, change_set.status)
        assert found == (self.new if is_landed else self.old), (at, change_set.status)
        assert self.desk.repository.status() == [], at
        if is_landed:
            assert change_set.landed_commit == self.desk.repository.head(), at
            self.take_back()
        return str(change_set.status)


def test_lands_or_does_not_wherever_it_is_killed(desk: Desk) -> None:
    table = Table(desk)
    total = count_points(table.apply)
    table.judge(0)
    ends = [table.judge(at) for at in points(total, REDUCED) if table.killed(table.apply, at) is None]
    assert total >= 50
    assert {"open", "landed"} == set(ends)
    print(f"{len(ends)} of {total} points, slowest recovery {table.slowest_s:.2f} s")


def test_recovers_wherever_the_recovery_is_killed(desk: Desk) -> None:
    table = Table(desk)
    total = count_points(table.apply)
    table.judge(0)
    # In the middle of the files' transaction, and between the branch and the row.
    for at in (total * 2 // 3, total - 3):
        table.killed(table.apply, at)
        for again in (2, 5, 9):
            table.killed(table.recover, again)
        table.judge(at)
