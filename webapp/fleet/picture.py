"""The fleet as a page shows it: what its leader says, joined with the rows, cut to what one person may see.

Rows are the truth. A run that only the leader knows is not shown, one that only the rows know is shown as such, and where
the two disagree about its state the row is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from math import ceil
from typing import Any, Final

from webapp.agents.models import Run
from webapp.agents.plain import one_line, sentence
from webapp.agents.selectors import HELD
from webapp.fleet.access import Sight
from workers.queue import PRIORITIES, DeviceState, FleetState, NodeState, RunningRun, WaitingRun

DRAWN_SLOTS: Final = 64
WORDED_SLOTS: Final = 16
LISTED: Final = 50
QUIET_S: Final = 10.0
"""A node, or the leader, that was silent for longer is said to be away."""
GOAL_CHARS: Final = 120
NOT_THERE_YET: Final = "Not with the fleet's leader yet; it is rung for again by itself."
HANDED_OVER: Final = "Handed to a worker; it begins now."
UNKNOWN_TO_LEADER: Final = "The fleet's leader does not list it."


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """A run in a list or in a slot. Of another workspace's run only its priority and state are told; its `run_id` is empty."""

    run_id: str = ""
    workspace_id: int | None = None
    workspace: str = ""
    agent: str = ""
    goal: str = ""
    caller: str = ""
    status: str
    priority: str
    effective_priority: str = ""
    """With its age, where that differs from its priority."""
    suspend_reason: str = ""
    since: datetime | None = None
    why: str = ""
    """Why it waits or is suspended, in words."""
    is_handed_over: bool = False
    """Whether it has a slot already and its worker has not said so yet."""
    node: str = ""
    worker: str = ""
    model: str = ""
    tokens_per_s: float = 0.0
    may_hold: bool = False
    may_resume: bool = False
    is_member: bool = False
    """Whether who looks may open it."""
    actions: str = ""
    """The address below which it is suspended, stopped and so on."""

    def get_status_display(self) -> str:
        """Return the status in words, as a row does."""
        return str(Run.Status(self.status).label)

    def get_suspend_reason_display(self) -> str:
        """Return the reason in words, as a row does."""
        return str(Run.SuspendReason(self.suspend_reason).label)

    def hidden(self) -> RunLine:
        """Return what others may know of it."""
        return RunLine(status=self.status, priority=self.priority, effective_priority=self.effective_priority)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePicture:
    """A machine with its slots: a line for each that a run has, then `others` taken by something else, then free ones."""

    name: str
    host: str = ""
    pid: int | None = None
    queues: list[str] = field(default_factory=list)
    slots: int
    busy: int
    lines: list[RunLine]
    others: int
    devices: list[DeviceState]
    silent_s: float

    @property
    def free(self) -> int:
        """How many slots nobody has."""
        return max(0, self.slots - self.busy)

    @property
    def is_quiet(self) -> bool:
        """Whether it was not heard of for a while."""
        return self.silent_s > QUIET_S

    @property
    def is_crowded(self) -> bool:
        """Whether there are too many slots to write a name into each."""
        return self.slots > WORDED_SLOTS

    @property
    def drawn_others(self) -> range:
        """One number for each slot that is taken by something without a line."""
        return range(self.others)

    @property
    def drawn_free(self) -> range:
        """One number for each free slot that is drawn."""
        return range(min(self.slots, DRAWN_SLOTS) - len(self.lines) - self.others)

    @property
    def slots_a_tile(self) -> int:
        """For how many slots one tile of the drawing stands."""
        return max(1, round(self.slots / DRAWN_SLOTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitLine:
    """How much of a model's limits is used; None where it has none."""

    model: str
    running: int
    concurrency: int | None
    tokens_used_per_minute: int
    tokens_per_minute: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Everything that one person sees of the fleet now."""

    at: datetime | None
    """When the leader spoke last; None when it is not heard."""
    leader: str
    silent_s: float
    nodes: list[NodePicture]
    waiting: list[RunLine]
    running: list[RunLine]
    suspended: list[RunLine]
    others_running: int
    """Runs of other workspaces at work."""
    limits: list[LimitLine] = field(default_factory=list)
    """Of models that have any; told to the installation's owner alone, since models are people's and workspaces' own."""

    @property
    def listed(self) -> list[RunLine]:
        """The first of those that wait."""
        return self.waiting[:LISTED]

    @property
    def unlisted(self) -> int:
        """How many wait behind those."""
        return max(0, len(self.waiting) - LISTED)

    @property
    def is_heard(self) -> bool:
        """Whether there is a leader that speaks."""
        return self.at is not None and self.silent_s <= QUIET_S

    @property
    def slots(self) -> int:
        """How many runs can be at work at once."""
        return sum(node.slots for node in self.nodes)

    @property
    def busy(self) -> int:
        """How many slots are taken."""
        return sum(min(node.busy, node.slots) for node in self.nodes)

    @property
    def devices(self) -> list[DeviceState]:
        """Every GPU of every node."""
        return [device for node in self.nodes for device in node.devices]

    @property
    def free_mb(self) -> int:
        """Memory that all GPUs together have free."""
        return sum(device.free_mb for device in self.devices)


def draw(state: FleetState | None, rows: Iterable[Run], *, sight: Sight, now: datetime) -> Picture:
    """Return the picture.

    Args:
        rows: Every run that is queued, held by a worker or suspended, oldest first, with workspace and caller.
    """
    names = _names(state, sight)
    waiting_of = {one.run_id: one for one in state.waiting} if state else {}
    running_of = {one.run_id: one for one in state.running} if state else {}
    waiting: list[RunLine] = []
    running: list[RunLine] = []
    suspended: list[RunLine] = []
    for run in rows:
        key = str(run.pk)
        if run.status == Run.Status.QUEUED:
            waiting.append(_waiting_line(run, waiting_of.get(key), running_of.get(key), names, sight))
        elif run.status in HELD:
            running.append(_running_line(run, running_of.get(key), names, sight))
        elif run.status == Run.Status.SUSPENDED:
            why = f"{run.get_suspend_reason_display()}." if run.suspend_reason else ""
            suspended.append(replace(_line(run, sight), since=run.suspended_at, why=why))
    order = {run_id: place for place, run_id in enumerate(waiting_of)}
    waiting.sort(key=lambda line: _place(line, order))
    nodes = _nodes(state, [*running, *(line for line in waiting if line.is_handed_over)], names, sight, now)
    return Picture(
        at=datetime.fromtimestamp(state.at, UTC) if state else None,
        leader=state.leader if state and sight.is_whole else "",
        silent_s=_silence(state.at, now) if state else 0.0,
        nodes=nodes,
        waiting=[_cut(line, sight) for line in waiting],
        running=[line for line in running if _is_shown(line, sight)],
        suspended=[line for line in suspended if _is_shown(line, sight)],
        others_running=sum(not _is_shown(line, sight) for line in running),
        limits=[_limit(key, told) for key, told in state.limits.items()] if state and sight.is_whole else [],
    )


def _limit(key: str, told: dict[str, Any]) -> LimitLine:
    return LimitLine(
        model=one_line(str(told.get("model") or key), limit=80),
        running=told.get("running") or 0,
        concurrency=told.get("concurrency"),
        tokens_used_per_minute=told.get("tokens_used_per_minute") or 0,
        tokens_per_minute=told.get("tokens_per_minute"),
    )


def actions_of(run: Run, sight: Sight) -> str:
    """Return the address below which the run is suspended, stopped and so on by who looks."""
    return f"/fleet/runs/{run.pk}/" if sight.is_whole else f"/w/{run.workspace_id}/runs/{run.pk}/"


def _place(line: RunLine, order: dict[str, int]) -> tuple[int, int]:
    # What is being handed over stands first, what the leader does not know yet behind what it has put in order.
    if line.is_handed_over:
        return (0, 0)
    return (1, order[line.run_id]) if line.run_id in order else (2, list(PRIORITIES).index(line.priority))


def _is_shown(line: RunLine, sight: Sight) -> bool:
    return line.workspace_id is not None and sight.shows(line.workspace_id)


def _cut(line: RunLine, sight: Sight) -> RunLine:
    return line if _is_shown(line, sight) else line.hidden()


def _line(run: Run, sight: Sight) -> RunLine:
    is_member = run.workspace_id in sight.member_of
    may_hold = sight.may_hold(run)
    return RunLine(
        run_id=str(run.pk),
        workspace_id=run.workspace_id,
        workspace=run.workspace.name,
        agent=run.agent,
        goal=one_line(run.goal, limit=GOAL_CHARS) if is_member else "",
        caller=str(run.requested_by or "") if is_member else "",
        status=run.status,
        priority=run.priority,
        suspend_reason=run.suspend_reason,
        model=one_line(run.model_label),
        may_hold=may_hold,
        may_resume=may_hold and run.status == Run.Status.SUSPENDED and not run.waits_for_others,
        is_member=is_member,
        actions=actions_of(run, sight),
    )


def _waiting_line(
    run: Run,
    known: WaitingRun | None,
    admitted: RunningRun | None,
    names: dict[str, str] | None,
    sight: Sight,
) -> RunLine:
    line = replace(_line(run, sight), since=run.created_at)
    if admitted is not None and admitted.fence == run.fence:
        node = (names or {}).get(admitted.node, "")
        return replace(line, node=node, why=HANDED_OVER, is_handed_over=True)
    if known is None:
        return replace(line, why="" if names is None else NOT_THERE_YET)
    effective = known.effective_priority if known.effective_priority != run.priority else ""
    since = datetime.fromtimestamp(known.since, UTC)
    return replace(line, since=since, why=sentence(known.reason), effective_priority=effective)


def _running_line(run: Run, known: RunningRun | None, names: dict[str, str] | None, sight: Sight) -> RunLine:
    worker = run.worker if sight.is_whole else ""
    line = replace(
        _line(run, sight), since=run.started_at, worker=worker, tokens_per_s=round(run.tokens_per_s, 1)
    )
    if known is None or known.fence != run.fence:
        return replace(line, why="" if names is None else UNKNOWN_TO_LEADER)
    return replace(
        line,
        since=datetime.fromtimestamp(known.since, UTC),
        node=(names or {}).get(known.node, ""),
        model=line.model or one_line(known.model),
        tokens_per_s=round(known.tokens_per_s, 1) or line.tokens_per_s,
    )


def _silence(at: float, now: datetime) -> float:
    return max(0.0, now.timestamp() - at)


def _names(state: FleetState | None, sight: Sight) -> dict[str, str] | None:
    """Return how each node, by its host, is called: by number to those who do not run them. None without a leader."""
    if state is None:
        return None
    return {
        node.host: node.name if sight.is_whole else f"Node {number}"
        for number, node in enumerate(state.nodes, 1)
    }


def _nodes(
    state: FleetState | None,
    holding: Sequence[RunLine],
    names: dict[str, str] | None,
    sight: Sight,
    now: datetime,
) -> list[NodePicture]:
    taken: dict[str, list[RunLine]] = {}
    for line in holding:
        taken.setdefault(line.node, []).append(_cut(line, sight))
    nodes = state.nodes if state else []
    called = [(node, (names or {})[node.host]) for node in nodes]
    return [_node(node, name, taken.get(name, []), sight, now) for node, name in called]


def _node(node: NodeState, name: str, lines: list[RunLine], sight: Sight, now: datetime) -> NodePicture:
    busy = max(node.busy, len(lines))
    tiles = min(node.slots, DRAWN_SLOTS)
    taken_tiles = min(tiles, ceil(busy * tiles / node.slots)) if node.slots else 0
    drawn = lines[:taken_tiles]
    return NodePicture(
        name=name,
        host=node.host if sight.is_whole else "",
        pid=node.pid if sight.is_whole else None,
        queues=node.queues,
        slots=node.slots,
        busy=busy,
        lines=drawn,
        others=taken_tiles - len(drawn),
        devices=[one if sight.is_whole else replace(one, name="GPU") for one in node.devices],
        silent_s=_silence(node.seen_at, now),
    )
