"""Which files of a workspace are source code that an audit reads."""

from __future__ import annotations

from pathlib import PurePosixPath

from workers.codehealth.metrics import is_measured

MAX_BYTES = 2 << 20
"""A larger file is generated or data: it is left out."""


def ending_of(path: str) -> str:
    """Return the ending that tells a source's language, such as ".py"; empty for what is no source."""
    return PurePosixPath(path).suffix.lower() if is_measured(path) else ""
