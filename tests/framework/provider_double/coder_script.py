"""A scripted coder: it follows `@coder`'s tool loop as a capable model would, by looking at the answers.

For tests of everything around the model (tree, diff, review, faults). It knows its repairs beforehand, so a
solved task says that the loop works, nothing about wit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.framework.provider_double.constrained import fold, unfold
from tests.framework.provider_double.script import Asked, Call, Say


@dataclass(frozen=True, slots=True)
class Repair:
    """One known repair: in `path`, `old` becomes `new`."""

    path: str
    old: str
    new: str


DEMO_REPAIRS = (
    Repair("calc.py", "return a - b", "return a + b"),
    Repair("parser.py", 'text.split(",")', '[part.strip() for part in text.split(",")]'),
)


class ScriptedCoder:
    """A brain for the double: list, read, edit, run the tests, tell what was done.

    Each turn is decided from the conversation alone, so one coder serves any number of runs at once, and a
    run that is resumed goes on where it was.
    """

    def __init__(self, repairs: Sequence[Repair] = DEMO_REPAIRS, *, token_wait_s: float = 0.0) -> None:
        self._repairs = tuple(repairs)
        self._token_wait_s = token_wait_s

    def __call__(self, asked: Asked) -> Say:
        return fold(asked, self._answer(unfold(asked)))

    def _answer(self, asked: Asked) -> Say:
        if not asked.tools:
            return Say(
                "I am the scripted model. I can chat, and repair what I know.",
                token_wait_s=self._token_wait_s,
            )
        text, call = self._next(asked)
        calls = (call,) if call else ()
        return Say(text, calls, token_wait_s=self._token_wait_s)

    def _next(self, asked: Asked) -> tuple[str, Call | None]:
        done = _done(asked.messages)
        if "list_files" not in done and "list_files" in asked.tools:
            return "I look at what is there.", Call("list_files")
        repair = self._find(asked.messages)
        if repair is None:
            return "I know no repair for this.", _finish(
                asked, "I changed nothing: I know no repair for this."
            )
        if not _was_read(asked.messages, repair):
            return f"The fault is probably in {repair.path}.", Call("read_file", {"path": repair.path})
        if "edit_file" not in done:
            arguments = {"path": repair.path, "old_text": repair.old, "new_text": repair.new}
            return "This line is wrong.", Call("edit_file", arguments)
        if not done & {"run_tests", "run_command"}:
            return "Now the tests.", _test_call(asked)
        summary = f"Repaired {repair.path}: `{repair.old}` is now `{repair.new}`."
        return summary, _finish(asked, summary)

    def _find(self, messages: list[dict[str, Any]]) -> Repair | None:
        """Return the repair whose file the conversation mentions, best with its faulty text."""
        said = "\n".join(message["content"] for message in messages)
        named = [repair for repair in self._repairs if repair.path in said]
        return next((repair for repair in named if repair.old in said), named[0] if named else None)


def _done(messages: list[dict[str, Any]]) -> set[str]:
    """Return the names of the tools that have answered."""
    return {message["name"] for message in messages if message["role"] == "tool"}


def _was_read(messages: list[dict[str, Any]], repair: Repair) -> bool:
    return any(
        call["name"] in ("read_file", "edit_file") and call["arguments"].get("path") == repair.path
        for message in messages
        for call in message["tool_calls"]
    )


def _test_call(asked: Asked) -> Call:
    if "run_tests" in asked.tools:
        return Call("run_tests")
    return Call("run_command", {"command": "python3 -m pytest -q"})


def _finish(asked: Asked, summary: str) -> Call | None:
    return Call("finish", {"answer": summary}) if "finish" in asked.tools else None
