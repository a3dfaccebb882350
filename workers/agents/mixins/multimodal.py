"""Images, recordings and files that come with a goal, as far as the model can take them."""

from __future__ import annotations

import asyncio

from workers.agents.attachments import MAX_ATTACHMENTS, AttachmentCore, InvalidAttachment, check_size
from workers.agents.base import BaseAgent, RunState
from workers.changes.errors import ChangeError
from workers.providers.types import Capabilities, ContentPart


class MultimodalMixin(BaseAgent):
    """Gives the model what came with the goal: parts that it can see, hear or read, and honest words for all others.

    Expects of the class that it puts what `look_at_attachments` returns behind the first thing that the model is told. What
    comes out is text; speech and images out are the provider's contract (`Provider.speak`) until rooms carry them.
    """

    attachment_core = AttachmentCore()

    async def look_at_attachments(self, run: RunState, can: Capabilities) -> tuple[ContentPart, ...]:
        """Return the attachments as they were when the agent was called; told in a step, once a run."""
        given = run.job.attachments[:MAX_ATTACHMENTS]
        if not given:
            return ()
        parts = [
            await asyncio.to_thread(self._part_of, run, str(item["path"]), str(item["media_type"]), can)
            for item in given
        ]
        if not run.history:
            told = [
                self.attachment_core.describe(str(item["path"]), part)
                for item, part in zip(given, parts, strict=True)
            ]
            async with run.recorder.step("thought", f"Takes what came with the goal ({len(parts)})") as step:
                step.detail["text"] = "\n".join(told)
        return tuple(parts)

    def _part_of(self, run: RunState, path: str, media_type: str, can: Capabilities) -> ContentPart:
        try:
            data = run.workplace.repository.read_at(run.job.base_commit, path)
            check_size(path, media_type, len(data))
        except (ChangeError, InvalidAttachment) as error:
            return self.attachment_core.absent(path, str(error))
        return self.attachment_core.part_of(path, media_type, data, can)
