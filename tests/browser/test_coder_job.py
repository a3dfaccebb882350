"""`@coder` on a person's own model, from choosing it to landing its second revision, by two people in two browsers."""

from __future__ import annotations

import re
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import DESKTOP, Person
from tests.browser.furnished import make_workspace
from tests.framework.provider_double import Fault, ProviderDouble, Say
from tests.framework.provider_double.reviewed_coder import FILES, THOUGHT, play
from tests.framework.provider_double.threaded import running_double
from tests.framework.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
KEY = "sk-canary-90c1d2e3f4a5b697"
RUN_MS = 60_000


@dataclass
class Scene:
    """A workspace with an edit that nobody has committed, a member who calls and a maintainer who applies."""

    stack: Stack
    double: ProviderDouble
    ada: Person
    grace: Person
    api: httpx.Client
    workspace_id: int

    @property
    def base(self) -> str:
        return f"/w/{self.workspace_id}"

    def git(self, *words: str) -> str:
        repository = self.stack.home / "workspaces" / str(self.workspace_id) / "repo.git"
        done = subprocess.run(["git", f"--git-dir={repository}", *words], capture_output=True, check=True)
        return done.stdout.decode()

    def file(self, path: str) -> str:
        return str(self.api.get(f"workspaces/{self.workspace_id}/file", params={"path": path}).json()["text"])


@pytest.fixture
def scene(stack: Stack, chromium: Browser) -> Iterator[Scene]:
    with running_double(key=KEY) as double:
        double.brain = play
        people = []
        for name in ("ida", "gus"):
            email = stack.person(f"{name}-{secrets.token_hex(3)}", is_owner=name == "ida")
            people.append(Person(chromium.new_context(viewport=DESKTOP), stack, email))  # type: ignore[arg-type]
        api = stack.api(people[0].email)
        workspace_id = make_workspace(api, "Sums", FILES)
        member = {"email": people[1].email, "role": "member"}
        api.post(f"workspaces/{workspace_id}/members", json=member).raise_for_status()
        mine = str(FILES["calc.py"]) + "# mine, not committed\n"
        now = api.get(f"workspaces/{workspace_id}/file", params={"path": "calc.py"}).json()
        saved = {"path": "calc.py", "text": mine, "expected": now["version"]}
        api.put(f"workspaces/{workspace_id}/file", json=saved).raise_for_status()
        for person in people:
            person.sign_in()
        yield Scene(stack, double, *people, api, workspace_id)
        for person in people:
            person.context.close()


def choose_model(scene: Scene) -> None:
    """The maintainer chooses for everybody here, so that the member's runs have the same model."""
    page = scene.ada.page
    scene.ada.go(f"{scene.base}/settings/models/")
    page.get_by_role("link", name="Add a model").click()
    form = page.locator("main form")
    form.get_by_label("Name").fill("Mine")
    form.get_by_label("Provider").select_option(label="OpenAI-compatible")
    form.get_by_label("Model", exact=True).fill("scripted")
    form.get_by_label("Base URL").fill(scene.double.base_url("openai"))
    form.get_by_label("Key").fill(KEY)
    form.get_by_label("Use this model by default").check()
    form.get_by_role("button", name="Save").click()
    card = page.get_by_role("region", name="Mine")
    card.get_by_role("button", name="Test").click()
    expect(card.get_by_role("status")).to_contain_text("scripted answered in")
    expect(card).to_contain_text("Price")
    expect(card).to_contain_text("unknown")
    assert KEY not in page.content()


def call(page: Page, words: str) -> None:
    box = page.get_by_label(re.compile("^Message to #"))
    box.fill(words)
    box.press("Escape")
    box.press("Enter")


