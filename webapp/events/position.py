"""Where a group's news stands: the epoch of its counter and the number given last."""

from __future__ import annotations

from dataclasses import dataclass
from secrets import token_hex

import redis

from webapp.events.groups import Group
from webapp.events.publish import redis_client

# Makes the epoch when there is none, so that a reader who comes before the first event learns the epoch it will carry.
POSITION_SCRIPT = """
local found = {}
for at = 1, #KEYS, 2 do
  local epoch = redis.call('HGET', KEYS[at + 1], 'epoch')
  if not epoch then epoch = ARGV[1]; redis.call('HSET', KEYS[at + 1], 'epoch', epoch); redis.call('DEL', KEYS[at]) end
  found[at], found[at + 1] = epoch, tonumber(redis.call('HGET', KEYS[at + 1], 'seq') or '0')
end
return found
"""


@dataclass(frozen=True, slots=True)
class Position:
    """Everything up to `seq` of `epoch` is known."""

    epoch: str
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.seq}"


def read_positions(*groups: Group) -> list[Position | None]:
    """Return where each group stands now, asked in one go; None while Redis is away."""
    keys = [key for group in groups for key in (group.stream_key, group.seq_key)]
    try:
        found = redis_client().eval(POSITION_SCRIPT, len(keys), *keys, token_hex(6))
    except redis.RedisError:
        return [None] * len(groups)
    return [Position(found[at].decode(), int(found[at + 1])) for at in range(0, len(found), 2)]
