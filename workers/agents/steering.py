"""What people tell a run while it works: heard at once, taken up between two steps, and shown in the tree with who said it.

A note comes with the job (its row was there before this attempt) or on the run's Redis stream. A stop cuts off exactly its step
as soon as it is heard; words wait until the agent is between two steps, so that they reach the model with the next question.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from redis.asyncio import Redis

from workers.events import SteeringTaken, steer_key
from workers.queue import Job
from workers.reasoning.publisher import EventPublisher
from workers.reasoning.tree import StepRecorder
from workers.telemetry.logging import get_logger
from workers.tools.text import bound, first_line

log = get_logger(__name__)
DECISIONS: Final = ("approve", "deny")
"""Taken up by who asked for them, not between steps."""
READ_AT_ONCE: Final = 50
TITLE_CHARS: Final = 120
_SAID: Final = {
    "message": "says",
    "answer": "answers",
    "redirect": "redirects",
    "stop_step": "stopped",
    "approve": "approved",
    "deny": "denied",
}
_WORDS: Final = {
    "message": "{by} tells you while you work: {text}",
    "answer": "{by} answers{about}: {text}",
    "redirect": "{by} gives you another direction{about}; leave what contradicts it. {text}",
    "stop_step": "{by} stopped what you were doing{about}. Do not do it again unless you are asked to. {text}",
    "approve": "{by} approved it{about}. {text}",
    "deny": "{by} denied it{about}. {text}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A person's word to a run, for the whole of it or for one step."""

    id: int
    kind: str
    by: str
    text: str = ""
    step_id: str = ""
    title: str = ""
    """The step's title."""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Note | None:
        """Return the note, None when it is none."""
        try:
            note = cls(**{name: data[name] for name in cls.__dataclass_fields__ if name in data})
        except TypeError:
            return None
        return note if note.kind in _WORDS else None

    @property
    def node_id(self) -> str:
        """The step by which the note is seen in the tree."""
        return f"n{self.id}"

    @property
    def line(self) -> str:
        """It for people, on one line."""
        about = f" “{bound(self.title, TITLE_CHARS)}”" if self.title else ""
        said = f": {first_line(self.text, TITLE_CHARS)}" if self.text else ""
        return f"{self.by} {_SAID[self.kind]}{about}{said}"

    @property
    def words(self) -> str:
        """It for a model."""
        about = f" about “{bound(self.title, TITLE_CHARS)}”" if self.title else ""
        return _WORDS[self.kind].format(by=self.by, about=about, text=self.text).strip()


class Steering:
    """The notes to one run in this process."""

    def __init__(self, job: Job, *, client: Redis, publisher: EventPublisher, recorder: StepRecorder) -> None:
        self._client, self._publisher, self._recorder = client, publisher, recorder
        self._key = steer_key(job.run_id)
        self._last_id: Any = "0"
        self._known: set[int] = set()
        self._waiting: list[Note] = []
        self._shown = {step["step_id"] for step in job.history}
        for data in job.steering:
            self._put(data)

    async def hear(self) -> None:
        """Take what has come on the stream; a step that is to be stopped is cut off now.

        Raises:
            redis.exceptions.RedisError, OSError: Redis is away; the rows keep what was said.
        """
        answer: Any = await self._client.xread({self._key: self._last_id}, count=READ_AT_ONCE)
        for _, entries in answer or ():
            for entry_id, fields in entries:
                self._last_id = entry_id
                try:
                    self._put(orjson.loads(fields[b"note"]))
                except (KeyError, orjson.JSONDecodeError):
                    log.warning("a note makes no sense", key=self._key, fields=str(fields)[:200])

    def _put(self, data: Any) -> None:
        note = Note.from_dict(data) if isinstance(data, dict) else None
        if note is None or note.id in self._known:
            return
        self._known.add(note.id)
        self._waiting.append(note)
        if note.kind in ("stop_step", "redirect") and note.step_id:
            self._recorder.stop(note.step_id, by=note.by)

    @property
    def has_words(self) -> bool:
        """Whether somebody said something that the agent has not heard yet."""
        return any(note.kind not in (*DECISIONS, "stop_step") for note in self._waiting)

    async def take_up(self) -> list[Note]:
        """Return what waits for the agent, oldest first, each shown as a step; called between two steps."""
        notes = [note for note in self._waiting if note.kind not in DECISIONS]
        await self._show(notes)
        return [note for note in notes if note.node_id not in self._shown]

    async def decision_on(self, step_id: str) -> Note | None:
        """Return the first yes or no of a person to this step, shown as a step below it; None while there is none."""
        found = next((n for n in self._waiting if n.kind in DECISIONS and n.step_id == step_id), None)
        await self._show([found] if found else [])
        return found

    async def _show(self, notes: Iterable[Note]) -> None:
        taken = []
        for note in notes:
            if note.node_id not in self._shown:  # else an earlier attempt got that far
                async with self._recorder.step(
                    "person", note.line, parent=note.step_id or None, step_id=note.node_id
                ) as step:
                    step.detail |= {"by": note.by, "said": note.text, "kind": note.kind, "words": note.words}
            self._waiting.remove(note)
            taken.append(note.id)
        if taken:
            self._publisher.publish(SteeringTaken, note_ids=taken)


def words_in(step: Mapping[str, Any]) -> str:
    """Return what a finished step tells that a person said to the model; empty for any other step."""
    return str((step.get("detail") or {}).get("words", "")) if step["kind"] == "person" else ""
