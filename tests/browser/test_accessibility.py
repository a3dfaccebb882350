"""Every page for everybody: axe-core finds nothing, nothing scrolls sideways on a phone, and the browser has no complaint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.browser.conftest import DESKTOP, PHONE, Person
from tests.browser.furnished import SIGNED_OUT, Furnished
from tests.framework.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
PAGES = list(Furnished("", 1, 1, "", 1).pages())
# What must be there before a page counts as shown: islands and editors draw after the load.
SHOWN = {
    "channel": "run-card .run-head, run-card h3, run-card",
    "files": ".cm-content",
    "review": ".hunk",
    "run": "[role=tree]",
}
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}
COUNT_VIOLATIONS = """
window.__violations = [];
document.addEventListener("securitypolicyviolation", (e) =>
  window.__violations.push(`${e.effectiveDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`));
"""


def visit(person: Person, furnished: Furnished, name: str) -> Page:
    """Open the page of that name and wait until it is drawn."""
    person.go(SIGNED_OUT.get(name) or furnished.pages()[name])
    if name in SHOWN:
        person.page.wait_for_selector(SHOWN[name])
    person.page.wait_for_load_state("networkidle")
    return person.page


def violations(page: Page) -> list[str]:
    """Return what axe-core finds, a line for each element."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [
        f"{one['id']}: {node['target']} {node['html'][:160]} — {' '.join(str(node['failureSummary']).split())[:240]}"
        for one in found
        for node in one["nodes"]
    ]


def find_everywhere(person: Person, furnished: Furnished, name: str) -> list[str]:
    """Return what axe-core finds on a page: on a desktop and a phone, light and dark."""
    found: list[str] = []
    for size, viewport in (("desktop", DESKTOP), ("phone", PHONE)):
        person.page.set_viewport_size(viewport)  # type: ignore[arg-type]
        page = visit(person, furnished, name)
        for theme in ("light", "dark"):
            page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
            page.wait_for_timeout(50)
            found += [f"{size} {theme}: {line}" for line in violations(page)]
    return found


@pytest.fixture
def unbound(stack: Stack, chromium: Browser, furnished: Furnished, signed_in: Path) -> Iterator[Person]:
    """The owner in a browser without the page's policy, which would refuse the checker's own script."""
    context = chromium.new_context(bypass_csp=True, storage_state=signed_in, reduced_motion="reduce")
    yield Person(context, stack, furnished.owner)
    context.close()


@pytest.fixture
def bound(stack: Stack, chromium: Browser, furnished: Furnished, signed_in: Path) -> Iterator[Person]:
    """The owner on a phone, under the strict policy."""
    context = chromium.new_context(viewport=PHONE, storage_state=signed_in)  # type: ignore[arg-type]
    context.add_init_script(COUNT_VIOLATIONS)
    yield Person(context, stack, furnished.owner)
    context.close()


@pytest.mark.parametrize("name", [*PAGES, *SIGNED_OUT])
def test_axe_finds_nothing(unbound: Person, furnished: Furnished, name: str) -> None:
    if name in SIGNED_OUT:
        unbound.context.clear_cookies()
    found = find_everywhere(unbound, furnished, name)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", [*PAGES, *SIGNED_OUT])
def test_fits_a_phone_and_the_browser_has_no_complaint(
    bound: Person, furnished: Furnished, name: str
) -> None:
    if name in SIGNED_OUT:
        bound.context.clear_cookies()
    page = visit(bound, furnished, name)
    wide = page.evaluate(
        "[document.documentElement, document.body, document.querySelector('main')]"
        ".filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => `${e.tagName} ${e.scrollWidth} px`)"
    )
    assert not wide, f"scrolls sideways: {wide}"
    assert page.evaluate("window.__violations") == []
    # The browser itself writes one line about a page that answers 404; there the line is right.
    complaints = [text for text in bound.complaints if name != "error" or "404" not in text]
    assert not complaints, complaints


def test_the_checker_sees_what_is_wrong(unbound: Person, furnished: Furnished) -> None:
    page = visit(unbound, furnished, "home")
    page.evaluate(
        "document.querySelector('main').insertAdjacentHTML('beforeend', '<button></button><img src=x>')"
    )
    found = "\n".join(violations(page))
    assert "button-name" in found and "image-alt" in found
