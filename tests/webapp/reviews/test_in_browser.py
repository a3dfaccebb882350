"""The review page in a real Chromium, on a real web process: keys, swaps, the layout, two people at once."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db import transaction
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.framework.web import Web
from tests.webapp.reviews.conftest import BASE, THREE_HUNKS, Desk
from webapp.accounts.models import User
from webapp.agents.models import Run
from webapp.agents.services.ending import end_run
from webapp.reviews import services
from webapp.reviews.models import ChangeSet
from workers.events import ReviewCommented

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    program = shutil.which("chromium")
    if program is None:
        raise RuntimeError(
            "chromium is missing; `make test` installs it as root, else: apt-get install chromium"
        )
    # Playwright keeps an event loop in this thread; Django's own client and rows are used from it on purpose.
    with pytest.MonkeyPatch.context() as patched, sync_playwright() as driver:
        patched.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def open_review(browser: Browser, desk: Desk, web: Web) -> Iterator[Open]:
    """Return a function that opens a change set in a browser of its own for a person; complaints of the page fail the test."""
    complaints: list[str] = []
    contexts = []

    def open_page(change_set: ChangeSet, person: User, *, viewport: dict[str, int] | None = None) -> Page:
        context = browser.new_context(viewport=viewport or DESKTOP)  # type: ignore[arg-type]
        contexts.append(context)
        cookies = desk.company.client(person).cookies
        context.add_cookies(
            [
                {"name": name, "value": morsel.value, "url": web.process.origin}
                for name, morsel in cookies.items()
            ]
        )
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console", lambda message: complaints.append(message.text) if message.type == "error" else None
        )
        page.goto(f"{web.process.origin}/w/{change_set.workspace_id}/reviews/{change_set.pk}/")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [text for text in complaints if "409" not in text] == []


def verdicts(desk: Desk, change_set: ChangeSet) -> list[str]:
    return [hunk.verdict for hunk in desk.hunks(change_set)]


def test_is_worked_by_keys_alone(desk: Desk, open_review: Open) -> None:
    change_set = desk.three_hunks()
    page = open_review(change_set, desk.company.maintainer)
    press = page.keyboard.press
    press("j")
    press("a")
    expect(page.locator(".hunk.is-accepted")).to_have_count(1)
    expect(page.get_by_role("button", name="Apply accepted (1 of 3)")).to_be_enabled()
    press("j")
    press("r")
    expect(page.locator(".hunk.is-rejected.is-current")).to_have_count(1)
    press("u")
    expect(page.locator(".hunk.is-rejected")).to_have_count(0)
    press("j")
    press("e")
    editor = page.locator("hunk-editor .cm-content")
    expect(editor).to_be_focused()
    press("Control+a")
    page.keyboard.insert_text("def f11():\n    return 12\n")
    press("Control+Enter")
    expect(page.locator(".hunk.is-edited")).to_have_count(1)
    assert verdicts(desk, change_set) == ["accepted", "pending", "edited"]
    press("k")
    press("s")
    page.locator(".is-splitting").get_by_role("checkbox").nth(3).check()
    page.locator(".is-splitting").get_by_role("button", name="Split").click()
    expect(page.locator(".hunk")).to_have_count(4)
    expect(page.locator(".hunk").nth(1)).to_be_focused()
    press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    press("Escape")
    page.get_by_role("button", name="Apply accepted (2 of 4)").click()
    expect(page.get_by_text("Landed by Max")).to_be_visible()
    assert b"return 100\n" in desk.at_head("calc.py")
    assert b"return 12\n" in desk.at_head("calc.py")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Undo landed").click()
    expect(page.get_by_text("Landed and taken out again")).to_be_visible()
    assert desk.at_head("calc.py") == BASE["calc.py"]


def test_takes_a_comment_on_a_line_and_shows_it_under_that_line(desk: Desk, open_review: Open) -> None:
    change_set = desk.three_hunks()
    page = open_review(change_set, desk.company.member)
    page.keyboard.press("j")
    page.keyboard.press("c")
    form = page.get_by_role("form", name="Comment on line 2 of calc.py")
    expect(form.get_by_role("textbox")).to_be_focused()
    form.get_by_label("Must fix").check()
    form.get_by_role("textbox").fill("Not **that**.")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".hunk .rv-thread strong", has_text="that")).to_be_visible()
    expect(page.locator("#review-header").get_by_text("1 must-fix")).to_be_visible()
    page.locator(".hunk .rv-thread").get_by_role("button", name="Resolve").click()
    expect(page.locator("#review-header").get_by_text("1 must-fix")).to_have_count(0)


def test_keeps_a_comment_that_was_begun_when_another_one_is_opened(desk: Desk, open_review: Open) -> None:
    page = open_review(desk.three_hunks(), desk.company.member)
    page.keyboard.press("j")
    page.keyboard.press("c")
    begun = page.locator("#remark-text")
    begun.fill("A long thought")
    page.locator(".hunk").nth(1).get_by_role("button", name="Comment", exact=True).click()
    expect(page.get_by_text("You have begun a comment here.")).to_be_visible()
    expect(begun).to_have_value("A long thought")
    expect(begun).to_be_focused()


def test_shows_what_somebody_else_decides_and_tells_who_was_slower(desk: Desk, open_review: Open) -> None:
    change_set = desk.three_hunks()
    mia, max_ = (open_review(change_set, person) for person in (desk.company.member, desk.company.maintainer))
    mia.keyboard.press("j")
    mia.keyboard.press("a")
    expect(max_.locator(".hunk.is-accepted")).to_have_count(1)
    expect(max_.locator(".hunk.is-accepted").get_by_text("Mia")).to_be_visible()
    max_.context.set_offline(True)
    max_.context.set_offline(False)
    expect(max_.get_by_role("button", name="Apply accepted (1 of 3)")).to_be_enabled()


def test_what_is_opened_and_what_is_compared_stays_when_news_arrives(desk: Desk, open_review: Open) -> None:
    change_set = desk.three_hunks()
    first = change_set.revisions.get()
    desk.company.client(desk.company.member).get(f"/w/{change_set.workspace_id}/reviews/{change_set.pk}/")
    newest = desk.propose(
        {"calc.py": THREE_HUNKS.replace(b"111", b"112")},
        run=desk.run(change_set=change_set),
        base=first.base_commit,
    )
    for command in ("echo one", "echo two"):
        newest.evidence.create(
            tree="t", command=command, status="passed", exit_code=0, output=f"of {command}"
        )
    page = open_review(change_set, desk.company.member)
    page.locator("summary", has_text="echo one").click()
    expect(page.get_by_text("of echo one")).to_be_visible()
    changed = page.locator(".hunk").nth(2)
    changed.get_by_text("as it was in r1").click()
    expect(changed.get_by_text("changed since r1")).to_be_visible()
    desk.decide(desk.loaded(newest), 0, "accepted", decided_by=desk.company.maintainer)
    expect(page.locator(".hunk.is-accepted")).to_have_count(1)
    changed.get_by_role("button", name="Accept").click()
    expect(page.locator(".hunk.is-accepted")).to_have_count(2)
    expect(changed.get_by_text("changed since r1")).to_be_visible()
    expect(changed.get_by_label("The hunk in revision 1")).to_be_visible()
    expect(page.get_by_text("of echo one")).to_be_visible()
    expect(page.get_by_text("of echo two")).to_be_hidden()


def test_shows_what_the_reviewer_says_on_its_lines_and_links_its_answer(
    desk: Desk, open_review: Open
) -> None:
    change_set = desk.three_hunks()
    page = open_review(change_set, desk.company.member)
    page.get_by_role("button", name="Ask @reviewer").click()
    expect(page.get_by_role("button", name="@reviewer is reading")).to_be_disabled()
    run = Run.objects.get(agent="reviewer")
    remark = {"path": "calc.py", "side": "new", "line": 2, "kind": "must-fix", "text": "Why `100`?"}
    said = ReviewCommented(
        run_id=str(run.pk),
        fence=1,
        run_seq=1,
        change_set_id=change_set.pk,
        revision=1,
        comments=[remark],
        summary="It changes **numbers**.",
    )
    services.record_review(said)
    thread = page.locator(".hunk .rv-thread")
    expect(thread.get_by_text("@reviewer")).to_be_visible()
    expect(thread.locator("code", has_text="100")).to_be_visible()
    expect(page.locator("#rv-discussion").get_by_text("It changes numbers.")).to_be_visible()
    expect(page.get_by_text("1 must-fix")).to_be_visible()
    with transaction.atomic():
        run = Run.objects.select_for_update().get(pk=run.pk)
        end_run(
            run,
            Run.Status.FINISHED,
            answer=f"[Review {change_set.pk}](review:{change_set.pk}): see [calc.py:2](file:calc.py#L2)",
        )
    expect(page.get_by_role("button", name="Ask @reviewer")).to_be_enabled()
    origin = page.url.partition("/w/")[0]
    page.goto(f"{origin}/w/{change_set.workspace_id}/runs/{run.pk}/")
    link = page.locator(".run-answer a", has_text="calc.py:2")
    expect(link).to_have_attribute("href", f"/w/{change_set.workspace_id}/files/?path=calc.py&line=2")
    page.get_by_role("link", name=f"Review {change_set.pk}", exact=True).click()
    expect(page.locator(".hunk .rv-thread").get_by_text("@reviewer")).to_be_visible()


SUMMARY = """## What changed

