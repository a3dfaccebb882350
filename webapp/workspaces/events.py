"""What happens to a workspace, told to everybody in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class WorkspaceChanged:
    """Its name, state or progress changed."""

    type: ClassVar[str] = "WorkspaceChanged"
    state: str
    state_note: str
    name: str


@dataclass(frozen=True, slots=True)
class MembershipChanged:
    """Somebody joined, left, or has another role; `role` is empty for who left."""

    type: ClassVar[str] = "MembershipChanged"
    user_id: int
    role: str


@dataclass(frozen=True, slots=True)
class FilesChanged:
    """The files of the shared checkout changed, by whatever route; `paths` is empty when many did."""

    type: ClassVar[str] = "FilesChanged"
    cause: str
    paths: list[str]
    by: str
