"""Telling a running agent something, stopping one of its steps, doing it again from a step, and the tree of who asked whom."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import DESKTOP, Person
from tests.browser.furnished import make_workspace, wait_for
from tests.framework.provider_double.planned import play
from tests.framework.provider_double.script import Asked, Brain, Call, Say
from tests.framework.provider_double.threaded import running_double
from tests.framework.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
RUN_MS = 60_000


def slow(asked: Asked) -> Say:
    """Write a file, then run something that takes for ever; finish once somebody has stopped it and said what they want."""
    if not asked.tools:
        return Say("OK")
    said = "\n".join(str(message["content"]) for message in asked.messages)
    if "stopped this" in said or "Run again gently" in said:
        word = "tabs" if "while you work: Use tabs" in said else "nothing"
        return Say("", (Call("finish", {"answer": f"I stopped; you told me of {word}."}),))
    if any(message["role"] == "tool" for message in asked.messages):
        return Say("Now I wait.", (Call("run_command", {"command": "sleep 300"}),))
    return Say("I write.", (Call("write_file", {"path": "b.py", "content": "y = 2\n"}),))


@pytest.fixture
def ada(stack: Stack, chromium: Browser) -> Iterator[Person]:
    email = stack.person(f"ada-{secrets.token_hex(3)}", is_owner=True)
    person = Person(chromium.new_context(viewport=DESKTOP), stack, email)  # type: ignore[arg-type]
    person.sign_in()
    yield person
    person.context.close()


def call(api: httpx.Client, base_url: str, agent: str, goal: str) -> tuple[int, str]:
    """Call an agent in a new workspace; return the workspace and the run."""
    workspace_id = make_workspace(api, "Steered", {"a.py": "x = 1\n"})
    model = {"name": "m", "provider": "openai", "model": "scripted", "base_url": base_url, "is_default": True}
    api.post("models", json=model).raise_for_status()
    run = api.post(f"workspaces/{workspace_id}/runs", json={"agent": agent, "goal": goal}).raise_for_status()
    return workspace_id, run.json()["id"]


def watch_coder(ada: Person, api: httpx.Client, address: str) -> tuple[int, str]:
    """Call @coder and open its run's page; return workspace and run once its command is at work."""
    workspace_id, run_id = call(api, address, "coder", "add b.py")
    ada.go(f"/w/{workspace_id}/runs/{run_id}/")
    expect(ada.page.get_by_role("treeitem").filter(has_text="$ sleep 300")).to_be_visible(timeout=RUN_MS)
    return workspace_id, run_id


@pytest.fixture
def double_address() -> Iterator[tuple[str, list[Brain]]]:
    with running_double() as double:
        brains: list[Brain] = []
        double.brain = lambda asked: brains[0](asked)
        yield double.base_url("openai"), brains


def test_a_person_tells_a_running_agent_something_and_stops_one_step(
    stack: Stack, ada: Person, double_address: tuple[str, list[Brain]]
) -> None:
    address, brains = double_address
    brains.append(slow)
    page = ada.page
    with stack.api(ada.email) as api:
        _, run_id = watch_coder(ada, api, address)

        # Said to the run as a whole, by keys alone.
        words = page.get_by_label("What @coder should know")
        words.focus()
        page.keyboard.type("Use tabs, please.")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        tell = page.get_by_role("region", name="Tell @coder something")
        expect(tell.get_by_role("status")).to_contain_text("Told.")

        # One step is stopped from its row; the file that was written before stays.
        command = page.get_by_role("treeitem").filter(has_text="$ sleep 300")
        ada.shoot("steering")
        command.get_by_role("button", name="Stop “$ sleep 300”").click()
        expect(page.locator("run-card").get_by_role("status").first).to_contain_text(
            "Finished", timeout=RUN_MS
        )
        expect(page.locator(".run-answer")).to_contain_text("you told me of tabs")
        expect(page.get_by_role("treeitem").filter(has_text="Ada")).to_have_count(2)
        expect(page.get_by_role("treeitem").filter(has_text="Write b.py")).to_contain_text("done")
        expect(tell).to_have_count(0)

        # Done again from a step, with other words.
        page.get_by_role("treeitem").filter(has_text="$ sleep 300").first.click()
        again = page.get_by_label("What it should do otherwise (may stay empty)")
        again.fill("Run again gently.")
        ada.page.wait_for_timeout(300)
        page.screenshot(path="tests/browser/artefacts/steering-again.png", full_page=True)
        page.get_by_role("button", name="Run again from here").click()
        page.wait_for_url(lambda url: run_id not in url)
        expect(page.locator(".run-answer")).to_contain_text("you told me of nothing", timeout=RUN_MS)
        expect(page.get_by_role("treeitem").filter(has_text="Run again gently.")).to_be_visible()
        expect(page.get_by_role("link", name="an earlier try")).to_be_visible()

        # Done again with another goal, by keys alone; the form has come with the run's end.
        earlier = page.url
        page.locator("#run-again > summary").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.press("ControlOrMeta+A")
        page.keyboard.type("Run again gently, and say why.")
        page.screenshot(path="tests/browser/artefacts/run-again.png", full_page=True)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: url != earlier)
        expect(page.locator(".run-whole-goal")).to_have_text("Run again gently, and say why.")
    assert ada.complaints == []


