"""From `@tidy` in a channel to an open review, on a real package of some 300 files: `python -m tests.benchmarks.tidy_latency`.

The whole product runs as `make run` starts it; the message is posted over REST and the review is looked for every 20 ms.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from pathlib import Path

import httpx

from tests.benchmarks.noise import report_noise, verdict
from tests.framework.stack import Stack

ROUNDS = 5
LIMIT_S = 5.0
PACKAGE = Path(httpx.__file__).parent.parent / "schemathesis"


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="pyagent-bench-") as folder:
        files = len(list(PACKAGE.rglob("*.py")))
        archive = shutil.make_archive(str(Path(folder) / "package"), "gztar", PACKAGE)
        stack = Stack(Path(folder) / "home")
        stack.start(timeout_s=180)
        try:
            email = stack.person("bench")
            with stack.api(email) as api:
                taken = [_one_round(stack, api, email, archive, number) for number in range(ROUNDS)]
        finally:
            stack.stop()
    report_noise()
    told = verdict(max(taken) <= LIMIT_S, f"<= {LIMIT_S:.0f} s")
    median, worst = statistics.median(taken), max(taken)
    print(
        f"  @tidy on {files} files, message to open review: median {median:.2f} s, worst {worst:.2f} s of {ROUNDS}   {told}"
    )


def _one_round(stack: Stack, api: httpx.Client, email: str, archive: str, number: int) -> float:
    workspace = stack.manage("importworkspace", f"Package {number}", archive, "--owner", email)
    channel = api.get(f"workspaces/{workspace}/channels").raise_for_status().json()[0]["id"]
    started = time.monotonic()
    api.post(f"workspaces/{workspace}/channels/{channel}/messages", json={"text": "@tidy"}).raise_for_status()
    while time.monotonic() - started < 60:
        reviews = api.get(f"workspaces/{workspace}/reviews").raise_for_status().json()
        if reviews["reviews"] if isinstance(reviews, dict) else reviews:
            return time.monotonic() - started
        time.sleep(0.02)
    raise RuntimeError(f"no review after 60 s:\n{stack.tail()}")


if __name__ == "__main__":
    main()
