"""Finding one's way: times, topics on a phone, a channel's settings, the file tree, an upload that takes long."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import DESKTOP, PHONE, Person
from tests.browser.furnished import Furnished
from tests.framework.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
Enter = Callable[..., Person]
TOKYO = "Asia/Tokyo"


@pytest.fixture
def enter(stack: Stack, chromium: Browser, furnished: Furnished, signed_in: Path) -> Iterator[Enter]:
    """Return a function that opens a browser in which the owner is signed in; its complaints fail the test."""
    made: list[Person] = []

    def open_browser(**options: object) -> Person:
        context = chromium.new_context(storage_state=signed_in, **{"viewport": DESKTOP, **options})  # type: ignore[arg-type]
        made.append(Person(context, stack, furnished.owner))
        return made[-1]

    yield open_browser
    for person in made:
        person.context.close()
    assert [person.complaints for person in made if person.complaints] == []


@pytest.mark.parametrize("name", ["runs", "reviews", "run"])
def test_shows_times_in_the_readers_own_zone(enter: Enter, furnished: Furnished, name: str) -> None:
    person = enter(timezone_id=TOKYO, locale="en-GB")
    person.go(furnished.pages()[name])
    time = person.page.locator("main time").first
    at = datetime.fromisoformat(str(time.get_attribute("datetime"))).astimezone(ZoneInfo(TOKYO))
    expect(time).to_contain_text(f"{at:%H:%M}")


def test_shows_the_second_of_each_step_and_names_the_zone(enter: Enter, furnished: Furnished) -> None:
    person = enter(timezone_id=TOKYO, locale="en-GB")
    person.go(furnished.pages()["log of a run"])
    time = person.page.locator("main time").first
    at = datetime.fromisoformat(str(time.get_attribute("datetime"))).astimezone(ZoneInfo(TOKYO))
    expect(time).to_have_text(f"{at:%H:%M:%S}")
    expect(time).to_have_attribute("title", re.compile(r"GMT\+9|JST"))


def test_a_new_schedule_is_meant_in_the_readers_own_zone(enter: Enter, furnished: Furnished) -> None:
    person = enter(timezone_id=TOKYO)
    person.go(furnished.pages()["new schedule"])
    expect(person.page.get_by_label("Time zone")).to_have_value(TOKYO)


@pytest.mark.parametrize("name", ["health", "health of a file", "log of a run"])
def test_breaks_no_path_into_letters_on_a_phone(enter: Enter, furnished: Furnished, name: str) -> None:
    person = enter(viewport=PHONE)
    person.go(furnished.pages()[name])
    links = person.page.locator("main td a")
    widths = links.evaluate_all("all => all.map((one) => one.closest('td').clientWidth)")
    assert widths and min(widths) > 60, widths


def test_says_that_the_server_did_not_answer(enter: Enter, furnished: Furnished) -> None:
    person = enter()
    person.go(furnished.pages()["models"])
    person.context.set_offline(True)
    person.page.get_by_role("button", name="Test").first.click()
    expect(person.page.get_by_role("alert")).to_contain_text("did not answer")
    person.context.set_offline(False)
    person.complaints.clear()  # the browser's own words about the lost connection


def test_reaches_topics_and_people_on_a_phone(enter: Enter, furnished: Furnished) -> None:
    person = enter(viewport=PHONE)
    page = person.page
    person.go(furnished.pages()["channel"])
    topics = page.get_by_role("complementary", name="Topics and people")
    expect(topics).to_be_hidden()
    page.get_by_role("button", name="Topics and people").click()
    expect(topics.get_by_text("People")).to_be_visible()
    topics.get_by_role("link", name="release 1.0").click()
    expect(page.get_by_role("heading", name="#general, topic release 1.0")).to_be_attached()


def test_says_in_the_dialog_why_a_channel_cannot_have_its_name(
    enter: Enter, stack: Stack, furnished: Furnished
) -> None:
    person, new = enter(), f"new-{secrets.token_hex(2)}"
    page, base = person.page, f"/w/{furnished.workspace_id}"
    person.go(f"{base}/runs/")
    page.get_by_role("button", name="New channel").click()
    dialog = page.get_by_role("dialog", name="New channel")
    dialog.get_by_label("Purpose").fill("For plans")
    for taken, words in (("General", "There is a channel #general already."), ("<b>", "letters a–z, digits")):
        dialog.get_by_label("Name").fill(taken)
        dialog.get_by_role("button", name="Create").click()
        expect(dialog.get_by_role("alert")).to_contain_text(words)
        expect(dialog.get_by_label("Name")).to_be_focused()
        expect(dialog.get_by_label("Name")).to_have_value(taken)
        expect(dialog.get_by_label("Purpose")).to_have_value("For plans")
    # The browser itself writes a line about an answer that refuses; here the refusal is right.
    assert all("409" in text or "422" in text for text in person.complaints), person.complaints
    person.complaints.clear()
    dialog.get_by_label("Name").fill(new)
    with stack.api(furnished.owner) as api:  # the list of channels changes meanwhile
        body = {"name": f"other-{secrets.token_hex(2)}"}
        api.post(f"workspaces/{furnished.workspace_id}/channels", json=body).raise_for_status()
    page.wait_for_timeout(500)
    expect(dialog.get_by_label("Name")).to_have_value(new)
    dialog.get_by_role("button", name="Create").click()
    page.wait_for_url(f"**/c/{new}/")
    expect(page.get_by_role("link", name=body["name"])).to_be_visible()


def test_renames_archives_and_brings_back_a_channel(enter: Enter, stack: Stack, furnished: Furnished) -> None:
    person, old, new = enter(), f"old-{secrets.token_hex(2)}", f"new-{secrets.token_hex(2)}"
    with stack.api(furnished.owner) as api:
        body = {"name": old, "purpose": "Before"}
        api.post(f"workspaces/{furnished.workspace_id}/channels", json=body).raise_for_status()
    page, base = person.page, f"/w/{furnished.workspace_id}"
    person.go(f"{base}/c/{old}/")
    expect(page.get_by_role("heading", name="Nothing has been said here yet")).to_be_visible()
    page.get_by_role("button", name=f"Settings of #{old}").click()
    page.get_by_role("dialog").get_by_label("Name").fill(new)
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    page.wait_for_url(f"**/c/{new}/")
    page.get_by_role("button", name=f"Settings of #{new}").click()
    page.get_by_role("button", name="Archive").click()
    expect(page.get_by_text("This channel is archived")).to_be_visible()
    person.go(f"{base}/search/")
    page.get_by_role("link", name=f"#{new}").click()
    page.get_by_role("button", name=f"Settings of #{new}").click()
    page.get_by_role("button", name="Bring back").click()
    expect(page.get_by_label(f"Message to #{new}")).to_be_visible()


def test_shows_the_open_file_in_the_tree_and_saves_only_what_was_changed(
    enter: Enter, furnished: Furnished
) -> None:
    person = enter()
    page = person.page
    person.go(furnished.pages()["files"])
    expect(page.get_by_role("treeitem", name="parser.py", selected=True)).to_be_visible()
    save = page.get_by_role("button", name="Save", exact=True)
    expect(save).to_be_disabled()
    page.locator(".cm-content").first.click()
    page.keyboard.type(" ")
    expect(save).to_be_enabled()
    page.on("dialog", lambda dialog: dialog.accept())


def test_shows_how_far_an_upload_is_and_stops_it(enter: Enter, tmp_path: Path) -> None:
    person, archive = enter(), tmp_path / "big.zip"
    archive.write_bytes(secrets.token_bytes(20_000_000))
    network = person.context.new_cdp_session(person.page)
    network.send("Network.enable")
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 2_000_000}
    network.send("Network.emulateNetworkConditions", slow)
    page, name = person.page, f"Big {secrets.token_hex(3)}"
    person.go("/new/")
    page.get_by_label("Name", exact=True).fill(name)
    page.set_input_files("input[type=file]", archive)
    page.get_by_role("button", name="Create workspace").click()
    expect(page.locator("#upload-words")).to_contain_text("of 19.1 MB")
    page.get_by_role("button", name="Cancel the upload").click()
    expect(page.get_by_text("The upload was stopped. Nothing was created.")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value(name)
    person.page.goto(f"{person.stack.url}/")
    expect(page.get_by_text(name)).to_have_count(0)
