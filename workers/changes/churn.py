"""How often each file of a repository changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from workers.changes.git import Git
from workers.changes.paths import from_bytes


@dataclass(frozen=True, slots=True)
class FileChurn:
    """How many commits changed a file, and how many lines they added and removed; a binary file has no lines."""

    commits: int
    lines_added: int
    lines_removed: int


def read_churn(
    bare: Git, commit: str, *, since: datetime | None = None, max_commits: int = 10_000
) -> dict[str, FileChurn]:
    """Return by path what the newest `max_commits` commits up to `commit`, merges aside, did to each file.

    Renames are not followed: what was done under another name counts there.
    """
    args = ["log", "--no-merges", "--no-renames", "--numstat", "--format=", "-z", f"-n{max_commits}"]
    if since is not None:
        args.append(f"--since={since.isoformat()}")
    found: dict[str, FileChurn] = {}
    for record in bare.run(*args, commit, "--").split(b"\0"):
        added, tab, rest = record.lstrip(b"\n").partition(b"\t")
        removed, _, path = rest.partition(b"\t")
        if tab:
            name = from_bytes(path)
            before = found.get(name, FileChurn(0, 0, 0))
            found[name] = FileChurn(
                before.commits + 1, before.lines_added + _lines(added), before.lines_removed + _lines(removed)
            )
    return found


def _lines(count: bytes) -> int:
    return 0 if count == b"-" else int(count)
