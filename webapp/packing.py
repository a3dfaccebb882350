"""How a large plain value is kept in a row: compressed JSON in pure ASCII.

A JSON column will not do: PostgreSQL refuses NUL and lone surrogates, and both occur (git shows a late NUL as text; a path
that is no UTF-8 is held with surrogates). Escaped ASCII keeps them exactly, and compressed it is a tenth of the size.
"""

from __future__ import annotations

import json
import zlib
from typing import Any


def pack(value: Any) -> bytes:
    """Return the plain value as bytes that any database takes."""
    return zlib.compress(json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode("ascii"), 6)


def unpack(data: bytes | memoryview) -> Any:
    """Return what `pack` was given."""
    return json.loads(zlib.decompress(data).decode("ascii"))
