"""Which files of a workspace are source code that an audit reads."""

from __future__ import annotations

from pathlib import PurePosixPath

# Python, then the languages whose grammars the core may know; one that it does not has no figures and is left out.
ENDINGS = frozenset(
    f".{ending}"
    for ending in (
        "py", "pyi", "js", "jsx", "mjs", "cjs", "ts", "tsx", "mts", "cts", "rs", "go", "java",
        "c", "h", "cc", "cpp", "cxx", "c++", "hh", "hpp", "hxx", "h++", "ipp",
    )
)  # fmt: skip
MAX_BYTES = 2 << 20
"""A larger file is generated or data: it is left out."""


def ending_of(path: str) -> str:
    """Return the ending that tells a source's language, such as ".py"; empty for what is no source."""
    ending = PurePosixPath(path).suffix.lower()
    return ending if ending in ENDINGS else ""
