"""The packaged MiniLM: vectors that agree with the published model, bounds, and who pays for it."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
import sys

import numpy as np
import pytest

from workers.memory.embedding import DIMENSIONS, MAX_CHARS, MAX_TEXTS, MiniLM, TooManyTexts, minilm
from workers.memory.embedding.wordpiece import MAX_PIECES, VOCABULARY, load_tokenizer


def cosine(one: str, other: str) -> float:
    vectors = minilm.embed([one, other])
    return float(vectors[0] @ vectors[1])


# Cosines of the published float32 weights (model.safetensors), by a forward pass in NumPy.
PUBLISHED = [
    ("This is an example sentence", "Each sentence is converted", 0.4046),
    ("The test cannot import the module.", "pytest fails with ModuleNotFoundError", 0.5062),
    ("Prices must not be added as floats.", "Use Decimal for money, not float", 0.6083),
    ("A cat sits on the mat", "A kitten is lying on a rug", 0.5643),
    ("Close the database connection after use", "The login page needs a dark theme", 0.0385),
]


@pytest.mark.parametrize(("one", "other", "published"), PUBLISHED)
def test_agrees_with_the_published_model(one: str, other: str, published: float) -> None:
    assert cosine(one, other) == pytest.approx(published, abs=0.005)


@pytest.mark.parametrize(
    ("text", "near", "far"),
    [
        (
            "The test cannot import the module.",
            "pytest fails with ModuleNotFoundError",
            "The login page needs a dark theme",
        ),
        (
            "Prices must not be added as floats.",
            "Use Decimal for money, not float",
            "Close the database connection after use",
        ),
        ("A cat sits on the mat", "A kitten is lying on a rug", "The stock market fell on Monday"),
    ],
)
def test_puts_near_what_means_the_same(text: str, near: str, far: str) -> None:
    assert cosine(text, near) > cosine(text, far) + 0.2


def test_gives_vectors_of_length_one_in_the_order_of_the_texts() -> None:
    texts = [
        "short",
        "a longer text about nothing in particular " * 5,
        "",
        "x" * 50_000,
        "ümläut 漢字 \ud800",
    ]
    vectors = minilm.embed(texts)
    assert vectors.shape == (len(texts), DIMENSIONS)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert minilm.embed([]).shape == (0, DIMENSIONS)


def test_gives_a_text_the_same_vector_alone_and_beside_others() -> None:
    alone = minilm.embed(["Close the file."])[0]
    beside = minilm.embed(["a much longer neighbour " * 40, "Close the file."])[1]
    assert np.array_equal(alone, beside)


def test_reads_no_more_than_its_bounds() -> None:
    text = "word " * 2_000
    vectors = minilm.embed([text[:MAX_CHARS], text])
    assert np.array_equal(vectors[0], vectors[1])
    with pytest.raises(TooManyTexts):
        minilm.embed(["x"] * (MAX_TEXTS + 1))


def test_splits_words_as_bert_does() -> None:
    tokenizer = load_tokenizer()
    encoding = tokenizer.encode("Tokenization of naïve_strings!")
    assert encoding.tokens == (["[CLS]", "token", "##ization", "of", "naive", "_", "strings", "!", "[SEP]"])
    assert encoding.ids[0] == 101 and encoding.ids[-1] == 102
    assert len(tokenizer.encode("word " * 1_000).ids) == MAX_PIECES


def test_keeps_the_vocabulary_that_its_notice_names() -> None:
    text = gzip.decompress(VOCABULARY.read_bytes())
    assert hashlib.sha256(text).hexdigest() in VOCABULARY.with_name("NOTICE").read_text()


def test_costs_a_process_nothing_before_its_first_text() -> None:
    program = (
        "import sys; from workers.memory.embedding import minilm; "
        "print(minilm.is_loaded, 'onnxruntime' in sys.modules, 'tokenizers' in sys.modules); "
        "minilm.embed(['x']); print(minilm.is_loaded)"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["False", "False", "False", "True"]


def test_loads_once_for_many_threads() -> None:
    from concurrent.futures import ThreadPoolExecutor

    model = MiniLM()
    with ThreadPoolExecutor(4) as pool:
        vectors = list(pool.map(lambda _: model.embed(["the same words"])[0], range(8)))
    assert all(np.array_equal(vectors[0], other) for other in vectors)
