"""Where a group's news stands: the epoch of its counter and the number given last."""

from __future__ import annotations

from dataclasses import dataclass
from secrets import token_hex

import redis

from webapp.events.groups import Group
from webapp.events.publish import redis_client

# Makes the epoch when there is none, so that a reader who comes before the first event learns the epoch it will carry.
POSITION_SCRIPT = """
local epoch = redis.call('HGET', KEYS[2], 'epoch')
if not epoch then epoch = ARGV[1]; redis.call('HSET', KEYS[2], 'epoch', epoch); redis.call('DEL', KEYS[1]) end
return {epoch, tonumber(redis.call('HGET', KEYS[2], 'seq') or '0')}
"""


@dataclass(frozen=True, slots=True)
class Position:
    """Everything up to `seq` of `epoch` is known."""

    epoch: str
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.seq}"


def read_position(group: Group) -> Position | None:
    """Return where the group stands now; None while Redis is away."""
    try:
        epoch, seq = redis_client().eval(POSITION_SCRIPT, 2, group.stream_key, group.seq_key, token_hex(6))
    except redis.RedisError:
        return None
    return Position(epoch.decode(), int(seq))
