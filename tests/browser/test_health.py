"""Code health in Chromium: figures follow the typing, and a change in a terminal reaches editor and health page by itself."""

from __future__ import annotations

import time

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Person
from tests.browser.furnished import make_workspace
from tests.framework.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
# Not the invisible one that keeps the margin wide.
MARK = ".health-mark:not([title=''])"
FUNCTION = """\
def function_{n}(first, second):
    if first > second:
        return first
    for each in range(second):
        print(each)
    return second


"""
LONG = "".join(FUNCTION.format(n=n) for n in range(250))  # 2,000 lines
HARD = "def hard(a):\n" + "    if a:\n        a -= 1\n" * 17


def wait_measured(api: httpx.Client, workspace_id: int, files: int) -> None:
    for _ in range(200):
        if api.get(f"workspaces/{workspace_id}/codehealth/summary").json()["files"] == files:
            return
        time.sleep(0.05)
    raise AssertionError("the workspace was not measured within 10 s")


def place_cursor(page: Page, text: str) -> None:
    page.locator(".cm-line", has_text=text).first.click()
    page.keyboard.press("End")


def test_figures_follow_the_typing_in_a_long_file(people: list[Person], stack: Stack) -> None:
    person = people[0]
    person.sign_in()
    with stack.api(person.email) as api:
        workspace_id = make_workspace(api, "Typing", {"long.py": LONG})
    assert LONG.count("\n") == 2_000
    person.go(f"/w/{workspace_id}/files/?path=long.py")
    page = person.page
    expect(page.locator(MARK).first).to_have_text("3")
    place_cursor(page, "print(each)")
    page.keyboard.type("\nif each: return 4 and each or first", delay=90)
    expect(page.locator(MARK).first).to_have_text("4")
    expect(page.locator("#editor-status")).to_contain_text("function_0: complexity 4")
    behind = page.evaluate(
        "performance.getEntriesByName('audit-behind').map((one) => one.duration).sort((a, b) => a - b)"
    )
    middle, p95 = behind[len(behind) // 2], behind[int(len(behind) * 0.95)]
    print(f"figures behind the key, ms: median {middle:.0f}, p95 {p95:.0f}, of {len(behind)} keys")
    # The figure itself is measured on a quiet machine (docs/benchmarks.md): here typing must not outrun it for good.
    assert len(behind) >= 5 and behind[-1] < 2_000, behind
    assert person.complaints == []


def test_a_change_in_a_terminal_reaches_editor_and_health_page(people: list[Person], stack: Stack) -> None:
    person = people[0]
    person.sign_in()
    with stack.api(person.email) as api:
        workspace_id = make_workspace(api, "Live", {"easy.py": "def f():\n    return 1\n"})
        wait_measured(api, workspace_id, 1)
    person.go(f"/w/{workspace_id}/files/?path=easy.py")
    editor = person.page
    health = person.context.new_page()
    health.on("pageerror", lambda error: person.complaints.append(str(error)))
    health.goto(f"{stack.url}/w/{workspace_id}/health/")
    expect(health.locator(".health-map title").first).to_have_text(
        "easy.py, 2 lines, maintainability 100, highest complexity 1"
    )
    expect(editor.locator(MARK).first).to_have_text("1")
    editor.get_by_role("button", name="Terminal", exact=True).click()
    expect(editor.locator("pa-terminal [role=status]")).to_contain_text("Connected", timeout=20_000)
    editor.locator("pa-terminal textarea").focus()
    editor.keyboard.type(
        "printf 'def f(a):\\n    if a:\\n        return 1\\n    return 2\\n' > easy.py; cp easy.py two.py\n"
    )
    expect(editor.locator(MARK).first).to_have_text("2", timeout=5_000)
    expect(health.locator("#health-body")).to_contain_text("two.py", timeout=5_000)
    expect(health.get_by_role("link", name="two.py", exact=True).last).to_be_visible()
    assert person.complaints == []


def test_the_map_is_walked_by_keys_and_opens_a_file(people: list[Person], stack: Stack) -> None:
    person = people[0]
    person.sign_in()
    files = {f"pkg/m{n}.py": FUNCTION.format(n=n) * (n + 1) for n in range(12)} | {"hard.py": HARD}
    with stack.api(person.email) as api:
        workspace_id = make_workspace(api, "Map", files)
        wait_measured(api, workspace_id, 13)
    person.go(f"/w/{workspace_id}/health/")
    page = person.page
    page.locator(".health-map a").first.focus()
    first = page.evaluate("document.activeElement.querySelector('title').textContent")
    page.keyboard.press("ArrowRight")
    second = page.evaluate("document.activeElement.querySelector('title').textContent")
    assert second != first
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.querySelector('title').textContent") == first
    assert page.locator(".health-map a:not([tabindex])").count() == 1
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(first.partition(",")[0])
    person.go(f"/w/{workspace_id}/health/?colour=cyclomatic")
    page.locator("a", has_text="hard.py").last.click()
    page.get_by_role("link", name="hard", exact=True).click()
    expect(page).to_have_url(f"{stack.url}/w/{workspace_id}/files/?path=hard.py&line=1")
    expect(page.locator(".cm-content")).to_contain_text("def hard(a):")
    person.go(f"/w/{workspace_id}/health/")
    person.shoot("health")
    assert person.complaints == []


def test_an_audit_shows_how_far_it_is(people: list[Person], stack: Stack) -> None:
    person = people[0]
    person.sign_in()
    with stack.api(person.email) as api:
        workspace_id = make_workspace(api, "Measurements", {"easy.py": "x = 1\n"})
        wait_measured(api, workspace_id, 1)
    person.go(f"/w/{workspace_id}/health/")
    person.page.get_by_role("button", name="Measure past commits").click()
    expect(person.page.locator("#health-body")).to_contain_text("The last", timeout=10_000)
    expect(person.page.locator(".health-measurement")).to_have_count(0)
    person.page.get_by_role("button", name="Audit everything").click()
    expect(person.page.locator("#health-body")).to_contain_text(
        "the last audit of everything took", timeout=10_000
    )
    assert person.complaints == []
