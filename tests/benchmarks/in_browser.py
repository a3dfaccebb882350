"""What a browser makes of the pages: `python -m tests.benchmarks.in_browser [--only weights,tasks,tree,margin,axe,lighthouse]`.

The whole product as `make run` starts it, Debian's Chromium, and an installation with something on every page.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.benchmarks.noise import quantile, report_noise, verdict
from tests.browser.conftest import DESKTOP, FLAGS, Person, keep_cookies, program
from tests.browser.furnished import SIGNED_OUT, Furnished, furnish
from tests.browser.test_accessibility import PAGES, find_everywhere
from tests.browser.test_long_channel import LONG_TASK_MS, MESSAGES, make_long_channel, open_long_channel
from tests.browser.test_long_tree import (
    STEPS,
    STREAMED,
    make_long_run,
    open_whole_tree,
    scroll_through,
    watch_growth,
)
from tests.browser.test_weight import WITH_EDITOR, WITHOUT_EDITOR, weigh
from tests.framework.stack import Stack

LOADS, SAVES = 5, 60
MARGIN_MS, LIGHTHOUSE_SCORE, SMOOTH_MS = 300, 95, 50
LIGHTHOUSE = Path(__file__).parent / "lighthouse"
JUDGED = ["channel", "run", "review", "files", "members", "sign-in"]
"""The pages that Lighthouse sees; axe-core, which does its work, sees all of them, on a phone and in the dark too."""
# Notes when Ctrl+S is pressed and when the first mark in the margin says something else.
WATCH_MARGIN = """
() => {
  const marks = () => [...document.querySelectorAll(".cm-health .health-mark")];
  const shown = () => marks().find((m) => m.title.includes("watched"))?.textContent;
  window.__margin = { at: 0, took: null };
  addEventListener("keydown", (e) => {
    if (e.key === "s" && e.ctrlKey) { window.__margin = { at: performance.now(), before: shown(), took: null }; }
  }, true);
  new MutationObserver(() => {
    const m = window.__margin;
    if (m.at && m.took === null && shown() !== undefined && shown() !== m.before) m.took = performance.now() - m.at;
  }).observe(document.querySelector(".cm-editor"), { subtree: true, childList: true, characterData: true });
}
"""


@dataclass(frozen=True)
class Scene:
    """A running installation, a browser, and the owner's cookies."""

    stack: Stack
    chromium: Browser
    furnished: Furnished
    cookies: Path

    def owner(self, **options: object) -> Person:
        """Return the owner at a fresh browser."""
        context = self.chromium.new_context(viewport=DESKTOP, storage_state=self.cookies, **options)  # type: ignore[arg-type]
        return Person(context, self.stack, self.furnished.owner)


def weights(scene: Scene) -> None:
    """Everything a page loads with an empty cache, compressed as it travels."""
    for name in [*PAGES, *SIGNED_OUT]:
        cookies = None if name in SIGNED_OUT else scene.cookies
        size = sum(weigh(scene.chromium, scene.stack, scene.furnished, name, cookies).values())
        bound = WITH_EDITOR if name == "files" else WITHOUT_EDITOR
        told = verdict(size <= bound, f"<= {bound // 1024} KB")
        print(f"  first view of {name:24} {size / 1024:7.1f} KB   {told}")


def tasks(scene: Scene) -> None:
    """The longest task while a channel of a thousand messages opens."""
    path = make_long_channel(scene.stack, scene.furnished.owner)
    longest = []
    for _ in range(LOADS):
        person = scene.owner()
        longest.append(open_long_channel(person, path))
        person.context.close()
    told = verdict(statistics.median(longest) <= LONG_TASK_MS, f"none over {LONG_TASK_MS} ms")
    print(
        f"  longest task opening {MESSAGES} messages: median {statistics.median(longest):.0f} ms, "
        f"worst {max(longest):.0f} ms of {LOADS}   {told}"
    )


def tree(scene: Scene) -> None:
    """How smoothly a tree of 2,000 steps, all unfolded, scrolls and grows."""
    run_id = make_long_run(scene.stack, scene.furnished)
    person = scene.owner()
    open_whole_tree(person, scene.furnished, run_id)
    seen = scroll_through(person)
    told = verdict(seen.p95 <= SMOOTH_MS, f"p95 <= {SMOOTH_MS} ms")
    print(f"  a tree of {STEPS} steps, scrolling: {seen}   {told}")
    grown = watch_growth(person, scene.stack, run_id)
    told = verdict(grown.p95 <= SMOOTH_MS, f"p95 <= {SMOOTH_MS} ms")
    print(f"  and growing by {STREAMED}: {grown}   {told}")
    person.context.close()


