"""What happens to a person, told to their own tabs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class SignedOut:
    """All of the person's sessions ended."""

    type: ClassVar[str] = "SignedOut"
    user_id: int
