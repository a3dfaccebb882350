"""What comes with a goal, over the real runner: the model is given what it can take, and honest words for the rest."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from tests.framework.agent_bench import Bench, MakeBench
from tests.framework.provider_double.script import Call, Say
from tests.framework.provider_double.server import ProviderDouble
from tests.framework.repos import make_repository
from workers.events import StepFinished
from workers.queue import Job

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
WAV = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\0\0\0\0"
GIVEN = [
    {"path": "shot.png", "media_type": "image/png"},
    {"path": "voice.wav", "media_type": "audio/wav"},
    {"path": "gone.png", "media_type": "image/png"},
]


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    bench = make_bench({"a.py": "x = 1\n"})
    files = {"a.py": b"x = 1\n", "shot.png": PNG, "voice.wav": WAV}
    bench.repository = make_repository(bench.config.workspaces_dir, files, name="2")
    return bench


def _job(bench: Bench, double: ProviderDouble, **model: Any) -> Job:
    choice = {
        "provider": "openai",
        "model": "m",
        "base_url": double.base_url("openai"),
        "context_tokens": 32_000,
    }
    job = bench.job("say what you see", agent="coder", model=choice | model, attachments=GIVEN)

    return replace(job, workspace_id=2)


async def test_a_model_that_sees_is_given_the_picture_in_every_turn(
    bench: Bench, provider_double: ProviderDouble
) -> None:
    provider_double.say(Say(calls=(Call("list_files"),)), Say("a pixel"))
    assert await bench.run(_job(bench, provider_double, has_vision=True)) == "finished"
    for asked in provider_double.asked:
        opening = next(message for message in asked.messages if message["role"] == "user")
        assert opening["parts"] == [("image", "image/png", PNG)]
        assert "voice.wav is not shown: this model cannot hear audio" in opening["content"]
        assert "gone.png is not shown" in opening["content"]
    (step,) = [
        event for event in bench.relay.of(StepFinished) if "shot.png as image" in event.detail.get("text", "")
    ]
    assert step.status == "ok"


async def test_a_model_that_does_not_see_is_told_so(bench: Bench, provider_double: ProviderDouble) -> None:
    provider_double.say(Say("nothing"))
    assert await bench.run(_job(bench, provider_double, has_vision=False)) == "finished"
    opening = next(message for message in provider_double.asked[0].messages if message["role"] == "user")
    assert opening["parts"] == []
    assert "shot.png is not shown: this model cannot see images. Do not guess" in opening["content"]


async def test_a_model_that_hears_is_given_the_recording(
    bench: Bench, provider_double: ProviderDouble
) -> None:
    provider_double.say(Say("silence"))
    assert await bench.run(_job(bench, provider_double, has_vision=False, has_audio=True)) == "finished"
    opening = next(message for message in provider_double.asked[0].messages if message["role"] == "user")
    assert [(kind, data) for kind, _, data in opening["parts"]] == [("audio", WAV)]
