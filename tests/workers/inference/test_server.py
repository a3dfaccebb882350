"""The real server process with the real model: asserts the protocol, not the wit."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from workers.config import get_config
from workers.errors import ConfigError, ContextTooLong
from workers.inference.model_file import ModelFileMissing
from workers.inference.server import SEQUENCES, read_settings
from workers.providers.base import Provider
from workers.providers.embedded import model_state
from workers.providers.registry import open_provider
from workers.providers.types import EMBEDDED_CHOICE, Finished, Message, ModelRequest, TextDelta

START_LIMIT_S = 40


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_server(port: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "workers.inference.server"],
        env={**os.environ, "PYAGENT_MODEL_PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def model_url() -> Iterator[str]:
    port = free_port()
    process = start_server(port)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("model ready"):
                break
        assert process.poll() is None, "the model server ended before it was ready"
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) == 0
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture
async def embedded(model_url: str, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.setenv("PYAGENT_MODEL_URL", model_url)
    get_config.cache_clear()
    provider = open_provider(EMBEDDED_CHOICE, secret=None)
    yield provider
    await provider.aclose()
    get_config.cache_clear()


async def test_streams_a_chat_and_counts_its_tokens(embedded: Provider) -> None:
    request = ModelRequest(messages=(Message("user", "Name a colour."),), max_output_tokens=12)
    items = [item async for item in embedded.stream(request)]
    assert sum(isinstance(item, TextDelta) for item in items) > 2
    last = items[-1]
    assert isinstance(last, Finished) and last.reply.usage is not None
    assert last.reply.usage.output_tokens <= 12 and last.reply.usage.input_tokens > 5
    assert last.reply.model == "SmolLM2-135M-Instruct"


async def test_holds_its_output_to_a_schema(embedded: Provider) -> None:
    tools = [
        {
            "type": "object",
            "properties": {"tool": {"const": name}, "path": {"type": "string", "maxLength": 20}},
            "required": ["tool", "path"],
            "additionalProperties": False,
        }
        for name in ("read_file", "list_files")
    ]
    request = ModelRequest(
        messages=(Message("user", "Which file shall be read?"),),
        response_schema={"oneOf": tools},
        max_output_tokens=200,
    )
    for _ in range(3):
        answer = json.loads((await embedded.generate(request)).text)
        assert answer["tool"] in ("read_file", "list_files") and isinstance(answer["path"], str)


async def test_says_that_a_conversation_is_too_long(embedded: Provider) -> None:
    with pytest.raises(ContextTooLong):
        await embedded.generate(ModelRequest(messages=(Message("user", "word " * 9000),)))


async def test_serves_two_conversations_at_once(embedded: Provider) -> None:
    request = ModelRequest(messages=(Message("user", "Count."),), max_output_tokens=24)
    loop = asyncio.get_running_loop()
    ends = []

    async def first_token_at() -> float:
        at = None
        async for _item in embedded.stream(request):
            at = at or loop.time()
        ends.append(loop.time())
        assert at is not None
        return at

    starts = await asyncio.gather(first_token_at(), first_token_at())
    assert max(starts) < min(ends), "the second conversation waited for the whole of the first"


async def test_stops_computing_when_nobody_listens_any_more(embedded: Provider) -> None:
    endless = ModelRequest(messages=(Message("user", "Tell a very long story."),), max_output_tokens=3000)
    for _ in range(SEQUENCES * 2):
        stream = embedded.stream(endless)
        await anext(stream)
        await stream.aclose()
    async with asyncio.timeout(10):  # the abandoned answers alone would take minutes
        await embedded.generate(ModelRequest(messages=(Message("user", "Hi"),), max_output_tokens=4))


def test_lets_no_other_origin_read_and_offers_no_page(model_url: str) -> None:
    server = model_url.removesuffix("/v1")
    reply = httpx.get(f"{server}/health", headers={"Origin": "https://evil.example"})
    assert reply.json() == {"status": "ok"}
    assert reply.headers.get("access-control-allow-origin", "") == ""
    assert httpx.get(f"{server}/").status_code == 404
    assert httpx.get(f"{server}/slots").status_code == 501


async def test_tells_whether_the_model_is_there(model_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await model_state(model_url) == "ready"
    assert await model_state(f"http://127.0.0.1:{free_port()}/v1") == "away"


def test_says_that_its_port_is_taken() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        process = start_server(other.getsockname()[1])
        output, _ = process.communicate(timeout=START_LIMIT_S)
    assert process.returncode == 1
    assert "code=port_taken" in output and "PYAGENT_MODEL_PORT" in output


def test_ends_at_once_even_while_it_computes() -> None:
    port = free_port()
    process = start_server(port)
    assert process.stdout is not None
    assert any(line.startswith("model ready") for line in iter(process.stdout.readline, ""))
    body = {
        "messages": [{"role": "user", "content": "Tell a long story."}],
        "max_tokens": 2000,
        "stream": True,
    }
    with httpx.stream("POST", f"http://127.0.0.1:{port}/v1/chat/completions", json=body) as answer:
        next(answer.iter_bytes())
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) == 0
    assert time.monotonic() - started < 2
    process.stdout.close()


def test_refuses_settings_that_make_no_sense(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="PYAGENT_MODEL_PORT"):
        read_settings({"PYAGENT_MODEL_PORT": "many"})
    with pytest.raises(ModelFileMissing):
        read_settings({"PYAGENT_MODEL_FILE": str(tmp_path / "none.gguf")})
