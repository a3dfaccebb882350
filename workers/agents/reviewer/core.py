"""What @reviewer decides without a model: what is shown of a change, what is counted, and which comments hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from workers.agents.quoting import is_quoted
from workers.agents.reviewer import prompts
from workers.agents.toolloop.core import ToolLoopCore
from workers.changes.diffs import FileDiff, Hunk, Line
from workers.changes.paths import to_portable
from workers.codehealth.risk import Risk
from workers.codehealth.sensitive import is_test_path
from workers.tools.reading import normalise_path
from workers.tools.text import bound, clean

KINDS = ("must-fix", "question", "note")
SIDES = ("new", "old")
MAX_COMMENTS = 40
TEXT_CHARS = 4_000
LINE_CHARS = 400
_LEVELS = {"low": 0, "medium": 1, "high": 2}


@dataclass(frozen=True, slots=True)
class Remark:
    """A comment that holds: its line is in the diff and reads as quoted."""

    path: str
    """As JSON can carry it (`to_portable`)."""
    side: str
    line: int
    kind: str
    text: str
    quote: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Checked:
    """The comments that hold, and why each of the others does not, in words."""

    kept: tuple[Remark, ...] = ()
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ShownDiff:
    """A diff as a model reads it; `left_out` of its hunks did not fit."""

    text: str
    left_out: int
    total: int


class ReviewerCore(ToolLoopCore):
    """Plain data in, plain data out."""

    def facts_of(self, files: Sequence[FileDiff], risks: Mapping[str, Risk]) -> list[str]:
        """Return what was counted about the change, a line each, the gravest file first."""
        ordered = sorted(files, key=lambda file: -_LEVELS[risks[file.path].level])
        facts = [
            f"{to_portable(file.path)} ({risks[file.path].level} risk): {'; '.join(reasons)}"
            for file in ordered
            if (reasons := _reasons(risks[file.path]))
        ]
        if _changes_code(files) and not any(is_test_path(file.path) for file in files):
            facts.append("No test file is changed.")
        return facts or ["Nothing that was counted stands out."]

    def show_diff(self, files: Sequence[FileDiff], *, limit: int) -> ShownDiff:
        """Return the files' hunks with numbered lines, as many whole hunks as fit into `limit` characters."""
        parts: list[str] = []
        left, left_out, total = limit, 0, 0
        for file in files:
            head = f"=== {to_portable(file.path)} ({file.status}, +{file.added} −{file.deleted}) ==="
            blocks = []
            for hunk in file.hunks:
                total += 1
                block = show_hunk(hunk)
                if len(block) > left:
                    left_out += 1
                    continue
                left -= len(block) + 1
                blocks.append(block)
            left -= len(head) + 1
            parts += [head, *blocks]
        return ShownDiff("\n".join(parts), left_out, total)

    def opening_text(
        self, goal: str, *, title: str, summary: str, facts: Iterable[str], shown: ShownDiff
    ) -> str:
        """Return the first message to the model."""
        told = prompts.ALL_SHOWN
        if shown.left_out:
            told = prompts.SOME_SHOWN.format(count=shown.left_out, total=shown.total)
        return prompts.OPENING.format(
            goal=goal or "look at all of it",
            title=title,
            summary=bound(summary, 2_000),
            facts="\n".join(f"- {fact}" for fact in facts),
            shown=told,
            diff=shown.text,
        )

    def check(self, comments: Any, files: Sequence[FileDiff]) -> Checked:
        """Return which of a model's comments hold against the diff.

        One holds when its file is in the change, a hunk shows its line, and that line reads as the comment quotes it.
        """
        by_path = {to_portable(file.path): file for file in files}
        kept: dict[tuple[Any, ...], Remark] = {}
        dropped: list[str] = []
        for number, item in enumerate(comments if isinstance(comments, list) else [], 1):
            found = _check_one(item, by_path)
            if isinstance(found, str):
                dropped.append(f"comment {number}: {found}")
            elif len(kept) >= MAX_COMMENTS:
                dropped.append(f"comment {number}: more than {MAX_COMMENTS} comments")
            else:
                kept.setdefault((found.path, found.side, found.line, found.text), found)
        return Checked(tuple(kept.values()), tuple(dropped))

    def mend_text(self, checked: Checked) -> str:
        """Return what the model is told of comments that do not hold."""
        reasons = "\n".join(f"- {reason}" for reason in checked.dropped[:20])
        return prompts.MEND.format(count=len(checked.dropped), reasons=reasons)

    def summary_text(self, said: str, *, checked: Checked, facts: Sequence[str]) -> str:
        """Return the review as a whole: what the model said, how many comments hold, what was counted."""
        counts = [
            f"{number} {kind}" for kind in KINDS if (number := sum(one.kind == kind for one in checked.kept))
        ]
        lines = [f"{', '.join(counts) or 'No comment on a line'}."]
        if checked.dropped:
            dropped = len(checked.dropped)
            lines.append(
                f"{dropped} comment{' was' if dropped == 1 else 's were'} dropped: not borne out by the diff."
            )
        counted = "\n".join(f"- {fact}" for fact in facts)
        return f"{bound(said.strip(), TEXT_CHARS)}\n\n{' '.join(lines)}\n\nCounted, not judged:\n{counted}"


