"""The main job, by two people in two browsers: sign up, workspace, edit, talk, call an agent, review, land, undo."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import DESKTOP, Person
from tests.framework.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
RUN_S, PAGE_S = 60_000, 15_000


@pytest.fixture(scope="module")
def fresh_stack() -> Iterator[Stack]:
    """An installation on which nobody has signed up yet."""
    with tempfile.TemporaryDirectory(prefix="pyagent-fresh-") as folder:
        running = Stack(Path(folder) / "home")
        running.start(is_first=True)
        yield running
        running.stop()


def sign_up(person: Person, url: str, name: str, email: str) -> None:
    page = person.page
    page.goto(url)
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill("analytical engine 1843")
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("heading", name=re.compile("Workspaces|general"))).to_be_visible()


def say(page: Page, text: str) -> None:
    box = page.get_by_label(re.compile("^Message to #"))
    box.fill(text)
    if "@" in text:
        expect(page.get_by_role("listbox")).to_be_visible()
        box.press("Escape")
        expect(page.get_by_role("listbox")).to_be_hidden()
    box.press("Enter")


class MainJob:
    """Steps 1–7, in their order: Ada does them, Grace looks on from a browser of her own."""

    def __init__(self, browser: Browser, stack: Stack, *, is_shooting: bool) -> None:
        self.stack, self.is_shooting = stack, is_shooting
        self.ada = Person(browser.new_context(viewport=DESKTOP), stack, "ada@example.org")  # type: ignore[arg-type]
        self.grace = Person(browser.new_context(viewport=DESKTOP), stack, "grace@example.org")  # type: ignore[arg-type]
        self.page = self.ada.page
        self.base = ""

    def shoot(self, name: str) -> None:
        if self.is_shooting:
            self.ada.shoot(name)

    def sign_up_and_invite(self, archive: Path) -> None:
        sign_up(self.ada, self.stack.setup_url(), "Ada Lovelace", self.ada.email)
        self.shoot("home")
        page, grace = self.page, self.grace
        page.get_by_role("link", name="New workspace").click()
        page.get_by_label("Name", exact=True).fill("Requests")
        page.set_input_files("input[type=file]", str(archive))
        page.get_by_role("button", name="Create workspace").click()
        page.wait_for_url("**/c/general/**", timeout=30_000)
        self.base = page.url.split("/c/")[0].removeprefix(self.stack.url)
        self.ada.go(f"{self.base}/members/")
        page.get_by_role("button", name="Invite").click()
        invitation = page.locator(".copy-once code").inner_text()
        sign_up(grace, invitation, "Grace Hopper", grace.email)
        # What is said about the mail stands above the channel, which keeps its place.
        expect(grace.page.locator("main > .notice")).to_contain_text("mail")
        box = grace.page.locator("#composer").bounding_box()
        assert box is not None and box["width"] > 600, f"the composer is {box} small"
        grace.go(f"{self.base}/c/general/")

    def edit_and_commit(self) -> None:
        page = self.page
        self.ada.go(f"{self.base}/files/?path=src/requests/api.py")
        editor = page.locator(".cm-content").first
        expect(editor).to_contain_text("requests.api", timeout=PAGE_S)
        editor.click()
        page.keyboard.press("Control+End")
        # The editor indents by itself after a colon.
        page.keyboard.type("\n\ndef shout(text):\nreturn text.upper()\n")
        page.keyboard.press("Control+s")
        expect(page.locator("#editor-status")).to_contain_text("maintainability")
        expect(page.locator("#tabs")).not_to_contain_text("●")
        self.shoot("editor")
        self.ada.go(f"{self.base}/git/")
        page.get_by_role("button", name="Stage src/requests/api.py").click()
        page.get_by_label("Commit message").fill("api: Shout.")
        page.get_by_role("button", name="Commit", exact=True).click()
        expect(page.locator("#log")).to_contain_text("api: Shout.")

    def talk(self) -> None:
        page = self.page
        self.ada.go(f"{self.base}/c/general/")
        say(page, "Shall we **tidy** this up?\n```python\nprint('now')\n```")
        expect(self.grace.page.get_by_role("log")).to_contain_text("Shall we tidy this up?", timeout=PAGE_S)
        say(self.grace.page, "Yes, @ada-lovelace")
        expect(page.get_by_role("log")).to_contain_text("Yes,", timeout=PAGE_S)

    def call_an_agent(self) -> None:
        page = self.page
        say(page, "@tidy")
        for one in (page, self.grace.page):
            expect(one.locator("run-card").last).to_contain_text("Finished", timeout=RUN_S)
            expect(one.locator("run-card").last).to_contain_text("Apply the safe fixes")
            title = one.locator("run-card").last.locator(".step-title", has_text="Choose the files")
            box = title.bounding_box()
            assert box is not None and box["width"] > 60, f"the title of a step is {box} small"
        self.shoot("channel")
        page.locator("run-card").last.get_by_role("link", name="Open").click()
        expect(page.get_by_role("tree").first).to_be_visible()
        self.shoot("run")

    def review_and_undo(self) -> None:
        """Review by keys; the other sees the decision; apply; undo."""
        page = self.page
        page.get_by_role("link", name=re.compile("Review")).last.click()
        expect(page.get_by_role("button", name=re.compile(r"Apply accepted \(0 of"))).to_be_disabled()
        self.grace.go(page.url.removeprefix(self.stack.url))
        page.keyboard.press("j")
        page.keyboard.press("a")
        expect(page.get_by_role("button", name=re.compile(r"Apply accepted \(1 of"))).to_be_enabled()
        expect(self.grace.page.locator(".hunk-verdict").get_by_text("accepted").first).to_be_visible(
            timeout=PAGE_S
        )
        page.keyboard.press("j")
        page.keyboard.press("r")
        expect(page.locator(".hunk-verdict").get_by_text("rejected").first).to_be_visible()
        page.keyboard.press("u")
        expect(page.locator(".hunk-verdict").get_by_text("rejected")).to_have_count(0)
        self.shoot("review")
        with page.expect_navigation(timeout=RUN_S):
            page.get_by_role("button", name=re.compile("Apply accepted")).click()
        undo = page.locator("#undo-landed")
        expect(undo).to_be_visible(timeout=RUN_S)
        review_page = page.url.removeprefix(self.stack.url)
        self.ada.go(f"{self.base}/git/")
        expect(page.locator("#log li").first).to_contain_text("Ada Lovelace")
        expect(page.locator("#log li").first).to_contain_text("Tidy")
        expect(page.locator("#changed")).to_contain_text("Nothing has changed.")
        self.ada.go(review_page)
        page.once("dialog", lambda dialog: dialog.accept())
        with page.expect_navigation(timeout=RUN_S):
            undo.click()
        expect(page.locator("main")).to_contain_text("Reverted", timeout=RUN_S, ignore_case=True)
        self.ada.go(f"{self.base}/git/")
        expect(page.locator("#log li").first).to_contain_text("Revert")

    def choose_a_model(self) -> None:
        page = self.page
        self.ada.go("/settings/models/")
        page.get_by_role("button", name="Test").first.click()
        expect(page.locator("main")).to_contain_text(
            re.compile("SmolLM2|answer", re.IGNORECASE), timeout=RUN_S
        )
        self.shoot("models")

    def end(self) -> None:
        """Close both browsers, in which nothing may have been complained of."""
        for person in (self.ada, self.grace):
            assert not person.complaints, person.complaints
            person.context.close()


def do_the_main_job(browser: Browser, stack: Stack, archive: Path, *, is_shooting: bool) -> None:
    job = MainJob(browser, stack, is_shooting=is_shooting)
    job.sign_up_and_invite(archive)
    job.edit_and_commit()
    job.talk()
    job.call_an_agent()
    job.review_and_undo()
    job.choose_a_model()
    job.end()


def test_two_people_do_the_main_job_in_chromium(
    chromium: Browser, fresh_stack: Stack, requests_sdist: Path
) -> None:
    do_the_main_job(chromium, fresh_stack, requests_sdist, is_shooting=True)
