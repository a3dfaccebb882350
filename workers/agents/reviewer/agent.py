"""@reviewer: reads a change set, counts what it does, and comments on its lines. It changes nothing and decides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workers.agents.base import Outcome, RunState
from workers.agents.errors import NothingToReview
from workers.agents.reviewer import prompts
from workers.agents.reviewer.core import Checked, ReviewerCore
from workers.agents.reviewer.tools import FinishReview, ReadDiff
from workers.agents.toolloop.agent import ToolLoopAgent, model_of
from workers.agents.toolloop.conversation import Turn
from workers.changes.diffs import FileDiff, diff
from workers.changes.objects import BlobReader
from workers.codehealth.patterns import Rule, pattern_set
from workers.codehealth.risk import hunk_risk
from workers.events import ReviewCommented
from workers.tools.base import Toolbox
from workers.tools.reading import ListFiles, ReadFile, Search

MAX_DIFF_CHARS = 60_000
MAX_BYTES = 256 << 10
"""Of a larger file only the path is judged."""
_SUBMODULE = "160000"


@dataclass(frozen=True, slots=True)
class Change:
    """What is reviewed: the diff, and what was counted about it."""

    files: Sequence[FileDiff]
    facts: Sequence[str]


class ReviewerAgent(ToolLoopAgent):
    """One run is one review of one revision."""

    name = "reviewer"
    examples = prompts.EXAMPLES
    core: ReviewerCore

    def __init__(self) -> None:
        super().__init__()
        self.core = ReviewerCore()
        self._change = Change((), ())
        self._was_sent_back = False

    async def begin(self, run: RunState) -> None:
        review = run.job.review_of
        if review is None:
            raise NothingToReview()
        self._change = await asyncio.to_thread(self._read_change, run, review)
        if not run.history:
            async with run.recorder.step(
                "audit", f"Count what change {review['change_set_id']} does"
            ) as step:
                step.detail |= {
                    "files": [file.path for file in self._change.files],
                    "facts": list(self._change.facts),
                }
        await super().begin(run)

    def _read_change(self, run: RunState, review: Mapping[str, Any]) -> Change:
        repository = run.workplace.repository
        files = diff(repository, review["base_commit"], review["commit"])
        patterns = pattern_set(tuple(Rule.from_dict(rule) for rule in run.job.rules))
        risks = {}
        with BlobReader(repository.bare) as blobs:
            for file in files:
                before, after = (_content(blobs, file, oid) for oid in (file.old_oid, file.new_oid))
                if file.status != "deleted" and after is None and file.hunks:
                    before = after = b""  # not to be read; the path still says something
                risks[file.path] = hunk_risk(file.path, before, after, patterns=patterns)
        return Change(files, self.core.facts_of(files, risks))

    def open_tools(self, run: RunState) -> Toolbox:
        return Toolbox([ListFiles(), ReadFile(), Search(), ReadDiff(self._change.files), FinishReview()])

    def instructions(self, run: RunState) -> str:
        return prompts.SYSTEM

    async def opening(self, run: RunState) -> str:
        review = run.job.review_of or {}
        # The context's tokens, taken as characters: about a quarter of it.
        limit = min(MAX_DIFF_CHARS, model_of(run).capabilities().context_tokens)
        return self.core.opening_text(
            self.core.goal_of(run.job),
            title=str(review.get("title", "")),
            summary=str(review.get("summary", "")),
            facts=self._change.facts,
            shown=self.core.show_diff(self._change.files, limit=limit),
        )

    async def without_model(self, run: RunState) -> Outcome | None:
        return await self._deliver(run, prompts.TOO_SMALL.format(model=model_of(run).choice.model), Checked())

    async def on_finish(self, run: RunState, turn: Turn, arguments: Mapping[str, Any]) -> Outcome | None:
        """Hand over the comments that hold; the others are sent back once, then dropped."""
        checked = self.core.check(arguments.get("comments"), self._change.files)
        if checked.dropped and not self._was_sent_back:
            self._was_sent_back = True
            turn.notes.append(self.core.mend_text(checked))
            return None
        return await self._deliver(run, str(arguments.get("answer", "")), checked)

    async def outcome(
        self, run: RunState, answer: str, arguments: Mapping[str, Any] | None = None
    ) -> Outcome:
        return await self._deliver(run, answer, Checked())

    async def _deliver(self, run: RunState, said: str, checked: Checked) -> Outcome:
        review = run.job.review_of or {}
        summary = self.core.summary_text(said, checked=checked, facts=self._change.facts)
        answer = f"[Review {review['change_set_id']}](review:{review['change_set_id']}): {summary}"
        count = len(checked.kept)
        title = f"Comment on change {review['change_set_id']}: {count} line{'' if count == 1 else 's'}"
        async with run.recorder.step("proposal", title, is_effect=True) as step:
            comments = [remark.to_dict() for remark in checked.kept]
            run.publisher.publish(
                ReviewCommented,
                change_set_id=review["change_set_id"],
                revision=review["revision"],
                comments=comments,
                summary=summary,
            )
            step.detail |= {"answer": answer, "comments": comments, "dropped": list(checked.dropped)}
        return Outcome(answer=answer)


def _content(blobs: BlobReader, file: FileDiff, oid: str | None) -> bytes | None:
    """A side of a file that can be measured; None when it is absent, binary, a submodule or too large."""
    is_readable = not file.is_binary and not file.is_too_large
    if oid is None or not is_readable or _SUBMODULE in (file.old_mode, file.new_mode):
        return None
    content = blobs.read(oid)
    return content if len(content) <= MAX_BYTES else None
