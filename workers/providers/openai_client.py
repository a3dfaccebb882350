"""What every endpoint of OpenAI's kind shares: the official client, embeddings, transcription and speech."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import httpx2
from openai import AsyncOpenAI

from workers.errors import ProviderBadReply
from workers.providers import abilities
from workers.providers.abilities import refuse
from workers.providers.addresses import check_base_url, guarded_client, is_near
from workers.providers.base import HttpProvider, ReplyLimits
from workers.providers.parts import check_vectors
from workers.providers.types import AudioPart, Capabilities, ModelChoice

OPENAI_URL: Final = "https://api.openai.com/v1"
# A model on a busy processor reads a long prompt for minutes; seen: 370 s for 1,100 tokens of a 1.5B model.
NEAR_LIMITS: Final = ReplyLimits(first_token_s=900.0, between_tokens_s=300.0, total_s=1800.0)
USUAL_VOICE: Final = "alloy"
_NAMES: Final = {"audio/wav": "audio.wav", "audio/x-wav": "audio.wav", "audio/mpeg": "audio.mp3"}


class OpenAIProvider(HttpProvider):
    """Subclasses say how a conversation is held."""

    @classmethod
    def limits_for(cls, choice: ModelChoice) -> ReplyLimits:
        return NEAR_LIMITS if is_near(choice.base_url or OPENAI_URL) else cls.default_limits

    def __init__(
        self, choice: ModelChoice, *, secret: str | None, limits: ReplyLimits, allow_private: bool = True
    ) -> None:
        super().__init__(choice, secret=secret, limits=limits)
        url = check_base_url(choice.base_url or OPENAI_URL, allow_private=allow_private)
        self._is_openai = url == OPENAI_URL
        self._client = AsyncOpenAI(
            api_key="added by the transport",
            base_url=url,
            max_retries=0,
            default_headers={"Accept-Encoding": "identity"},
            http_client=guarded_client(
                httpx2,
                auth={"Authorization": f"Bearer {secret}"} if secret else {},
                allow_private=allow_private,
                max_bytes=limits.reply_bytes,
                connect_s=limits.connect_s,
            ),
        )

    async def aclose(self) -> None:
        await self._client.close()

    def capabilities(self) -> Capabilities:
        model = self._choice.model
        return replace(
            super().capabilities(),
            has_embeddings=abilities.embeds(model),
            has_transcription=abilities.transcribes(model),
            has_speech=abilities.speaks(model),
        )

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        # Other servers name their models as they like: they are asked.
        if self._is_openai and not abilities.embeds(self._choice.model):
            refuse("embeddings", model=self._choice.model)
        if not texts:
            return []
        create: Any = self._client.embeddings.create
        asked = create(model=self._choice.model, input=list(texts), encoding_format="float")
        answer = await self._whole(asked, ability="embeddings")
        try:
            rows = sorted(answer.data, key=lambda row: row.index)
            vectors = [[float(number) for number in row.embedding] for row in rows]
        except (AttributeError, TypeError, ValueError) as error:
            raise ProviderBadReply("the provider's answer holds no embeddings") from error
        return check_vectors(vectors, count=len(texts))

    async def transcribe(self, audio: AudioPart, *, language: str = "") -> str:
        if self._is_openai and not abilities.transcribes(self._choice.model):
            refuse("transcription", model=self._choice.model)
        create: Any = self._client.audio.transcriptions.create
        fields: dict[str, Any] = {"language": language} if language else {}
        file = (_NAMES.get(audio.media_type, "audio"), audio.data, audio.media_type)
        asked = create(model=self._choice.model, file=file, response_format="json", **fields)
        answer = await self._whole(asked, ability="transcription")
        text = getattr(answer, "text", None)
        if not isinstance(text, str):
            raise ProviderBadReply("the provider's answer holds no transcript")
        return text

    async def speak(self, text: str, *, voice: str = "") -> AudioPart:
        if self._is_openai and not abilities.speaks(self._choice.model):
            refuse("speech", model=self._choice.model)
        create: Any = self._client.audio.speech.create
        asked = create(
            model=self._choice.model, voice=voice or USUAL_VOICE, input=text, response_format="mp3"
        )
        answer = await self._whole(asked, ability="speech")
        if not answer.content:
            raise ProviderBadReply("the provider's answer holds no sound")
        return AudioPart(answer.content, "audio/mpeg")