`src/a/path/that/is/quite/long/for/a/narrow/column.py` takes **all** of it; see <https://example.org/>:

1. *once*, with `max()`
2. twice

| case | before | after | as measured on the slowest of them |
|---|---|---|---|
| long | 1 | 2 | 3 |

```python
def total(items: list[int], *, key: Callable[[int], int] = lambda number: -number) -> int:
    return max(items, key=key)  # the largest
```

> It was asked for."""


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_has_no_violation_and_no_sideways_scroll_and_fits_the_screen(
    desk: Desk, open_review: Open, viewport: dict[str, int], tmp_path: Path
) -> None:
    change_set = desk.loaded(
        desk.propose(
            {
                "calc.py": BASE["calc.py"].replace(
                    b"return 5\n", b"return max(5, 7, key=lambda n: -n)  # " + b"long " * 60 + b"\n"
                ),
                "<img onerror=x>/" + "deep/" * 20 + "name.py": b"x = '\xe2\x80\xae'\n",
                "poetry.lock": b"x\n",
            },
            summary=SUMMARY,
        )
    )
    desk.decide(change_set, 0, "rejected", reason="Why?")
    page = open_review(change_set, desk.company.maintainer, viewport=viewport)
    if viewport is PHONE:
        page.locator("#rv-nav > summary").click()
    expect(page.locator("#rv-nav").get_by_role("heading", name="What changed")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for theme in ("light", "dark"):
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        found = Axe().run(page).response["violations"]
        assert [(item["id"], [node["html"] for node in item["nodes"]][:3]) for item in found] == []
    layout = page.locator(".seg.ctx > .side.old").first
    if viewport is DESKTOP:
        page.locator("[data-layout-choice=split]").click()
        expect(layout).to_be_visible()
        page.reload()
        expect(layout).to_be_visible()
        page.locator("[data-layout-choice=unified]").click()
    expect(layout).to_be_hidden()


def test_opens_300_hunks_fast_and_brings_each_file_when_it_is_reached(desk: Desk, open_review: Open) -> None:
    many = {f"pkg/m{n:03}.py": BASE["calc.py"] + b"# %d\n" % n for n in range(100)}
    base = desk.propose(many).commit
    changed = {
        path: data.replace(b"return 0\n", b"return 100\n")
        .replace(b"return 5\n", b"return 105\n")
        .replace(b"return 11\n", b"return 111\n")
        for path, data in many.items()
    }
    change_set = desk.loaded(desk.propose(changed, base=base))
    page = open_review(change_set, desk.company.maintainer)
    shown = page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    assert shown < 3_000, shown
    assert page.locator(".hunk").count() < 150
    page.locator(".rv-files a", has_text="m090.py").click()
    expect(page.get_by_label("Hunk 1 of 3 in pkg/m090.py, pending")).to_be_focused(timeout=20_000)
    page.keyboard.press("a")
    expect(page.get_by_label("Hunk 1 of 3 in pkg/m090.py, accepted")).to_be_visible(timeout=20_000)
