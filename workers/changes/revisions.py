"""Plain values that repositories give and take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from workers.changes.paths import from_bytes, to_bytes

ZERO = "0" * 40


@dataclass(frozen=True, slots=True)
class Author:
    """Who a commit is by."""

    name: str
    email: str

    def environment(self) -> dict[str, str]:
        """Return git's variables for author and committer; characters that git cannot store are dropped."""
        name, email = _clean(self.name) or "unknown", _clean(self.email) or "unknown@localhost"
        return {
            "GIT_AUTHOR_NAME": name,
            "GIT_AUTHOR_EMAIL": email,
            "GIT_COMMITTER_NAME": name,
            "GIT_COMMITTER_EMAIL": email,
        }


@dataclass(frozen=True, slots=True)
class FileStatus:
    """A path that differs: `index` against HEAD, `worktree` against the index (`.` same, `M A D T`, `?`
    untracked).
    """

    path: str
    index: str
    worktree: str


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """One commit of a history."""

    sha: str
    author: str
    email: str
    at: datetime
    subject: str
    parents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RawChange:
    """One path that differs between two trees; modes are git's octal text, "000000" and a zero id mean
    absent.
    """

    old_mode: str
    new_mode: str
    old_oid: str
    new_oid: str
    status: str
    path: bytes
    old_path: bytes


def format_message(message: str, trailers: Sequence[tuple[str, str]]) -> bytes:
    """Return a commit message: the text, a blank line, and one `Key: value` line per trailer."""
    text = message.replace("\0", "").strip() or "(no message)"
    lines = [f"{_one_line(key)}: {_one_line(value)}" for key, value in trailers]
    return to_bytes("\n\n".join([text, "\n".join(lines)] if lines else [text]) + "\n")


def parse_raw(data: bytes) -> tuple[list[RawChange], bytes]:
    """Return the changes of `git diff --raw -z` output and what follows them."""
    changes: list[RawChange] = []
    while data.startswith(b":"):
        head, _, data = data.partition(b"\0")
        old_mode, new_mode, old_oid, new_oid, status = from_bytes(head[1:]).split(" ")
        old_path, _, data = data.partition(b"\0")
        path = old_path
        if status[0] in "RC":
            path, _, data = data.partition(b"\0")
        changes.append(RawChange(old_mode, new_mode, old_oid, new_oid, status[0], path, old_path))
    return changes, data


def parse_status(data: bytes) -> list[FileStatus]:
    """Return the entries of `git status --porcelain=v2 -z --no-renames`."""
    found = []
    for entry in data.split(b"\0"):
        kind, _, rest = entry.partition(b" ")
        if kind in (b"1", b"u"):
            fields = rest.split(b" ", 7 if kind == b"1" else 9)
            found.append(FileStatus(from_bytes(fields[-1]), chr(fields[0][0]), chr(fields[0][1])))
        elif kind == b"?":
            found.append(FileStatus(from_bytes(rest), ".", "?"))
    return found


def parse_log(data: bytes) -> list[CommitInfo]:
    """Return the commits of a log in `LOG_FORMAT`."""
    found = []
    for entry in data.split(b"\0"):
        if not entry.strip():
            continue
        sha, author, email, at, parents, subject = from_bytes(entry.lstrip(b"\n")).split("\x1f", 5)
        when = datetime.fromisoformat(at)
        found.append(CommitInfo(sha, author, email, when, subject, tuple(parents.split())))
    return found


LOG_FORMAT = "%H%x1f%an%x1f%ae%x1f%cI%x1f%P%x1f%s"


def _clean(text: str) -> str:
    return "".join(char for char in text if char >= " " and char not in "<>\x7f").strip().strip(".,:;\"'\\")


def _one_line(text: str) -> str:
    return " ".join(text.replace("\0", " ").split())
