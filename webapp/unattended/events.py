"""What happens to unattended work, told to everybody in the workspace. A page fetches what changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class UnattendedChanged:
    """A schedule, webhook or goal (`kind`) was made, changed, deleted, or has done something."""

    type: ClassVar[str] = "UnattendedChanged"
    kind: str
    item_id: int