def _reasons(risk: Risk) -> list[str]:
    reasons = list(risk.reasons)
    before, after = risk.complexity_before, risk.complexity_after
    if before is not None and after is not None and before != after:
        told = f"complexity {before} → {after}"
        if not any(told in reason for reason in reasons):
            reasons.append(told)
    return reasons


def _changes_code(files: Iterable[FileDiff]) -> bool:
    code = (".py", ".js", ".ts", ".tsx", ".rs", ".go", ".java", ".c", ".cc", ".cpp", ".rb", ".php")
    return any(file.path.endswith(code) and not is_test_path(file.path) for file in files)


def show_hunk(hunk: Hunk) -> str:
    """Return a hunk with its old and new line numbers, as a model is shown it."""
    head = f"@@ old {hunk.old_start}, new {hunk.new_start} @@ {clean(hunk.header)}".rstrip()
    if hunk.kind != "text":
        return f"{head} ({hunk.kind}: no lines to show)"
    return "\n".join([head, *(_numbered(line) for line in hunk.lines)])


def _numbered(line: Line) -> str:
    old, new = line.old_no or "", line.new_no or ""
    return f"{old:>5} {new:>5} {line.kind}{bound(clean(line.text), LINE_CHARS)}"


def _check_one(item: Any, by_path: Mapping[str, FileDiff]) -> Remark | str:
    """The comment when it holds, else why it does not."""
    if not isinstance(item, dict):
        return "it is no object"
    kind, side, line = item.get("kind"), item.get("side") or "new", item.get("line")
    text, quote = str(item.get("text") or "").strip(), str(item.get("quote") or "").strip()
    path = normalise_path(str(item.get("path") or ""))
    if kind not in KINDS or side not in SIDES or not isinstance(line, int) or not text:
        return "kind, side, line or text is missing or unknown"
    file = by_path.get(path)
    if file is None:
        return f"the change does not touch {path!r}"
    found = _line_of(file, side, line)
    if found is None:
        return f"no hunk of {path} shows line {line} on the {side} side"
    if not is_quoted(quote, found.text):
        return (
            f"{path}:{line} does not read {bound(quote, 120)!r} but {bound(clean(found.text).strip(), 120)!r}"
        )
    return Remark(path, side, line, str(kind), bound(text, TEXT_CHARS), quote)


def _line_of(file: FileDiff, side: str, line: int) -> Line | None:
    lines = (shown for hunk in file.hunks for shown in hunk.lines)
    return next((one for one in lines if (one.old_no if side == "old" else one.new_no) == line), None)
