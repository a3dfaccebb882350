"""A browser that stops reading: closed, with little memory spent on it, and nobody else waits."""

from __future__ import annotations

import time

import pytest

from tests.framework.people import Company
from tests.framework.web import Web
from tests.webapp.realtime.test_catch_up import numbers, read_until, tick

pytestmark = pytest.mark.django_db(transaction=True)


def test_closes_a_reader_who_does_not_acknowledge(company: Company, web: Web):
    # It goes on reading. Who does not read the close frame within a second is cut off and sees no code.
    tab = web.tab(company.client(company.member), company.workspace.pk, max_queue=None)
    tab.hello()
    tab.is_acknowledging = False
    tick(company, *range(520), padding="x" * 600)
    assert tab.close_code(timeout_s=15) == 4408
    assert len(numbers(tab)) <= 500


def test_spends_little_memory_on_a_reader_who_stops_and_keeps_the_others_fast(company: Company, web: Web):
    # A queue of one frame: the client stops reading from its connection after that.
    stuck = web.tab(company.client(company.viewer), company.workspace.pk, max_queue=1)
    stuck.send(type="hello")
    reader = web.tab(company.client(company.member), company.workspace.pk)
    reader.hello()
    before = web.process.rss_bytes()
    waits = []
    for number in range(400):
        started = time.perf_counter()
        tick(company, number, padding="x" * 40_000)
        read_until(reader, number)
        waits.append(time.perf_counter() - started)
    grown = web.process.rss_bytes() - before
    assert grown < 32 * 1024 * 1024, f"{grown / 2**20:.1f} MiB for one stuck reader"
    assert sorted(waits)[len(waits) * 95 // 100] < 0.25
    # Its close frame stands behind what it did not read, so that it may see no code but the end of the connection.
    assert stuck.close_code(timeout_s=15) in (4408, None)
    assert len(numbers(stuck)) < 400
