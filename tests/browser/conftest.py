"""Real browsers, Debian's own, driven by Playwright."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from tests.browser.furnished import Furnished, furnish
from tests.framework.stack import PASSWORD, Stack

ARTEFACTS = Path(__file__).parent / "artefacts"
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise RuntimeError(
            f"{name} is missing; `make test` installs it as root, else: apt-get install {name}"
        )
    return found


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """The driver."""
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """Debian's Chromium."""
    browser = playwright.chromium.launch(executable_path=program("chromium"), args=FLAGS)
    yield browser
    browser.close()


class Person:
    """Somebody at a browser of their own. What the browser complains about is kept in `complaints`."""

    def __init__(self, context: BrowserContext, stack: Stack, email: str) -> None:
        self.context, self.stack, self.email = context, stack, email
        self.page: Page = context.new_page()
        self.page.set_default_timeout(15_000)
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console",
            lambda message: self.complaints.append(message.text) if message.type == "error" else None,
        )

    def go(self, path: str) -> None:
        """Open a page of this installation, once the present one has settled: it may be about to load itself again."""
        self.page.wait_for_load_state("networkidle")
        self.page.goto(self.stack.url + path)

    def sign_in(self) -> None:
        """Sign in by the form."""
        self.go("/accounts/login/")
        self.page.get_by_label("Email").fill(self.email)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in", exact=True).click()
        self.page.wait_for_url("**/")

    def shoot(self, name: str) -> None:
        """Keep screenshots of the present page: desktop and phone, light and dark."""
        ARTEFACTS.mkdir(exist_ok=True)
        for size, viewport in (("desktop", DESKTOP), ("phone", PHONE)):
            self.page.set_viewport_size(viewport)  # type: ignore[arg-type]
            if size == "phone":
                self.reload()  # a page may lay itself out anew for its size only when it opens
            for theme in ("light", "dark"):
                self.page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
                self.page.wait_for_timeout(150)
                self.page.screenshot(path=ARTEFACTS / f"{name}-{size}-{theme}.png")
        self.page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
        self.reload()

    def reload(self) -> None:
        """Open the present page anew, once it has settled."""
        self.page.wait_for_load_state("networkidle")
        self.page.reload()
        self.page.wait_for_load_state("networkidle")


def keep_cookies(stack: Stack, chromium: Browser, email: str, folder: Path) -> Path:
    """Sign somebody in and return the file that keeps the cookies."""
    person = Person(chromium.new_context(viewport=DESKTOP), stack, email)  # type: ignore[arg-type]
    person.sign_in()
    path = folder / "signed-in.json"
    person.context.storage_state(path=path)
    person.context.close()
    return path


@pytest.fixture
def people(stack: Stack, chromium: Browser) -> Iterator[list[Person]]:
    """Two people, each in a browser context of their own, signed out."""
    made: list[Person] = []
    for number in (0, 1):
        name = ("ada", "grace")[number]
        email = stack.person(f"{name}-{secrets.token_hex(3)}")
        made.append(Person(chromium.new_context(viewport=DESKTOP), stack, email))  # type: ignore[arg-type]
    yield made
    for person in made:
        person.context.close()


@pytest.fixture(scope="session")
def furnished(stack: Stack) -> Furnished:
    """The installation with something on every page."""
    return furnish(stack)


@pytest.fixture(scope="session")
def signed_in(
    stack: Stack, chromium: Browser, furnished: Furnished, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The owner's cookies, for contexts that begin signed in."""
    return keep_cookies(stack, chromium, furnished.owner, tmp_path_factory.mktemp("browser"))
