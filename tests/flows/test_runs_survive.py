"""A run of `@coder` on a model with a key, while what it stands on is killed under it: it always ends, once, and visibly."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.browser.furnished import make_workspace
from tests.framework.crashing import IS_FULL
from tests.framework.killing import FINAL, HAS_POSTGRES, LIMITS_S, Ground, RestartClock, Victim
from tests.framework.provider_double.coder_script import ScriptedCoder
from tests.framework.provider_double.script import Asked, Say
from tests.framework.provider_double.server import ProviderDouble
from tests.framework.provider_double.threaded import running_double
from tests.framework.stack import PASSWORD
from tests.framework.storm import KILLS, PATIENCE_S, RUNS, Storm

pytestmark = [pytest.mark.flow, pytest.mark.timeout(240)]
KEY = "sk-canary-4f1d2c3b5a697887"
FILES: dict[str, str | bytes] = {
    "calc.py": "def add(a, b):\n    return a - b\n",
    "test_calc.py": "from calc import add\n\n\ndef test_add():\n    assert add(2, 2) == 4\n",
}
OWNER = "ada@example.org"


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    """An installation of its own, on a PostgreSQL of its own or on SQLite, since everything in it is killed."""
    with tempfile.TemporaryDirectory(prefix="pyagent-survive-") as folder:
        ground = Ground(Path(folder), has_postgres=HAS_POSTGRES)
        try:
            # A soak of an hour is not lost because the machine was busy at its beginning.
            ground.stack.start(timeout_s=240 if IS_FULL else 60)
            yield ground
        finally:
            ground.stop()


class Model:
    """The scripted coder, which takes its time, so that there is something to kill; as "poison" it kills who asks it."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.coder = ScriptedCoder(token_wait_s=0.1)
        self.victim = ""
        """The run that is killed whenever it asks."""
        self.deaths = 0

    def __call__(self, asked: Asked) -> Say:
        if asked.model == "poison":
            self.deaths += 1
            self.ground.kill("child", pid=self.ground.marks()[self.victim].pid)
        return self.coder(asked)


@pytest.fixture(scope="module")
def double(ground: Ground) -> Iterator[ProviderDouble]:
    with running_double(key=KEY) as double:
        double.brain = Model(ground)
        yield double


class Desk:
    """Calls `@coder` and looks at what becomes of it."""

    def __init__(self, ground: Ground, double: ProviderDouble) -> None:
        self.ground = ground
        self.client = ground.stack.api(ground.stack.person("ada", is_owner=True))
        self.base = f"workspaces/{make_workspace(self.client, 'Calc', FILES)}"
        self.address = double.base_url("openai")
        self.add_model("scripted", is_default=True)

    def add_model(self, name: str, *, is_default: bool = False) -> int:
        model = {"name": name, "provider": "openai", "model": name, "base_url": self.address, "key": KEY}
        reply = self.client.post("models", json={**model, "is_default": is_default})
        assert reply.status_code == 201, reply.text
        return int(reply.json()["id"])

    def call(self, **fields: Any) -> str:
        asked = {"agent": "coder", "goal": "fix the failing test in calc.py", **fields}
        reply = self.client.post(f"{self.base}/runs", json=asked)
        assert reply.status_code == 201, reply.text
        return str(reply.json()["id"])

    def wait(
        self, run_id: str, until: Callable[[dict[str, Any]], bool], *, timeout_s: float = 90
    ) -> dict[str, Any]:
        ends_at = time.monotonic() + timeout_s
        while True:
            run: dict[str, Any] = self.client.get(f"{self.base}/runs/{run_id}").json()
            if until(run):
                return run
            assert time.monotonic() < ends_at, f"after {timeout_s} s the run is {run}"
            time.sleep(0.15)

    def call_and_wait_for_work(self) -> str:
        run_id = self.call()
        self.wait(run_id, lambda run: len(run["steps"]) >= 4)
        return run_id

    def end_of(self, run_id: str) -> dict[str, Any]:
        return self.wait(run_id, lambda run: run["status"] in FINAL)

    @contextmanager
    def struck_by(self, victim: Victim) -> Iterator[str]:
        """Begin a run, kill under it, and give its name once it is worked on again, which comes in time."""
        run_id = self.call_and_wait_for_work()
        before = self.ground.marks()
        clock = RestartClock()
        at = datetime.now(UTC)
        killed = self.ground.kill(victim, pid=before[run_id].pid, down_s=3)
        clock.strike(victim, before, killed, at=datetime.now(UTC) if victim == "postgres" else at)
        assert run_id in clock.waiting
        ends_at = time.monotonic() + 3 * LIMITS_S[victim]
        while clock.waiting and time.monotonic() < ends_at:
            time.sleep(0.1)
            clock.look(self.ground.marks())
        print(clock.summary())
        assert clock.late == [] and not clock.waiting
        yield run_id


