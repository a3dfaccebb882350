"""Short questions to Redis: a hang costs one wait, however many ask; a refused connection is tried again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from tests.framework.redis import RedisServer
from workers.queue.connecting import ANSWER_S, Silence, client_of


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server of its own, so that no other test's silence is felt here."""
    server = RedisServer(tmp_path, tmp_path / "redis.sock")
    server.start()
    yield server
    server.kill()


def seconds_until_error(ask: Callable[[], object], error: type[Exception]) -> float:
    began = time.monotonic()
    with pytest.raises(error):
        ask()
    return time.monotonic() - began


def test_waits_once_for_an_answer_that_does_not_come(server: RedisServer):
    client, other = client_of(server.url), client_of(server.url, tries_again=3)
    client.set("one", "1")
    with server.hanging():
        assert ANSWER_S - 0.1 < seconds_until_error(client.ping, redis.TimeoutError) < ANSWER_S + 1
        for ask in (client.ping, other.ping, lambda: other.pipeline().get("one").get("two").execute()):
            assert seconds_until_error(ask, redis.TimeoutError) < 0.5
        time.sleep(ANSWER_S)
        # With a connection that is new too, and with tries left: neither makes it longer.
        assert ANSWER_S - 0.1 < seconds_until_error(other.ping, redis.TimeoutError) < ANSWER_S + 1
    time.sleep(ANSWER_S)
    assert client.get("one") == b"1"
    assert other.get("one") == b"1"


def test_reads_no_late_answer_as_that_of_the_next_question(server: RedisServer):
    client = client_of(server.url)
    client.mset({"one": "1", "two": "2"})
    with server.hanging():
        seconds_until_error(lambda: client.get("one"), redis.TimeoutError)
    time.sleep(ANSWER_S)
    assert client.get("two") == b"2"


def test_is_there_again_as_soon_as_a_server_that_was_killed(server: RedisServer):
    client = client_of(server.url)
    client.ping()
    server.kill()
    assert seconds_until_error(client.ping, redis.ConnectionError) < 0.5
    server.start()
    assert client.ping()


def test_bridges_a_restart_where_it_is_to_try_again(server: RedisServer):
    client = client_of(server.url, tries_again=100)
    client.ping()
    server.kill()
    restart = threading.Timer(0.3, server.start)
    restart.start()
    assert client.ping()
    restart.join()


def test_who_did_not_wait_does_not_prolong_the_silence():
    now = [100.0]
    silence = Silence(clock=lambda: now[0])
    assert not silence.is_on
    silence.begin()
    now[0] += ANSWER_S / 2
    assert silence.is_on
    silence.begin()
    now[0] += ANSWER_S / 2
    assert not silence.is_on