def test_two_people_bring_a_change_of_coder_from_a_call_to_its_second_revision_and_land_it(
    scene: Scene,
) -> None:
    ada, grace = scene.ada.page, scene.grace.page
    choose_model(scene)
    for person in (scene.ada, scene.grace):
        person.go(f"{scene.base}/c/general/")
        expect(person.page.locator("#connection")).to_have_attribute("data-state", "online")
    call(ada, "@coder fix the failing test in calc.py")

    # Both see the model's words while it says them, and what it runs on.
    for page in (ada, grace):
        card = page.locator("run-card").last
        words = card.locator(".step-stream").filter(has_text="First I look at what is there")
        expect(words).to_be_visible(timeout=RUN_MS)
        assert len(words.inner_text()) < len(THOUGHT) - 20, "the words came all at once"
        expect(card).to_contain_text("scripted (openai)")
    for page in (ada, grace):
        card = page.locator("run-card").last
        expect(card).to_contain_text("Finished", timeout=RUN_MS)
        expect(card).to_contain_text("add() added nothing; now it does.")
        expect(card).to_contain_text("@coder runs on scripted (openai)")
        expect(card).to_contain_text("unknown price")
        expect(card.get_by_role("treeitem").filter(has_text="calc.py").first).to_be_visible()

    # The member reviews by keys: a must-fix goes to the agent, which answers with a new revision.
    grace.locator("run-card").last.get_by_role("link", name="Review the changes").click()
    header = grace.locator("#review-header")
    expect(header).to_contain_text("tests passed")
    expect(header).to_contain_text("unknown")
    assert grace.get_by_role("button", name=re.compile("Apply accepted")).count() == 0, "a member decides"
    review_path = grace.url.removeprefix(scene.stack.url)
    scene.ada.go(review_path)
    expect(ada.locator(".hunk")).to_have_count(2)
    grace.keyboard.press("j")
    grace.keyboard.press("c")
    form = grace.get_by_role("form", name=re.compile("Comment on line 2 of calc.py"))
    form.get_by_label("Must fix").check()
    form.get_by_role("textbox").fill("Say why.")
    grace.keyboard.press("Control+Enter")
    expect(header).to_contain_text("1 must-fix")
    grace.get_by_role("button", name="Ask for changes (1)").click()
    expect(grace.locator("#rv-reload")).to_contain_text("Revision 2 is here.", timeout=RUN_MS)
    grace.get_by_role("link", name="Show it").click()
    expect(grace.locator("main")).to_contain_text("Since revision 1, which you saw last: 1 changed, 1 same.")
    changed = grace.locator(".hunk").filter(has_text="changed since r1")
    expect(changed).to_contain_text("the sum")
    changed.get_by_text("as it was in r1").click()
    expect(changed.locator("details")).to_contain_text("return a + b")
    expect(grace.locator("main")).to_contain_text("It says so now.")

    # The maintainer takes the one and leaves the other, and has the tests run on exactly that.
    ada.get_by_role("link", name="Show it").click()
    expect(ada.get_by_role("button", name=re.compile("Apply accepted"))).to_be_disabled()
    ada.get_by_role("button", name="Resolve").first.click()
    expect(ada.locator("#review-header")).not_to_contain_text("must-fix")
    ada.keyboard.press("j")
    ada.keyboard.press("a")
    expect(ada.locator(".hunk.is-accepted")).to_have_count(1)
    ada.keyboard.press("j")
    ada.keyboard.press("r")
    expect(ada.locator(".hunk.is-rejected")).to_have_count(1)
    ada.get_by_label("Command").fill("python3 -m pytest -q && cat notes.py && tail -n 1 calc.py")
    ada.get_by_role("button", name="Run on accepted").click()
    evidence = ada.locator("#rv-evidence-rows li").filter(has_text="the accepted hunk")
    expect(evidence).to_contain_text("Passed", timeout=RUN_MS)
    evidence.locator("summary").click()
    expect(evidence.locator("pre")).to_contain_text('GREETING = "hello"')

    # It lands as one commit beside the edit that nobody has committed, and leaves as one.
    ada.get_by_role("button", name="Apply accepted (1 of 2)").click()
    expect(ada.get_by_text("Landed by")).to_be_visible(timeout=RUN_MS)
    landed = 'return a + b  # the sum, not the "difference"'
    assert landed in scene.git("show", "main:calc.py") and "mine" not in scene.git("show", "main:calc.py")
    assert landed in scene.file("calc.py") and "# mine, not committed" in scene.file("calc.py")
    assert "hello" in scene.git("show", "main:notes.py")
    trailers = scene.git("log", "-1", "--format=%(trailers:keyonly)", "main").split()
    assert trailers == ["Change-Set", "Agent", "Run", "Accepted-by"]
    ada.once("dialog", lambda dialog: dialog.accept())
    ada.get_by_role("button", name="Undo landed").click()
    expect(ada.get_by_text("Landed and taken out again")).to_be_visible(timeout=RUN_MS)
    assert "return a - b" in scene.git("show", "main:calc.py")
    assert scene.file("calc.py") == str(FILES["calc.py"]) + "# mine, not committed\n"
    for person in (scene.ada, scene.grace):
        assert not person.complaints, person.complaints


def test_the_card_says_why_a_model_failed_and_tries_again(scene: Scene) -> None:
    page = scene.ada.page
    choose_model(scene)
    scene.ada.go(f"{scene.base}/c/general/")
    scene.double.say(*[Say(fault=Fault("http", status=500, message="out of order"))] * 4)
    call(page, "@coder fix the failing test in calc.py")
    first = page.locator("run-card").first
    expect(first).to_contain_text("Failed", timeout=RUN_MS)
    expect(first.locator(".run-error")).to_contain_text("The provider answered 500: out of order.")
    expect(first.locator(".run-error")).to_contain_text("try again in a few minutes")
    first.get_by_role("button", name="Try again").click()
    expect(page.locator("run-card")).to_have_count(2)
    expect(page.locator("run-card").last).to_contain_text("Finished", timeout=RUN_MS)
    call(page, "@coder fix the failing test in calc.py once more")
    third = page.locator("run-card").nth(2)
    expect(third.locator(".step-stream")).to_be_visible(timeout=RUN_MS)
    third.get_by_role("button", name="Stop", exact=True).click()
    expect(third).to_contain_text("Stopped by Ida", timeout=RUN_MS)
    assert not scene.ada.complaints, scene.ada.complaints
