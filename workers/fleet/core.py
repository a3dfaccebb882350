"""FleetCore: which job gets a slot next, who makes room, what is lost. Plain data in, actions out; each call brings the time.

The waiting room is ordered by effective level (priority, made better by waiting), inside a level by weighted turns of
the workspaces, inside a workspace by time waited. A job that does not fit lets the next one go ahead, with one exception: once
it ranks with Critical, whatever it lacks is kept for it.

**Low is never starved.** A job `k` levels below Critical ranks with Critical after `k * AGE_STEP_S` of waiting in all (Low: 30
minutes). From then on at most `(a + 1) * sum(1 + ceil(w_j / w_i))` further jobs are admitted before it, where `a` is how many of
its own workspace have waited longer, `w_i` its workspace's weight, and the sum goes over the workspaces that also have jobs
ranking with Critical. Once admitted it keeps that rank: nothing preempts it.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from workers.fleet.ageing import effective_level
from workers.fleet.capacity import GPU, Capacity
from workers.fleet.entries import (
    LEVELS,
    Action,
    Admit,
    Release,
    Request,
    Resources,
    Running,
    SendAgain,
    Suspend,
)
from workers.fleet.preemption import choose_victims
from workers.fleet.sharing import Turns

LOST_AFTER_S: Final = 20.0
"""A worker that was not heard of for so long (it speaks every 3 s) holds its slot no more.

Longer than the lease of its row: a run that goes on is rung for with a higher fence before, which frees the slot at once.
"""
RETAKE_S: Final = 5.0
"""For how long a run's slot is kept for it when its worker is known to be lost."""
SEND_AGAIN_S: Final = 5.0
ASK_AGAIN_S: Final = 2.0
LIMIT_PAUSE_S: Final = 10.0
"""For how long a run that its provider's rate limit suspended waits at least."""
REMEMBERED: Final = 10_000
"""Runs that let go of their slot and may come back, whose age is kept."""