@pytest.fixture(scope="module")
def desk(ground: Ground, double: ProviderDouble) -> Desk:
    return Desk(ground, double)


def assert_solved_once(run: dict[str, Any]) -> None:
    assert run["status"] == "finished", {
        key: value for key, value in run.items() if key not in ("steps", "goal")
    }
    assert run["review_id"] is not None
    assert [step["kind"] for step in run["steps"]].count("proposal") == 1
    assert all(step["status"] == "ok" for step in run["steps"]), run["steps"]
    names = [step["id"] for step in run["steps"]]
    assert len(names) == len(set(names))
    assert run["cost_usd"] is None, "nobody told this model's price"


@pytest.fixture(scope="module")
def solved(desk: Desk) -> dict[str, Any]:
    """A run that nobody disturbed."""
    return desk.end_of(desk.call())


def test_gets_its_key_solves_the_task_and_offers_a_change(solved):
    assert_solved_once(solved)


@pytest.mark.parametrize("victim", ["child", "worker"])
def test_goes_on_in_time_when_the_process_that_ran_it_is_killed(desk, victim):
    with desk.struck_by(victim) as run_id:
        run = desk.end_of(run_id)
    assert_solved_once(run)
    assert run["attempts"] == 2


@pytest.mark.parametrize("victim", ["broker", "relay", *(["postgres"] if HAS_POSTGRES else [])])
def test_goes_on_in_time_when_what_it_talks_to_is_killed(desk, victim):
    with desk.struck_by(victim) as run_id:
        run = desk.end_of(run_id)
    assert_solved_once(run)
    assert run["attempts"] == 1, "its worker lives: nothing was lost"


def test_goes_on_when_redis_is_emptied(desk, ground):
    """What Redis holds is only in flight: the runs' rows know the way on, also of the one that still waits."""
    run_ids = [desk.call() for _ in range(3)]
    for run_id in run_ids[:2]:
        desk.wait(run_id, lambda run: len(run["steps"]) >= 4)
    assert ground.marks()[run_ids[2]].status == "queued"
    ground.kill("flushall")
    for run_id in run_ids:
        assert_solved_once(desk.end_of(run_id))


def test_a_command_on_a_review_goes_on_when_its_whole_worker_is_killed(desk, ground, solved):
    review = f"{desk.base}/reviews/{solved['review_id']}"
    asked = {"command": "echo begun; sleep 4; echo survived", "is_whole": True}
    row = desk.client.post(f"{review}/evidence", json=asked).json()

    def wait_for(word: str, *, within_s: float) -> dict[str, Any]:
        ends_at = time.monotonic() + within_s
        while True:
            (found,) = [one for one in desk.client.get(review).json()["evidence"] if one["id"] == row["id"]]
            if word in found["output"]:
                return dict(found)
            assert found["status"] == "running" and time.monotonic() < ends_at, found
            time.sleep(0.2)

    wait_for("begun", within_s=40)
    ground.kill("worker")
    wait_for("survived", within_s=LIMITS_S["worker"] + 4)
    assert desk.client.get(review).json()["evidence_state"] in ("passed", "running")


def test_what_kills_its_worker_each_time_is_given_up_where_people_see_it(desk, ground, double):
    """And what runs beside it on the same worker goes on."""
    model = double.brain
    assert isinstance(model, Model)
    model_id = desk.add_model("poison")
    innocent = desk.call()
    model.victim = desk.call(model_id=model_id)
    run = desk.end_of(model.victim)
    assert (run["status"], run["attempts"], run["error_code"]) == ("dead", 3, "worker_lost")
    assert "lost 3 times" in run["error_message"]
    assert model.deaths == 3
    beside = desk.end_of(innocent)
    assert_solved_once(beside)
    assert beside["attempts"] == 1

    (shown,) = desk.client.get("fleet/given-up").raise_for_status().json()
    assert (shown["run_id"], shown["attempts"]) == (model.victim, 3)
    assert f'id="given-up-{model.victim}"' in page_of(ground, "/fleet/")
    assert f'id="given-up-{model.victim}"' in page_of(ground, f"/w/{shown['workspace_id']}/fleet/")
    assert desk.client.post(f"fleet/runs/{model.victim}/dismiss").status_code == 204
    assert desk.client.get("fleet/given-up").json() == []
    assert model.deaths == 3, "given up is given up"


