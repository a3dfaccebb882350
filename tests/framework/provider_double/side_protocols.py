"""What providers offer beside conversations, as the double speaks it: embeddings, transcription, speech.

A vector is made from the words of its text, so that texts that share words lie close to each other.
"""

from __future__ import annotations

import email.parser
import email.policy
import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.framework.provider_double.script import Asked, BadRequest, Say

DIMENSIONS = 16


def vector_of(text: str) -> list[float]:
    """Return a vector of length 1 for a text."""
    sums = [0.0] * DIMENSIONS
    for word in text.lower().split() or [""]:
        digest = hashlib.sha256(word.encode()).digest()
        for place in range(DIMENSIONS):
            sums[place] += digest[place] / 255 - 0.5
    length = math.sqrt(sum(number * number for number in sums)) or 1.0
    return [number / length for number in sums]


def _texts(body: dict[str, Any]) -> list[str]:
    texts = body.get("input")
    texts = [texts] if isinstance(texts, str) else texts
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise BadRequest("'input' must be a string or an array of strings")
    return texts


def _read_json(raw: bytes, headers: dict[str, str]) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(raw)
    return body


def _read_form(raw: bytes, headers: dict[str, str]) -> dict[str, Any]:
    head = f"Content-Type: {headers['content-type']}\r\n\r\n".encode()
    form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + raw)
    body: dict[str, Any] = {}
    for part in form.iter_parts():
        name = part.get_param("name", header="content-disposition")
        data = part.get_payload(decode=True)
        body[str(name)] = data if part.get_filename() else data.decode()  # type: ignore[union-attr]
    return body


def _embeddings(asked: Asked, say: Say) -> tuple[bytes, str]:
    texts = _texts(asked.body)
    rows = [{"object": "embedding", "index": i, "embedding": vector_of(t)} for i, t in enumerate(texts)]
    usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
    # The order is the index's, not the list's.
    answer = {"object": "list", "data": rows[::-1], "model": asked.model, "usage": usage}
    return json.dumps(answer).encode(), "application/json"


def _ollama_embeddings(asked: Asked, say: Say) -> tuple[bytes, str]:
    vectors = [vector_of(text) for text in _texts(asked.body)]
    return json.dumps({"model": asked.model, "embeddings": vectors}).encode(), "application/json"


def _transcript(asked: Asked, say: Say) -> tuple[bytes, str]:
    if not isinstance(asked.body.get("file"), bytes):
        raise BadRequest("'file' is required")
    return json.dumps({"text": say.text}).encode(), "application/json"


def _speech(asked: Asked, say: Say) -> tuple[bytes, str]:
    if not asked.body.get("voice") or not asked.body.get("input"):
        raise BadRequest("'voice' and 'input' are required")
    return say.text.encode(), "audio/mpeg"


@dataclass(frozen=True, slots=True)
class SideProtocol:
    """One such service."""

    protocol: str
    answer: Callable[[Asked, Say], tuple[bytes, str]]
    needs_script: bool
    read_body: Callable[[bytes, dict[str, str]], dict[str, Any]] = _read_json

    def read(self, raw: bytes, headers: dict[str, str]) -> Asked:
        body = self.read_body(raw, headers)
        if not body.get("model"):
            raise BadRequest("you must provide a model parameter")
        return Asked(self.protocol, body["model"], [], [], None, False, headers, body)  # type: ignore[arg-type]


SIDE_PROTOCOLS = {
    "/v1/embeddings": SideProtocol("openai", _embeddings, False),
    "/v1/audio/transcriptions": SideProtocol("openai", _transcript, True, _read_form),
    "/v1/audio/speech": SideProtocol("openai", _speech, True),
    "/api/embed": SideProtocol("ollama", _ollama_embeddings, False),
}
