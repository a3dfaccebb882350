"""The parts of messages as the protocols want them: as text where a part is text, as base64 elsewhere; and vectors, checked."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Final

from workers.errors import ProviderBadReply
from workers.providers.abilities import Ability, refuse
from workers.providers.types import (
    AudioPart,
    Capabilities,
    ContentPart,
    FilePart,
    ImagePart,
    Message,
    TextPart,
)

TEXT_TYPES: Final = (
    "application/json",
    "application/xml",
    "application/yaml",
    "application/toml",
    "image/svg+xml",
)


def is_text(part: FilePart) -> bool:
    """Return whether a file is text: every model reads it, and secrets are hidden in it."""
    return part.media_type.startswith("text/") or part.media_type.partition(";")[0] in TEXT_TYPES


def as_text(part: ContentPart) -> str | None:
    """Return a part that is text as the model is shown it; None for all others."""
    if isinstance(part, TextPart):
        return part.text
    if isinstance(part, FilePart) and is_text(part):
        return f"File {part.name}:\n{part.data.decode(errors='replace')}"
    return None


def as_base64(part: ImagePart | AudioPart | FilePart) -> str:
    return base64.b64encode(part.data).decode()


def data_url(part: ImagePart | AudioPart | FilePart) -> str:
    return f"data:{part.media_type};base64,{as_base64(part)}"


def check_parts(messages: Iterable[Message], can: Capabilities, *, model: str) -> None:
    """Refuse what the model cannot read, before anything is sent.

    Raises:
        NotSupported: it names the part's kind and who can read it.
    """
    for part in (part for message in messages for part in message.parts):
        ability = _needed(part)
        has = {"images": can.has_vision, "audio": can.has_audio, "files": can.has_files}
        if ability is not None and not has[ability]:
            refuse(ability, model=model)


def _needed(part: ContentPart) -> Ability | None:
    if as_text(part) is not None:
        return None
    if isinstance(part, ImagePart):
        return "images"
    return "audio" if isinstance(part, AudioPart) else "files"


def check_vectors(vectors: list[list[float]], *, count: int) -> list[list[float]]:
    """Return `vectors` when there are `count` of one length.

    Raises:
        ProviderBadReply: there are not.
    """
    if len(vectors) != count or len({len(vector) for vector in vectors}) != 1 or not vectors[0]:
        raise ProviderBadReply(f"the provider answered {count} texts with {len(vectors)} vectors")
    return vectors
