"""Vectors as rows keep them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workers.memory.embedding import DIMENSIONS, Vector, minilm


def to_bytes(vector: Vector) -> bytes:
    """Return the vector as a row keeps it."""
    return vector.astype("<f4").tobytes()


def from_bytes(raw: bytes | memoryview) -> Vector | None:
    """Return what `to_bytes` wrote; None for a text that is not embedded yet."""
    vector: Vector = np.frombuffer(raw, dtype="<f4")
    return vector if vector.size == DIMENSIONS else None


def embed_all(texts: Sequence[str]) -> list[bytes]:
    """Return each text's vector as a row keeps it, nothing for an empty text."""
    vectors = minilm.embed(texts)
    return [to_bytes(vector) if text else b"" for text, vector in zip(texts, vectors, strict=True)]