class FleetCore:
    """The waiting room, the registry of active jobs, and the decisions between them."""

    def __init__(self) -> None:
        self.waiting: dict[str, Request] = {}
        self.running: dict[str, Running] = {}
        self.resources = Resources()
        self.reasons: dict[str, str] = {}
        """Why each waiting job waits, in words; as of the last decision."""
        self._past: OrderedDict[str, Request] = OrderedDict()
        self._turns = Turns()

    # --- what happens --------------------------------------------------------------------------------------------

    def submit(self, request: Request, *, now: float) -> list[Action]:
        """Take a job in; the same one again changes nothing, a later attempt at the same run replaces the earlier.

        A ring for a job that was admitted and that nobody took is answered by sending it again.
        """
        run = self.running.get(request.run_id)
        if run is not None and run.request.fence == request.fence:
            self.waiting.pop(request.run_id, None)
            is_due = run.state == "admitted" and now - run.heard_at >= SEND_AGAIN_S / 2
            return [self._send_again(run, now=now)] if is_due else []
        if run is not None and run.request.fence > request.fence:
            return []
        actions: list[Action] = []
        if run is not None:
            actions.append(self._release(run))
        held = self.waiting.get(request.run_id)
        if held is not None and held.fence > request.fence:
            return actions
        asked = self._with_past(request, held, now=now)
        is_lost = run is not None and run.state == "running"  # its worker said nothing of letting go
        self.waiting[request.run_id] = replace(asked, retakes=asked.retakes or is_lost)
        return actions

    def _with_past(self, request: Request, held: Request | None, *, now: float) -> Request:
        """Return the request with the age that the run had before."""
        if held is not None:
            past = {
                name: getattr(held, name)
                for name in ("since", "queued_at", "waited_s", "preemptions", "not_before", "retakes")
            }
            return replace(request, **past)
        since, queued_at = request.since or now, request.queued_at or now
        past_request = self._past.pop(request.run_id, None)
        if past_request is None:
            return replace(request, since=since, queued_at=queued_at)
        return replace(
            request,
            since=past_request.since,
            queued_at=now,
            waited_s=past_request.waited_s,
            preemptions=past_request.preemptions,
            not_before=past_request.not_before,
            retakes=past_request.retakes,
        )

    def withdraw(self, run_id: str) -> None:
        """Forget a job that waits; one that runs is stopped by its own sign."""
        self.waiting.pop(run_id, None)
        self.reasons.pop(run_id, None)

    def reprioritise(self, run_id: str, level: int) -> None:
        """Give a job another priority, whether it waits or runs."""
        if (request := self.waiting.get(run_id)) is not None:
            self.waiting[run_id] = replace(request, level=level)
        if (run := self.running.get(run_id)) is not None:
            run.request = replace(run.request, level=level)
            run.rank = level

    def hear(
        self, request: Request, *, worker: str, tokens_per_s: float = 0.0, reason: str = "", now: float
    ) -> list[Action]:
        """Note a sign of life of the worker that holds a job; one that is unknown here is taken into the registry.

        An older attempt than the known one is not heard. `reason` says why it is about to suspend itself.
        """
        run = self.running.get(request.run_id)
        actions: list[Action] = []
        if run is not None and run.request.fence > request.fence:
            return []
        if run is not None and run.request.fence < request.fence:
            actions.append(self._release(run))
            run = None
        if run is None:
            known = self._with_past(request, self.waiting.get(request.run_id), now=now)
            run = Running(request=known, rank=request.level, admitted_at=now, heard_at=now)
            self.running[request.run_id] = run
        held = self.waiting.get(request.run_id)
        if held is not None and held.fence <= request.fence:
            self.withdraw(request.run_id)
        if run.state == "admitted":
            run.state, run.started_at = "running", now
        run.heard_at, run.worker, run.tokens_per_s = now, worker, tokens_per_s
        if reason == "limit":
            run.request = replace(run.request, not_before=now + LIMIT_PAUSE_S)
        return actions

    def leave(self, run_id: str, fence: int, *, reason: str = "", now: float) -> list[Action]:
        """A worker has let go of a job; its slot is free. `reason` says why, when the run is to come back.

        One whose worker was lost is rung for again in a moment: until then its slot is kept for it.
        """
        run = self.running.get(run_id)
        if run is None or run.request.fence != fence:
            return []
        if reason == "lost":
            run.state, run.heard_at = "running", min(run.heard_at, now - LOST_AFTER_S + RETAKE_S)
            return []
        return [self._release(run, comes_back=bool(reason))]

    def forget(self, run_id: str) -> None:
        """Take back an admission that could not be carried out; its next ring begins anew."""
        run = self.running.get(run_id)
        if run is not None:
            self._release(run)

    def _release(self, run: Running, *, comes_back: bool = True, is_lost: bool = False) -> Release:
        request = run.request
        del self.running[request.run_id]
        if not comes_back:
            return Release(request.run_id, request.fence)
        self._past[request.run_id] = replace(
            request,
            waited_s=request.waited_s + max(0.0, run.admitted_at - request.queued_at),
            preemptions=request.preemptions + (run.state == "suspending"),
            retakes=is_lost,
            gpu_host="",
            gpu_index=-1,
        )
        while len(self._past) > REMEMBERED:
            self._past.popitem(last=False)
        return Release(request.run_id, request.fence)

    # --- what follows --------------------------------------------------------------------------------------------

    def decide(self, *, now: float) -> list[Action]:
        """Return what is to be done now: slots freed by lost workers, admissions, runs that have to make room."""
        actions: list[Action] = self._find_lost(now=now)
        capacity = Capacity(self.resources, self.running.values())
        admitted, left_over = self._admit(capacity, now=now)
        actions += admitted
        actions += self._make_room(left_over, capacity, now=now)
        return actions

    def _find_lost(self, *, now: float) -> list[Action]:
        actions: list[Action] = []
        for run in list(self.running.values()):
            silent_s = now - run.heard_at
            if run.state == "admitted":
                if silent_s >= SEND_AGAIN_S:
                    actions.append(self._send_again(run, now=now))
            elif silent_s >= LOST_AFTER_S:
                actions.append(self._release(run, is_lost=True))
            elif run.state == "suspending" and now - run.asked_at >= ASK_AGAIN_S:
                actions.append(self._ask(run, now=now))
        return actions

    def _send_again(self, run: Running, *, now: float) -> SendAgain:
        run.heard_at = now
        return SendAgain(run)

    def _ask(self, run: Running, *, now: float) -> Suspend:
        run.state, run.asked_at = "suspending", now
        return Suspend(run.request.run_id, run.request.fence)

    def _admit(self, capacity: Capacity, *, now: float) -> tuple[list[Action], list[Request]]:
        """Fill what is free; return the admissions, and who would take more, in the order in which they stand."""
        by_level: defaultdict[int, list[Request]] = defaultdict(list)
        for request in self.waiting.values():
            by_level[effective_level(request, now=now)].append(request)
        self.reasons = {}
        actions: list[Action] = []
        left_over: list[Request] = []
        kept: set[str] = set()
        for level in range(len(LEVELS)):
            for request in self._turns.line_up(level, by_level[level], now=now):
                missing = self._missing(request, capacity, kept, now=now)
                placed = None if missing else capacity.place(request)
                if placed is None:
                    self.reasons[request.run_id] = missing or capacity.reason(request)
                    if not missing:
                        left_over.append(request)
                    if level == 0 and not missing and capacity.could_fit(request):
                        kept.add(capacity.blocked_by(request))
                    continue
                capacity.take(placed)
                if not request.retakes:
                    self._turns.served(level, request.workspace_id, self.resources.shares)
                actions.append(self._take(placed, level, now=now))
        return actions, left_over

    def _missing(self, request: Request, capacity: Capacity, kept: Iterable[str], *, now: float) -> str:
        """Return why the job is not even tried, in words; "" when it is."""
        if request.not_before > now:
            return "its provider's rate limit was reached; it pauses for a moment"
        if request.needs_gpu and GPU in kept:
            return "the next GPU is kept for a run that has waited longer"
        return ""

    def _take(self, request: Request, level: int, *, now: float) -> Admit:
        self.waiting.pop(request.run_id)
        run = Running(request=request, rank=min(level, request.level), admitted_at=now, heard_at=now)
        self.running[request.run_id] = run
        return Admit(run)

    def _make_room(self, left_over: Iterable[Request], capacity: Capacity, *, now: float) -> list[Action]:
        """Ask the lowest runs to suspend for those that are more urgent and do not fit.

        `capacity` becomes what there will be once everybody who was asked has let go; who fits then needs nobody else to go.
        """
        for run in self.running.values():
            if run.state == "suspending":
                capacity.give_back(run.request, tokens_per_s=run.tokens_per_s)
        actions: list[Action] = []
        in_vain: set[tuple[Any, ...]] = set()
        for request in left_over:
            placed = capacity.place(request)
            if placed is None and request.likeness not in in_vain:
                victims = choose_victims(request, self.running.values(), capacity, now=now)
                if not victims:
                    in_vain.add(request.likeness)
                    continue
                for run in victims:
                    capacity.give_back(run.request, tokens_per_s=run.tokens_per_s)
                    actions.append(self._ask(run, now=now))
                placed = capacity.place(request)
            if placed is not None:
                capacity.take(placed)
                self.reasons[request.run_id] = "a run of lower priority makes room for it"
        return actions

    # --- what is told --------------------------------------------------------------------------------------------

    def limits(self) -> dict[str, dict[str, Any]]:
        """Return by model key how much of its limits is used."""
        capacity = Capacity(self.resources, self.running.values())
        known: dict[str, Request] = {}
        for request in (*self.waiting.values(), *(run.request for run in self.running.values())):
            if request.model_key and (request.concurrency or request.tokens_per_minute):
                known[request.model_key] = request
        told: dict[str, dict[str, Any]] = {}
        for key, request in known.items():
            talking, tokens = capacity.model_use(key)
            told[key] = {
                "model": request.model,
                "running": talking,
                "concurrency": request.concurrency or None,
                "tokens_per_minute": request.tokens_per_minute or None,
                "tokens_used_per_minute": round(tokens),
            }
        return told

    def load(self, waiting: Mapping[str, Request], running: Iterable[Running], *, now: float) -> None:
        """Take over from an earlier leader. Jobs that this one hears of itself stay; age and turns begin where they are told."""
        self.waiting = dict(waiting)
        self.running = {
            run_id: run
            for run_id, run in self.running.items()
            if run.state != "admitted" and now - run.heard_at < LOST_AFTER_S
        }
        for run in running:
            mine = self.running.get(run.request.run_id)
            if mine is None or mine.request.fence <= run.request.fence:
                self.running[run.request.run_id] = run
        for run_id, run in self.running.items():
            held = self.waiting.get(run_id)
            if held is not None and held.fence <= run.request.fence:
                del self.waiting[run_id]
