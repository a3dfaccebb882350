"""Real source to measure: the standard library of the running Python and the installed Django."""

from __future__ import annotations

import os
import random
import sysconfig
from functools import cache
from pathlib import Path

import django

STANDARD_LIBRARY = Path(sysconfig.get_paths()["stdlib"])
DJANGO = Path(django.__file__).parent


@cache
def corpus() -> tuple[Path, ...]:
    """Return every Python file of both, some 2,700, in a fixed order."""
    library = (path for path in STANDARD_LIBRARY.rglob("*.py") if "site-packages" not in path.parts)
    return tuple(sorted((*library, *DJANGO.rglob("*.py"))))


def sample(count: int, *, seed: int, max_bytes: int) -> list[Path]:
    """Return `count` files drawn with a fixed seed; all of them, of any size, when PYAGENT_STORM is "full"."""
    if os.environ.get("PYAGENT_STORM") == "full":
        return list(corpus())
    small = [path for path in corpus() if path.stat().st_size <= max_bytes]
    return random.Random(seed).sample(small, min(count, len(small)))
