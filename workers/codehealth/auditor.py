"""Audits files of a workspace and says what a change did to each function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from workers.codehealth import metrics
from workers.codehealth.deltas import FunctionDelta, Metric, TreeDelta, compare_files, compare_trees
from workers.codehealth.metrics import FileAudit, WorkspaceAudit

__all__ = ["CodeHealthAuditor", "FunctionDelta"]


class CodeHealthAuditor:
    """Measures source files. It holds nothing: one instance serves everybody."""

    def __init__(self, *, threads: int | None = None) -> None:
        self._threads = threads

    def audit_source(self, source: bytes | str, *, path: str) -> FileAudit:
        """Return the figures of one source, such as an editor's buffer. Any bytes give an answer."""
        return metrics.audit_source(source, path=path)

    def audit_files(self, root: Path, paths: Iterable[str]) -> list[FileAudit]:
        """Return the figures of files beneath `root`, in the order of `paths`.

        No path leaves `root` or follows a symbolic link; a file that cannot be read has a diagnosis.

        Raises:
            OSError: `root` cannot be opened.
        """
        return metrics.audit_paths(paths, root=root, threads=self._threads)

    def audit_tree(
        self,
        root: Path,
        *,
        cache: Path | None = None,
        known: Mapping[str, str] | None = None,
        progress: Callable[[int, int], object] | None = None,
        cancel: Callable[[], object] | None = None,
    ) -> WorkspaceAudit:
        """Return the figures of a whole tree; see `metrics.audit_workspace`."""
        return metrics.audit_workspace(
            root, threads=self._threads, cache=cache, known=known, progress=progress, cancel=cancel
        )

    def audit_sources(self, sources: Iterable[tuple[str, bytes]]) -> list[FileAudit]:
        """Return the figures of sources given as path and content, such as the files of a commit, in order."""
        with ThreadPoolExecutor(self._threads) as pool:
            return list(pool.map(lambda source: metrics.audit_source(source[1], path=source[0]), sources))

    def compare(
        self, before: FileAudit | None, after: FileAudit | None, *, metric: Metric = "cyclomatic"
    ) -> list[FunctionDelta]:
        """Return what a change did to each function of a file; see `deltas.compare_files`."""
        return compare_files(before, after, metric=metric)

    def compare_trees(
        self,
        before: Iterable[FileAudit],
        after: Iterable[FileAudit],
        *,
        metric: Metric = "cyclomatic",
        renames: Mapping[str, str] | None = None,
    ) -> TreeDelta:
        """Return what a change did to a tree; see `deltas.compare_trees`."""
        return compare_trees(before, after, metric=metric, renames=renames)
