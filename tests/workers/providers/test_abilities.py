from __future__ import annotations

import pytest

from workers.errors import NotSupported
from workers.providers import abilities
from workers.providers.registry import open_provider
from workers.providers.types import EMBEDDED_CHOICE, ModelChoice


@pytest.mark.parametrize(
    "model", ["llava:13b", "qwen2.5-vl", "gpt-4o-mini", "claude-sonnet-4-5", "gemma3:4b", "o3"]
)
def test_knows_models_that_see(model: str) -> None:
    assert abilities.sees(model)


@pytest.mark.parametrize(
    "model",
    ["qwen2.5-coder:7b", "double-1", "gpt-4o-mini-tts", "gpt-4o-mini-transcribe", "nomic-embed-vision"],
)
def test_promises_no_sight_where_a_name_tells_of_none(model: str) -> None:
    assert not abilities.sees(model)


@pytest.mark.parametrize(
    ("model", "can"),
    [
        ("text-embedding-3-small", "embeddings"),
        ("nomic-embed-text", "embeddings"),
        ("whisper-1", "transcription"),
        ("gpt-4o-mini-transcribe", "transcription"),
        ("gpt-4o-mini-tts", "speech"),
        ("tts-1", "speech"),
    ],
)
async def test_tells_what_a_model_of_openai_is_for(model: str, can: str) -> None:
    provider = open_provider(ModelChoice("openai", model), secret=None)
    has = provider.capabilities()
    told = {
        "embeddings": has.has_embeddings,
        "transcription": has.has_transcription,
        "speech": has.has_speech,
    }
    assert [name for name, is_told in told.items() if is_told] == [can]
    await provider.aclose()


async def test_openai_is_not_asked_for_what_its_model_is_not_for() -> None:
    provider = open_provider(ModelChoice("responses", "gpt-5"), secret=None)
    with pytest.raises(NotSupported, match="gpt-5 makes no embeddings; text-embedding-3-small") as caught:
        await provider.embed(["x"])
    assert caught.value.code == "not_supported" and caught.value.facts["model"] == "gpt-5"
    await provider.aclose()


async def test_the_embedded_provider_embeds_by_what_it_is_handed() -> None:
    provider = open_provider(
        EMBEDDED_CHOICE, secret=None, embedder=lambda texts: [[float(len(text))] for text in texts]
    )
    assert provider.capabilities().has_embeddings
    assert await provider.embed(["a", "bc"]) == [[1.0], [2.0]]
    await provider.aclose()
