"""Names of the Redis keys behind a group: the audience of one workspace or of one person."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Group:
    """An audience. Its events stand on one capped Redis stream, numbered by one counter."""

    name: str

    @property
    def stream_key(self) -> str:
        return f"pyagent:group:{self.name}:events"

    @property
    def seq_key(self) -> str:
        return f"pyagent:group:{self.name}:seq"


def workspace_group(workspace_id: int) -> Group:
    """Return the group of everybody who may see this workspace."""
    return Group(f"workspace:{workspace_id}")


def person_group(user_id: int) -> Group:
    """Return the group of one person's own tabs."""
    return Group(f"person:{user_id}")
