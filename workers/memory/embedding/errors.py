"""What can go wrong on the way from a text to its vector."""

from workers.errors import PyAgentError


class EmbeddingUnavailable(PyAgentError):
    """The packaged embedding model cannot be loaded."""

    code = "embedding_unavailable"


class TooManyTexts(PyAgentError):
    """More texts were handed over at once than one call takes."""

    code = "too_many_texts"
