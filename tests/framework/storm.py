"""Many runs while what they stand on is killed at random moments of a fixed seed. What goes wrong is noted, and it goes on."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import psutil
import psycopg
import redis

from tests.framework.crashing import IS_FULL, SEED
from tests.framework.killing import FINAL, HELD, Ground, Mark, RestartClock, Victim, choose_child

RUNS: Final = int(os.environ.get("PYAGENT_STORM_RUNS", "100" if IS_FULL else "12"))
KILLS: Final = int(os.environ.get("PYAGENT_STORM_KILLS", "200" if IS_FULL else "10"))
PATIENCE_S: Final = 180 + RUNS * 30 + KILLS * 15
"""When a storm has not ended by then, what is still at work is stuck."""
AT_ONCE: Final = 4
MAX_LOSSES: Final = 3
"""A run is given up when its worker is lost for the third time, so nobody kills under one that lost it twice."""
BROKER_DEATHS_A_MINUTE: Final = 3
"""At the fifth the supervisor gives the whole installation up, as it should."""
DECK: Final[tuple[Victim, ...]] = (
    *("child", "child", "worker", "worker", "broker", "broker", "postgres", "postgres"),
    *("relay", "node", "flushall"),
)
TELL_S: Final = 20.0
DATABASE_AWAY: Final = (psycopg.OperationalError, sqlite3.OperationalError)
AWAY: Final = (*DATABASE_AWAY, redis.RedisError, LookupError, psutil.NoSuchProcess)


@dataclass(frozen=True, slots=True)
class Size:
    """How much of a storm."""

    runs: int = RUNS
    kills: int = KILLS
    seed: int = SEED


class Storm:
    """Calls runs by `call`, which returns the id of an accepted one, and kills."""

    def __init__(
        self, ground: Ground, call: Callable[[], str], say: Callable[[str], None], size: Size | None = None
    ) -> None:
        self.ground, self.call, self.say = ground, call, say
        self.size = size or Size()
        self.random = random.Random(self.size.seed)
        self.accepted: list[str] = []
        self.ended: dict[str, Mark] = {}
        self.kills: Counter[Victim] = Counter()
        self.clock = RestartClock()
        self.steps: dict[tuple[str, str], tuple[Any, ...]] = {}
        """Every finished step that was seen, as it was then."""
        self.problems: list[str] = []
        self._deck: list[Victim] = []
        self._broker_deaths: deque[float] = deque(maxlen=BROKER_DEATHS_A_MINUTE)
        self._before: set[str] = set()

    @property
    def kills_with_9(self) -> int:
        return self.kills.total() - self.kills["flushall"]

    def blow(self) -> None:
        """Go on until all runs have ended and all kills are done."""
        self._before = set(self.ground.marks())
        started = told = time.monotonic()
        strikes_at = started + self.random.uniform(2, 6)
        self.say(f"storm: {self.size.runs} runs, {self.size.kills} kills, seed {self.size.seed}")
        while not self._is_over():
            self._call_more()
            self.look()
            now = time.monotonic()
            if now >= strikes_at and self.kills_with_9 < self.size.kills:
                self._strike_safely()
                strikes_at = time.monotonic() + self.random.uniform(3, 9)
            if now - told >= TELL_S:
                told = now
                self.say(self.progress(now - started))
            if now - started > PATIENCE_S:
                stuck = {run_id: mark for run_id, mark in self._open().items() if run_id not in self.ended}
                self.problems.append(f"not over after {PATIENCE_S} s: {stuck}")
                break
            time.sleep(0.2)
        self._look_back()
        self.say(self.progress(time.monotonic() - started))

    def progress(self, took_s: float) -> str:
        """Return how far it is, in a line."""
        return (
            f"storm: {took_s:.0f} s, {len(self.ended)} runs ended, {self.kills_with_9} kills {dict(self.kills)}, "
            f"{len(self.steps)} finished steps, {len(self.problems) + len(self.clock.late)} problems"
        )

    # --- what happens --------------------------------------------------------------------------------------------

    def _is_over(self) -> bool:
        is_enough = len(self.accepted) >= self.size.runs and self.kills_with_9 >= self.size.kills
        return is_enough and set(self.accepted) <= self.ended.keys()

    def _call_more(self) -> None:
        is_enough = len(self.accepted) >= self.size.runs and self.kills_with_9 >= self.size.kills
        while not is_enough and len(set(self.accepted) - self.ended.keys()) < AT_ONCE:
            try:
                self.accepted.append(self.call())
            except (httpx.HTTPError, AssertionError):
                return  # refused while the database is away: not accepted
            is_enough = len(self.accepted) >= self.size.runs and self.kills_with_9 >= self.size.kills

    def _open(self) -> dict[str, Mark]:
        """Return the runs of this storm that have not ended."""
        marks = self.ground.marks()
        return {
            run_id: mark for run_id, mark in marks.items() if run_id not in self._before | self.ended.keys()
        }

    def look(self) -> None:
        """Look at every run that has not ended: a finished step that is gone, or was done again, is lost."""
        try:
            marks = self._open()
            steps = self.ground.finished_steps(marks)
        except DATABASE_AWAY:
            return  # killed a moment ago
        for key, seen in self.steps.items():
            if key[0] in marks and steps.get(key) != seen:
                self.problems.append(f"finished step lost: {key}: {seen} became {steps.get(key)}")
        self.steps |= steps
        self.clock.look(marks)
        self.ended |= {run_id: mark for run_id, mark in marks.items() if mark.status in FINAL}

    def _strike_safely(self) -> None:
        victim = self._draw()
        try:
            marks = self._open()
            pid = choose_child(self.ground, marks, self.random) if victim == "child" else 0
            at = datetime.now(UTC)
            killed = self.ground.kill(victim, pid=pid, down_s=self.random.uniform(0.5, 4))
        except AWAY:
            return  # what has just died and is not back yet cannot be killed
        if victim == "postgres":
            at = datetime.now(UTC)
        if victim == "broker":
            self._broker_deaths.append(time.monotonic())
        self.kills[victim] += 1
        self.clock.strike(victim, marks, killed, at=at)

    def _draw(self) -> Victim:
        """Return the next victim of the deck, passing over what may not die now."""
        if not self._deck:
            self._deck = [victim for victim in DECK if victim != "postgres" or self.ground.postgres]
            self.random.shuffle(self._deck)
        barred: set[Victim] = set()
        deaths = self._broker_deaths
        if len(deaths) == deaths.maxlen and time.monotonic() - deaths[0] < 60:
            barred.add("broker")
        try:
            marks = self._open().values()
        except DATABASE_AWAY:
            marks = ()  # type: ignore[assignment]
        if any(mark.attempts >= MAX_LOSSES for mark in marks if mark.status in (*HELD, "queued")):
            barred |= {"child", "worker"}
        allowed = [victim for victim in self._deck if victim not in barred]
        victim = allowed[0] if allowed else "node"
        if victim in self._deck:
            self._deck.remove(victim)
        return victim

    # --- what is left --------------------------------------------------------------------------------------------

    def _look_back(self) -> None:
        """Check once more, at the end, that what ended has stayed as it was and nothing accepted is missing."""
        marks = self.ground.marks()
        self.problems += [f"accepted and gone: {one}" for one in self.accepted if one not in marks]
        for run_id, mark in self.ended.items():
            now = marks[run_id]
            if (now.status, now.finished_at) != (mark.status, mark.finished_at):
                self.problems.append(f"ended twice: {run_id}: {mark} became {now}")
        ids = [run_id for run_id in marks if run_id not in self._before]
        steps = self.ground.finished_steps(ids)
        self.problems += [
            f"finished step lost: {key}" for key, seen in self.steps.items() if steps[key] != seen
        ]
        self.steps = steps
        self.problems += [f"worked on again too late: {late}" for late in self.clock.late]

    def losses(self) -> int:
        """Return how often a run of this storm was handed to another attempt."""
        return sum(mark.fence - 1 for mark in self.ended.values())
