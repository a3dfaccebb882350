"""The editor in Chromium when somebody else saves, moves or deletes the open file, and when saves come close together."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Person
from tests.browser.furnished import make_workspace
from tests.framework.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
REFUSED = re.compile(r"status of (404|409)")


@dataclass
class Desk:
    """Somebody at the editor, and the files as a second person's program sees them."""

    page: Page
    api: httpx.Client
    workspace_id: int

    def save(self, path: str, text: str) -> None:
        """Save as the second person, on top of whatever is there."""
        found = self.api.get(self._url("file"), params={"path": path})
        expected = found.json()["version"] if found.status_code == 200 else None
        body = {"path": path, "text": text, "expected": expected}
        self.api.put(self._url("file"), json=body).raise_for_status()

    def read(self, path: str) -> str | None:
        """Return what stands on disk; None where there is no such file."""
        found = self.api.get(self._url("file"), params={"path": path})
        return None if found.status_code == 404 else str(found.raise_for_status().json()["text"])

    def move(self, source: str, target: str) -> None:
        body = {"source": source, "target": target}
        self.api.post(self._url("files/move"), json=body).raise_for_status()

    def delete(self, path: str) -> None:
        self.api.delete(self._url("file"), params={"path": path}).raise_for_status()

    def wait_for(self, path: str, text: str) -> None:
        """Wait until exactly this stands on disk."""
        ends_at = time.monotonic() + 10
        while (found := self.read(path)) != text:
            assert time.monotonic() < ends_at, (path, found)
            self.page.wait_for_timeout(50)  # the browser's requests go on meanwhile

    def open(self, path: str) -> None:
        self.page.goto(str(self.api.base_url.join(f"/w/{self.workspace_id}/files/?path={path}")))
        expect(self.page.locator(".editor-page[data-ready='1']")).to_be_visible()
        expect(self.content).to_be_visible()

    @property
    def content(self) -> Locator:
        return self.page.locator(".editor-pane:not([hidden]) .cm-content")

    @property
    def merge(self) -> Locator:
        return self.page.get_by_role("dialog")

    def type(self, text: str) -> None:
        """Type at the end of the open file."""
        self.content.click()
        self.page.keyboard.press("Control+End")
        self.page.keyboard.type(text)

    def _url(self, path: str) -> str:
        return f"workspaces/{self.workspace_id}/{path}"


@pytest.fixture
def desk(people: list[Person], stack: Stack) -> Iterator[Desk]:
    """Ada at the editor of a workspace with a few files."""
    ada = people[0]
    ada.sign_in()
    ada.page.on("dialog", lambda dialog: dialog.accept())
    files: dict[str, str | bytes] = {"a.py": "a = 1\n", "lib/b.py": "b = 1\n", "dos.txt": "one\r\ntwo\r\n"}
    with stack.api(ada.email) as api:
        yield Desk(ada.page, api, make_workspace(api, "Editing", files))
    # The browser itself writes a line about an answer that refuses; here the refusals are right.
    assert [one for one in ada.complaints if not REFUSED.search(one)] == []


def test_a_save_over_a_newer_version_shows_both_until_the_person_decides(desk: Desk) -> None:
    desk.open("a.py")
    desk.type("mine = 1")
    desk.save("a.py", "a = 1\ntheirs = 2\n")
    desk.page.keyboard.press("Control+s")
    expect(desk.merge).to_contain_text("Somebody saved a newer version")
    expect(desk.merge.get_by_label("Their saved version")).to_contain_text("theirs = 2")
    mine = desk.merge.get_by_label("Your version, to be saved")
    mine.click()
    desk.page.keyboard.press("Control+End")
    desk.page.keyboard.type("; both = 3")
    desk.page.keyboard.press("Control+s")  # a habit; the dialog with what was typed in it stays
    desk.page.wait_for_timeout(500)
    expect(mine).to_contain_text("both = 3")
    assert desk.read("a.py") == "a = 1\ntheirs = 2\n"
    desk.merge.get_by_role("button", name="Save the right side").click()
    desk.wait_for("a.py", "a = 1\nmine = 1; both = 3")
    expect(desk.merge).to_have_count(0)

    # And the next one goes back without a decision: theirs stays, mine stays unsaved.
    desk.type("; again = 4")
    desk.save("a.py", "precious = 5\n")
    desk.page.keyboard.press("Control+s")
    expect(desk.merge.get_by_label("Their saved version")).to_contain_text("precious = 5")
    desk.page.keyboard.press("Escape")
    desk.page.wait_for_timeout(500)
    expect(desk.merge).to_have_count(0)
    assert desk.read("a.py") == "precious = 5\n"
    expect(desk.content).to_contain_text("again = 4")


