"""What @scribe decides without a model: which messages make a part, which entries hold, and how the summary reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from workers.agents.scribe import prompts
from workers.agents.toolloop.core import ToolLoopCore
from workers.tools.text import bound, clean

Kind = Literal["decisions", "actions", "questions"]
HEADINGS: dict[Kind, str] = {
    "decisions": "Decisions",
    "actions": "Actions",
    "questions": "Open questions",
}
MESSAGE_CHARS = 2_000
ENTRY_CHARS = 600
MAX_ENTRIES = 60
"""Of each kind; a channel with more decisions than this needs no summary but minutes."""
MAX_LINKS = 5
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Said:
    """A message. `number` is what the model calls it by, `message_id` what a link needs."""

    number: int
    message_id: str
    author: str
    text: str
    at: str = ""
    topic: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A decision, an action or a question, with the numbers of the messages where it can be read."""

    kind: Kind
    text: str
    messages: tuple[int, ...]
    owner: str = ""
    due: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that `from_dict` reads back."""
        return asdict(self) | {"messages": list(self.messages)}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Entry:
        """Return what `to_dict` wrote."""
        return cls(**{**raw, "messages": tuple(raw["messages"])})


@dataclass(frozen=True, slots=True)
class Checked:
    """The entries that hold, and why each of the others does not."""

    kept: tuple[Entry, ...] = ()
    dropped: tuple[str, ...] = ()


class ScribeCore(ToolLoopCore):
    """Plain data in, plain data out."""

    def messages_of(self, conversation: Iterable[Mapping[str, str]]) -> list[Said]:
        """Return the job's messages; what has no id is none that could be linked."""
        return [
            Said(
                number=int(item["number"]),
                message_id=item["id"],
                author=item["author"],
                text=bound(clean(item["text"]).strip(), MESSAGE_CHARS),
                at=item.get("at", ""),
                topic=item.get("topic", ""),
            )
            for item in conversation
            if item.get("id", "").isdigit() and item.get("number", "").isdigit()
        ]

    def parts_of(self, messages: Sequence[Said], *, limit: int) -> list[list[Said]]:
        """Return the messages in parts of at most `limit` characters as they are shown; a part has one message at least."""
        parts: list[list[Said]] = []
        left = 0
        for message in messages:
            size = len(show_message(message)) + 1
            if not parts or size > left:
                parts.append([])
                left = limit
            parts[-1].append(message)
            left -= size
        return parts

    def opening_text(
        self, goal: str, part: Sequence[Said], *, place: str, number: int, count: int, so_far: Sequence[Entry]
    ) -> str:
        """Return the first message to the model about one part."""
        text = prompts.OPENING.format(
            goal=prompts.GOAL.format(goal=goal or "what was decided, who does what, what is open"),
            place=place,
            part=prompts.PART.format(number=number, count=count) if count > 1 else "",
            messages="\n".join(show_message(message) for message in part),
        )
        if not so_far:
            return text
        entries = "\n".join(f"{index}. ({one.kind}) {one.text}" for index, one in enumerate(so_far, 1))
        return text + prompts.SO_FAR.format(entries=entries)

    def check(self, arguments: Mapping[str, Any], known: Mapping[int, Said]) -> Checked:
        """Return the entries of a model's `finish` that hold: each of their messages is one that it was shown.

        Who is to do something must be somebody who wrote, or who is named there; when must be said there. Otherwise it is
        left out.
        """
        kept: list[Entry] = []
        dropped: list[str] = []
        for kind in HEADINGS:
            items = arguments.get(kind)
            for number, item in enumerate(items if isinstance(items, list) else [], 1):
                found = _check_one(kind, item, known)
                if isinstance(found, str):
                    dropped.append(f"{kind}, entry {number}: {found}")
                elif sum(one.kind == kind for one in kept) < MAX_ENTRIES:
                    kept.append(found)
        return Checked(tuple(kept), tuple(dropped))

    def merge(self, so_far: Sequence[Entry], fresh: Sequence[Entry], settled: Any) -> list[Entry]:
        """Return the entries after a further part: without those that it settled, and without repetitions.

        Args:
            settled: Numbers in `so_far`, from 1: questions that were answered, actions that were done, decisions that were
                overturned. Anything else in it is ignored.
        """
        gone = (
            {number for number in settled if isinstance(number, int)} if isinstance(settled, list) else set()
        )
        kept = [entry for number, entry in enumerate(so_far, 1) if number not in gone]
        merged: dict[tuple[str, str], Entry] = {}
        for entry in (*kept, *fresh):
            key = (entry.kind, " ".join(_WORD.findall(entry.text.casefold())))
            old = merged.get(key)
            messages = tuple(dict.fromkeys((*old.messages, *entry.messages))) if old else entry.messages
            merged[key] = replace(entry, messages=messages)
        return list(merged.values())

    def mend_text(self, checked: Checked) -> str:
        """Return what the model is told of entries that do not hold."""
        return prompts.MEND.format(reasons="\n".join(f"- {reason}" for reason in checked.dropped[:20]))

    def summary_text(
        self,
        entries: Sequence[Entry],
        messages: Mapping[int, Said],
        *,
        place: str,
        read: Sequence[Said],
        dropped: int,
    ) -> str:
        """Return the summary as Markdown: decisions, actions, open questions, each with links, and what was read."""
        lines: list[str] = []
        for kind, heading in HEADINGS.items():
            shown = [_entry_line(entry, messages) for entry in entries if entry.kind == kind]
            lines += [f"## {heading}", *(shown or ["None."]), ""]
        span = f", {read[0].at[:10]} to {read[-1].at[:10]}" if read and read[0].at else ""
        count = len(read)
        lines.append(prompts.READ.format(count=count, s="" if count == 1 else "s", place=place, span=span))
        if dropped:
            lines.append(prompts.DROPPED.format(count=dropped, s="y was" if dropped == 1 else "ies were"))
        return "\n".join(lines)


