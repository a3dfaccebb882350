"""Texts as vectors of meaning, by the model that comes in a package."""

from workers.memory.embedding.errors import EmbeddingUnavailable, TooManyTexts
from workers.memory.embedding.model import DIMENSIONS, MAX_CHARS, MAX_TEXTS, MODEL_ID, MiniLM, Vector, minilm

__all__ = [
    "DIMENSIONS",
    "MAX_CHARS",
    "MAX_TEXTS",
    "MODEL_ID",
    "EmbeddingUnavailable",
    "MiniLM",
    "TooManyTexts",
    "Vector",
    "minilm",
]
