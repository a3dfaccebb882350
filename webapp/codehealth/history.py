"""What git's history says about files: the main line of commits, and how often each file was changed."""

from __future__ import annotations

from django.core.cache import cache

from webapp.workspaces.models import Workspace
from workers.changes.paths import to_portable
from workers.changes.repository import CommitInfo, Repository
from workers.changes.revisions import LOG_FORMAT, parse_log
from workers.codehealth.sources import ending_of

CACHE_S = 24 * 3600


def main_line(repository: Repository, *, limit: int) -> list[CommitInfo]:
    """Return the last commits of the current branch, newest first; what was merged counts as its merge."""
    args = ["log", "-z", "--first-parent", f"--format={LOG_FORMAT}", f"-n{limit}", repository.head()]
    return parse_log(repository.bare.run(*args))


def churn(workspace: Workspace, repository: Repository) -> dict[str, int]:
    """Return how many of the last 10,000 commits changed each source file; merges count for nothing."""
    head = repository.head()
    key = f"codehealth:churn:{workspace.pk}:{head}"
    found: dict[str, int] | None = cache.get(key)
    if found is None:
        counted = repository.churn(head)
        found = {to_portable(path): one.commits for path, one in counted.items() if ending_of(path)}
        cache.set(key, found, CACHE_S)
    return found
