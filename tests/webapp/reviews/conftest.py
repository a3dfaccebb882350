"""What tests of reviews share: a proposal as the engine makes one, on a real repository."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.framework.people import Company
from tests.framework.repos import commit_beside, commit_files
from webapp.agents.models import Run
from webapp.reviews import services
from webapp.reviews.models import ChangeSet, Revision
from webapp.reviews.resolved import HunkState, Resolved, resolve_change_set
from webapp.workspaces.repositories import repository_of
from workers.changes.repository import Repository
from workers.events import ChangeProposed

BASE = {
    "calc.py": "".join(f"def f{n}():\n    return {n}\n\n\n" for n in range(12)).encode(),
    "tests/test_calc.py": b"from calc import f0\n\n\ndef test_f0():\n    assert f0() == 0\n",
    "README.md": b"# Calc\n",
}
THREE_HUNKS = (
    BASE["calc.py"]
    .replace(b"return 0\n", b"return 100\n")
    .replace(b"return 5\n", b"return 105\n")
    .replace(b"return 11\n", b"return 111\n")
)


@dataclass
class Desk:
    """A workspace with a repository, on which agents propose and people decide."""

    company: Company
    repository: Repository

    def run(self, **fields: Any) -> Run:
        fields = {
            "workspace": self.company.workspace,
            "requested_by": self.company.member,
            "agent": "tidy",
            "goal": "Tidy up",
        } | fields
        return Run.objects.create(id=uuid.uuid4(), cost_usd=0.0, **fields)

    def propose(self, files: Mapping[str, bytes | None], **fields: Any) -> Revision:
        """Return the revision that follows from a run's proposal of these files; fields as `offer` takes them."""
        revision = self.offer(files, **fields)
        assert revision is not None
        return revision

    def offer(
        self,
        files: Mapping[str, bytes | None],
        *,
        run: Run | None = None,
        base: str = "",
        modes: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> Revision | None:
        """Return what follows from a run's proposal of these files: None when it adds nothing to what landed."""
        run = run or self.run()
        base = base or self.repository.snapshot(author=_author(self.company))
        commit = commit_beside(self.repository, files, base=base, modes=modes)
        fields = {"title": "Make it better", "summary": "Because."} | fields
        event = ChangeProposed(
            run_id=str(run.pk), fence=1, run_seq=1, base_commit=base, commit=commit, **fields
        )
        return services.open_review(run=run, proposal=event)

    def three_hunks(self) -> ChangeSet:
        """Return a change set of three hunks in one file."""
        return self.loaded(self.propose({"calc.py": THREE_HUNKS}))

    def loaded(self, revision: Revision) -> ChangeSet:
        return ChangeSet.objects.select_related("workspace", "run").get(pk=revision.change_set_id)

    def hunks(self, change_set: ChangeSet) -> list[HunkState]:
        return list(self.resolved(change_set))

    def resolved(self, change_set: ChangeSet) -> Resolved:
        return resolve_change_set(change_set)

    def decide(self, change_set: ChangeSet, number: int, verdict: str, **fields: Any) -> HunkState:
        key = self.hunks(change_set)[number].key
        return services.decide_hunk(
            change_set=change_set,
            hunk_key=key,
            verdict=verdict,
            **({"decided_by": self.company.member} | fields),
        )

    def apply(self, change_set: ChangeSet, **fields: Any) -> ChangeSet:
        resolved = self.resolved(change_set)
        fields = {"diff_hash": resolved.revision.diff_hash, "applied_by": self.company.maintainer} | fields
        return services.apply(change_set=change_set, **fields)

    def read(self, path: str) -> bytes:
        return self.repository.files.read(path).data

    def at_head(self, path: str) -> bytes:
        return self.repository.read_at("HEAD", path)


def _author(company: Company) -> Any:
    from webapp.workspaces.repositories import author_of

    return author_of(company.owner)


@pytest.fixture
def desk(company: Company) -> Desk:
    """A desk whose repository holds a small module, its test and a README."""
    repository = repository_of(company.workspace)
    commit_files(repository, BASE)
    return Desk(company, repository)
