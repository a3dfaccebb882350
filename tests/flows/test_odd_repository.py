"""A repository with everything odd, from its import over a run of `@coder` whose output is odd, to a landed review."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.framework.provider_double import Call, ProviderDouble, Say
from tests.framework.provider_double.threaded import running_double
from tests.framework.stack import Stack

pytestmark = [pytest.mark.flow, pytest.mark.timeout(300)]
LARGE_BYTES = 100 * 1024 * 1024
CRLF = b"import os\r\n\r\n\r\ndef greet(name):\r\n    return 'hullo ' + name\r\n"
IMAGE = "<img onerror=alert(1) src=x>.py"
ODD_NAME = b"caf\xe9-\xff.txt"
SECRET = "outside, and nobody's business"
# Sets a title, clears the screen, looks like markup, and is one line of ten megabytes.
NOISE = (
    'python3 -c "import sys; sys.stdout.write(chr(27) + chr(93) + chr(48) + chr(59) + str(7) + chr(7)'
    " + chr(27) + '[2J<img src=x onerror=alert(1)>' + 'x' * 10_000_000)\""
)


def git(folder: Path, *words: str) -> bytes:
    who = ["-c", "user.name=Odd", "-c", "user.email=odd@example.org", "-c", "core.autocrlf=false"]
    done = subprocess.run(["git", *who, "-C", str(folder), *words], capture_output=True, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository as somebody might bring it."""
    folder = tmp_path_factory.mktemp("odd")
    (folder / "secret.txt").write_text(SECRET)
    root = folder / "repository"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    block = os.urandom(1024 * 1024)
    with (root / "large.bin").open("wb") as large:
        for _ in range(100):
            large.write(block)
    (root / "windows.py").write_bytes(CRLF)
    (root / IMAGE).write_text("import os\n")
    Path(os.fsdecode(os.fsencode(root) + b"/" + ODD_NAME)).write_bytes(b"caf\xe9\n")
    (root / "out.txt").symlink_to("../../../secret.txt")
    (root / "absolute.txt").symlink_to("/etc/passwd")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "Everything odd")
    return root


@pytest.fixture(scope="module")
def double() -> Iterator[ProviderDouble]:
    edit = {"path": "windows.py", "old_text": "'hullo '", "new_text": "'hello '"}
    script = (
        Say("Let us see.", (Call("list_files"),)),
        Say("Through the link.", (Call("read_file", {"path": "out.txt"}),)),
        Say("And the other.", (Call("run_command", {"command": "cat out.txt absolute.txt"}),)),
        Say("The large one.", (Call("read_file", {"path": "large.bin"}),)),
        Say("Noise.", (Call("run_command", {"command": NOISE}),)),
        Say("Mend.", (Call("edit_file", edit),)),
        Say("Done.", (Call("finish", {"answer": "Greets properly. <img src=x onerror=alert(1)>\x1b[2J"}),)),
    )
    with running_double() as double:
        double.brain = lambda asked: script[sum(one["role"] == "tool" for one in asked.messages)]
        yield double


def wait(api: httpx.Client, address: str) -> dict[str, Any]:
    ends_at = time.monotonic() + 120
    while True:
        run: dict[str, Any] = api.get(address).raise_for_status().json()
        if run["status"] in ("finished", "failed", "cancelled", "dead"):
            return run
        assert time.monotonic() < ends_at, run
        time.sleep(0.2)


def test_an_odd_repository_goes_all_the_way(stack: Stack, source: Path, double: ProviderDouble) -> None:
    email = stack.person("odette", is_owner=True)
    api = stack.api(email)
    workspace_id = int(stack.manage("importworkspace", "Odd", f"file://{source}", "--owner", email))
    base, root = f"workspaces/{workspace_id}", stack.home / "workspaces" / str(workspace_id)

    # Everything is listed; what cannot be shown says why, and no link is followed.
    entries = {one["name"]: one for one in api.get(f"{base}/files").raise_for_status().json()}
    assert entries["large.bin"]["size_bytes"] == LARGE_BYTES
    assert IMAGE in entries and entries["out.txt"]["kind"] == entries["absolute.txt"]["kind"] == "symlink"
    (odd,) = [one for name, one in entries.items() if name.startswith("caf")]
    read = api.get(f"{base}/file", params={"path": odd["path"]}).raise_for_status().json()
    assert (read["text"], read["encoding"]) == ("café\n", "latin-1")
    assert api.get(f"{base}/file", params={"path": "large.bin"}).status_code == 413
    for path in ("out.txt", "absolute.txt"):
        reply = api.get(f"{base}/file", params={"path": path})
        assert reply.status_code in (403, 404, 409, 422), reply.text
        assert SECRET not in reply.text and "root:" not in reply.text

    # A run over it ends well; what it printed is bounded and shown as text.
    model = {"name": "odd", "provider": "openai", "model": "scripted", "base_url": double.base_url("openai")}
    model_id = api.post("models", json=model).raise_for_status().json()["id"]
    asked = {"agent": "coder", "goal": "fix the greeting in windows.py", "model_id": model_id}
    started = api.post(f"{base}/runs", json=asked).raise_for_status().json()
    run = wait(api, f"{base}/runs/{started['id']}")
    assert run["status"] == "finished", run
    told = ""
    for step in run["steps"]:
        reply = api.get(f"{base}/runs/{run['id']}/steps/{step['id']}").raise_for_status()
        assert len(reply.content) < 200_000, step["title"]
        told += reply.text
    assert SECRET not in told and "root:" not in told
    heard = repr([asked.messages for asked in double.asked])
    assert SECRET not in heard and "\x1b[2J" not in heard
    assert max(len(asked.messages[-1]["content"]) for asked in double.asked) < 50_000

    # What is accepted lands; line ends, links, names and the large file stay what they were.
    review = f"{base}/reviews/{run['review_id']}"
    api.post(f"{review}/decision", json={"verdict": "accepted"}).raise_for_status()
    seen = api.get(review).raise_for_status().json()
    assert [file["path"] for file in seen["files"]] == ["windows.py"]
    bound = {"diff_hash": seen["diff_hash"], "selection": seen["selection"]}
    assert api.post(f"{review}/apply", json=bound).raise_for_status().json()["status"] == "landed"
    bare = root / "repo.git"
    assert git(bare, "show", "main:windows.py") == CRLF.replace(b"hullo", b"hello")
    assert (root / "files" / "windows.py").read_bytes() == CRLF.replace(b"hullo", b"hello")
    changed = git(bare, "diff", "--name-only", "main~1", "main").decode().split()
    assert changed == ["windows.py"]
    assert git(bare, "ls-tree", "main", "out.txt").startswith(b"120000 ")
    assert (root / "files" / "large.bin").stat().st_size == LARGE_BYTES
    assert api.get(f"{base}/git").raise_for_status().json()["status"] == []
