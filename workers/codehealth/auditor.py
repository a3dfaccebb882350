"""Audits files of a workspace and says what a change did to each function."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from workers.codehealth import metrics
from workers.codehealth.metrics import FileAudit, FunctionAudit


@dataclass(frozen=True, slots=True)
class FunctionDelta:
    """What a change did to one function; `before` and `after` are its `cyclomatic`, None where it is absent.

    `line` is that after the change, or before it when the function is gone.
    """

    qualname: str
    line: int
    before: int | None
    after: int | None

    @property
    def growth(self) -> int:
        """How much more complex the function is now; a new one counts from a straight line, 1."""
        if self.after is None:
            return 0
        return self.after - (1 if self.before is None else self.before)

    @property
    def is_worse(self) -> bool:
        return self.growth > 0


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

    def compare(self, before: FileAudit | None, after: FileAudit | None) -> list[FunctionDelta]:
        """Return the functions that came, went or changed their `cyclomatic`, the ones that got worst first.

        None stands for a file that does not exist. Functions are matched by qualified name, and equal names
        (overloads, property setters) by their order. Where one side does not parse, only functions that both
        sides show are compared: an absent one may just be hidden by the error.
        """
        old, new = functions_by_name(before), functions_by_name(after)
        if any(audit is not None and audit.errors for audit in (before, after)):
            shared = old.keys() & new.keys()
            old, new = {key: old[key] for key in shared}, {key: new[key] for key in shared}
        changed = [
            FunctionDelta(name, function.line, _cyclomatic(old.get((name, nth))), function.cyclomatic)
            for (name, nth), function in new.items()
            if _cyclomatic(old.get((name, nth))) != function.cyclomatic
        ]
        gone = [
            FunctionDelta(name, function.line, function.cyclomatic, None)
            for (name, nth), function in old.items()
            if (name, nth) not in new
        ]
        return sorted(changed + gone, key=lambda delta: (-delta.growth, delta.line, delta.qualname))


def functions_by_name(audit: FileAudit | None) -> dict[tuple[str, int], FunctionAudit]:
    """Return the functions of a file by qualified name and number among equal names, in source order."""
    seen: defaultdict[str, int] = defaultdict(int)
    functions: dict[tuple[str, int], FunctionAudit] = {}
    for function in audit.functions if audit else ():
        functions[function.qualname, seen[function.qualname]] = function
        seen[function.qualname] += 1
    return functions


def _cyclomatic(function: FunctionAudit | None) -> int | None:
    return function.cyclomatic if function else None
