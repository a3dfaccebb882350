"""The terminal in Chromium: typing, colours under the strict policy, and bytes that would make other terminals act."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.conftest import Person
from tests.framework.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
# Questions, titles, clipboard: xterm.js answers many of these into the shell unless it is told not to (S9).
HOSTILE = {
    "primary attributes": r"\e[c",
    "secondary attributes": r"\e[>c",
    "tertiary attributes": r"\e[=c",
    "status": r"\e[5n",
    "cursor position": r"\e[6n",
    "private cursor position": r"\e[?6n",
    "mode": r"\e[4$p",
    "private mode": r"\e[?25$p",
    "setting": r"\eP$qm\e\\",
    "termcap": r"\eP+q544e\e\\",
    "window size": r"\e[14t\e[18t\e[21t",
    "version": r"\e[>q",
    "keyboard": r"\e[?u",
    "colour": r"\e]4;1;?\a",
    "foreground": r"\e]10;?\a",
    "background": r"\e]11;?\a",
    "cursor colour": r"\e]12;?\a",
    "clipboard read": r"\e]52;c;?\a",
    "clipboard write": r"\e]52;c;c3RvbGVu\a",
    "title": r"\e]0;owned\a\e]2;owned\a",
    "focus reports": r"\e[?1004h",
    "focus reports among others": r"\e[?1004;2004h",
    "parameters": r"\e[x",
    "answerback": r"\005",
}


@pytest.fixture
def ada(people: list[Person], stack: Stack) -> Iterator[Person]:
    person = people[0]
    person.sign_in()
    with stack.api(person.email) as api:
        workspace = api.post("workspaces", json={"name": "Terminal"}).raise_for_status().json()
        person.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=stack.url)
        for _ in range(200):
            if api.get(f"workspaces/{workspace['id']}").json()["state"] == "ready":
                break
            time.sleep(0.05)
    person.go(f"/w/{workspace['id']}/files/")
    person.page.get_by_role("button", name="Terminal", exact=True).click()
    expect(person.page.locator("pa-terminal [role=status]")).to_contain_text("Connected", timeout=20_000)
    yield person


def run(person: Person, command: str) -> None:
    person.page.get_by_role("textbox", name="Terminal.").press_sequentially(command)
    person.page.keyboard.press("Enter")


def rows(person: Person) -> str:
    return "\n".join(person.page.locator(".xterm-rows > div").all_inner_texts()).replace("\xa0", " ")


def wait_for(person: Person, wanted: str) -> str:
    expect(person.page.locator(".xterm-rows")).to_contain_text(wanted, timeout=20_000)
    return rows(person)


def test_types_shows_colours_and_complains_of_nothing(ada: Person) -> None:
    run(ada, r"printf '\e[31mred\e[0m \e[38;2;1;200;3mtrue\e[0m wi''de 日本\n'; pwd")
    wait_for(ada, "wide 日本")
    wait_for(ada, "/workspace")
    colour = ada.page.locator(".xterm-rows span", has_text=re.compile("^true$")).evaluate(
        "e => getComputedStyle(e).color"
    )
    # On a light ground it is darkened until it can be read; its green stays the strongest.
    red, green, blue = (int(part) for part in re.findall(r"\d+", colour))
    assert green > max(red, blue) + 40
    assert ada.complaints == []
    ada.shoot("terminal")


def test_lets_nothing_that_is_shown_type_or_act(ada: Person) -> None:
    title = ada.page.title()
    ada.page.evaluate("navigator.clipboard.writeText('mine')")
    for name, sequence in HOSTILE.items():
        # `cat -v` would show whatever the terminal typed by itself; `timeout` ends it.
        run(
            ada,
            f"clear; stty -echo; printf '{sequence}'; timeout 0.4 cat -v; stty echo; echo; echo after-'{name}'",
        )
        seen = wait_for(ada, f"after-{name}")
        assert seen.split("after-")[0].strip() == "", (name, seen)
    assert ada.page.title() == title
    assert ada.page.evaluate("navigator.clipboard.readText()") == "mine"


def test_keeps_its_shell_over_a_reload_and_leaves_by_keyboard(ada: Person) -> None:
    run(ada, "mine=ke''pt; echo $mine")
    wait_for(ada, "kept")
    ada.page.reload()
    ada.page.get_by_role("button", name="Terminal", exact=True).click()
    wait_for(ada, "kept")
    run(ada, "clear; echo still-$mine")
    wait_for(ada, "still-kept")
    ada.page.keyboard.press("F6")
    assert ada.page.evaluate("document.activeElement.textContent.trim()") == "Screen reader"


def test_shows_a_flood_and_stays_usable(ada: Person) -> None:
    run(ada, "seq 1 200000; echo fl''ood-over")
    wait_for(ada, "flood-over")
    run(ada, "clear; echo us''able")
    wait_for(ada, "usable")


def test_says_when_the_shell_has_ended_and_opens_another(ada: Person) -> None:
    run(ada, "exit")
    expect(ada.page.locator("pa-terminal [role=status]")).to_contain_text("The shell has ended")
    ada.page.get_by_role("button", name="Open a new terminal").click()
    expect(ada.page.locator("pa-terminal [role=status]")).to_contain_text("Connected", timeout=20_000)
    run(ada, "echo ag''ain")
    wait_for(ada, "again")


def test_has_no_accessibility_violation(ada: Person) -> None:
    found = Axe().run(ada.page, context="pa-terminal")
    assert found.response["violations"] == [], found.generate_report()
