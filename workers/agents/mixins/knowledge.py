"""What an agent can know: one door to what rows tell, to meaning, and to who uses whom."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from workers.agents.base import BaseAgent, RunState
from workers.agents.knowledge.stores import JobStore, MeaningStore, Scope, Store, TiesStore
from workers.agents.lineage import READ
from workers.changes.files import WorkspaceFiles
from workers.tools.knowing import Kind, Known

KINDS: tuple[Kind, ...] = ("structured", "semantic", "relational")


class KnowledgeMixin(BaseAgent):
    """Answers from structured, semantic and relational stores through one door with a scope.

    Expects of the class that tools which ask (`recall`, `find_related`) are given `know_for` in their context. A run knows what
    its own workspace holds, and only while it may read; the scope is asked for at every call and an empty one is an error.
    """

    def scope_of(self, run: RunState) -> Scope:
        """Return whose knowledge this run may ask for.

        Raises:
            EmptyScope: it may read nothing.
        """
        may_read = READ in run.lineage.scope
        return Scope(frozenset((run.job.workspace_id,)) if may_read else frozenset())

    async def know(
        self, run: RunState, question: str, *, scope: Scope, kinds: Sequence[Kind] = KINDS, limit: int = 8
    ) -> list[Known]:
        """Return what fits the question, kind by kind in turn, best first in each.

        Raises:
            EmptyScope: the run's files lie outside of the scope.
            EmbeddingUnavailable: meaning was asked for, and its model is not installed.
        """
        files = WorkspaceFiles(run.workplace.files_dir)
        workspace_id = run.job.workspace_id
        stores: list[Store] = [
            JobStore(run.job),
            MeaningStore(files, workspace_id),
            TiesStore(files, workspace_id),
        ]
        answers = [
            await asyncio.to_thread(store.know, question, scope=scope, limit=limit)
            for store in stores
            if store.kind in kinds
        ]
        in_turn = [answer[at] for at in range(limit) for answer in answers if at < len(answer)]
        return in_turn[:limit]

    async def know_for(
        self, run: RunState, question: str, kinds: tuple[Kind, ...], limit: int
    ) -> list[Known]:
        """Return what a tool of this run is told."""
        return await self.know(run, question, scope=self.scope_of(run), kinds=kinds, limit=limit)
