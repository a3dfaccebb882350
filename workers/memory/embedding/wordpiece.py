"""Text to word pieces, as all-MiniLM-L6-v2 was trained with: BERT's uncased vocabulary, which stands beside this module."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

VOCABULARY = Path(__file__).with_name("vocabulary.txt.gz")
UNKNOWN = "[UNK]"
MAX_PIECES = 256
"""Of one text with its two marks; the model was trained on no more, so what follows is left out."""


def load_tokenizer() -> Tokenizer:
    """Return the tokenizer, without padding, cutting at `MAX_PIECES`."""
    # Imported when used: processes that never embed do not pay for it.
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    pieces = gzip.decompress(VOCABULARY.read_bytes()).decode().splitlines()
    ids = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocab=ids, unk_token=UNKNOWN, max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(mark, ids[mark]) for mark in ("[CLS]", "[SEP]")]
    )
    # Marks that somebody types are words like any other.
    tokenizer.enable_truncation(MAX_PIECES)
    return tokenizer
