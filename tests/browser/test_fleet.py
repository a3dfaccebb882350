"""The fleet in a browser: a run is suspended and resumed from its card by real workers, and the fleet page follows it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import DESKTOP, PHONE, Person
from tests.browser.furnished import make_workspace
from tests.browser.test_accessibility import violations
from tests.framework.provider_double import Call, ProviderDouble, Say
from tests.framework.provider_double.threaded import running_double
from tests.framework.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
KEY = "sk-canary-51e0d2c3f4a5b698"
RUN_MS = 60_000
LONG = "I think about it for long, word by word, so that there is time to suspend me. " * 40


@dataclass
class Scene:
    """A workspace whose agents run on a model that thinks slowly, and its owner at a browser."""

    stack: Stack
    double: ProviderDouble
    ida: Person
    api: httpx.Client
    workspace_id: int

    @property
    def page(self) -> Page:
        return self.ida.page

    def start(self, goal: str, **fields: object) -> str:
        """Call @coder and return the run's id."""
        body = {"agent": "coder", "goal": goal, **fields}
        reply = self.api.post(f"workspaces/{self.workspace_id}/runs", json=body)
        return str(reply.raise_for_status().json()["id"])

    def go(self, place: str) -> None:
        self.ida.go(f"/w/{self.workspace_id}/{place}")


@pytest.fixture
def scene(stack: Stack, chromium: Browser) -> Iterator[Scene]:
    with running_double(key=KEY) as double:
        double.say(
            Say("First I look.", (Call("list_files"),)),
            Say(LONG, (Call("list_files"),), token_wait_s=0.05),
            *[Say("", (Call("finish", {"answer": "It was all well."}),))] * 8,
        )
        email = stack.person(f"ida-{secrets.token_hex(3)}", is_owner=True)
        api = stack.api(email)
        workspace_id = make_workspace(api, "Sums", {"calc.py": "def add(a, b):\n    return a + b\n"})
        model = {
            "name": "Slow",
            "provider": "openai",
            "model": "scripted",
            "base_url": double.base_url("openai"),
            "key": KEY,
            "is_default": True,
            "workspace_id": workspace_id,
        }
        api.post("models", json=model).raise_for_status()
        ida = Person(chromium.new_context(viewport=DESKTOP), stack, email)  # type: ignore[arg-type]
        ida.sign_in()
        yield Scene(stack, double, ida, api, workspace_id)
        ida.context.close()


def test_a_run_is_suspended_and_resumed_from_its_card(scene: Scene) -> None:
    scene.go("c/general/")
    page = scene.page
    box = page.get_by_label(re.compile("^Message to #"))
    box.fill("@coder look at calc.py")
    box.press("Escape")
    box.press("Enter")
    card = page.locator("run-card").last
    expect(card.locator(".step-stream")).to_contain_text("word by word", timeout=RUN_MS)
    card.get_by_role("button", name="Suspend").click()
    expect(card.get_by_role("status")).to_have_text("Suspended", timeout=RUN_MS)
    expect(card).to_contain_text("A person suspended it.")
    thinking = card.get_by_role("treeitem").filter(has_text="turn 2")
    expect(thinking).to_contain_text("cut off")
    expect(card.locator(".step-stream")).to_have_count(0)
    resume = card.get_by_role("button", name="Resume")
    resume.focus()
    page.keyboard.press("Enter")
    expect(card.get_by_role("status")).to_have_text("Finished", timeout=RUN_MS)
    expect(card).to_contain_text("It was all well.")
    # What had ended was not done again: only the step that was cut off is asked for twice.
    expect(card.get_by_role("treeitem").filter(has_text="turn 1")).to_have_count(1)
    turns = [
        sum(one["role"] == "assistant" for one in asked.messages)
        for asked in scene.double.asked
        if asked.tools
    ]
    assert turns.count(0) == 1, turns
    assert not scene.ida.complaints, scene.ida.complaints


