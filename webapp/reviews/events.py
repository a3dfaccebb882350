"""What happens to reviews, told to everybody in the workspace. A page fetches the fragment that changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewOpened:
    """An agent offers a change set."""

    type: ClassVar[str] = "ReviewOpened"
    change_set_id: int
    run_id: str
    agent: str
    title: str
    file_count: int
    hunk_count: int
    added: int
    deleted: int
    risk: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionAdded:
    """The agent answered, or the change was carried over to a newer base (`origin`)."""

    type: ClassVar[str] = "RevisionAdded"
    change_set_id: int
    number: int
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HunksDecided:
    """Somebody decided about hunks, or took a decision back; `paths` are the files they are in."""

    type: ClassVar[str] = "HunksDecided"
    change_set_id: int
    hunk_keys: list[str]
    paths: list[str]
    verdict: str
    by_id: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewCommented:
    """A comment was made, answered, resolved or reopened."""

    type: ClassVar[str] = "ReviewCommented"
    change_set_id: int
    comment_id: int
    hunk_key: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceChanged:
    """A command on this change set was started, goes on, or has ended."""

    type: ClassVar[str] = "EvidenceChanged"
    change_set_id: int
    evidence_id: int
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewChanged:
    """The change set's status or turn changed."""

    type: ClassVar[str] = "ReviewChanged"
    change_set_id: int
    status: str
    turn: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSetLanded:
    """Accepted hunks are in the branch as one commit; or, with `is_revert`, out of it again."""

    type: ClassVar[str] = "ChangeSetLanded"
    change_set_id: int
    commit: str
    branch: str
    paths: list[str]
    by: str
    is_revert: bool