def test_saves_that_come_close_together_do_not_meet_each_other(desk: Desk) -> None:
    desk.open("a.py")

    def slow(route):  # type: ignore[no-untyped-def]
        if route.request.method == "PUT":
            time.sleep(0.4)
        route.continue_()

    desk.page.route("**/file", slow)
    desk.type("first = 1")
    desk.page.keyboard.press("Control+s")
    desk.page.keyboard.press("Control+s")
    desk.page.keyboard.type("; second = 2")
    desk.page.keyboard.press("Control+s")
    desk.wait_for("a.py", "a = 1\nfirst = 1; second = 2")
    expect(desk.merge).to_have_count(0)
    expect(desk.page.locator("#tabs")).not_to_contain_text("●")


def test_what_is_not_saved_survives_that_the_file_is_deleted(desk: Desk) -> None:
    desk.open("lib/b.py")
    desk.type("mine = 1")
    desk.delete("lib")
    expect(desk.page.locator("#tabs")).to_contain_text("not on disk any more")
    desk.page.keyboard.press("Control+s")
    expect(desk.merge).to_contain_text("This file was deleted or moved away")
    expect(desk.merge.get_by_label("Your version, to be saved")).to_contain_text("mine = 1")
    desk.merge.get_by_role("button", name="Save the right side").click()
    desk.wait_for("lib/b.py", "b = 1\nmine = 1")
    expect(desk.page.locator("#tabs")).not_to_contain_text("not on disk")


@pytest.mark.parametrize(("source", "target"), [("lib/b.py", "lib/c.py"), ("lib", "src/lib")])
def test_what_is_not_saved_goes_along_when_the_file_moves(desk: Desk, source: str, target: str) -> None:
    now = "lib/b.py".replace(source, target)
    desk.open("lib/b.py")
    desk.type("mine = 1")
    desk.move(source, target)
    expect(desk.page.locator(f'#tabs [title="{now}"]')).to_contain_text("●")
    desk.page.keyboard.press("Control+s")
    desk.wait_for(now, "b = 1\nmine = 1")
    assert desk.read("lib/b.py") is None
    assert desk.page.url.endswith(f"path={now.replace('/', '%2F')}")
    expect(desk.content).to_have_attribute("aria-label", f"Editor, {now}")


def test_renaming_the_open_file_keeps_what_is_not_saved(desk: Desk) -> None:
    desk.open("a.py")
    desk.type("mine = 1")
    desk.page.get_by_role("button", name="Rename or move").click()
    desk.page.get_by_label("Path in the workspace").fill("z.py")
    desk.page.keyboard.press("Enter")
    expect(desk.page.locator('#tabs [title="z.py"]')).to_contain_text("●")
    desk.type("; more = 2")
    desk.page.keyboard.press("Control+s")
    desk.wait_for("z.py", "a = 1\nmine = 1; more = 2")
    assert desk.read("a.py") is None
    expect(desk.page.get_by_role("treeitem", name="z.py")).to_be_visible()


def test_deleting_a_folder_closes_what_was_open_in_it(desk: Desk) -> None:
    desk.open("lib/b.py")
    desk.page.get_by_role("treeitem", name="lib, folder").locator(".tree-label").first.click()
    desk.page.get_by_role("button", name="Delete", exact=True).click()
    expect(desk.page.locator("#tabs button")).to_have_count(0)
    expect(desk.page.get_by_role("treeitem", name="lib, folder")).to_have_count(0)


