"""Fair shares: at one level, workspaces take turns by weight, whatever number of jobs each has brought.

Stride scheduling: each admission moves its workspace's clock on by 1/weight, and the workspace whose clock is furthest back
is served. A workspace that comes (back) starts at the clock of who is served now: time in which it asked for nothing is
not saved up.

Source: Waldspurger and Weihl, "Stride Scheduling: Deterministic Proportional-Share Resource Management", MIT 1995.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping

from workers.fleet.entries import LEVELS, Request


class Turns:
    """Whose turn it is at each level."""

    def __init__(self) -> None:
        self._clocks: list[dict[int, float]] = [{} for _ in LEVELS]

    def line_up(self, level: int, requests: Iterable[Request], *, now: float) -> Iterator[Request]:
        """Yield the requests of one level in the order in which they stand.

        First come those that take back a slot; it was their workspace's turn before. Inside a workspace the one that has waited
        longest comes first. Call `served` for each other one that is admitted, before asking for the next: it decides whose turn
        comes then.
        """
        in_order = sorted(requests, key=lambda one: (-one.waited(now), one.since, one.run_id))
        yield from (request for request in in_order if request.retakes)
        queues: defaultdict[int, deque[Request]] = defaultdict(deque)
        for request in in_order:
            if not request.retakes:
                queues[request.workspace_id].append(request)
        self._enter(level, queues)
        clocks = self._clocks[level]
        heap = [(clocks[key], queue[0].queued_at - queue[0].waited_s, key) for key, queue in queues.items()]
        heapq.heapify(heap)
        while heap:
            _, _, key = heapq.heappop(heap)
            yield queues[key].popleft()
            if queue := queues[key]:
                heapq.heappush(heap, (clocks[key], queue[0].queued_at - queue[0].waited_s, key))

    def served(self, level: int, workspace_id: int, shares: Mapping[int, float]) -> None:
        """Count one admission."""
        clocks = self._clocks[level]
        clocks[workspace_id] = clocks.get(workspace_id, 0.0) + 1.0 / shares.get(workspace_id, 1.0)

    def _enter(self, level: int, queues: Mapping[int, object]) -> None:
        """Let workspaces that come start with the one that is furthest back; forget absent ones that are behind it."""
        clocks = self._clocks[level]
        start = min((clocks[key] for key in queues if key in clocks), default=0.0)
        ahead = {key: clock for key, clock in clocks.items() if clock > start}
        self._clocks[level] = ahead | {key: ahead.get(key, start) for key in queues}
