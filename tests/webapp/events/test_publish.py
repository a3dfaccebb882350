"""News: published after the commit, numbered without a gap, and never silently lost."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, ClassVar

import orjson
import pytest
import redis
from django.db import transaction

from tests.framework.redis import RedisServer
from webapp.events.groups import Group, workspace_group
from webapp.events.position import read_positions
from webapp.events.publish import publish_on_commit

pytestmark = pytest.mark.django_db(transaction=True)
GROUP = workspace_group(7)


@dataclass(frozen=True)
class Ticked:
    type: ClassVar[str] = "Ticked"
    number: int


def stream(client: redis.Redis, group: Group = GROUP) -> list[tuple[int, str, Any]]:
    entries: Any = client.xrange(group.stream_key)
    return [(int(i.split(b"-")[0]), f[b"epoch"].decode(), orjson.loads(f[b"body"])) for i, f in entries]


def test_tells_nothing_before_the_commit_and_nothing_after_a_rollback(redis_client: redis.Redis):
    with transaction.atomic():
        publish_on_commit(7, Ticked(1))
        assert stream(redis_client) == []
    with pytest.raises(RuntimeError), transaction.atomic():
        publish_on_commit(7, Ticked(2))
        raise RuntimeError
    assert [body for _, _, body in stream(redis_client)] == [{"type": "Ticked", "data": {"number": 1}}]


def test_numbers_each_group_by_itself_and_agrees_with_the_position(redis_client: redis.Redis):
    (before,) = read_positions(GROUP)
    assert before is not None
    for number in range(3):
        publish_on_commit(7, Ticked(number))
    publish_on_commit(8, Ticked(9))
    assert [seq for seq, _, _ in stream(redis_client)] == [1, 2, 3]
    (after,) = read_positions(GROUP)
    assert after is not None
    assert (after.epoch, after.seq, before.seq) == (before.epoch, 3, 0)


def test_counts_anew_in_a_new_epoch_when_only_the_counter_was_lost(redis_client: redis.Redis):
    publish_on_commit(7, Ticked(1))
    publish_on_commit(7, Ticked(2))
    old = stream(redis_client)[0][1]
    redis_client.delete(GROUP.seq_key)
    publish_on_commit(7, Ticked(3))
    [(seq, epoch, body)] = stream(redis_client)
    assert (seq, body["data"]["number"]) == (1, 3)
    assert epoch != old


def test_keeps_a_capped_number_of_news(redis_client: redis.Redis):
    for number in range(5_300):
        publish_on_commit(7, Ticked(number))
    assert 5_000 <= len(stream(redis_client)) <= 5_200
    assert redis_client.ttl(GROUP.stream_key) > 0


def test_tells_the_group_that_it_missed_something_once_redis_is_back(
    redis_server: RedisServer, redis_client: redis.Redis
):
    redis_server.kill()
    publish_on_commit(7, Ticked(1))
    assert read_positions(GROUP) == [None]
    redis_server.start()
    deadline = time.monotonic() + 10
    while not (found := stream(redis_server.client)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert [body["type"] for _, _, body in found] == ["Missed"]
    publish_on_commit(7, Ticked(2))
    assert [body["type"] for _, _, body in stream(redis_server.client)] == ["Missed", "Ticked"]
