"""A reasoning tree of two thousand steps: it opens, scrolls and grows without making anybody wait."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import DESKTOP, PHONE, Person
from tests.browser.furnished import Furnished, make_workspace
from tests.framework.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
STEPS, STREAMED = 2_000, 200
FRAME_MS, GAP_MS, LONG_TASK_MS = 50, 500, 250
"""The bounds of a test on a busy machine; the figures of a quiet one stand in docs/benchmarks.md."""
TOP_BAR_PX = 48
# Written as rows: no agent makes two thousand steps while a test waits.
FILL = """
from django.db import transaction
from django.utils import timezone
from webapp.accounts.models import User
from webapp.agents.models import Run, Step
from webapp.chat.services.calling import post_card
run = Run.objects.create(
    workspace_id={workspace_id}, requested_by=User.objects.get(email={email!r}), agent="coder", goal="a long work",
    status="running", lease_expires_at=timezone.now() + timezone.timedelta(hours=1), last_seq={count}, started_at=timezone.now(),
)
Step.objects.bulk_create(
    Step(
        run=run, step_id=f"s{{n}}", parent_id=f"s{{n - n % 10}}" if n % 10 else "", status="ok", seq=n, duration_ms=n,
        kind="tool_call" if n % 10 else "model_call", title=f"Step {{n}} reads src/{{n}}.py", started_at=timezone.now(),
    )
    for n in range({count})
)
print(run.pk)
"""
CARD = """
with transaction.atomic():
    post_card(run)
"""
# What an engine says of a run that goes on, through the recorder, so that the news reach the page as always.
STREAM = """
import time
from webapp.realtime.recorder import record_batch
from workers import events as engine
from webapp.agents.models import Run
seq = Run.objects.get(pk={run_id!r}).last_seq
for n in range({first}, {first} + {count}):
    for kind, fields in (
        (engine.StepStarted, dict(parent_id=None, kind="command", title=f"New step {{n}}")),
        (engine.StepFinished, dict(status="ok", duration_ms=3)),
    ):
        seq += 1
        record_batch([kind(run_id={run_id!r}, fence=1, run_seq=seq, step_id=f"s{{n}}", **fields)])
    time.sleep(0.02)
"""
WATCH = """
window.__tasks = [];
new PerformanceObserver((list) => window.__tasks.push(...list.getEntries().map((e) => e.duration)))
  .observe({ type: "longtask", buffered: true });
window.__frames = null;
const tick = (at) => {
  if (window.__frames && window.__last) window.__frames.push(at - window.__last);
  window.__last = at;
  requestAnimationFrame(tick);
};
requestAnimationFrame(tick);
"""
# Of the rows only those in view stand in the page; the others are space of their height.
ROWS = """() => {
  const box = document.querySelector("run-card .steps");
  return Math.round(box.clientHeight / box.querySelector(".step").offsetHeight);
}"""
UNFOLD = f"""() => {{
  document.querySelector(".step.is-fold .step-line")?.click();
  return ({ROWS})();
}}"""


@dataclass(frozen=True)
class Smoothness:
    """How the page moved: ms between frames, and its longest task in ms."""

    frames: list[float]
    longest_task: float

    @property
    def median(self) -> float:
        return statistics.median(self.frames)

    @property
    def p95(self) -> float:
        return statistics.quantiles(self.frames, n=20)[18]

    @property
    def worst(self) -> float:
        return max(self.frames)

    def __str__(self) -> str:
        frames = f"{len(self.frames)} frames, median {self.median:.0f} ms, p95 {self.p95:.0f} ms, worst {self.worst:.0f} ms"
        return f"{frames}, longest task {self.longest_task:.0f} ms"


def make_long_run(stack: Stack, furnished: Furnished, *, called_in: int | None = None) -> str:
    """Make a run at work with its steps and return its id; with a card in the channel of a workspace, when one is given."""
    fill = FILL.format(workspace_id=called_in or furnished.workspace_id, email=furnished.owner, count=STEPS)
    fill = fill.replace("print", f"{CARD}\nprint") if called_in else fill
    return stack.manage("shell", "--command", fill, timeout_s=240).strip().splitlines()[-1]


def open_whole_tree(person: Person, furnished: Furnished, run_id: str) -> None:
    """Open the run's page and unfold all of its tree."""
    person.context.add_init_script(WATCH)
    person.go(f"/w/{furnished.workspace_id}/runs/{run_id}/")
    person.page.wait_for_selector("run-card [role=tree]")
    wait_in_page(person, f"({UNFOLD})() === {STEPS}", timeout_s=30)


def wait_in_page(person: Person, claim: str, *, timeout_s: float = 120) -> None:
    """Wait until an expression is true. Playwright's own waiting writes down all that a screen reader would say: seconds."""
    for _ in range(int(timeout_s * 10)):
        if person.page.evaluate(f"() => Boolean({claim})"):
            return
        person.page.wait_for_timeout(100)
    raise AssertionError(f"not within {timeout_s} s: {claim}")


