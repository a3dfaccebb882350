"""What happens to the health of the code, told to everybody in the workspace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeAudited:
    """A commit was measured; `worse` and `better` count functions whose complexity rose or fell."""

    type: ClassVar[str] = "CodeAudited"
    audit_id: int
    commit: str
    cause: str
    files: int
    worse: int
    better: int
    worst_complexity: int | None
