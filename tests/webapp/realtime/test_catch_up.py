"""What a tab that was away is told: everything after its last number, or to load afresh; nothing twice."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import ClassVar

import pytest
import redis

from tests.framework.people import Company
from tests.framework.redis import RedisServer
from tests.framework.web import Tab, Web
from webapp.events.groups import workspace_group
from webapp.events.publish import publish_on_commit, publish_to_person_on_commit

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass(frozen=True)
class Ticked:
    type: ClassVar[str] = "Ticked"
    number: int
    padding: str = ""


def tick(company: Company, *numbers: int, padding: str = "") -> None:
    for number in numbers:
        publish_on_commit(company.workspace.pk, Ticked(number, padding))


def numbers(tab: Tab) -> list[int]:
    return [
        f["event"]["data"]["number"]
        for f in tab.frames
        if f["type"] == "event" and f["event"]["type"] == "Ticked"
    ]


def read_until(tab: Tab, number: int, *, timeout_s: float = 10) -> None:
    tab.wait_for("event", lambda m: m["event"]["data"].get("number") == number, timeout_s=timeout_s)


def test_brings_news_in_order(company: Company, web: Web):
    tab = web.tab(company.client(company.member), company.workspace.pk)
    tab.hello()
    tick(company, *range(50))
    read_until(tab, 49)
    assert numbers(tab) == list(range(50))
    assert tab.seqs() == list(range(tab.seqs()[0], tab.seqs()[0] + 50))


def test_tells_what_was_missed_and_goes_on_without_a_gap(company: Company, web: Web):
    client = company.client(company.member)
    first = web.tab(client, company.workspace.pk)
    welcome = first.hello()
    tick(company, 1, 2)
    read_until(first, 2)
    first.close()
    tick(company, 3, 4, 5)
    second = web.tab(client, company.workspace.pk)
    second.hello(welcome["epoch"], first.seqs()[-1])
    tick(company, 6)
    read_until(second, 6)
    assert numbers(second) == [3, 4, 5, 6]


def test_leaves_no_gap_and_no_double_while_news_pour_in(company: Company, web: Web):
    """Tabs come, each from where the last one stood, while another thread publishes, never too far ahead to catch up."""
    client = company.client(company.member)
    welcome = web.tab(client, company.workspace.pk).hello()
    seq, total = welcome["seq"], 500
    seen: list[int] = []

    def publish() -> None:
        for number in range(total):
            while number > len(seen) + 150:
                time.sleep(0.001)
            tick(company, number)

    publisher = threading.Thread(target=publish)
    publisher.start()
    while len(seen) < total:
        tab = web.tab(client, company.workspace.pk)
        tab.hello(welcome["epoch"], seq)
        for _ in range(25):
            if len(seen) == total:
                break
            message = tab.read()
            assert message["type"] != "resync"
            if message["type"] == "event":
                seq = message["seq"]
                seen.append(message["event"]["data"]["number"])
    publisher.join()
    assert seen == list(range(total))


def test_asks_to_load_afresh_after_too_long(company: Company, web: Web):
    client = company.client(company.member)
    first = web.tab(client, company.workspace.pk)
    welcome = first.hello()
    tick(company, *range(450))
    read_until(first, 449)
    second = web.tab(client, company.workspace.pk)
    second.hello(welcome["epoch"], welcome["seq"])
    resync = second.wait_for("resync")
    assert (resync["group"], resync["seq"]) == ("workspace", welcome["seq"] + 450)
    assert numbers(second) == []


def test_asks_to_load_afresh_when_the_missed_news_are_large(company: Company, web: Web):
    client = company.client(company.member)
    first = web.tab(client, company.workspace.pk)
    welcome = first.hello()
    tick(company, *range(12), padding="x" * 60_000)
    read_until(first, 11)
    second = web.tab(client, company.workspace.pk)
    second.hello(welcome["epoch"], welcome["seq"])
    second.wait_for("resync")


def test_asks_to_load_afresh_for_numbers_of_another_life(company: Company, web: Web):
    tab = web.tab(company.client(company.member), company.workspace.pk)
    tab.hello("another-epoch", 3)
    assert tab.wait_for("resync")["epoch"] == tab.frames[0]["epoch"]


def test_asks_to_load_afresh_for_a_number_that_was_never_given(company: Company, web: Web):
    client = company.client(company.member)
    welcome = web.tab(client, company.workspace.pk).hello()
    tab = web.tab(client, company.workspace.pk)
    tab.hello(welcome["epoch"], welcome["seq"] + 1_000)
    tab.wait_for("resync")


def test_tells_everybody_when_redis_was_emptied(company: Company, web: Web, redis_client: redis.Redis):
    tab = web.tab(company.client(company.member), company.workspace.pk)
    before = tab.hello()
    tick(company, 1)
    read_until(tab, 1)
    redis_client.flushall()
    resync = tab.wait_for("resync", lambda m: m["group"] == "workspace", timeout_s=6)
    assert resync["epoch"] != before["epoch"]
    tick(company, 2)
    read_until(tab, 2)


def test_tells_everybody_when_redis_was_emptied_and_new_news_came_first(
    company: Company, web: Web, redis_client: redis.Redis
):
    tab = web.tab(company.client(company.member), company.workspace.pk)
    tab.hello()
    tick(company, *range(5))
    read_until(tab, 4)
    redis_client.flushall()
    tick(company, 5)
    tab.wait_for("resync", lambda m: m["group"] == "workspace", timeout_s=6)
    tick(company, 6)
    read_until(tab, 6)


def test_tells_everybody_when_redis_comes_back(company: Company, web: Web, redis_server: RedisServer):
    tab = web.tab(company.client(company.member), company.workspace.pk)
    tab.hello()
    redis_server.kill()
    tick(company, 1)  # lost as news; a page learns of it by loading afresh
    redis_server.start()
    tab.wait_for("resync", lambda m: m["group"] == "workspace", timeout_s=15)
    tick(company, 2)
    read_until(tab, 2, timeout_s=15)


def test_tells_that_news_were_lost_when_only_the_publisher_lost_redis(
    company: Company, web: Web, redis_client: redis.Redis
):
    """The hub reads on without trouble, so that only the publisher can tell."""
    from webapp.events import publish

    tab = web.tab(company.client(company.member), company.workspace.pk)
    tab.hello()
    publish._missed.add(workspace_group(company.workspace.pk))
    tab.wait_for("resync", lambda m: m["group"] == "workspace")


def test_brings_news_of_the_person_to_their_own_tabs_only(company: Company, web: Web):
    mine = web.tab(company.client(company.member), company.workspace.pk)
    other = web.tab(company.client(company.viewer), company.workspace.pk)
    person = mine.hello()["person"]
    other.hello()
    publish_to_person_on_commit(company.member.pk, Ticked(1))
    tick(company, 2)
    read_until(mine, 2)
    read_until(other, 2)
    assert sorted(numbers(mine)) == [1, 2]
    assert numbers(other) == [2]
    later = web.tab(company.client(company.member), company.workspace.pk)
    later.hello(person=person)
    assert later.event("Ticked")["number"] == 1


def test_keeps_workspaces_apart(company: Company, web: Web):
    from webapp.workspaces.models import Workspace

    elsewhere = Workspace.objects.get(name="Elsewhere")
    tab = web.tab(company.client(company.stranger), elsewhere.pk)
    tab.hello()
    tick(company, 1)
    publish_on_commit(elsewhere.pk, Ticked(2))
    read_until(tab, 2)
    assert numbers(tab) == [2]
