"""A scripted planner and the coders that it calls, each deciding from its own conversation."""

from __future__ import annotations

import itertools
import re

from tests.framework.provider_double.script import Asked, Call, Say

TASKS = [
    {"id": "first", "agent": "coder", "goal": "Write one.py", "depends_on": []},
    {"id": "second", "agent": "coder", "goal": "Write two.py that builds on one.py", "depends_on": ["first"]},
]


def play(asked: Asked) -> Say:
    """Plan two tasks, the second on top of the first, and tell how it went; as a coder, write the file that the goal names."""
    return _plan(asked) if "plan" in asked.tools else write(asked)


def _plan(asked: Asked) -> Say:
    if "What came of the plan" in _said(asked):
        return Say("", (Call("finish", {"answer": "Both files are written."}),))
    return Say("Two steps.", (Call("plan", {"tasks": TASKS}),))


def write(asked: Asked) -> Say:
    """Write the file that the goal names, then finish."""
    if any(message["role"] == "tool" for message in asked.messages):
        return Say("", (Call("finish", {"answer": "It is written."}),))
    path = re.search(r"[Ww]rite (\w+\.py)", _said(asked))
    assert path is not None, _said(asked)
    return Say("", (Call("write_file", {"path": path[1], "content": f"NAME = {path[1]!r}\n"}),))


class Insatiable:
    """A planner that is never content and says the same in ever other words; each coder that it calls is a planner, too."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def __call__(self, asked: Asked) -> Say:
        number = next(self._numbers)
        goal = f"Improve the program in way {number}, for the sake of improvement {number}"
        task = {"id": "more", "agent": "planner", "goal": goal, "depends_on": []}
        return Say("Still not good enough.", (Call("plan", {"tasks": [task]}),))


def _said(asked: Asked) -> str:
    return "\n".join(str(message["content"]) for message in asked.messages if message["role"] == "user")
