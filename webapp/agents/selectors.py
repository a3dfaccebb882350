"""Reads about agents, runs and their trees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Final, Generic, LiteralString, TypeVar
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist
from django.db import connection
from django.db.models import Model, Q, QuerySet

from webapp.agents.advice import advice_for
from webapp.agents.models import Run, SteeringNote, Step
from webapp.agents.plain import one_line
from webapp.errors import Invalid, NotFound
from workers.queue import PRIORITIES

CARD_RELATED = ("requested_by", "proposed_change_set")
"""What `select_related` needs (with a prefix) so that a run's card asks the database nothing more."""
HELD = (Run.Status.RUNNING, Run.Status.CANCELLING, Run.Status.SUSPENDING)
"""Runs that a worker holds, or held until it was lost."""
ACTIVE = (Run.Status.QUEUED, *HELD, Run.Status.SUSPENDED)
PAGE_SIZE = 40
TREE_PAGE = 1000
ANSWER_CHARS = 4_000
FILTERS: dict[str, tuple[Q, ...]] = {
    "all": (),
    # `finished_at` says nothing new, but has an index by date: by the states alone, SQLite walks through all runs.
    "active": (Q(finished_at=None, status__in=ACTIVE),),
    "suspended": (Q(status=Run.Status.SUSPENDED),),
    "finished": (Q(status=Run.Status.FINISHED),),
    "failed": (Q(status=Run.Status.FAILED),),
    "cancelled": (Q(status=Run.Status.CANCELLED),),
    "dead": (Q(status=Run.Status.DEAD),),
}


def review_id(run: Run) -> int | None:
    """Return the change set that this run offered or answers, or None."""
    try:
        proposed = run.proposed_change_set
    except ObjectDoesNotExist:
        return run.change_set_id
    return proposed.pk


def summary(run: Run) -> dict[str, Any]:
    """Return what a card's header shows of a run: plain, small, JSON-safe."""
    return {
        "id": str(run.pk),
        "workspace_id": run.workspace_id,
        "agent": run.agent,
        "goal": one_line(_own_words(run), limit=300),
        "status": run.status,
        "status_label": run.get_status_display(),
        "requested_by_id": run.requested_by_id,
        "model": one_line(run.model_label),
        "attempts": run.attempts,
        "input_tokens": run.input_tokens,
        "output_tokens": run.output_tokens,
        "cost_usd": run.cost_usd,
        "tokens_per_s": round(run.tokens_per_s, 1),
        "error_code": run.error_code,
        "error_message": one_line(run.error_message, limit=600),
        "answer": run.answer[:ANSWER_CHARS],
        "advice": advice_for(run.error_code, is_retryable=run.is_retryable),
        "is_retryable": run.is_retryable,
        "review_id": review_id(run),
        "priority": run.priority,
        "origin": run.origin,
        "suspend_reason": run.suspend_reason,
        "suspend_words": suspend_words(run),
        "may_resume": run.status == Run.Status.SUSPENDED and not run.waits_for_others,
        "suspended_at": _iso(run.suspended_at),
        "parent": str(run.parent_id) if run.parent_id else None,
        "retry_of": str(run.retry_of_id) if run.retry_of_id else None,
        "created_at": _iso(run.created_at),
        "started_at": _iso(run.started_at),
        "finished_at": _iso(run.finished_at),
    }


def _own_words(run: Run) -> str:
    """Return what the run was asked; below the first line of what an agent asks stands what others had done before."""
    return run.goal.strip().partition("\n")[0] if run.origin == Run.Origin.DELEGATION else run.goal


def child_rows(run: Run) -> list[dict[str, Any]]:
    """Return the runs that this one asked for, oldest first, as its card shows them."""
    names = ("id", "workspace_id", "agent", "goal", "status", "suspend_reason", "parent", "review_id")
    rows = run.children.select_related(*CARD_RELATED).defer("job", "model_choice").order_by("created_at")
    return [{name: value for name, value in summary(child).items() if name in names} for child in rows]


def suspend_words(run: Run) -> str:
    """Return why the run does not work now though it has begun, in a sentence; nothing for any other run."""
    if not run.suspend_reason or run.status not in (
        Run.Status.QUEUED,
        Run.Status.SUSPENDING,
        Run.Status.SUSPENDED,
    ):
        return ""
    words = f"{run.get_suspend_reason_display()}."
    if run.status == Run.Status.QUEUED:
        return f"{words} It goes on by itself after its last finished step."
    return words