def test_the_fleet_page_follows_a_run_and_holds_it(scene: Scene) -> None:
    scene.go("fleet/")
    page = scene.page
    run_id = scene.start("look at calc.py, fleet")
    line = page.locator(f"#fleet-run-{run_id}")
    running = page.get_by_role("region", name="At work")
    expect(running.locator(line)).to_be_visible(timeout=RUN_MS)
    expect(line).to_contain_text("scripted (openai)")

    # Somebody at the choice of a priority is not disturbed by the page that renews itself around them.
    choice = line.get_by_label("Priority of @coder")
    choice.focus()
    before = line.locator("time").last.inner_text()
    expect(line.locator("time").last).not_to_have_text(before, timeout=10_000)
    expect(choice).to_be_focused()
    choice.select_option("high")
    expect(line).to_contain_text("High priority")
    assert scene.api.get(f"workspaces/{scene.workspace_id}/runs/{run_id}").json()["priority"] == "high"

    line.get_by_role("button", name="Suspend @coder").click()
    held = page.get_by_role("region", name="Suspended")
    expect(held.locator(line)).to_contain_text("A person suspended it.", timeout=RUN_MS)
    line.get_by_role("button", name="Resume @coder").click()
    expect(line).to_have_count(0, timeout=RUN_MS)
    found = scene.api.get(f"workspaces/{scene.workspace_id}/runs/{run_id}").json()
    assert (found["status"], found["answer"]) == ("finished", "It was all well.")
    assert not scene.ida.complaints, scene.ida.complaints


def test_what_the_server_refuses_is_said_and_undone(scene: Scene) -> None:
    run_id = scene.start("look at calc.py, refused")
    scene.ida.go("/fleet/")
    page = scene.page
    stop = page.locator(f"#fleet-run-{run_id}").get_by_role("button", name="Stop @coder")
    expect(stop).to_be_visible(timeout=RUN_MS)
    page.route("**/cancel/", lambda route: route.abort())
    page.once("dialog", lambda dialog: dialog.accept())
    stop.click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was changed")
    page.unroute("**/cancel/")
    page.once("dialog", lambda dialog: dialog.accept())
    stop.click()
    expect(page.locator(f"#fleet-run-{run_id}")).to_have_count(0, timeout=RUN_MS)


def test_the_owner_shares_the_fleet_out(scene: Scene) -> None:
    scene.ida.go("/fleet/")
    weight = scene.page.get_by_label("Weight of Sums").last
    weight.fill("2.5")
    weight.press("Enter")
    expect(scene.page.get_by_label("Weight of Sums").last).to_have_value("2.5")
    shares = {one["workspace_id"]: one["weight"] for one in scene.api.get("fleet/shares").json()}
    assert shares[scene.workspace_id] == 2.5


def test_axe_finds_nothing_on_a_busy_fleet(scene: Scene, chromium: Browser) -> None:
    run_id = scene.start("look at calc.py, busy", priority="high")
    held = scene.start("look at calc.py, held", priority="low")
    scene.api.post(f"workspaces/{scene.workspace_id}/runs/{held}/suspend")
    kept = scene.ida.context.storage_state()
    # Without the page's policy, which would refuse the checker's own script.
    context = chromium.new_context(bypass_csp=True, storage_state=kept, reduced_motion="reduce")
    looking = Person(context, scene.stack, scene.ida.email)
    found = []
    for place in ("/fleet/", f"/w/{scene.workspace_id}/fleet/", f"/w/{scene.workspace_id}/runs/{held}/"):
        for size in (DESKTOP, PHONE):
            looking.page.set_viewport_size(size)  # type: ignore[arg-type]
            looking.go(place)
            expect(looking.page.get_by_text("A person suspended it.").first).to_be_visible(timeout=RUN_MS)
            for theme in ("light", "dark"):
                looking.page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
                looking.page.wait_for_timeout(150)
                found += [f"{place} {size['width']} {theme}: {line}" for line in violations(looking.page)]
    context.close()
    scene.api.post(f"workspaces/{scene.workspace_id}/runs/{run_id}/cancel")
    assert not found, "\n".join(found)
