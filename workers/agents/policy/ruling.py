"""The policy as one run meets it: its pack, who called the agent, and what people have said about calls that asked."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import orjson

from workers.agents.policy.acts import CountFiles, acts_of
from workers.agents.policy.core import CallFacts, Decision, PolicyCore
from workers.agents.policy.pack import built_in_pack, parse_pack
from workers.queue import Job
from workers.tools.base import Tool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a person said about one call."""

    step_id: str
    call_hash: str
    is_approved: bool
    by: str
    text: str = ""
    note_id: int = 0
    """Of the steering note that carries it."""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the verdict that a job carries; entries of others are left out."""
        return cls(**{entry.name: data[entry.name] for entry in fields(cls) if entry.name in data})


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A decision about one call. One that asks has the step by which people answer, and their answer when it is there."""

    decision: Decision
    call_hash: str
    step_id: str | None = None
    verdict: Verdict | None = None


class Ruling:
    """Judges the calls of one run."""

    def __init__(
        self,
        core: PolicyCore,
        *,
        agent: str,
        origin: str,
        role: str,
        scope: frozenset[str] | None,
        verdicts: Iterable[Verdict] = (),
        asked_before: Iterable[str] = (),
        reflects: bool = False,
    ) -> None:
        self.reflects = reflects
        """Whether the agent looks at its work once more before it ends."""
        self._core, self._agent, self._origin, self._role, self._scope = core, agent, origin, role, scope
        self._verdicts = {verdict.step_id: verdict for verdict in verdicts}
        self._asked = Counter(asked_before)

    @classmethod
    def of_job(cls, job: Job) -> Self:
        """Return the ruling of a job: by its workspace's pack, else by the one that comes with PyAgent.

        Raises:
            InvalidPolicy: the stored pack cannot be read any more; nothing is allowed then.
        """
        policy = job.policy
        scope = job.lineage.get("scope")
        pack = parse_pack(policy["text"]) if policy.get("text") else built_in_pack()
        details = [step.get("detail") or {} for step in job.history]
        return cls(
            PolicyCore(pack),
            agent=job.agent,
            origin=policy.get("origin") or ("delegation" if job.lineage else "person"),
            role=policy.get("role", "member"),
            scope=None if scope is None else frozenset(scope),
            verdicts=[Verdict.from_dict(data) for data in policy.get("verdicts", ())],
            asked_before=[detail["approval"]["call_hash"] for detail in details if "approval" in detail],
            # A job that was handed no policy at all comes from no workspace: nobody reads what its agent thinks of itself.
            reflects=bool(policy) and pack.reflects(job.agent),
        )

    def judge(self, tool: Tool, arguments: dict[str, Any], *, count_files: CountFiles) -> Judgement:
        """Return what happens to this call. A yes counts for exactly these arguments and for one call."""
        acts = acts_of(
            tool.name,
            arguments,
            is_effect=tool.is_effect,
            is_outward=bool(getattr(tool, "is_outward", False)),
            count_files=count_files,
        )
        facts = CallFacts(
            tool=tool.name,
            acts=tuple(acts),
            agent=self._agent,
            origin=self._origin,
            role=self._role,
            scope=self._scope,
        )
        decision, call_hash = self._core.decide(facts), hash_call(tool.name, arguments)
        if decision.effect != "ask":
            return Judgement(decision=decision, call_hash=call_hash)
        # Named by the call and by how often it was asked before, so that a resumed run finds the answer by the same name.
        step_id = f"ask-{call_hash[:16]}-{self._asked[call_hash] + 1}"
        verdict = self._verdicts.get(step_id)
        if verdict is not None and verdict.call_hash != call_hash:
            verdict = None
        return Judgement(decision=decision, call_hash=call_hash, step_id=step_id, verdict=verdict)

    def use(self, judgement: Judgement) -> None:
        """Note that the answer to this call is used up: the next one asks again."""
        self._asked[judgement.call_hash] += 1


def hash_call(tool: str, arguments: Mapping[str, Any]) -> str:
    """Return what names a call: tool and arguments, whatever their order; hex."""
    data = orjson.dumps([tool, arguments], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(data).hexdigest()
