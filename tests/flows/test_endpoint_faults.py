"""A model's endpoint breaks in every way under `@coder`: what helps is tried again, the rest is told on the run's card."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.browser.furnished import make_workspace
from tests.framework.provider_double import Call, Fault, ProviderDouble, Say
from tests.framework.provider_double.coder_script import ScriptedCoder
from tests.framework.provider_double.threaded import running_double
from tests.framework.stack import Stack

pytestmark = [pytest.mark.flow, pytest.mark.timeout(180)]
KEY = "sk-canary-77a1b2c3d4e5f607"
FILES: dict[str, str | bytes] = {
    "calc.py": "def add(a, b):\n    return a - b\n",
    "test_calc.py": "from calc import add\n\n\ndef test_add():\n    assert add(2, 2) == 4\n",
}
FINAL = ("finished", "failed", "cancelled", "dead")


class Desk:
    """Calls `@coder` on a model that does what the test says."""

    def __init__(self, api: httpx.Client, double: ProviderDouble) -> None:
        self.api, self.double = api, double
        self.base = f"workspaces/{make_workspace(api, 'Faults', FILES)}"
        model = {
            "name": "double",
            "provider": "openai",
            "model": "scripted",
            "base_url": double.base_url("openai"),
            "key": KEY,
        }
        self.model_id = api.post("models", json=model).raise_for_status().json()["id"]

    def call(self, *says: Say, **more: Any) -> dict[str, Any]:
        """Return the run as it ended, after the model has said `says` and then what the scripted coder says."""
        self.double.say(*says)
        body = {
            "agent": "coder",
            "goal": "fix the failing test in calc.py",
            "model_id": self.model_id,
            **more,
        }
        return self.end_of(self.api.post(f"{self.base}/runs", json=body).raise_for_status().json()["id"])

    def end_of(self, run_id: str) -> dict[str, Any]:
        ends_at = time.monotonic() + 90
        while True:
            run: dict[str, Any] = self.api.get(f"{self.base}/runs/{run_id}").raise_for_status().json()
            if run["status"] in FINAL:
                return run
            assert time.monotonic() < ends_at, run
            time.sleep(0.2)


@pytest.fixture(scope="module")
def module_double() -> Iterator[ProviderDouble]:
    with running_double(key=KEY) as double:
        double.brain = ScriptedCoder()
        yield double


@pytest.fixture(scope="module")
def desk(stack: Stack, module_double: ProviderDouble) -> Desk:
    return Desk(stack.api(stack.person("fay", is_owner=True)), module_double)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("http", status=500),
        Fault("http", status=429, headers={"retry-after": "1"}),
        Fault("cut"),
        Fault("garbage"),
        Fault("unfinished"),
        Fault("error_event", error_type="overloaded_error"),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
def test_goes_on_after_one_fault_and_does_nothing_twice(desk: Desk, fault: Fault) -> None:
    run = desk.call(Say("I look at what is there.", fault=fault))
    assert run["status"] == "finished", run
    assert run["review_id"] is not None
    done = [step["title"] for step in run["steps"] if step["status"] == "ok"]
    assert sum(title.startswith("Edit") for title in done) == 1, done
    assert [step["kind"] for step in run["steps"]].count("proposal") == 1


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (Fault("http", status=500, message="out of order"), "provider_unavailable", "500: out of order"),
        (Fault("http", status=429), "provider_rate_limited", "slow down"),
        (Fault("cut"), "provider_cut_off", "broke"),
        (Fault("garbage"), "provider_bad_reply", "no protocol"),
        (
            Fault("http", status=401, message=f"Incorrect API key: {KEY}"),
            "provider_auth_failed",
            "does not accept the key",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_says_on_the_card_what_is_wrong_and_goes_well_when_it_is_tried_again(
    desk: Desk, fault: Fault, code: str, words: str
) -> None:
    run = desk.call(*[Say("I begin to", fault=fault)] * 12)
    desk.double.forget()
    assert (run["status"], run["error_code"]) == ("failed", code), run
    assert words in run["error_message"]
    assert run["advice"]
    assert KEY not in repr(run)
    assert run["review_id"] is None
    again = desk.api.post(f"{desk.base}/runs/{run['id']}/retry").raise_for_status().json()
    assert again["retry_of"] == run["id"]
    assert desk.end_of(again["id"])["status"] == "finished"


def test_a_model_that_hangs_ends_with_the_budget_and_says_so(desk: Desk) -> None:
    budget = {"steps": 40, "tokens": None, "seconds": 8, "cost_usd": None}
    run = desk.call(Say(fault=Fault("hang")), budget=budget)
    assert (run["status"], run["error_code"]) == ("failed", "budget_exceeded")
    assert run["error_message"] == "It has used its 8 seconds."


def test_what_was_done_before_the_model_failed_is_offered(desk: Desk) -> None:
    coder = ScriptedCoder()

    def fail_after_the_edit(asked: Any) -> Say:
        said = coder(asked)
        is_late = any(call.name == "run_tests" for call in said.calls)
        return Say("Now", fault=Fault("http", status=401)) if is_late else said

    desk.double.brain = fail_after_the_edit
    run = desk.call()
    desk.double.brain = coder
    assert (run["status"], run["error_code"]) == ("failed", "provider_auth_failed")
    review = desk.api.get(f"{desk.base}/reviews/{run['review_id']}").raise_for_status().json()
    assert "Not finished" in repr(review)


def test_what_was_done_before_a_person_stopped_it_is_offered(desk: Desk) -> None:
    write = Call("write_file", {"path": "notes.txt", "content": "half\n"})
    desk.double.say(Say(calls=(write,)), Say(calls=(Call("run_command", {"command": "sleep 60"}),)))
    body = {"agent": "coder", "goal": "write notes.txt", "model_id": desk.model_id}
    run_id = desk.api.post(f"{desk.base}/runs", json=body).raise_for_status().json()["id"]
    ends_at = time.monotonic() + 60
    while not any(
        "sleep 60" in step["title"] for step in desk.api.get(f"{desk.base}/runs/{run_id}").json()["steps"]
    ):
        assert time.monotonic() < ends_at
        time.sleep(0.2)
    desk.api.post(f"{desk.base}/runs/{run_id}/cancel").raise_for_status()
    run = desk.end_of(run_id)
    assert run["status"] == "cancelled"
    assert "offered for review; it is not finished" in run["error_message"]
    review = desk.api.get(f"{desk.base}/reviews/{run['review_id']}").raise_for_status().json()
    assert "**Not finished.** A person stopped it." in review["summary"]
    assert [file["path"] for file in review["files"]] == ["notes.txt"]
    assert review["evidence"] == []