def show_message(message: Said) -> str:
    """Return a message as a model is shown it."""
    at = f" {message.at[:16].replace('T', ' ')}" if message.at else ""
    topic = f" in {message.topic}" if message.topic else ""
    return f"[{message.number}] {message.author}{at}{topic}: {message.text}"


def _check_one(kind: Kind, item: Any, known: Mapping[int, Said]) -> Entry | str:
    """The entry when it holds, else why it does not."""
    if not isinstance(item, dict):
        return "it is no object"
    text = " ".join(str(item.get("text") or "").split())
    named = item.get("messages")
    numbers = (
        tuple(dict.fromkeys(one for one in named if isinstance(one, int))) if isinstance(named, list) else ()
    )
    if not text:
        return "it says nothing"
    if not numbers:
        return "it names no message"
    absent = [number for number in numbers if number not in known]
    if absent:
        return f"there is no message {', '.join(map(str, absent[:5]))}"
    said = [known[number] for number in numbers]
    owner = _said_owner(str(item.get("owner") or ""), said, known.values()) if kind == "actions" else ""
    due = _said_due(str(item.get("due") or ""), said) if kind == "actions" else ""
    return Entry(kind, bound(text, ENTRY_CHARS), numbers, owner, due)


def _said_owner(owner: str, said: Sequence[Said], everybody: Iterable[Said]) -> str:
    """The owner when they wrote in the channel, or are named in these messages; else nobody."""
    name = " ".join(owner.strip().lstrip("@").split())
    if not name:
        return ""
    wrote = any(message.author.lstrip("@").casefold() == name.casefold() for message in everybody)
    named = any(name.casefold() in message.text.casefold() for message in said)
    return bound(name, 80) if wrote or named else ""


def _said_due(due: str, said: Sequence[Said]) -> str:
    """The time when a word of it is said in these messages; else none."""
    words = {word for word in _WORD.findall(due.casefold()) if len(word) > 1}
    there = {word for message in said for word in _WORD.findall(message.text.casefold())}
    return bound(" ".join(due.split()), 80) if words & there else ""


def _entry_line(entry: Entry, messages: Mapping[int, Said]) -> str:
    owner = f"**{_plain(entry.owner)}**: " if entry.owner else ""
    due = f" (due {_plain(entry.due)})" if entry.due else ""
    links = [
        f"[{_plain(messages[number].author)}](message:{messages[number].message_id})"
        for number in entry.messages[:MAX_LINKS]
        if number in messages
    ]
    return f"- {owner}{_plain(entry.text)}{due} — {', '.join(links)}"


def _plain(text: str) -> str:
    """Text that can make no link of its own."""
    return text.replace("[", "(").replace("]", ")")
