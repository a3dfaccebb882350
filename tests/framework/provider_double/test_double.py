"""The double itself: it must be as strict as the originals, or the suites that lean on it prove nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.framework.provider_double import Asked, Call, ProviderDouble, Say
from tests.framework.provider_double.coder_script import ScriptedCoder

USER = {"role": "user", "content": "Hi"}
CALLING = {
    "role": "assistant",
    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
}
USING = {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "x"}]}
CLAUDE = {"anthropic-version": "2023-06-01"}


async def post(url: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.post(url, json=body, headers=headers)


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"role": "wizard", "content": "x"}],
        [USER, CALLING, USER],
        [USER, CALLING],
        [USER, {"role": "tool", "content": "x", "tool_call_id": "c1"}],
    ],
)
async def test_openai_refuses_what_the_original_refuses(
    provider_double: ProviderDouble,
    messages: list[dict[str, Any]],
) -> None:
    reply = await post(f"{provider_double.url}/v1/chat/completions", {"model": "m", "messages": messages})
    assert reply.status_code == 400 and reply.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "change",
    [
        {"max_tokens": None},
        {"messages": [USER, USER]},
        {"messages": [USING]},
        {"messages": [USER, USING]},
        {"messages": [USER, USING, USER]},
        {"messages": [USER, {"role": "assistant", "content": "x"}, RESULT]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": " "}]}]},
    ],
)
async def test_anthropic_refuses_what_the_original_refuses(
    provider_double: ProviderDouble,
    change: dict[str, Any],
) -> None:
    body = {"model": "m", "max_tokens": 9, "messages": [USER], **change}
    reply = await post(f"{provider_double.url}/v1/messages", body, CLAUDE)
    assert reply.status_code == 400 and reply.json()["type"] == "error"


async def test_answers_whole_when_no_stream_is_asked_for(provider_double: ProviderDouble) -> None:
    provider_double.say(*[Say("Hi there", (Call("f", {"x": 1}),))] * 3)
    openai = (
        await post(f"{provider_double.url}/v1/chat/completions", {"model": "m", "messages": [USER]})
    ).json()
    assert openai["choices"][0]["message"]["content"] == "Hi there"
    assert openai["choices"][0]["finish_reason"] == "tool_calls"
    body = {"model": "m", "max_tokens": 9, "messages": [USER]}
    claude = (await post(f"{provider_double.url}/v1/messages", body, CLAUDE)).json()
    assert [block["type"] for block in claude["content"]] == ["text", "tool_use"]
    body = {"model": "m", "stream": False, "messages": [USER]}
    ollama = (await post(f"{provider_double.url}/api/chat", body)).json()
    assert ollama["message"]["tool_calls"][0]["function"]["arguments"] == {"x": 1} and ollama["done"]


async def test_a_script_that_ended_is_an_error_and_counted(provider_double: ProviderDouble) -> None:
    reply = await post(f"{provider_double.url}/v1/chat/completions", {"model": "m", "messages": [USER]})
    assert reply.status_code == 500 and provider_double.unexpected == 1


def test_runs_as_a_process_from_a_script_file(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(
        json.dumps({"replies": [{"text": "Hello"}, {"fault": {"kind": "http", "status": 429}}]})
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.framework.provider_double", "--script", str(script), "--key", "k"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1] + "/v1/chat/completions"
        body = {"model": "m", "messages": [USER]}
        assert httpx.post(url, json=body, trust_env=False).status_code == 401
        headers = {"Authorization": "Bearer k"}
        said = httpx.post(url, json=body, headers=headers, trust_env=False).json()
        assert said["choices"][0]["message"]["content"] == "Hello"
        assert httpx.post(url, json=body, headers=headers, trust_env=False).status_code == 429
    finally:
        process.kill()
        process.communicate()


def test_the_scripted_coder_goes_through_the_whole_loop() -> None:
    coder, messages = ScriptedCoder(), [{"role": "user", "content": "fix it", "tool_calls": [], "name": None}]
    answers = {
        "list_files": "calc.py\ntest_calc.py",
        "read_file": "def add(a, b):\n    return a - b\n",
        "edit_file": "Edited calc.py.",
        "run_tests": "1 passed",
    }
    seen = []
    for _ in range(9):
        tools = [*answers, "finish"]
        say = coder(Asked("openai", "m", messages, tools, None, True, {}, {}))
        (call,) = say.calls
        seen.append(call.name)
        if call.name == "finish":
            break
        one = {"id": "c", "name": call.name, "arguments": call.arguments}
        messages.append({"role": "assistant", "content": say.text, "tool_calls": [one], "name": None})
        messages.append({"role": "tool", "content": answers[call.name], "tool_calls": [], "name": call.name})
    assert seen == ["list_files", "read_file", "edit_file", "run_tests", "finish"]