def step_row(step: Step) -> dict[str, Any]:
    """Return a row of the tree without its detail."""
    return {
        "id": step.step_id,
        "parent": step.parent_id,
        "kind": step.kind,
        "title": one_line(step.title, limit=300),
        "status": step.status,
        "duration_ms": step.duration_ms,
        "input_tokens": step.input_tokens,
        "output_tokens": step.output_tokens,
        "cost_usd": step.cost_usd,
        "started_at": _iso(step.started_at),
        "seq": step.seq,
    }


def totals(run: Run) -> dict[str, Any]:
    """Return the run's tokens and cost so far."""
    return {"input_tokens": run.input_tokens, "output_tokens": run.output_tokens, "cost_usd": run.cost_usd}


def note_row(note: SteeringNote) -> dict[str, Any]:
    """Return what a person told a run, as the engine is handed it."""
    by = str(note.by) if note.by else "somebody"
    title = Step.objects.filter(run=note.run_id, step_id=note.step_id).values_list("title", flat=True).first()
    return {
        "id": note.pk,
        "kind": note.kind,
        "step_id": note.step_id,
        "text": note.text,
        "by": by,
        "title": one_line(title or ""),
    }


def note_facts(note: SteeringNote) -> dict[str, Any]:
    """Return what a person told a run, as people see it."""
    times = {"created_at": _iso(note.created_at), "taken_at": _iso(note.taken_at)}
    return note_row(note) | {"run_id": str(note.run_id)} | times


def waiting_notes(run: Run) -> list[dict[str, Any]]:
    """Return what people told the run and no step has taken up yet, oldest first."""
    return [note_row(note) for note in run.steering.filter(taken_at=None).select_related("by").order_by("pk")]


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def steps_after(run: Run, seq: int = -1, *, limit: int = TREE_PAGE) -> tuple[list[Step], bool]:
    """Return steps (without detail) that began after `seq`, in order, and whether there are more."""
    rows = list(run.steps.filter(seq__gt=seq).defer("detail").order_by("seq")[: limit + 1])
    return rows[:limit], len(rows) > limit


def step_of(run: Run, step_id: str) -> Step:
    """Return the step with its detail.

    Raises:
        NotFound: the run has no such step.
    """
    step = Step.objects.filter(run=run, step_id=step_id).first()
    if step is None:
        raise NotFound("This run has no such step.")
    return step


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as a list shows it."""

    pk: UUID
    workspace_id: int
    agent: str
    goal: str
    status: str
    suspend_reason: str
    priority: str
    model_label: str
    error_message: str
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    change_set_id: int | None
    proposed_id: int | None
    requested_by: str | None

    @property
    def review_id(self) -> int | None:
        """The change set that this run offered or answers."""
        return self.proposed_id or self.change_set_id


_COLUMNS = (
    *(field.name for field in fields(RunRow) if field.name not in ("proposed_id", "requested_by")),
    "proposed_change_set__pk",
    "requested_by__display_name",
)
Shown = TypeVar("Shown", Run, RunRow)


@dataclass(frozen=True, slots=True)
class Page(Generic[Shown]):
    """Runs of one page, newest first, and the cursor of the next one."""

    runs: Sequence[Shown]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs are asked for; what is empty does not count."""

    status: str = "all"
    agent: str = ""
    requested_by: int | None = None
    origin: str = ""
    priority: str = ""

    def query(self) -> dict[str, str]:
        """Return the filter as the words of an address."""
        said = {
            "status": self.status,
            "agent": self.agent,
            "by": str(self.requested_by or ""),
            "origin": self.origin,
            "priority": self.priority,
        }
        return {name: value for name, value in said.items() if value}

    def apply(self, rows: QuerySet[Run]) -> QuerySet[Run]:
        """Return the rows that pass.

        Raises:
            Invalid: there is no such state, origin or priority.
        """
        if self.status not in FILTERS:
            raise Invalid(f"The filter is one of {', '.join(FILTERS)}.", status=self.status)
        if self.origin and self.origin not in Run.Origin.values:
            raise Invalid(f"The origin is one of {', '.join(Run.Origin.values)}.", origin=self.origin)
        if self.priority and self.priority not in PRIORITIES:
            raise Invalid(f"The priority is one of {', '.join(PRIORITIES)}.", priority=self.priority)
        if self.requested_by is not None:
            rows = rows.filter(requested_by_id=self.requested_by)
        exact = {"agent": self.agent, "origin": self.origin, "priority": self.priority}
        wanted = {name: value for name, value in exact.items() if value}
        return rows.filter(*FILTERS[self.status], **wanted)


