"""What models can do by their names, where nobody said otherwise, and who can do what another cannot.

No protocol tells what a model behind it can see, hear or make. The families below are those that their makers name so.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NoReturn

from workers.errors import NotSupported

Ability = Literal["images", "audio", "files", "embeddings", "transcription", "speech"]
_EMBEDS: Final = re.compile(r"embed|minilm|\b(bge|gte|e5)-", re.IGNORECASE)
_HEARS_TO_WRITE: Final = re.compile(r"transcribe|whisper", re.IGNORECASE)
_SPEAKS: Final = re.compile(r"(^|[-_/])tts([-_]|$)|kokoro|piper", re.IGNORECASE)
_SEES: Final = re.compile(
    r"vision|llava|[-_.\d]vl\b|moondream|minicpm-v|pixtral|gemma-?3|llama-?4|gpt-4o|gpt-4\.1|gpt-5|claude|^o[134]\b",
    re.IGNORECASE,
)
_HEARS: Final = re.compile(r"audio|omni", re.IGNORECASE)
INSTEAD: Final[dict[Ability, str]] = {
    "images": "a model that sees, such as claude-sonnet-4-5, gpt-4o or llava",
    "audio": "a model that hears, such as gpt-4o-audio-preview",
    "files": "a model of Anthropic, or one over OpenAI Responses",
    "embeddings": "text-embedding-3-small (OpenAI), nomic-embed-text (Ollama) or the embedded MiniLM",
    "transcription": "whisper-1 or gpt-4o-mini-transcribe (OpenAI, or a server that is compatible)",
    "speech": "gpt-4o-mini-tts (OpenAI, or a server that is compatible)",
}
_DOES: Final[dict[Ability, str]] = {
    "images": "sees no images",
    "audio": "hears no recordings",
    "files": "reads no such files",
    "embeddings": "makes no embeddings",
    "transcription": "writes down no recordings",
    "speech": "does not speak",
}


def embeds(model: str) -> bool:
    return bool(_EMBEDS.search(model))


def transcribes(model: str) -> bool:
    return bool(_HEARS_TO_WRITE.search(model))


def speaks(model: str) -> bool:
    return bool(_SPEAKS.search(model))


def sees(model: str) -> bool:
    return bool(_SEES.search(model)) and not (embeds(model) or transcribes(model) or speaks(model))


def hears(model: str) -> bool:
    return bool(_HEARS.search(model))


def refuse(ability: Ability, *, model: str) -> NoReturn:
    """Raise NotSupported, which names the model, what it cannot do and who can."""
    raise NotSupported(
        f"{model} {_DOES[ability]}; {INSTEAD[ability]} can",
        what=ability,
        model=model,
        instead=INSTEAD[ability],
    )
