"""What the files and git API takes and gives. Paths are portable text: bytes that are not UTF-8 stand as private characters."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from ninja import Field, Schema
from pydantic import StringConstraints

from webapp.api import Body
from workers.codehealth.metrics import FileAudit

Path = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
TEXT_EXAMPLE = "def parse(text: str) -> list[str]:\n    return text.split()\n"
MAX_TEXT_CHARS = 2 * 1024 * 1024


class EntryOut(Schema):
    """One name in a folder."""

    name: str = Field(examples=["parser.py"])
    path: str = Field(examples=["src/parser.py"])
    kind: Literal["file", "dir", "symlink", "other"]
    size_bytes: int


class FunctionOut(Schema):
    """A function's figures: C901 as ruff counts it, radon's complexity, and what else its language has."""

    name: str
    qualname: str
    line: int
    end_line: int
    cyclomatic: int
    complexity_radon: int | None
    cognitive: int | None
    nesting: int | None
    parameters: int | None


class DiagnosisOut(Schema):
    """Where and why a source does not parse."""

    line: int
    column: int
    message: str


class AuditOut(Schema):
    """A file's health; figures are null where the language has none yet."""

    language: str | None
    maintainability_index: float | None
    lines: int
    functions: list[FunctionOut]
    errors: list[DiagnosisOut]

    @staticmethod
    def of(audit: FileAudit) -> dict[str, Any]:
        """Return the fields of an audit."""
        return {
            "language": audit.language,
            "maintainability_index": audit.maintainability_index,
            "lines": audit.raw.loc,
            "functions": [
                {name: getattr(one, name) for name in FunctionOut.model_fields} for one in audit.functions
            ],
            "errors": [
                {"line": one.line, "column": one.column, "message": one.message} for one in audit.errors
            ],
        }


class DocumentOut(Schema):
    """A file. `text` is null when it cannot be edited as text; `why_not` says why."""

    path: str
    text: str | None
    encoding: Literal["utf-8", "utf-8-sig", "latin-1"]
    line_separator: str
    version: str
    size_bytes: int
    why_not: str = ""
    audit: AuditOut | None = None


class SaveIn(Body):
    """The new text and the version it is based on; `expected` null means that the file must not exist yet."""

    path: Path = Field(examples=["src/parser.py"])
    text: str = Field(max_length=MAX_TEXT_CHARS, examples=[TEXT_EXAMPLE])
    encoding: Literal["utf-8", "utf-8-sig", "latin-1"] = "utf-8"
    expected: str | None = Field(None, max_length=64)


class SavedOut(Schema):
    """The version on disk after the save, and the audit of exactly these bytes."""

    version: str
    size_bytes: int
    audit: AuditOut


class AuditIn(Body):
    """A buffer to measure without saving it."""

    path: Path = Field(examples=["src/parser.py"])
    text: str = Field(max_length=MAX_TEXT_CHARS, examples=[TEXT_EXAMPLE])


class PathIn(Body):
    """A path in the workspace."""

    path: Path = Field(examples=["docs/new"])


class MoveIn(Body):
    """Where from and where to."""

    source: Path = Field(examples=["a.py"])
    target: Path = Field(examples=["b.py"])


class MatchOut(Schema):
    """A line that matches."""

    path: str
    line: int
    column: int
    text: str


class FileSearchOut(Schema):
    """Matches; `is_complete` is false when the limit or the time ended the search, `skipped` counts text files over 8 MiB."""

    matches: list[MatchOut]
    is_complete: bool
    skipped: int


class StatusOut(Schema):
    """A path that differs: `index` against HEAD, `worktree` against the index; letters are git's."""

    path: str
    index: str
    worktree: str


class FetchedOut(Schema):
    """A branch as the last fetch of a remote found it."""

    remote: str = Field(examples=["origin"])
    branch: str = Field(examples=["topic"])


class NamesakeOut(Schema):
    """The current branch in a remote, as last fetched: `behind` counts commits that only it has, `ahead` those only here."""

    remote: str = Field(examples=["origin"])
    behind: int = Field(examples=[2])
    ahead: int = Field(examples=[0])


class GitOut(Schema):
    """Where the repository stands.

    `fetched` are branches of remotes that were not switched to yet; `upstream` says for each remote that has a branch of the
    current one's name how the two stand.
    """

    branch: str = Field(examples=["main"])
    branches: list[str] = Field(examples=[["main"]])
    fetched: list[FetchedOut]
    upstream: list[NamesakeOut]
    head: str
    status: list[StatusOut]
    remotes: list[str]


class PathsIn(Body):
    """Paths to stage or unstage."""

    paths: list[Path] = Field(max_length=10_000, examples=[["src/parser.py"]])


class CommitIn(Body):
    """A commit message."""

    message: str = Field(min_length=1, max_length=10_000, examples=["parser: Accept an empty list."])


class CommitMade(Schema):
    """The new commit."""

    commit: str


class SwitchIn(Body):
    """A branch, made when `is_new`. `remote` says whose is meant when it was only fetched and remotes have different ones."""

    branch: str = Field(min_length=1, max_length=200, examples=["main"])
    is_new: bool = False
    remote: str = Field("", max_length=40, examples=["origin"])


class BringIn(Body):
    """Whose commits are brought in; empty stands for the one remote that has new ones."""

    remote: str = Field("", max_length=40, examples=["origin"])


class RemoteIn(Body):
    """A remote. `token` null keeps the stored one while `url` stays, an empty one forgets it; it is never given back."""

    name: str = Field("origin", pattern=r"^[A-Za-z0-9_-]{1,40}$")
    url: str = Field(max_length=500, examples=["https://example.org/team/project.git"])
    username: str = Field("", max_length=120)
    token: str | None = Field(None, max_length=1000)


class RemoteOut(Schema):
    """A remote; `has_token` tells whether a credential is stored."""

    name: str
    url: str
    username: str
    has_token: bool


class RemoteRefIn(Body):
    """Which remote, and which branch."""

    remote: str = Field("origin", max_length=40)
    branch: str = Field("", max_length=200)


class CommitOut(Schema):
    """A commit of the history."""

    sha: str
    author: str
    at: datetime
    subject: str
