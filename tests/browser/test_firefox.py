"""The main job once in Debian's Firefox, driven over WebDriver BiDi: what works in Chromium alone is not done."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import program
from tests.framework.stack import ROOT, Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]
LIMIT_S = 240


@pytest.fixture
def fresh_stack() -> Iterator[Stack]:
    """An installation on which nobody has signed up yet."""
    with tempfile.TemporaryDirectory(prefix="pyagent-firefox-") as folder:
        running = Stack(Path(folder) / "home")
        running.start(is_first=True)
        yield running
        running.stop()


def test_one_person_does_the_main_job_in_firefox(fresh_stack: Stack, requests_sdist: Path) -> None:
    script = Path(__file__).with_name("firefox.mjs")
    command = ["node", str(script), fresh_stack.setup_url(), str(requests_sdist), program("firefox-esr")]
    with tempfile.TemporaryDirectory(prefix="pyagent-firefox-home-") as home:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**fresh_stack.environment, "HOME": home},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
        )
    assert done.returncode == 0, f"{done.stdout}\n--- the installation ---\n{fresh_stack.tail(30)}"
