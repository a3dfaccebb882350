from __future__ import annotations

import os
import socket
import subprocess
import sys

import orjson
import redis
from redis.asyncio import Redis

from tests.framework.redis import RedisServer
from workers.agents.claims import claim_value, take_claim
from workers.events import claim_key


async def test_the_first_delivery_takes_it_and_others_see_who_lives(
    redis_server: RedisServer, redis_client: redis.Redis
) -> None:
    async with Redis.from_url(redis_server.url) as client:
        assert await take_claim(client, run_id="r", fence=1) == "taken"
        assert await take_claim(client, run_id="r", fence=1) == "held"
        assert await take_claim(client, run_id="r", fence=2) == "taken"
        assert await take_claim(client, run_id="r", fence=1) == "held"


async def test_a_claim_of_a_dead_process_is_lost(
    redis_server: RedisServer, redis_client: redis.Redis
) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    who = orjson.loads(claim_value(1)) | {"pid": child.pid, "started": "1"}
    redis_client.set(claim_key("r"), orjson.dumps(who))
    child.kill()
    child.wait()
    async with Redis.from_url(redis_server.url) as client:
        assert await take_claim(client, run_id="r", fence=1) == "lost"
        # The number may be given to another process: its start tells them apart.
        redis_client.set(claim_key("r"), orjson.dumps(who | {"pid": os.getpid()}))
        assert await take_claim(client, run_id="r", fence=1) == "lost"


async def test_a_claim_of_another_machine_is_held_while_it_is_renewed(
    redis_server: RedisServer, redis_client: redis.Redis
) -> None:
    there = orjson.loads(claim_value(1)) | {"host": f"not-{socket.gethostname()}"}
    async with Redis.from_url(redis_server.url) as client:
        redis_client.set(claim_key("r"), orjson.dumps(there))
        assert await take_claim(client, run_id="r", fence=1) == "held"
        redis_client.set(claim_key("r"), orjson.dumps(there | {"at": there["at"] - 120}))
        assert await take_claim(client, run_id="r", fence=1) == "lost"
