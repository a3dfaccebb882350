"""Text that wants to be code (S8) or to look like other text (S14), through every place that shows it.

A canary sits in each page: a dialog, a name set on `window`, a request to another place, or (with the policy on) a report of a
violation fails the test. With the policy switched off the escaping alone must hold.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import DESKTOP, Person
from tests.browser.furnished import Furnished, finish_run, general, make_workspace, say
from tests.framework.stack import Stack
from tests.webapp.xss_payloads import MARKDOWN, TAGS

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]
CODE = "window.__pwned=1"
HANDLERS = ("error", "load", "click", "focus", "mouseover", "toggle", "animationstart", "pointerenter")
BREAKOUTS = (
    '"',
    "'",
    "`",
    "-->",
    "</textarea>",
    "</script>",
    "</style>",
    "</title>",
    "</pre>",
    "]]>",
    "\\u003e",
    "&quot;",
)
IMAGE = f"<img src=x onerror={CODE}>"
TRICKS = "safe\u202eevil\u2066x\u2069 zero\u200bwidth\ufeff"
CANARY = """
window.__pwned = 0; window.__violations = [];
document.addEventListener("securitypolicyviolation", (e) => window.__violations.push(`${e.effectiveDirective} ${e.blockedURI}`));
"""
# What a person may do with the page that wakes sleeping handlers.
TOUCH = """
() => { for (const e of document.querySelectorAll("main *")) {
  for (const kind of ["mouseover", "pointerenter", "focus", "animationstart"])
    e.dispatchEvent(new Event(kind, { bubbles: true })); } }
"""


def payloads() -> list[str]:
    """Return some hundred attacks: markup, Markdown, handlers, and ways out of where text stands."""
    found = [one.format(js=CODE) for one in (*TAGS, *MARKDOWN)]
    found += [
        f"<{tag} src=x on{kind}={CODE}>" for tag in ("img", "svg", "video", "body") for kind in HANDLERS
    ]
    found += [
        f"{out}><{tag} src=x onerror={CODE} onload={CODE}>" for out in BREAKOUTS for tag in ("img", "svg")
    ]
    found += [f'{out} onmouseover={CODE} autofocus onfocus={CODE} x="' for out in BREAKOUTS]
    found += [f"{{{{{one}}}}}" for one in ("constructor.constructor('window.__pwned=1')()", "7*7")]
    found += [
        f"${{{CODE}}}",
        f"{{% debug %}}{IMAGE}",
        f"javascript:{CODE}",
        f"data:text/html,<script>{CODE}</script>",
    ]
    return [one.replace("\x00", "") for one in dict.fromkeys(found)]


@dataclass(frozen=True)
class Poisoned:
    """A workspace whose every name and text is an attack."""

    workspace_id: int
    run_id: str
    goal_run_id: str
    review_id: int
    file_name: str

    def pages(self) -> dict[str, str]:
        base = f"/w/{self.workspace_id}"
        return {
            "home": "/",
            "channel": f"{base}/c/general/",
            "purpose": f"{base}/c/poison/",
            "search": f"{base}/search/?q={IMAGE.replace(' ', '+')}",
            "files": f"{base}/files/",
            "a file": f"{base}/files/?path=hostile.py",
            "git": f"{base}/git/",
            "runs": f"{base}/runs/",
            "run": f"{base}/runs/{self.run_id}/",
            "run with a goal": f"{base}/runs/{self.goal_run_id}/",
            "reviews": f"{base}/reviews/",
            "review": f"{base}/reviews/{self.review_id}/",
            "members": f"{base}/members/",
            "settings": f"{base}/settings/",
            "profile": "/settings/",
            "people": "/people/",
        }


def poison_files(attacks: list[str]) -> dict[str, str | bytes]:
    """Return files with hostile names and lines; each has lint, so that the tidy agent's diff shows them."""
    lines = "\n".join(f"    # {' '.join(attack.split())}" for attack in attacks)
    source = f"import os\n\n\ndef f():\n{lines}\n    return 1\n\n\n# {TRICKS}\nimport sys\n# {IMAGE}\n"
    return {
        "hostile.py": source,
        f"{IMAGE}.py": f"import os\nimport sys\n# {IMAGE}\n",
        f"\"onmouseover={CODE} x='.py": "import os\n",
        f"dir<svg onload={CODE}>/a.py": "import json\n",
        "hidden.py": f"import os\n# {TRICKS}\nimport re\n",
    }


def commit(api: httpx.Client, workspace_id: int, path: str, subject: str) -> None:
    """Save a new file and commit it under a hostile subject."""
    base = f"workspaces/{workspace_id}"
    api.put(f"{base}/file", json={"path": path, "text": "x\n", "expected": None}).raise_for_status()
    api.post(f"{base}/git/stage", json={"paths": [path]}).raise_for_status()
    api.post(f"{base}/git/commit", json={"message": subject}).raise_for_status()


