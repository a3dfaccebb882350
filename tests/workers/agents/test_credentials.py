"""The key of a run's model comes over the internal door, and from nowhere else."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from workers.agents.credentials import fetch_secret
from workers.config import Config, load_config
from workers.errors import ConfigError, CredentialRefused, CredentialUnavailable
from workers.queue import Job

JOB = Job(
    run_id="r1",
    fence=3,
    workspace_id=1,
    agent="coder",
    goal="",
    base_commit="",
    model={},
    credential_ref="profile:7",
)


@dataclass
class Door:
    """The web app's internal endpoint, as a server of its own."""

    port: int = 0
    status: int = 200
    body: bytes = b'{"secret": "s3cret"}'
    asked: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)


@pytest.fixture
def door() -> Iterator[Door]:
    door = Door()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            door.asked.append((self.path, dict(self.headers), body))
            self.send_response(door.status)
            self.end_headers()
            self.wfile.write(door.body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    door.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield door
    server.shutdown()
    server.server_close()


def config_for(door: Door, home: Path) -> Config:
    (home / "keys").mkdir(exist_ok=True)
    (home / "keys" / "internal-token").write_text("t0ken\n")
    return load_config({"PYAGENT_HOME": str(home), "PYAGENT_INTERNAL_URL": f"http://127.0.0.1:{door.port}"})


async def test_asks_with_the_internal_token_and_its_lease(door: Door, tmp_path: Path) -> None:
    assert await fetch_secret(JOB, config_for(door, tmp_path)) == "s3cret"
    path, headers, body = door.asked[0]
    assert path == "/internal/credentials/"
    assert headers["X-PyAgent-Internal"] == "t0ken"
    assert body == {"run_id": "r1", "fence": 3, "credential_ref": "profile:7"}


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, b"{}", CredentialRefused),
        (200, b"not json", CredentialRefused),
        (200, b'{"secret": null}', CredentialRefused),
        (503, b"", CredentialUnavailable),
    ],
)
async def test_says_why_there_is_no_key(
    door: Door, tmp_path: Path, status: int, body: bytes, error: type[Exception]
) -> None:
    door.status, door.body = status, body
    with pytest.raises(error) as caught:
        await fetch_secret(JOB, config_for(door, tmp_path), patience_s=0)
    assert type(caught.value) is error


async def test_waits_for_a_web_app_whose_database_is_away(door: Door, tmp_path: Path) -> None:
    door.status = 503
    asking = asyncio.create_task(fetch_secret(JOB, config_for(door, tmp_path)))
    while not door.asked:
        await asyncio.sleep(0.01)
    door.status = 200
    assert await asking == "s3cret"
    assert len(door.asked) == 2


async def test_says_when_nobody_answers(door: Door, tmp_path: Path) -> None:
    config = config_for(Door(port=1), tmp_path)
    with pytest.raises(CredentialUnavailable):
        await fetch_secret(JOB, config, patience_s=0)


async def test_asks_nobody_without_a_reference_and_needs_the_token(door: Door, tmp_path: Path) -> None:
    config = load_config({"PYAGENT_HOME": str(tmp_path)})
    assert await fetch_secret(replace(JOB, credential_ref=None), config) is None
    with pytest.raises(ConfigError):
        await fetch_secret(JOB, config)