def page_of(ground: Ground, path: str) -> str:
    """Return a page as the installation's owner sees it."""
    with httpx.Client(base_url=ground.stack.url, follow_redirects=True, timeout=30) as browser:
        browser.get("/accounts/login/")
        signed = {"login": OWNER, "password": PASSWORD, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        browser.post("/accounts/login/", data=signed, headers={"Origin": ground.stack.url}).raise_for_status()
        return browser.get(path).raise_for_status().text


def test_makes_room_for_a_critical_run_and_goes_on_by_itself(desk):
    lower = [desk.call(priority="low") for _ in range(2)]
    for run_id in lower:
        desk.wait(run_id, lambda run: len(run["steps"]) >= 4)
    urgent = desk.call(priority="critical")
    began = desk.wait(urgent, lambda run: run["status"] != "queued")
    assert began["status"] == "running"
    rows = [desk.client.get(f"{desk.base}/runs/{run_id}").json() for run_id in lower]
    assert sorted(row["status"] for row in rows) == ["queued", "running"]
    assert [row["suspend_reason"] for row in rows if row["status"] == "queued"] == ["preempted"]
    for run_id in (urgent, *lower):
        run = desk.end_of(run_id)
        assert_solved_once(run)
        assert run["attempts"] == 1, "to make room is no loss"


def test_stops_when_a_person_says_so(desk):
    run_id = desk.call_and_wait_for_work()
    assert desk.client.post(f"{desk.base}/runs/{run_id}/cancel").json()["status"] == "cancelling"
    run = desk.wait(run_id, lambda run: run["status"] in FINAL, timeout_s=15)
    assert run["status"] == "cancelled"
    # It may have edited something by then; what is offered is said, and what is said is offered.
    assert (run["review_id"] is not None) == ("offered for review" in run["error_message"])


@pytest.mark.timeout(PATIENCE_S + 120)
def test_every_run_ends_once_and_no_finished_step_is_lost_whatever_is_killed(desk, ground, double, capsys):
    def say(line: str) -> None:
        with capsys.disabled():
            print(f"\n{line}", end="", flush=True)

    asked_before = len(double.asked)
    storm = Storm(ground, desk.call, say)
    storm.blow()
    problems = list(storm.problems)
    for run_id, mark in storm.ended.items():
        try:
            assert_solved_once(desk.client.get(f"{desk.base}/runs/{run_id}").json())
        except AssertionError as error:
            problems.append(f"{run_id} {mark}: {error}\n{told_of(ground, run_id)}")
    # A side effect is done once: one change set a run, and no finished answer of the model is asked for again.
    sets = ground.change_sets()
    problems += [f"{run_id} made {sets[run_id]} change sets" for run_id in storm.ended if sets[run_id] != 1]
    answers = sum(values[0] == "model_call" for values in storm.steps.values())
    again = len(double.asked) - asked_before - answers
    if again > storm.losses():
        problems.append(f"{again} answers asked for again with {storm.losses()} attempts lost")
    finished = sum(mark.status == "finished" for mark in storm.ended.values())
    lost = sum("finished step lost" in one for one in problems)
    say(
        f"storm: {finished} of {len(storm.accepted)} runs finished, {len(storm.steps)} finished steps, {lost} lost, "
        f"{again} answers asked for again; worked on again: {storm.clock.summary()}\n"
    )
    assert not problems, "\n".join(problems)
    assert len(storm.ended) >= RUNS and storm.kills_with_9 >= KILLS


def told_of(ground: Ground, run_id: str) -> str:
    """Return what the installation's log says of a run."""
    lines = ground.stack.log.read_text(errors="replace").splitlines()
    return "\n".join(line for line in lines if run_id in line and "GET" not in line)


def test_leaves_the_key_nowhere(ground, solved):
    """After all of the above: not in a file of the installation or its database, not in a log, not in what a process was told."""
    assert KEY not in ground.stack.log.read_text(errors="replace")
    folders = [ground.stack.home, *([ground.postgres.folder] if ground.postgres else [])]
    found = [
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and KEY.encode() in path.read_bytes()
    ]
    assert found == []
    for process in ground.processes():
        assert KEY not in " ".join(process.cmdline())
        assert KEY not in repr(process.environ())
