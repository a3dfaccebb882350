"""One line an event, readable by people or by machines, and no secret in either."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from workers.telemetry.logging import redact, redact_text, to_json

ROOT = Path(__file__).parents[3]
CANARY = "c4n4ry-0123456789abcdef"


@pytest.mark.parametrize(
    "facts",
    [
        {"api_key": CANARY},
        {"OPENAI_API_KEY": CANARY},
        {"key": CANARY},
        {"access_token": CANARY},
        {"client_secret": CANARY},
        {"db_password": CANARY},
        {"headers": {"Authorization": f"Token {CANARY}", "Cookie": CANARY}},
        {"request": {"config": [{"vault_key": CANARY}]}},
        {"error": f"401 for Authorization: Bearer {CANARY}"},
        {"event": f"sk-{CANARY} was refused"},
        {"url": f"redis://:{CANARY}@host/0"},
        {"url": f"https://user:{CANARY}@host/x"},
        {"url": f"https://{CANARY}@host/x"},
        {"path": f"/setup/?token={CANARY}&next=/"},
        {"path": f"/x?a=1&access_token={CANARY}"},
        {"body": f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----"},
        {"raw": f"Bearer {CANARY}".encode()},
        {"exception": f"Traceback ...\nError: https://me:{CANARY}@host refused"},
    ],
)
def test_hides_a_secret(facts: dict[str, Any]) -> None:
    assert CANARY not in str(redact(None, "info", dict(facts)))


@pytest.mark.parametrize(
    "facts",
    [
        {"input_tokens": 12, "tokens": 3, "token_count": "4"},
        {"credential_ref": "workspace:7", "internal_token_file": "/home/keys/internal-token"},
        {"workspace_id": 3, "path": "src/key.py", "monkey": "ape", "keyboard": "de"},
        {
            "url": "https://example.org/a?page=2#at=3",
            "event": "basic understanding",
            "mail": "person@example.org",
        },
        {"is_ok": True, "nothing": None, "ratio": 0.5},
    ],
)
def test_shows_what_is_no_secret(facts: dict[str, Any]) -> None:
    assert redact(None, "info", dict(facts)) == facts


def test_keeps_the_rest_of_a_text() -> None:
    assert (
        redact_text("GET /setup/?token=abc&next=/ from https://a:b@c/")
        == "GET /setup/?token=[hidden]&next=/ from https://[hidden]@c/"
    )


SCRIPT = f"""
import logging
from workers.telemetry.logging import configure_logging, get_logger
configure_logging("test")
log = get_logger("mine")
log.info("it happened", size_bytes=3, api_key="{CANARY}")
logging.getLogger("theirs").warning("with %s", "https://a:{CANARY}@host/")
try:
    raise ValueError("sk-{CANARY}")
except ValueError:
    log.exception("it failed")
    logging.getLogger("django.security.DisallowedHost").error("not our host", exc_info=True)
"""


def _lines(**env: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert CANARY not in done.stderr
    return done.stderr.splitlines()


def test_writes_json_one_line_an_event_when_asked() -> None:
    events = [json.loads(line) for line in _lines(PYAGENT_LOG="json")]
    assert [event["event"] for event in events] == [
        "it happened",
        "with https://[hidden]@host/",
        "it failed",
        "not our host",
    ]
    assert {event["process"] for event in events} == {"test"}
    assert [event["level"] for event in events] == ["info", "warning", "error", "error"]
    assert "ValueError" in events[2]["exception"]
    assert "exception" not in events[3]


def test_writes_for_people_otherwise_without_colours_where_none_are_wanted() -> None:
    first, second, *_ = _lines(PYAGENT_LOG="")
    assert "it happened" in first
    assert "size_bytes=3" in first
    assert "\x1b" not in first
    assert "with https://[hidden]@host/" in second


@pytest.mark.parametrize(
    "event",
    [
        {"event": "é \ud800", "path": "a\nb"},
        {"event": "large", "number": 2**70},
        {"event": "odd", "keys": {1: "a", None: "b"}, "thing": object(), "when": Path("x")},
        {"event": "numbers", "nan": float("nan"), "list": (1, {2})},
    ],
)
def test_writes_one_json_line_whatever_stands_in_it(event: dict[str, Any]) -> None:
    line = to_json(event)
    assert "\n" not in line
    assert json.loads(line)["event"] == event["event"]