def test_takes_over_line_ends_that_somebody_changed(desk: Desk) -> None:
    desk.open("dos.txt")
    expect(desk.page.locator("#editor-status")).to_contain_text("CRLF")
    desk.save("dos.txt", "one\ntwo\n")
    expect(desk.page.locator("#editor-status")).to_contain_text("· LF")
    expect(desk.content.locator(".cm-line")).to_have_count(3)
    desk.type("three\n")
    desk.save("dos.txt", "one\r\ntwo\r\n")  # and back, while something is unsaved
    desk.page.keyboard.press("Control+s")
    desk.merge.get_by_role("button", name="Save the right side").click()
    desk.wait_for("dos.txt", "one\r\ntwo\r\nthree\r\n")


def test_brings_in_what_was_fetched_and_switches_to_a_fetched_branch(desk: Desk, stack: Stack) -> None:
    bare = stack.home / "workspaces" / str(desk.workspace_id) / "repo.git"

    def git(*words: str) -> str:
        who = ["-c", "user.name=Far", "-c", "user.email=far@example.org"]
        done = subprocess.run(
            ["git", "-C", str(bare), *who, *words], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    theirs = git("commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "From afar")
    for name in ("main", "topic"):  # what a fetch leaves behind
        git("update-ref", f"refs/remotes/origin/{name}", theirs)
    page = desk.page
    page.goto(str(desk.api.base_url.join(f"/w/{desk.workspace_id}/git/")))
    expect(page.get_by_text("1 fetched commit not in main yet")).to_be_visible()
    page.get_by_role("button", name="Bring them in").click()
    expect(page.locator("#log li").first).to_contain_text("From afar")
    expect(page.get_by_role("button", name="Bring them in")).to_be_hidden()
    page.get_by_label("Branch", exact=True).select_option("topic")
    expect(page.get_by_text("On topic.")).to_be_visible()
    assert git("symbolic-ref", "HEAD") == "refs/heads/topic"
    assert git("rev-parse", "topic") == git("rev-parse", "main") == theirs

    newer = git("commit-tree", "HEAD^{tree}", "-p", theirs, "-m", "From farther away")
    for remote, tip in (("origin", theirs), ("far", newer)):
        git("update-ref", f"refs/remotes/{remote}/topic", tip)
        git("update-ref", f"refs/remotes/{remote}/next", tip)
    page.reload()
    expect(page.locator("#behind")).to_have_text("far: 1 fetched commit not in topic yetBring them in")
    page.get_by_label("Branch", exact=True).select_option(label="next (fetched from origin)")
    expect(page.get_by_text("On next.")).to_be_visible()
    assert git("rev-parse", "next") == theirs
    page.get_by_role("button", name="Bring them in from far").click()
    expect(page.locator("#log li").first).to_contain_text("From farther away")
    assert git("rev-parse", "next") == newer


def test_removes_a_remote_with_what_was_fetched_of_it(desk: Desk, stack: Stack) -> None:
    for name in ("near", "far"):
        remote = {
            "name": name,
            "url": "https://example.org/x.git",
            "token": "hidden" if name == "far" else "",
        }
        desk.api.put(desk._url("git/remotes"), json=remote).raise_for_status()
    bare = stack.home / "workspaces" / str(desk.workspace_id) / "repo.git"
    subprocess.run(["git", "-C", str(bare), "update-ref", "refs/remotes/far/a/b", "HEAD"], check=True)
    page = desk.page
    page.goto(str(desk.api.base_url.join(f"/w/{desk.workspace_id}/git/")))
    far = page.locator("#remotes li", has_text="far")
    expect(far).to_contain_text("credential stored")
    questions: list[str] = []
    page.on("dialog", lambda dialog: questions.append(dialog.message))  # answered by the desk
    far.get_by_role("button", name="Remove far").click()
    expect(page.get_by_text("far is removed.")).to_be_visible()
    expect(far).to_be_hidden()
    expect(page.locator("#remotes li")).to_have_count(1)
    assert "credential" in questions[0]
    assert not page.get_by_label("Branch", exact=True).locator("option", has_text="far").count()
