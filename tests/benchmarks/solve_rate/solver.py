"""A scripted model that knows the solutions of some repair tasks, in the languages of both agents.

It proves the harness: with it both agents must solve exactly what it knows, and without knowledge nothing.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from tests.benchmarks.solve_rate.tasks import RepairTask
from tests.framework.provider_double import Asked, Call, Say
from tests.framework.provider_double.constrained import fold, unfold

SUBMIT = "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"
TESTS = "python3 -m unittest"


class Solver:
    """A brain for the provider double. It recognises a task by its goal in the conversation."""

    def __init__(self, known: Sequence[RepairTask]) -> None:
        self._known = {task.goal: task for task in known}

    def __call__(self, asked: Asked) -> Say:
        said = "\n".join(message["content"] for message in asked.messages)
        task = next((task for goal, task in self._known.items() if goal in said), None)
        turn = sum(message["role"] == "assistant" for message in asked.messages)
        if "bash" in asked.tools:
            return _bash_call(self._commands(task), turn)
        if "mswea_bash_command" in said:
            return _bash_text(self._commands(task), turn)
        return fold(asked, self._with_tools(task, unfold(asked)))

    def _commands(self, task: RepairTask | None) -> list[str]:
        if task is None:
            return ["ls -la", SUBMIT]
        writes = [f"printf %s {shlex.quote(text)} > {path}" for path, text in task.files("solution").items()]
        return ["ls -la", *writes, TESTS, SUBMIT]

    def _with_tools(self, task: RepairTask | None, asked: Asked) -> Say:
        done = [message for message in asked.messages if message["role"] == "tool"]
        names = [message["name"] for message in done]
        if "list_files" not in names:
            return Say("I look around.", (Call("list_files"),))
        writes = list(task.files("solution").items()) if task else []
        read = [
            c["arguments"].get("path")
            for m in asked.messages
            for c in m["tool_calls"]
            if c["name"] == "read_file"
        ]
        for path, text in writes:
            if path not in read:
                return Say(f"I read {path}.", (Call("read_file", {"path": path}),))
            if names.count("write_file") <= [p for p, _ in writes].index(path):
                return Say(f"I repair {path}.", (Call("write_file", {"path": path, "content": text}),))
        if writes and "run_command" not in names:
            return Say("Now the tests.", (Call("run_command", {"command": TESTS}),))
        return Say("", (Call("finish", {"answer": "Repaired." if writes else "I know no repair."}),))


def _bash_call(commands: Sequence[str], turn: int) -> Say:
    command = commands[min(turn, len(commands) - 1)]
    return Say("I go on.", (Call("bash", {"command": command}, id=f"call_{turn}"),))


def _bash_text(commands: Sequence[str], turn: int) -> Say:
    command = commands[min(turn, len(commands) - 1)]
    return Say(f"THOUGHT: I go on.\n\n```mswea_bash_command\n{command}\n```")
