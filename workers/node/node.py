"""One machine's part of the fleet: says that it is there, with its GPUs, and leads when it holds the lease."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from threading import Event as Flag
from typing import Final

import redis

from workers.fleet.announcing import ANNOUNCE_S, announce, read_members, retire
from workers.fleet.entries import Machine
from workers.fleet.manager import FleetManager
from workers.node.devices import Devices
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
FOLLOW_S: Final = 0.3
"""How often a node that does not lead looks whether it could."""
MAX_BACKOFF_S: Final = 1.0


class Node:
    """Runs in one thread, so that who holds the lease and who announces can never disagree."""

    def __init__(
        self,
        client: redis.Redis,
        *,
        name: str = "",
        manager: FleetManager | None = None,
        devices: Devices | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = client
        self._host = socket.gethostname()
        self._name = name or self._host
        self._manager = manager or FleetManager(client, name=f"{self._name}:{os.getpid()}")
        self._devices = devices or Devices(self._host)
        self._clock = clock
        self._announced_at = float("-inf")
        self._stop = Flag()

    def stop(self) -> None:
        """Return from `run` after the round at hand."""
        self._stop.set()

    def run(self) -> None:
        """Work until stopped, through outages of Redis."""
        wait_s = 0.1
        while not self._stop.is_set():
            try:
                is_leader = self.turn()
                wait_s = 0.1
                if not is_leader:
                    self._stop.wait(FOLLOW_S)
            except redis.RedisError as error:
                log.warning("Redis is away; the node waits", error=str(error), wait_s=wait_s)
                self._stop.wait(wait_s)
                wait_s = min(wait_s * 2, MAX_BACKOFF_S)
        self._leave()

    def turn(self) -> bool:
        """Announce when it is time, and lead when nobody else does; return whether this node leads."""
        if self._clock() - self._announced_at >= ANNOUNCE_S:
            self._announced_at = self._clock()
            announce(self._redis, self._machine())
        return self._manager.turn()

    def _machine(self) -> Machine:
        crews, _ = read_members(self._redis)
        workers = {crew.pid for crew in crews if crew.host == self._host}
        devices = self._devices.read(workers)
        return Machine(name=self._name, host=self._host, pid=os.getpid(), devices=devices)

    def _leave(self) -> None:
        try:
            self._manager.give_up()
            retire(self._redis, Machine(name=self._name, host=self._host, pid=os.getpid()))
        except redis.RedisError:
            return  # both fade within seconds