@pytest.fixture(scope="module")
def poisoned(stack: Stack, furnished: Furnished) -> Iterator[Poisoned]:
    """The owner's workspace, poisoned by the owner."""
    attacks = payloads()
    assert len(attacks) > 200
    with stack.api(furnished.owner) as api:
        me = api.get("me").raise_for_status().json()
        handle = me["handle"]
        api.put("me", json={"display_name": IMAGE, "handle": handle}).raise_for_status()
        workspace_id = make_workspace(api, IMAGE, poison_files(attacks))
        base = f"workspaces/{workspace_id}"
        made = api.post(
            f"{base}/channels", json={"name": "poison", "purpose": f'{IMAGE}"onmouseover={CODE}'}
        ).raise_for_status()
        channel_id = general(api, workspace_id)
        called = say(api, workspace_id, channel_id, "@tidy please")
        run_id = str(called["run_ids"][0])  # type: ignore[index]
        body = {"agent": "tidy", "goal": f"{IMAGE} {TRICKS}"}
        goal_run_id = api.post(f"{base}/runs", json=body).raise_for_status().json()["id"]
        review_id = finish_run(api, workspace_id, run_id)
        say(api, workspace_id, made.json()["id"], IMAGE, topic=IMAGE)
        # Many to a message: a person may post only so often.
        for at in range(0, len(attacks), 8):
            say(
                api,
                workspace_id,
                channel_id,
                "\n\n".join(attacks[at : at + 8]),
                topic=attacks[at].strip()[:60] or "x",
            )
        say(api, workspace_id, channel_id, f"tricks {TRICKS}")
        commit(api, workspace_id, "made.txt", f"{IMAGE} {secrets.token_hex(2)}")
        yield Poisoned(workspace_id, run_id, goal_run_id, review_id, f"{IMAGE}.py")
        api.put("me", json={"display_name": me["display_name"], "handle": handle}).raise_for_status()


@pytest.fixture(params=["with the policy", "without the policy"])
def victim(
    request: pytest.FixtureRequest, stack: Stack, chromium: Browser, furnished: Furnished, signed_in: Path
) -> Iterator[Person]:
    """Somebody who looks at all of it, with the policy and without."""
    is_bypassed = request.param == "without the policy"
    context = chromium.new_context(viewport=DESKTOP, storage_state=signed_in, bypass_csp=is_bypassed)  # type: ignore[arg-type]
    context.add_init_script(CANARY)
    person = Person(context, stack, furnished.owner)
    person.page.on(
        "dialog", lambda dialog: (person.complaints.append(f"dialog {dialog.message}"), dialog.dismiss())
    )
    person.page.on(
        "request",
        lambda sent: (
            None
            if sent.url.startswith((stack.url, "data:", "blob:"))
            else person.complaints.append(f"request to {sent.url}")
        ),
    )
    yield person
    context.close()


def assert_silent(person: Person, where: str) -> None:
    page = person.page
    page.wait_for_load_state("networkidle")
    page.evaluate(TOUCH)
    page.wait_for_timeout(50)
    assert page.evaluate("window.__pwned") == 0, f"{where}: executed"
    assert page.evaluate("window.__violations") == [], where
    assert not person.complaints, f"{where}: {person.complaints}"


def test_nothing_executes_on_any_page(victim: Person, poisoned: Poisoned) -> None:
    for name, path in poisoned.pages().items():
        victim.go(path)
        if name == "channel":
            for _ in range(4):
                victim.page.get_by_role("log").evaluate("(log) => { log.scrollTop = 0; }")
                victim.page.wait_for_timeout(200)
        assert_silent(victim, name)


def test_hostile_names_in_the_tree_open_and_stay_text(victim: Person, poisoned: Poisoned) -> None:
    page = victim.page
    victim.go(f"/w/{poisoned.workspace_id}/files/")
    page.get_by_role("treeitem", name=poisoned.file_name).click()
    expect(page.locator(".cm-content").first).to_contain_text("import os")
    assert_silent(victim, "the opened file")


def test_the_review_names_what_cannot_be_seen(victim: Person, poisoned: Poisoned) -> None:
    page = victim.page
    victim.go(f"/w/{poisoned.workspace_id}/reviews/{poisoned.review_id}/")
    page.wait_for_selector(".hunk")
    for lazy in page.locator(".rv-file").all():
        lazy.scroll_into_view_if_needed()
    expect(page.locator("#review")).to_contain_text(re.compile("202E|RLO", re.IGNORECASE))
    expect(page.locator("#review")).to_contain_text(re.compile("200B|ZWSP", re.IGNORECASE))
    assert "\u202e" not in page.locator("#review").inner_text()
    assert_silent(victim, "review")


def test_a_message_names_what_cannot_be_seen(victim: Person, poisoned: Poisoned) -> None:
    victim.go(f"/w/{poisoned.workspace_id}/c/general/")
    last = victim.page.locator("[role=log] .message").filter(has_text="tricks").last
    expect(last).to_contain_text(re.compile("202E|RLO|\u241b|�", re.IGNORECASE))
    assert "\u202e" not in last.inner_text()


def test_the_canary_sees_an_execution(victim: Person, poisoned: Poisoned) -> None:
    victim.go(f"/w/{poisoned.workspace_id}/members/")
    victim.page.evaluate(f"document.querySelector('main').insertAdjacentHTML('beforeend', '{IMAGE}')")
    victim.page.wait_for_timeout(300)
    assert (
        victim.page.evaluate("window.__pwned") == 1 or victim.page.evaluate("window.__violations.length") > 0
    )
