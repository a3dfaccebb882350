"""A reasoning tree of two thousand steps: it opens, scrolls and grows without making anybody wait."""

from __future__ import annotations

import statistics
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import DESKTOP, Person
from tests.browser.furnished import Furnished
from tests.framework.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
STEPS, STREAMED, LONG_TASK_MS, FRAME_MS = 2_000, 200, 250, 100
"""The bounds of a test on a busy machine; the figures of a quiet one stand in docs/benchmarks.md."""
# Written as rows: no agent makes two thousand steps while a test waits.
FILL = """
from django.utils import timezone
from webapp.accounts.models import User
from webapp.agents.models import Run, Step
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
# What an engine says of a run that goes on, through the recorder, so that the news reach the page as always.
STREAM = """
import time
from webapp.realtime.recorder import record_batch
from workers import events as engine
seq = {count}
for n in range({count}, {count} + {streamed}):
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
UNFOLD = """() => {
  const fold = document.querySelector(".step.is-fold .step-line");
  fold?.click();
  return Boolean(fold);
}"""


@dataclass(frozen=True)
class Smoothness:
    """How the page moved: milliseconds between frames, and its longest task."""

    frames: list[float]
    longest_task: float

    @property
    def median(self) -> float:
        return statistics.median(self.frames)

    @property
    def p95(self) -> float:
        return statistics.quantiles(self.frames, n=20)[18]


def make_long_run(stack: Stack, furnished: Furnished) -> str:
    """Make a run at work with its steps and return its id."""
    fill = FILL.format(workspace_id=furnished.workspace_id, email=furnished.owner, count=STEPS)
    return stack.manage("shell", "--command", fill, timeout_s=240).strip().splitlines()[-1]


def open_whole_tree(person: Person, furnished: Furnished, run_id: str) -> None:
    """Open the run's page and unfold all of its tree."""
    person.context.add_init_script(WATCH)
    person.go(f"/w/{furnished.workspace_id}/runs/{run_id}/")
    person.page.wait_for_selector("run-card [role=tree]")
    for _ in range(60):
        if not person.page.evaluate(UNFOLD):
            break
        person.page.wait_for_timeout(30)
    expect(person.page.locator("run-card [role=treeitem]")).to_have_count(STEPS, timeout=30_000)


def begin(person: Person) -> None:
    person.page.evaluate("() => { window.__frames = []; window.__tasks = []; window.__last = 0; }")


def end(person: Person) -> Smoothness:
    found = person.page.evaluate(
        "() => ({ frames: window.__frames, longest: Math.max(0, ...window.__tasks) })"
    )
    return Smoothness(found["frames"], found["longest"])


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


def watch_growth(person: Person, stack: Stack, run_id: str) -> Smoothness:
    """Let the run go on while its page is looked at."""
    script = STREAM.format(run_id=run_id, count=STEPS, streamed=STREAMED)
    grow = threading.Thread(target=lambda: stack.manage("shell", "--command", script, timeout_s=240))
    begin(person)
    grow.start()
    last = person.page.locator(f'[data-step="s{STEPS + STREAMED - 1}"].is-ok')
    expect(last).to_be_attached(timeout=120_000)
    grow.join(timeout=60)
    return end(person)


@pytest.fixture
def person(stack: Stack, chromium: Browser, furnished: Furnished, signed_in: Path) -> Person:
    return Person(chromium.new_context(viewport=DESKTOP, storage_state=signed_in), stack, furnished.owner)  # type: ignore[arg-type]


def test_a_tree_of_two_thousand_steps_scrolls_and_grows(
    person: Person, stack: Stack, furnished: Furnished
) -> None:
    run_id = make_long_run(stack, furnished)
    open_whole_tree(person, furnished, run_id)
    scrolled = scroll_through(person)
    grown = watch_growth(person, stack, run_id)
    person.context.close()
    assert len(scrolled.frames) > 20
    assert scrolled.median <= FRAME_MS, scrolled.frames
    # While it grows the page paints as often as there is news, so frames tell nothing; that nothing is held up does.
    assert max(scrolled.longest_task, grown.longest_task) <= LONG_TASK_MS