EVERYTHING: Final = RunFilter()


def runs_page(
    workspace_id: int, asked: RunFilter = EVERYTHING, *, cursor: str = "", limit: int = PAGE_SIZE
) -> Page[Run]:
    """Return a page of the workspace's runs, found by position and not by counting.

    Raises:
        Invalid: the filter or the cursor makes no sense.
    """
    rows = _runs_of(workspace_id, asked, cursor=cursor)
    rows = rows.select_related(*CARD_RELATED).defer("job", "model_choice")
    return _cut(list(rows[: limit + 1]), limit)


def run_rows(workspace_id: int, asked: RunFilter = EVERYTHING, *, cursor: str = "") -> Page[RunRow]:
    """Return a page of the workspace's runs as a list shows them: plain values, since forty models cost twice the rest.

    Raises:
        Invalid: the filter or the cursor makes no sense.
    """
    rows = _runs_of(workspace_id, asked, cursor=cursor).values_list(*_COLUMNS)
    return _cut([RunRow(*values) for values in rows[: PAGE_SIZE + 1]], PAGE_SIZE)


def run_row(run: Run) -> RunRow:
    """Return one run as a list shows it."""
    return RunRow(*Run.objects.filter(pk=run.pk).values_list(*_COLUMNS).get())


def _runs_of(workspace_id: int, asked: RunFilter, *, cursor: str) -> QuerySet[Run]:
    rows = asked.apply(Run.objects.filter(workspace_id=workspace_id))
    if cursor:
        at, key = _read_cursor(cursor)
        # Written so that the index is entered at the cursor.
        rows = rows.filter(created_at__lte=at).exclude(created_at=at, pk__gte=key)
    return rows.order_by("-created_at", "-pk")


def _cut(found: list[Shown], limit: int) -> Page[Shown]:
    runs, has_more = found[:limit], len(found) > limit
    return Page(runs, f"{runs[-1].created_at.isoformat()}~{runs[-1].pk}" if has_more else None)


def _read_cursor(cursor: str) -> tuple[datetime, UUID]:
    at, _, key = cursor.partition("~")
    try:
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise ValueError("a moment without a zone")
        return moment.astimezone(UTC), UUID(key)
    except (ValueError, OverflowError) as error:
        raise Invalid("This cursor is none of ours; begin at the first page.") from error


def counts(workspace_id: int) -> dict[str, str]:
    """Return how many runs are at work and how many were given up, as badges say it."""
    return {
        "active": badge_count(Run, workspace_id, ACTIVE),
        "suspended": badge_count(Run, workspace_id, (Run.Status.SUSPENDED,)),
        "dead": badge_count(Run, workspace_id, (Run.Status.DEAD,), but=_DEALT_WITH),
    }


# Given up, and a person has dismissed it or tried it again.
_DEALT_WITH = "SELECT run_id FROM agents_dismissal UNION SELECT retry_of_id FROM agents_run WHERE retry_of_id IS NOT NULL"


def given_up(workspace_id: int | None = None) -> QuerySet[Run]:
    """Return the runs that were given up and that nobody has dealt with, the last one first: of a workspace, or (None) of all."""
    runs = Run.objects.filter(status=Run.Status.DEAD, dismissal=None, retries=None)
    return (runs if workspace_id is None else runs.filter(workspace_id=workspace_id)).order_by("-finished_at")


def badge_count(
    model: type[Model], workspace_id: int, statuses: Sequence[str], *, but: LiteralString = ""
) -> str:
    """Return how many rows of a workspace have one of these states, nothing for none; `but` selects ids that do not count.

    Nobody needs to know beyond 99, and counting on costs time. Written out, since Django takes longer to find the words for
    a count within a limit than the database to count.
    """
    table, marks = connection.ops.quote_name(model._meta.db_table), ", ".join(["%s"] * len(statuses))
    where = f"workspace_id = %s AND status IN ({marks})" + (f" AND id NOT IN ({but})" if but else "")
    rows = f"SELECT 1 FROM {table} WHERE {where} LIMIT 100"  # noqa: S608  no value in it
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM ({rows}) AS counted", [workspace_id, *map(str, statuses)])  # noqa: S608
        found = int(cursor.fetchone()[0])
    return "99+" if found > 99 else str(found or "")
