"""The runs around a run: who asked whom, as one tree from the run that a person asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from webapp.agents import selectors
from webapp.agents.models import Run
from webapp.agents.plain import one_line
from workers.agents.lineage import MAX_DEPTH

MAX_SHOWN: Final = 200


@dataclass(slots=True)
class Place:
    """A run with the runs that it asked for."""

    run: Run
    is_this: bool
    children: list[Place] = field(default_factory=list)

    @property
    def goal(self) -> str:
        """What it was asked, without what was put below it of other runs' results."""
        return one_line((self.run.goal.strip().splitlines() or [""])[0], limit=120)

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Place]]:
        """Yield this place and all below it with their depth, in the order of a tree that is read aloud."""
        yield depth, self
        for child in self.children:
            yield from child.walk(depth + 1)


def lineage_of(run: Run) -> Place | None:
    """Return the whole tree that `run` is part of, None for a run that neither was asked for by another nor asked one."""
    root = run
    if root_id := run.lineage.get("root_run_id"):
        root = Run.objects.filter(pk=root_id, workspace_id=run.workspace_id).first() or run
    top = Place(root, root.pk == run.pk)
    places, level, shown = {root.pk: top}, [root.pk], 1
    for _ in range(MAX_DEPTH):
        rows = Run.objects.filter(parent__in=level, workspace_id=run.workspace_id)
        found = list(
            rows.select_related(*selectors.CARD_RELATED)
            .defer("job")
            .order_by("created_at")[: MAX_SHOWN - shown]
        )
        for child in found:
            places[child.pk] = Place(child, child.pk == run.pk)
            places[child.parent_id].children.append(places[child.pk])  # type: ignore[index]
        level, shown = [child.pk for child in found], shown + len(found)
        if not level:
            break
    return top if top.children else None


def lineage_rows(run: Run) -> list[dict[str, Any]]:
    """Return the tree as rows for REST: each run with its depth, parents before their children."""
    top = lineage_of(run)
    places = top.walk() if top is not None else [(0, Place(run, True))]
    return [{"depth": depth, "run": selectors.summary(place.run)} for depth, place in places]