def margin(scene: Scene) -> None:
    """From Ctrl+S to the new complexity in the margin."""
    body = "".join(f"def f{n}(x):\n    return x + {n}\n\n\n" for n in range(150))
    with scene.stack.api(scene.furnished.owner) as api:
        path = f"workspaces/{scene.furnished.workspace_id}/file"
        text = f"def watched(x):\n    return x\n\n\n{body}"
        api.put(path, json={"path": "watched.py", "text": text, "expected": None}).raise_for_status()
    person = scene.owner()
    page = person.page
    person.go(f"/w/{scene.furnished.workspace_id}/files/?path=watched.py")
    page.wait_for_selector(".cm-health .health-mark[title*=watched]")
    page.evaluate(WATCH_MARGIN)
    page.locator(".cm-content").first.click()
    took = []
    for _ in range(SAVES):
        page.keyboard.press("Control+Home")
        page.keyboard.press("End")
        page.keyboard.insert_text("\n    if x: x = 2")
        page.keyboard.press("Control+s")
        took.append(_margin_took(page))
    person.context.close()
    p50, p95 = quantile(took, 50), quantile(took, 95)
    told = verdict(p95 <= MARGIN_MS, f"p95 <= {MARGIN_MS} ms")
    print(f"  audit in the margin after a save: p50 {p50:.0f} ms, p95 {p95:.0f} ms of {SAVES}   {told}")


def _margin_took(page: Page) -> float:
    """Return what the page itself noted; waiting inside the page needs `eval`, which the page's policy refuses."""
    for _ in range(400):
        if (took := page.evaluate("() => window.__margin.took")) is not None:
            return float(took)
        page.wait_for_timeout(25)
    raise RuntimeError("the margin shows nothing new 10 s after a save")


def axe(scene: Scene) -> None:
    """What axe-core finds on every page: on a desktop and a phone, light and dark."""
    found: list[str] = []
    person = scene.owner(bypass_csp=True, reduced_motion="reduce")
    for name in PAGES:
        found += [f"{name}: {line}" for line in find_everywhere(person, scene.furnished, name)]
    person.context.clear_cookies()
    for name in SIGNED_OUT:
        found += [f"{name}: {line}" for line in find_everywhere(person, scene.furnished, name)]
    person.context.close()
    print(
        f"  axe-core on {len(PAGES) + len(SIGNED_OUT)} pages: {len(found)} violations   {verdict(not found, 'none')}"
    )
    for line in found:
        print(f"    {line}")


def lighthouse(scene: Scene) -> None:
    """Lighthouse's score for accessibility."""
    if not (LIGHTHOUSE / "node_modules").exists():
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(command, cwd=LIGHTHOUSE, check=True, timeout=300)
    kept = json.loads(scene.cookies.read_text())["cookies"]
    cookie = "; ".join(f"{one['name']}={one['value']}" for one in kept)
    addresses = scene.furnished.pages() | SIGNED_OUT
    for name in JUDGED:
        headers = {} if name in SIGNED_OUT else {"Cookie": cookie}
        command = [
            str(LIGHTHOUSE / "node_modules" / ".bin" / "lighthouse"),
            scene.stack.url + addresses[name],
            "--only-categories=accessibility",
            "--quiet",
            "--output=json",
            f"--chrome-flags=--headless=new {' '.join(FLAGS)}",
            f"--extra-headers={json.dumps(headers)}",
        ]
        environment = scene.stack.environment | {"CHROME_PATH": program("chromium")}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=180, check=True
        )
        report = json.loads(done.stdout)
        if report["finalDisplayedUrl"].rstrip("/") != (scene.stack.url + addresses[name]).rstrip("/"):
            raise RuntimeError(f"Lighthouse saw {report['finalDisplayedUrl']} in place of {addresses[name]}")
        score = round(100 * report["categories"]["accessibility"]["score"])
        told = verdict(score >= LIGHTHOUSE_SCORE, f">= {LIGHTHOUSE_SCORE}")
        print(f"  Lighthouse, accessibility of {name:20} {score}   {told}")


PARTS: dict[str, Callable[[Scene], None]] = {
    one.__name__: one for one in (weights, tasks, tree, margin, axe, lighthouse)
}


def main() -> int:
    """Print the tables; exit status 1 when a part could not be measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(PARTS))
    chosen = parser.parse_args().only.split(",")
    failed = 0
    with tempfile.TemporaryDirectory(prefix="pyagent-bench-") as folder, sync_playwright() as playwright:
        stack = Stack(Path(folder) / "home")
        stack.start(timeout_s=180)
        chromium = playwright.chromium.launch(executable_path=program("chromium"), args=FLAGS)
        try:
            furnished = furnish(stack)
            cookies = keep_cookies(stack, chromium, furnished.owner, Path(folder))
            scene = Scene(stack, chromium, furnished, cookies)
            for name in chosen:
                report_noise()
                try:
                    PARTS[name](scene)
                except Exception as error:
                    failed += 1
                    print(f"  {name} could not be measured: {error}")
        finally:
            chromium.close()
            stack.stop()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