def test_what_somebody_writes_when_the_run_ends_stays_to_be_copied(
    stack: Stack, ada: Person, double_address: tuple[str, list[Brain]]
) -> None:
    address, brains = double_address
    brains.append(slow)
    page = ada.page
    with stack.api(ada.email) as api:
        workspace_id, run_id = watch_coder(ada, api, address)
        words = page.get_by_label("What @coder should know")
        words.press_sequentially("Half a thought of")
        api.post(f"workspaces/{workspace_id}/runs/{run_id}/cancel").raise_for_status()
        tell = page.get_by_role("region", name="Tell @coder something")
        expect(tell.get_by_role("status")).to_contain_text("has ended, and this was not told", timeout=RUN_MS)
        expect(words).to_have_value("Half a thought of")
        expect(words).not_to_be_editable()
        expect(tell.get_by_role("button")).to_have_count(0)
        expect(page.locator("#run-again")).to_be_visible()
        ada.shoot("ended-while-telling")
    assert ada.complaints == []


def test_who_asked_whom_is_one_tree_of_links(
    stack: Stack, ada: Person, double_address: tuple[str, list[Brain]]
) -> None:
    address, brains = double_address
    brains.append(play)
    page = ada.page
    with stack.api(ada.email) as api:
        workspace_id, run_id = call(api, address, "planner", "Write both files")
        ada.go(f"/w/{workspace_id}/runs/{run_id}/")
        lineage = page.get_by_role("navigation", name="Who asked whom")
        expect(lineage.get_by_role("link", name="@coder")).to_have_count(
            2, timeout=RUN_MS
        )  # it grows by itself
        expect(page.locator(".run-answer")).to_contain_text("Both files are written.", timeout=RUN_MS)
        expect(lineage.get_by_text("Finished")).to_have_count(3)
        ada.shoot("lineage")
        page.get_by_role("treeitem").filter(has_text="@coder: Write one.py").first.click()
        page.get_by_role("link", name="Open the run of @coder").click()
        expect(page.get_by_role("heading", name="@coder")).to_be_visible()
        expect(lineage.get_by_role("link", name="@planner")).to_be_visible()
        expect(lineage.locator("[aria-current]")).to_contain_text("Write one.py")
    assert ada.complaints == []


def test_whom_an_agent_asked_stands_in_its_card_with_status_and_review(
    stack: Stack, ada: Person, double_address: tuple[str, list[Brain]]
) -> None:
    """Trap: a delegated run had no place in the channel; its review was found by who knew its run's page."""
    address, brains = double_address
    brains.append(play)
    page = ada.page
    with stack.api(ada.email) as api:
        workspace_id = make_workspace(api, "Asked", {"a.py": "x = 1\n"})
        model = {
            "name": "m",
            "provider": "openai",
            "model": "scripted",
            "base_url": address,
            "is_default": True,
        }
        api.post("models", json=model).raise_for_status()
        ada.go(f"/w/{workspace_id}/c/general/")
        box = page.get_by_label("Message to #general")
        box.fill("@planner Write both files")
        box.press("Escape")
        box.press("Enter")
        asked = page.get_by_role("region", name="Agents that @planner asked")
        rows = asked.get_by_role("listitem")
        expect(rows).to_have_count(2, timeout=RUN_MS)  # they come by themselves
        expect(asked.get_by_text("Finished")).to_have_count(2, timeout=RUN_MS)
        expect(rows.first).to_contain_text("Write one.py")
        expect(rows.first.get_by_role("link", name="Review of @coder: Write one.py")).to_be_visible()
        ada.shoot("asked")
        # After a reload the steps are opened, and the same stands there.
        ada.go(f"/w/{workspace_id}/c/general/")
        page.get_by_role("button", name="Steps").click()
        expect(rows).to_have_count(2)
        rows.nth(1).get_by_role("link", name="@coder Write two.py").click()
        expect(page.get_by_role("heading", name="@coder")).to_be_visible()
        ada.go(f"/w/{workspace_id}/c/general/")
        page.get_by_role("button", name="Steps").click()
        rows.first.get_by_role("link", name="Review of @coder: Write one.py").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/reviews/**")
    assert ada.complaints == []


def test_the_same_works_without_scripts(
    stack: Stack, chromium: Browser, double_address: tuple[str, list[Brain]]
) -> None:
    address, brains = double_address
    brains.append(slow)
    email = stack.person(f"ned-{secrets.token_hex(3)}", is_owner=True)
    context = chromium.new_context(viewport=DESKTOP, java_script_enabled=False)  # type: ignore[arg-type]
    ned = Person(context, stack, email)
    ned.sign_in()
    page = ned.page
    with stack.api(email) as api:
        workspace_id, run_id = call(api, address, "coder", "add b.py")

        def waits() -> str | None:
            steps = api.get(f"workspaces/{workspace_id}/runs/{run_id}").raise_for_status().json()["steps"]
            return next((step["id"] for step in steps if step["title"] == "$ sleep 300"), None)

        step_id = wait_for(waits, what="the slow step")
        page.goto(f"{stack.url}/w/{workspace_id}/runs/{run_id}/")
        page.get_by_label("What @coder should know").fill("Use tabs.")
        page.get_by_role("button", name="Tell it").click()
        expect(page.get_by_text("@coder is told.")).to_be_visible()
        page.goto(f"{stack.url}/w/{workspace_id}/runs/{run_id}/steps/{step_id}/")
        page.get_by_role("button", name="Stop this step").click()

        def ended() -> str | None:
            run = api.get(f"workspaces/{workspace_id}/runs/{run_id}").raise_for_status().json()
            return str(run["answer"]) if run["status"] == "finished" else None

        assert "you told me of tabs" in wait_for(ended, what="the run's end")
        page.goto(f"{stack.url}/w/{workspace_id}/runs/{run_id}/steps/{step_id}/")
        page.get_by_role("button", name="Run again from here").click()
        expect(page.get_by_role("link", name="an earlier try")).to_be_visible()
        again = page.url.rstrip("/").rpartition("/")[2]
        api.post(f"workspaces/{workspace_id}/runs/{again}/cancel")
    context.close()
