"""What somebody has read is known by a digest, to see whether it still stands there when they change it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

DIGEST_CHARS: Final = 16


def digest_of(described: Mapping[str, Any]) -> str:
    """Return 16 hexadecimal characters that differ when anything does that is described; `described` is JSON-safe."""
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:DIGEST_CHARS]
