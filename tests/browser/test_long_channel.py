"""A channel with a thousand messages: it opens without making anybody wait, and scrolling up brings what came before."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import DESKTOP, Person
from tests.browser.furnished import Furnished, general, make_workspace
from tests.framework.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
MESSAGES, LOADS, LONG_TASK_MS = 1_000, 3, 100
WATCH = """
window.__tasks = [];
new PerformanceObserver((list) => window.__tasks.push(...list.getEntries().map((e) => e.duration)))
  .observe({ type: "longtask", buffered: true });
"""
# Written as rows: a person is not let post a thousand messages in a minute.
FILL = """
from webapp.accounts.models import User
from webapp.chat.services import messages
from webapp.chat.models import Channel
author = User.objects.get(email={email!r})
channel = Channel.objects.get(pk={channel_id})
for n in range({count}):
    text = f"Message **{{n}}** about `parser.py`\\n\\n```python\\nprint({{n}})\\n```"
    messages.post_message(
        workspace=channel.workspace, channel=channel, author=author, text=text, topic=f"topic {{n // 100}}"
    )
"""


def make_long_channel(stack: Stack, owner: str) -> str:
    """Make a channel of a thousand messages and return its path."""
    with stack.api(owner) as api:
        workspace_id = make_workspace(api, "Long", {"README.md": "# Long\n"})
        channel_id = general(api, workspace_id)
    fill = FILL.format(email=owner, channel_id=channel_id, count=MESSAGES)
    stack.manage("shell", "--command", fill, timeout_s=240)
    return f"/w/{workspace_id}/c/general/"


def open_long_channel(person: Person, path: str) -> float:
    """Open the channel for the first time in a fresh context; return the browser's longest task in ms."""
    person.context.add_init_script(WATCH)
    person.go(path)
    expect(person.page.get_by_role("log")).to_contain_text(f"Message {MESSAGES - 1}")
    person.page.wait_for_load_state("networkidle")
    return float(person.page.evaluate("Math.max(0, ...window.__tasks)"))


@pytest.fixture(scope="module")
def long_channel(stack: Stack, furnished: Furnished) -> str:
    """The path of a channel with many messages."""
    return make_long_channel(stack, furnished.owner)


def test_opens_without_a_long_task_and_brings_history(
    chromium: Browser, stack: Stack, furnished: Furnished, signed_in: Path, long_channel: str
) -> None:
    longest = []
    for _ in range(LOADS):
        context = chromium.new_context(viewport=DESKTOP, storage_state=signed_in)  # type: ignore[arg-type]
        person = Person(context, stack, furnished.owner)
        longest.append(open_long_channel(person, long_channel))
        page = person.page
        before = page.locator("[role=log] .message").count()
        for _ in range(3):
            page.get_by_role("log").evaluate("(log) => { log.scrollTop = 0; }")
            page.wait_for_timeout(300)
        page.wait_for_load_state("networkidle")
        assert page.locator("[role=log] .message").count() > before
        assert not person.complaints
        context.close()
    print(f"longest task while opening {MESSAGES} messages: {longest} ms")
    assert statistics.median(longest) <= LONG_TASK_MS, f"longest tasks of {LOADS} loads: {longest} ms"
