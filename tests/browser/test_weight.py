"""What a first view weighs on the wire: everything the page loads with an empty cache, as the browser counted it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import DESKTOP, Person
from tests.browser.furnished import SIGNED_OUT, Furnished
from tests.browser.test_accessibility import PAGES, visit
from tests.framework.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
WITHOUT_EDITOR, WITH_EDITOR = 50 * 1024, 300 * 1024


class Scale:
    """Counts the bytes of each resource that a page receives."""

    def __init__(self, person: Person) -> None:
        self.resources: dict[str, int] = {}
        self._urls: dict[str, str] = {}
        self._client = person.context.new_cdp_session(person.page)
        self._client.send("Network.enable")
        self._client.send("Network.setCacheDisabled", {"cacheDisabled": True})
        self._client.on("Network.requestWillBeSent", self._sent)
        self._client.on("Network.loadingFinished", self._finished)

    def _sent(self, event: dict[str, Any]) -> None:
        self._urls[event["requestId"]] = event["request"]["url"]

    def _finished(self, event: dict[str, Any]) -> None:
        name = self._urls.get(event["requestId"], "?").rpartition("/")[2][:60] or "page"
        self.resources[name] = self.resources.get(name, 0) + int(event["encodedDataLength"])

    def total(self) -> int:
        return sum(self.resources.values())


def weigh(
    browser: Browser, stack: Stack, furnished: Furnished, name: str, cookies: Path | None
) -> dict[str, int]:
    context = browser.new_context(viewport=DESKTOP, storage_state=cookies)  # type: ignore[arg-type]
    person = Person(context, stack, furnished.owner)
    scale = Scale(person)
    visit(person, furnished, name)
    context.close()
    return scale.resources


def test_each_page_keeps_its_bound(
    chromium: Browser, stack: Stack, furnished: Furnished, signed_in: Path
) -> None:
    table, over = [], []
    for name in [*PAGES, *SIGNED_OUT]:
        resources = weigh(chromium, stack, furnished, name, None if name in SIGNED_OUT else signed_in)
        total, bound = sum(resources.values()), WITH_EDITOR if name == "files" else WITHOUT_EDITOR
        table.append(f"{name:20} {total / 1024:7.1f} KB of {bound // 1024}")
        if total > bound or total < 5_000:
            heaviest = sorted(resources.items(), key=lambda one: -one[1])[:8]
            over.append(f"{name}: {total} bytes, {heaviest}")
    print("\n".join(table))
    assert not over, "\n".join([*over, "", *table])
