"""Who leads: a lease in Redis, and the fencing of everything that a leader writes.

Every write of a leader goes through a script that first looks whether the lease is still its own, in the same step. So one
that was stopped for a while and wakes up after another has taken over changes nothing any more. The lease's value is unique
to one time of leading; a Redis that was emptied has no lease, and whoever comes first leads.
"""

from __future__ import annotations

import uuid
from typing import Any, Final

import redis

LEADER_KEY: Final = "pyagent:fleet:leader"
LEASE_S: Final = 2.5
"""A leader that was killed is replaced within this time."""
RENEW_S: Final = 0.5

_RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""
_GIVE_UP = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
"""


class Lease:
    """One process's claim to lead."""

    def __init__(self, client: redis.Redis, *, name: str) -> None:
        self._redis = client
        self._name = name
        self.token = ""
        """Empty while another process leads."""

    @property
    def is_held(self) -> bool:
        return bool(self.token)

    def keep(self) -> bool:
        """Renew the lease, or take it when nobody has it; return whether this process leads now.

        Raises:
            redis.RedisError: Redis is away.
        """
        if self.token and self._redis.eval(_RENEW, 1, LEADER_KEY, self.token, str(round(LEASE_S * 1000))):
            return True
        self.token = ""
        token = f"{self._name}#{uuid.uuid4().hex}"
        if self._redis.set(LEADER_KEY, token, nx=True, px=round(LEASE_S * 1000)):
            self.token = token
        return bool(self.token)

    def give_up(self) -> None:
        """Let another process lead at once."""
        if self.token:
            self._redis.eval(_GIVE_UP, 1, LEADER_KEY, self.token)
            self.token = ""


class LeaseLost(Exception):
    """Another process leads now; nothing was written."""


def fenced(client: redis.Redis, lease: Lease, script: str, keys: list[str], *arguments: Any) -> Any:
    """Run `script` when the lease is still held. Its own keys begin at KEYS[2], its arguments at ARGV[2].

    Raises:
        LeaseLost: it is not.
        redis.RedisError: Redis is away.
    """
    guarded = f"if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {{err='NOTLEADER'}} end\n{script}"
    try:
        return client.eval(guarded, len(keys) + 1, LEADER_KEY, *keys, lease.token, *arguments)
    except redis.ResponseError as error:
        if "NOTLEADER" in str(error):
            raise LeaseLost from None
        raise