def begin(person: Person) -> None:
    person.page.evaluate("() => { window.__frames = []; window.__tasks = []; window.__last = 0; }")


def end(person: Person) -> Smoothness:
    seen = person.page.evaluate(
        "() => ({ frames: window.__frames, longest: Math.max(0, ...window.__tasks) })"
    )
    return Smoothness(seen["frames"], seen["longest"])


def scroll_through(person: Person) -> Smoothness:
    """Scroll from the top to the bottom with the wheel and back."""
    page = person.page
    page.mouse.move(700, 500)
    page.evaluate("() => scrollTo(0, 0)")
    begin(person)
    for delta in (600, -600):
        for _ in range(40):
            page.mouse.wheel(0, delta)
            page.wait_for_timeout(25)
    return end(person)


def grow(stack: Stack, run_id: str, *, first: int, count: int) -> None:
    """Let the run go on by some steps."""
    stack.manage("shell", "--command", STREAM.format(run_id=run_id, first=first, count=count), timeout_s=240)


def watch_growth(person: Person, stack: Stack, run_id: str, *, first: int = STEPS) -> Smoothness:
    """Let the run go on while somebody looks at its newest steps."""
    growing = threading.Thread(target=lambda: grow(stack, run_id, first=first, count=STREAMED))
    person.page.evaluate("() => scrollTo(0, document.documentElement.scrollHeight)")
    begin(person)
    growing.start()
    newest = f"document.querySelector('[data-step=s{first + STREAMED - 1}].is-ok')"
    wait_in_page(person, f"{newest}?.getBoundingClientRect().bottom <= innerHeight + 1")
    seen = end(person)
    growing.join(timeout=60)
    return seen


@pytest.fixture
def person(stack: Stack, chromium: Browser, furnished: Furnished, signed_in: Path) -> Iterator[Person]:
    context = chromium.new_context(viewport=DESKTOP, storage_state=signed_in)  # type: ignore[arg-type]
    yield Person(context, stack, furnished.owner)
    context.close()


@pytest.fixture(scope="module")
def run_id(stack: Stack, furnished: Furnished) -> str:
    return make_long_run(stack, furnished)


def has_focus(step_id: str) -> str:
    """Return the claim that a step's row has the focus and is in view."""
    focused = f"document.activeElement.matches('[data-step={step_id}]')"
    top, bottom = (f"document.activeElement.getBoundingClientRect().{side}" for side in ("top", "bottom"))
    return f"{focused} && {top} >= {TOP_BAR_PX} && {bottom} <= innerHeight"


def rows_in_page(person: Person) -> int:
    return person.page.locator("run-card [role=treeitem]").count()


def go_to_step(person: Person, step_id: str) -> None:
    person.page.evaluate(f"() => {{ location.hash = ''; location.hash = 'step-{step_id}'; }}")
    wait_in_page(person, has_focus(step_id), timeout_s=10)


def test_a_tree_of_two_thousand_steps_scrolls_and_grows(
    person: Person, stack: Stack, furnished: Furnished
) -> None:
    run_id = make_long_run(stack, furnished)
    open_whole_tree(person, furnished, run_id)
    scrolled = scroll_through(person)
    # What else the machine does can hold up one growth; three in a row are the page's own doing.
    for growth in range(3):
        grown = watch_growth(person, stack, run_id, first=STEPS + growth * STREAMED)
        if grown.worst <= GAP_MS and grown.longest_task <= LONG_TASK_MS:
            break
    told = f"scrolling: {scrolled}\ngrowing: {grown}"
    assert len(scrolled.frames) > 20, told
    assert max(scrolled.median, grown.median) <= FRAME_MS, told
    assert max(scrolled.worst, grown.worst) <= GAP_MS, told
    assert max(scrolled.longest_task, grown.longest_task) <= LONG_TASK_MS, told


def test_only_rows_in_view_stand_in_the_page_and_tell_their_place(
    person: Person, furnished: Furnished, run_id: str
) -> None:
    open_whole_tree(person, furnished, run_id)
    go_to_step(person, "s1004")
    assert rows_in_page(person) < 200
    row, parent = (person.page.locator(f"run-card [data-step={name}]") for name in ("s1004", "s1000"))
    for name, value in {"level": "2", "posinset": "4", "setsize": "9"}.items():
        expect(row).to_have_attribute(f"aria-{name}", value)
    for name, value in {"level": "1", "posinset": "101", "setsize": "200", "expanded": "true"}.items():
        expect(parent).to_have_attribute(f"aria-{name}", value)
    expect(row).to_have_accessible_name("Tool call: Step 1004 reads src/1004.py , done")
    person.page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    assert rows_in_page(person) == STEPS, "a printer gets all of it"
    person.page.evaluate("() => dispatchEvent(new Event('afterprint'))")
    assert rows_in_page(person) < 200


