"""How often a model that errs makes a mistake again, with and without lessons: `python -m tests.benchmarks.lessons_experiment`.

The whole product runs as `make run` starts it; only the model is a script. It makes each of its four mistakes unless the
message it reads holds the lesson. Two mistakes are found by a person, who rejects the change with a reason; two by tests, after
which the script mends them. Each round asks for each kind of work in other words and for another file. Without lessons, all are
deleted after each run.

What it proves: that a mistake becomes a lesson, that the lesson is found for the next goal of its kind and told to the model, and
that goals of other kinds are told nothing. Not that a real model heeds what it is told.

`--first` measures only how soon the first lesson after a start is known.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.benchmarks.noise import report_noise, verdict
from tests.browser.furnished import make_workspace, wait_for
from tests.framework.provider_double.script import Asked, Call, Say
from tests.framework.provider_double.threaded import running_double
from tests.framework.stack import Stack
from workers.learning.prompt import HEADING

ROUNDS = 6
EMPTY = "    ...\n"


@dataclass(frozen=True)
class Task:
    """A kind of work, the mistake that the script makes at it, and how that is found."""

    name: str
    goals: Sequence[str]
    source: str
    wrong: str
    right: str
    knows: str
    """What of the lesson the script goes by."""
    reason: str = ""
    """With which a person rejects the mistake; empty where tests find it."""
    test: str = ""

    def file(self, number: int) -> str:
        return f"{self.name}_{number}.py"

    def goal(self, number: int) -> str:
        return self.goals[number % len(self.goals)].format(file=self.file(number))


TASKS = (
    Task(
        "price",
        (
            "Compute the total of all prices in {file}.",
            "Write the function in {file} that sums up the amounts of an order.",
            "The cart in {file} needs the sum of its prices.",
            "Fill in total in {file}: it adds up the money of all items.",
            "Let {file} compute what the customer has to pay for all prices.",
            "Implement the sum of amounts of money in {file}.",
        ),
        f"def total(prices):\n{EMPTY}",
        "    return sum(float(price) for price in prices)\n",
        "    return sum(map(Decimal, prices))\n",
        "Decimal",
        reason="Use Decimal for prices and amounts of money; float loses cents.",
    ),
    Task(
        "fetch",
        (
            "Fetch the page over HTTP in {file}.",
            "Write the HTTP request in {file}.",
            "Download the address over HTTP in {file}.",
            "Let {file} send the HTTP request and return the reply.",
            "Implement the HTTP call in {file}.",
            "Make the request to the server in {file}.",
        ),
        f"def fetch(client, url):\n{EMPTY}",
        "    return client.get(url)\n",
        "    return client.get(url, timeout=10)\n",
        "timeout",
        reason="Every HTTP request needs a timeout, else a dead server blocks us for ever.",
    ),
    Task(
        "mean",
        (
            "Write the mean of the measurements in {file}.",
            "Compute the mean of the measurements in {file}.",
            "Implement the mean of the measured values in {file}.",
            "Fill in the mean of all measurements in {file}.",
            "Let {file} return the mean of its measurements.",
            "The mean of the measurements is missing in {file}.",
        ),
        f"def mean(values):\n{EMPTY}",
        "    return sum(values) / len(values)\n",
        "    return sum(values) / len(values) if values else 0.0\n",
        "ZeroDivisionError",
        test="from {name} import mean\n\n\ndef test_mean_{number}():\n    assert mean([]) in (0.0, None)\n",
    ),
    Task(
        "rows",
        (
            "Read the names from the JSON rows in {file}.",
            "Return the names of all JSON rows in {file}.",
            "Collect the names from the rows of JSON in {file}.",
            "Let {file} list the names in the JSON rows.",
            "Extract the name of each JSON row in {file}.",
            "Fill in names in {file}: it reads the JSON rows.",
        ),
        f"def names(rows):\n{EMPTY}",
        '    return [row["name"] for row in rows]\n',
        '    return [row.get("name") for row in rows]\n',
        "KeyError",
        test="from {name} import names\n\n\ndef test_names_{number}():\n    assert names([dict()]) in ([None], None)\n",
    ),
)
UNRELATED = (
    "Write a poem about the sea in poem.txt.",
    "Translate the greeting to German.",
    "Draw a bar chart of disk usage.",
    "Add a licence header to each file.",
)


@dataclass
class Model:
    """The scripted model. Counts its mistakes, and what it was told."""

    mistakes: Counter[str] = field(default_factory=Counter)
    lessons_told: int = 0
    """In the last run."""

    def answer(self, asked: Asked) -> Say:
        """Say what comes next in this conversation."""
        if not asked.tools:
            return Say("OK")
        said = "\n".join(str(one["content"]) for one in asked.messages if one["role"] == "user")
        lessons, _, request = said.partition("The request:")
        lessons = lessons if HEADING in lessons else ""
        done = sum(one["role"] == "tool" for one in asked.messages)
        if done == 0:
            self.lessons_told = lessons.count("\n- ")
        found = re.search(r"\b(price|fetch|mean|rows)_(\d+)\.py", request)
        if found is None:
            return Say(calls=(Call("finish", {"answer": "There is nothing to do."}),))
        task = next(task for task in TASKS if task.name == found[1])
        if done == 0:
            errs = task.knows not in lessons
            self.mistakes[task.name] += errs
            return _edit(found[0], EMPTY, task.wrong if errs else task.right)
        is_failing = bool(task.test) and "Not finished yet: the tests fail" in str(asked.last["content"])
        return (
            _edit(found[0], task.wrong, task.right)
            if is_failing
            else Say(calls=(Call("finish", {"answer": "Done."}),))
        )


def _edit(path: str, old: str, new: str) -> Say:
    return Say(calls=(Call("edit_file", {"path": path, "old_text": old, "new_text": new}),))


class Laboratory:
    """One workspace in which the scripted model works."""

    def __init__(self, api: httpx.Client, model: Model, base_url: str, name: str) -> None:
        self.api, self.model = api, model
        self.workspace_id = make_workspace(
            api, name, {"README.md": "# Experiment\n", "test_nothing.py": "def test_nothing():\n    pass\n"}
        )
        self.base = f"workspaces/{self.workspace_id}"
        profile = {"name": name, "provider": "openai", "model": "scripted", "base_url": base_url}
        self.model_id = api.post("models", json=profile).raise_for_status().json()["id"]
        self.known_after_s: list[float] = []
        """From each rejection to its lesson, asked for every 0.1 s."""

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        reply = self.api.post(f"{self.base}/{path}", json=body)
        assert reply.status_code < 300, reply.text
        return dict(reply.json()) if reply.content else {}

    def put_file(self, path: str, text: str) -> None:
        body = {"path": path, "text": text, "expected": None}
        self.api.put(f"{self.base}/file", json=body).raise_for_status()

    def lessons(self) -> list[dict[str, Any]]:
        found = self.api.get(f"{self.base}/lessons", params={"which": "all"}).raise_for_status().json()
        return list(found["lessons"])

    def forget(self) -> None:
        for lesson in self.lessons():
            self.api.delete(f"{self.base}/lessons/{lesson['id']}").raise_for_status()

    def run(self, goal: str) -> dict[str, Any]:
        """Let the model work on a goal and return the run as it ended."""
        started = self.post("runs", agent="coder", goal=goal, model_id=self.model_id)

        def ended() -> dict[str, Any] | None:
            run = self.api.get(f"{self.base}/runs/{started['id']}").raise_for_status().json()
            assert run["status"] not in ("failed", "dead", "cancelled"), run
            return dict(run) if run["status"] == "finished" else None

        return wait_for(ended, what=goal, timeout_s=120)

    def work(self, task: Task, number: int) -> None:
        """Ask for the work once and do with what comes what a reviewer would."""
        name = task.file(number)
        self.put_file(
            name, ("from decimal import Decimal\n\n\n" if task.name == "price" else "") + task.source
        )
        if task.test:
            self.put_file(f"test_{name}", task.test.format(name=name.removesuffix(".py"), number=number))
        self.post("git/stage", paths=[name, *([f"test_{name}"] if task.test else [])])
        self.post("git/commit", message=f"Ask for {name}")
        before = self.model.mistakes[task.name]
        hits = sum(lesson["hits"] for lesson in self.lessons())
        run = self.run(task.goal(number))
        has_erred = self.model.mistakes[task.name] > before
        review = f"reviews/{run['review_id']}"
        if has_erred and task.reason:
            rejected_at = time.monotonic()
            self.post(f"{review}/decision", verdict="rejected", reason=task.reason)
            self._await_lesson(hits)
            self.known_after_s.append(time.monotonic() - rejected_at)
            self.post(f"{review}/discard")
        else:
            self.post(f"{review}/decision", verdict="accepted")
            shown = self.api.get(f"{self.base}/{review}").raise_for_status().json()
            self.post(f"{review}/apply", diff_hash=shown["diff_hash"], selection=shown["selection"])
            if has_erred:
                self._await_lesson(hits)

    def _await_lesson(self, hits: int) -> None:
        wait_for(
            lambda: sum(lesson["hits"] for lesson in self.lessons()) > hits or None,
            what="lesson",
            timeout_s=30,
        )


@dataclass(frozen=True)
class Result:
    """Mistakes by round, lessons told to unrelated goals, and how soon a lesson was there."""

    mistakes: list[int]
    told_astray: int
    known_after_s: list[float]
    lessons: list[dict[str, Any]]


def experiment(stack: Stack, api: httpx.Client, *, rounds: int, with_lessons: bool) -> Result:
    """Return what the scripted model did in `rounds` rounds of all tasks."""
    model, mistakes = Model(), []
    with running_double() as double:
        double.brain = model.answer
        name = "With lessons" if with_lessons else "Without lessons"
        laboratory = Laboratory(api, model, double.base_url("openai"), name)
        for number in range(rounds):
            before = model.mistakes.total()
            for task in TASKS:
                laboratory.work(task, number)
                if not with_lessons:
                    laboratory.forget()
            mistakes.append(model.mistakes.total() - before)
        astray = 0
        for goal in UNRELATED:
            laboratory.run(goal)
            astray += model.lessons_told
        return Result(mistakes, astray, laboratory.known_after_s, laboratory.lessons())


def first_lesson() -> int:
    """Print how soon the first lessons are known that an installation learns."""
    with tempfile.TemporaryDirectory(prefix="pyagent-bench-") as folder:
        stack = Stack(Path(folder) / "home")
        stack.start(timeout_s=180)
        try:
            with stack.api(stack.person("bench", is_owner=True)) as api:
                known = experiment(stack, api, rounds=1, with_lessons=True).known_after_s
        finally:
            stack.stop()
    report_noise()
    told = ", ".join(f"{seconds:.2f}" for seconds in known)
    print(
        f"  from the rejection to the lesson, after a start: {told} s   {verdict(known[0] <= 1.0, '<= 1 s')}"
    )
    return 0


def main() -> int:
    """Print the table; exit status 1 when a promise was not kept."""
    if "--first" in sys.argv:
        return first_lesson()
    with tempfile.TemporaryDirectory(prefix="pyagent-bench-") as folder:
        stack = Stack(Path(folder) / "home")
        stack.start(timeout_s=180)
        try:
            email = stack.person("bench", is_owner=True)
            with stack.api(email) as api:
                without = experiment(stack, api, rounds=ROUNDS, with_lessons=False)
                given = experiment(stack, api, rounds=ROUNDS, with_lessons=True)
        finally:
            stack.stop()
    report_noise()
    possible = len(TASKS) * (ROUNDS - 1)
    repeated = [sum(result.mistakes[1:]) for result in (without, given)]
    print(
        f"  mistakes by round of {len(TASKS)}: without lessons {without.mistakes}, with lessons {given.mistakes}"
    )
    print(
        f"  mistakes made again, of {possible}: without {repeated[0]}, with {repeated[1]}   "
        f"{verdict(repeated[1] <= repeated[0] // 2, 'at most half')}"
    )
    print(
        f"  lessons told to {len(UNRELATED)} unrelated goals: {given.told_astray}   {verdict(given.told_astray == 0, '0')}"
    )
    worst = max(given.known_after_s)
    print(f"  from the rejection to the lesson: at most {worst:.2f} s   {verdict(worst <= 1.0, '<= 1 s')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