def test_the_keyboard_reaches_rows_that_do_not_stand_in_the_page(
    person: Person, furnished: Furnished, run_id: str
) -> None:
    open_whole_tree(person, furnished, run_id)
    press = person.page.keyboard.press
    person.page.locator("run-card [role=treeitem]").first.focus()
    moves = [("End", 1999), ("ArrowUp", 1998), ("ArrowLeft", 1990), ("Home", 0), ("ArrowRight", 1)]
    for key, step in moves:
        press(key)
        wait_in_page(person, has_focus(f"s{step}"), timeout_s=5)
    # Its row leaves the view, and keeps the focus: the next key goes on from there.
    person.page.evaluate("() => scrollTo(0, document.documentElement.scrollHeight)")
    wait_in_page(person, "document.querySelector('[data-step=s1999]')", timeout_s=5)
    assert person.page.evaluate("() => document.activeElement.dataset.step") == "s1"
    press("ArrowDown")
    wait_in_page(person, has_focus("s2"), timeout_s=5)
    before = person.page.evaluate(ROWS)
    for key in ("ArrowLeft", "ArrowLeft"):
        press(key)
    expect(person.page.locator("[data-step=s0]")).to_have_attribute("aria-expanded", "false")
    assert person.page.evaluate(ROWS) == before - 9
    press("ArrowDown")
    wait_in_page(person, has_focus("s10"), timeout_s=5)
    assert person.page.locator("run-card [role=treeitem][tabindex='0']").count() == 1


def test_what_is_opened_stays_and_rows_above_it_move_nothing(
    person: Person, stack: Stack, furnished: Furnished, run_id: str
) -> None:
    open_whole_tree(person, furnished, run_id)
    go_to_step(person, "s500")
    person.page.keyboard.press("Enter")
    expect(person.page.locator("[data-step=s500] .step-detail")).to_contain_text("left no detail")
    opened = person.page.locator("[data-step=s500]")
    opened.evaluate("(row) => { row.dataset.mark = 'the same'; }")
    go_to_step(person, "s1500")
    expect(opened).to_have_attribute("data-mark", "the same")
    top = "() => document.querySelector('[data-step=s1500]').getBoundingClientRect().top"
    before = person.page.evaluate(top)
    opened.locator(".step-line").evaluate("(line) => line.click()")
    expect(opened).to_have_count(0)
    assert abs(person.page.evaluate(top) - before) <= 1


def test_a_phone_has_rows_of_one_height(person: Person, furnished: Furnished, run_id: str) -> None:
    person.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    open_whole_tree(person, furnished, run_id)
    go_to_step(person, "s1234")
    heights = "() => [...document.querySelectorAll('run-card .step')].map((row) => row.offsetHeight)"
    assert set(person.page.evaluate(heights)) == {48}
    assert person.page.evaluate(ROWS) == STEPS
    assert person.page.evaluate("() => document.documentElement.scrollWidth") == PHONE["width"]


def test_a_card_follows_its_newest_step_until_its_reader_scrolls_away(
    person: Person, stack: Stack, furnished: Furnished
) -> None:
    with stack.api(furnished.owner) as api:
        workspace_id = make_workspace(api, "Long tree", {"README.md": "# Long\n"})
    run_id = make_long_run(stack, furnished, called_in=workspace_id)
    person.go(f"/w/{workspace_id}/c/general/")
    card = person.page.locator(f'run-card[data-run*="{run_id}"]')
    card.scroll_into_view_if_needed()
    box = card.locator(".steps.is-windowed")
    below = "(box) => box.scrollHeight - box.scrollTop - box.clientHeight"
    expect(box.locator("[data-step=s1999]")).to_be_in_viewport()
    assert box.get_by_role("treeitem").count() < 100
    grow(stack, run_id, first=STEPS, count=2)
    expect(box.locator(f"[data-step=s{STEPS + 1}].is-ok")).to_be_in_viewport()
    assert box.evaluate(below) < 1
    # Scrolled away: what is read stays where it is, while older steps are folded above and new ones come below.
    box.evaluate("(box) => { box.scrollTop = 6000; }")
    read = box.locator("[data-step=s1800]")
    expect(read).to_be_attached()
    before = read.evaluate("(row) => row.getBoundingClientRect().top")
    grow(stack, run_id, first=STEPS + 2, count=2)
    expect(box.locator("[data-step=fold-]")).to_contain_text("Show more of 164 earlier steps")
    assert abs(read.evaluate("(row) => row.getBoundingClientRect().top") - before) <= 1
    expect(box.locator(f"[data-step=s{STEPS + 3}]")).to_have_count(0)
