"""The life of one run in this process: from its first event to its last, whatever happens in between.

A run leaves in one of six ways: finished, failed, stopped by a person, suspended (its slot is wanted, or it waits
for others), taken away (another worker holds it: silence), or handed back (this worker shuts down: a hint, and
the lease finds it). The first four are told, and the task does not return before the relay has committed that,
or has been silent for too long.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Literal

from redis.asyncio import Redis
from redis.exceptions import RedisError

from workers.agents.base import BaseAgent, RunState
from workers.agents.budget import Spending
from workers.agents.claims import CLAIM_TTL_S, claim_value
from workers.agents.guarding import GuardedProvider, SecretGuard
from workers.agents.lineage import CascadeContext
from workers.agents.models import label_of, open_models
from workers.agents.registry import entry_of, open_agent
from workers.agents.steering import Steering
from workers.agents.workplace import Workplace
from workers.codehealth.patterns import Rule, pattern_set
from workers.config import Config
from workers.errors import PyAgentError, RelaySilent, RunSuperseded, RunSuspends
from workers.events import (
    Heartbeat,
    RunFailed,
    RunFinished,
    RunInterrupted,
    RunStarted,
    RunStopped,
    RunSuspended,
    cancel_key,
    claim_key,
    suspend_key,
)
from workers.providers.base import Provider
from workers.providers.types import ModelChoice
from workers.queue import Job
from workers.queue.reporting import report
from workers.queue.request import request_of
from workers.reasoning.ending import end_tasks
from workers.reasoning.publisher import EventPublisher
from workers.reasoning.tokens import TokenStream
from workers.reasoning.tree import StepRecorder
from workers.telemetry.logging import get_logger
from workers.telemetry.tracing import RunFacts, RunSpans

log = get_logger(__name__)
HEARTBEAT_S = 3.0
POLL_S = 0.25
END_TIMEOUT_S = 60.0
CANCEL_AGAIN_S = 5.0
EFFECT_PATIENCE_S = 20.0
"""How long a run that is asked to suspend may take to end an effect; a longer one is cut off, as by a crash."""
OFFERED = "What it had changed so far is offered for review; it is not finished."
DROPPED = "What it had changed was dropped: the revision that it was to answer stays as it is."
NOT_KEPT = "What it had changed could not be offered; the worker's log says why."

Ending = Literal["finished", "failed", "stopped", "suspended", "superseded", "interrupted", "unheard"]
_Reason = Literal["stopped", "suspended", "superseded", "interrupted"]


class Runner:
    """Runs one job. `should_stop` says whether this process is being shut down."""

    def __init__(
        self, job: Job, *, client: Redis, config: Config, should_stop: Callable[[], bool] = lambda: False
    ) -> None:
        self.job = job
        self.request = request_of(job)
        """What the fleet knows of the job."""
        self.comes_back = ""
        """Why the run is to go on later, once it has let go of its slot; empty when it has ended."""
        self._client = client
        self._config = config
        self._should_stop = should_stop
        self._reason: _Reason | None = None
        self._workplace: Workplace | None = None
        self._work_at_hand: tuple[BaseAgent, RunState] | None = None
        self._publisher = EventPublisher(client, run_id=job.run_id, fence=job.fence, next_seq=job.next_seq)
        self._spans = RunSpans(_facts_of(job))
        self._recorder = StepRecorder(
            self._publisher, finished_ids=[step["step_id"] for step in job.history], spans=self._spans
        )
        self._tokens = TokenStream(client, job.run_id)
        self._steering = Steering(job, client=client, publisher=self._publisher, recorder=self._recorder)

    async def run(self) -> Ending:
        """Run the job to its end and say which it was."""
        async with self._publisher, self._tokens:
            await self._tell_fleet()  # before a first run in this process loads its model's client
            beats = asyncio.create_task(self._beat())
            ending: Ending = "unheard"
            try:
                ending = await self._conclude(await self._run_watched())
                await end_tasks(beats)
                if not self.request.needs_gpu:
                    # What is left to do takes a moment, in which the leader sends the next job on its way.
                    await self.leave()
                return ending
            finally:
                self._spans.close(ending)
                await end_tasks(beats)
                if self._workplace is not None and not self._recorder.leaves_open:
                    await asyncio.to_thread(self._workplace.remove)

    async def _run_watched(self) -> Ending:
        work = asyncio.create_task(self._work())
        watch = asyncio.create_task(self._watch(work))
        try:
            answer = await work
        except asyncio.CancelledError:
            if self._reason is None:
                raise
            self.comes_back = "" if self._reason == "stopped" else self._reason
            if self._reason == "suspended":
                self._publisher.publish(RunSuspended, reason="preempted")
            return self._reason
        except RunSuspends as wish:
            self._recorder.leaves_open = True
            self.comes_back = wish.reason
            # Before the run can be rung for again: the leader is to know why it let go.
            await self._tell_fleet()
            self._publisher.publish(
                RunSuspended, reason=wish.reason, waits_for=wish.waits_for, waits_any=wish.waits_any
            )
            return "suspended"
        except RunSuperseded:
            return "superseded"
        except RelaySilent as error:
            log.error("the relay does not answer", run_id=self.job.run_id, **error.facts)
            return "unheard"
        except Exception as error:
            self._tell_failure(error)
            return "failed"
        finally:
            await end_tasks(watch)
        self._publisher.publish(RunFinished, answer=answer)
        return "finished"

    async def _work(self) -> str:
        job = self.job
        entry = entry_of(job)
        choice = ModelChoice.from_dict(job.model) if entry.needs_model else None
        self._publisher.publish(RunStarted, worker=worker_name(), model=label_of(choice))
        provider: Provider | None = None
        spending = Spending.resume(job.budget, job.history, job.cut_off)
        guard = SecretGuard(pattern_set(tuple(Rule.from_dict(rule) for rule in job.rules)))
        try:
            # Making the worktree is the first effect; and a key is handed out only for a run whose row says that it runs, which
            # takes a while when the relay was killed.
            await self._publisher.settle()
            if choice is not None:
                models = await open_models(
                    job, config=self._config, client=self._client, recorder=self._recorder, spending=spending
                )
                provider = GuardedProvider(models, guard)
            root = self._config.workspace_root(job.workspace_id)
            self._workplace = await asyncio.to_thread(Workplace.open, root, job)
            state = RunState(
                job=job,
                publisher=self._publisher,
                recorder=self._recorder,
                tokens=self._tokens,
                workplace=self._workplace,
                provider=provider,
                guard=guard,
                spending=spending,
                lineage=CascadeContext.of_job(job),
                steering=self._steering,
            )
            agent = open_agent(job)
            self._work_at_hand = agent, state
            return await agent.run(state)
        finally:
            if provider is not None:
                await provider.aclose()

    def _tell_failure(self, error: Exception) -> None:
        if isinstance(error, PyAgentError):
            log.warning("the run failed", run_id=self.job.run_id, code=error.code, reason=str(error))
            self._publisher.publish(RunFailed, code=error.code, message=str(error), retryable=error.retryable)
            return
        log.error("the run broke", run_id=self.job.run_id, exc_info=error)
        message = (
            f"Something broke in PyAgent itself ({type(error).__name__}); the worker's log has the details."
        )
        self._publisher.publish(RunFailed, code="internal_error", message=message, retryable=True)

    async def _watch(self, work: asyncio.Task[str]) -> None:
        while not work.done():
            self._reason = await self._reason_to_stop()
            if self._reason is not None:
                if self._reason == "suspended":
                    await self._recorder.close(within_s=EFFECT_PATIENCE_S)
                self._recorder.leaves_open = self._reason != "stopped"
                while not work.done():  # a library on the way may swallow one cancellation
                    work.cancel()
                    await asyncio.wait({work}, timeout=CANCEL_AGAIN_S)
                return
            try:
                async with asyncio.timeout(POLL_S):
                    await self._publisher.superseded.wait()
            except TimeoutError:
                pass

    async def _reason_to_stop(self) -> _Reason | None:
        if self._publisher.superseded.is_set():
            return "superseded"
        if self._should_stop():
            return "interrupted"
        try:
            asked = await self._client.mget(cancel_key(self.job.run_id), suspend_key(self.job.run_id))
            if asked[0] is not None:
                return "stopped"
            if asked[1] == str(self.job.fence).encode():
                return "suspended"
            await self._steering.hear()
            return None
        except (RedisError, OSError, TimeoutError):
            return None  # Redis is away: nobody can ask for anything now

    async def leave(self) -> None:
        """Give the slot back; told twice it does no harm."""
        await report(self._client, "left", self.request, worker=worker_name(), reason=self.comes_back)

    async def _tell_fleet(self, *, tokens_per_s: float = 0.0) -> None:
        await report(
            self._client,
            "beat",
            self.request,
            worker=worker_name(),
            tokens_per_s=tokens_per_s,
            reason=self.comes_back,
        )

    async def _beat(self) -> None:
        before = 0
        while True:
            count, before = self._tokens.count - before, self._tokens.count
            speed = round(count / HEARTBEAT_S, 1)
            await self._tell_fleet(tokens_per_s=speed)
            await self._publisher.announce(
                Heartbeat, tokens_per_s=speed, calls=self._recorder.calls_at_work()
            )
            try:
                await self._client.set(
                    claim_key(self.job.run_id), claim_value(self.job.fence), ex=CLAIM_TTL_S
                )
            except (RedisError, OSError, TimeoutError):
                pass  # the lease is in the database; the claim only tells other deliveries of the same ring
            await asyncio.sleep(HEARTBEAT_S)

    async def _conclude(self, ending: Ending) -> Ending:
        if ending == "interrupted":
            await self._publisher.announce(RunInterrupted, reason="the worker is shutting down")
            return ending
        if ending in ("superseded", "unheard"):
            return ending
        try:
            if ending == "stopped":
                self._publisher.publish(RunStopped, note=await self._keep_unfinished())
            await self._publisher.settle(timeout_s=END_TIMEOUT_S)
        except RunSuperseded:
            return "superseded"
        except RelaySilent as error:
            log.error("nobody has heard the run's end", run_id=self.job.run_id, **error.facts)
            return "unheard"
        return ending

    async def _keep_unfinished(self) -> str:
        """Offer what a stopped run had changed, and say what became of it.

        An answer to a review is no offer of its own: half of it would take the place of the revision under review.

        Raises:
            RunSuperseded, RelaySilent: as everything that waits for the relay.
        """
        if self._work_at_hand is None:
            return ""
        agent, state = self._work_at_hand
        try:
            if self.job.revision_of is not None:
                has_changed = await asyncio.to_thread(lambda: state.workplace.has_offer)
                return DROPPED if has_changed and not agent.has_proposed else ""
            async with asyncio.timeout(END_TIMEOUT_S):
                return OFFERED if await agent.offer_unfinished(state, "A person stopped it.") else ""
        except (RunSuperseded, RelaySilent):
            raise
        except Exception as error:  # the run is stopped all the same
            log.error("unfinished work was not offered", run_id=self.job.run_id, exc_info=error)
            return NOT_KEPT


def _facts_of(job: Job) -> RunFacts:
    lineage = job.lineage
    parent = (lineage["parent_run_id"], lineage["parent_step"]) if lineage.get("parent_run_id") else None
    return RunFacts(
        run_id=job.run_id,
        fence=job.fence,
        agent=job.agent,
        workspace_id=job.workspace_id,
        root_run_id=lineage.get("root_run_id", ""),
        parent=parent,
        provider=str(job.model.get("provider", "")),
        model=str(job.model.get("model", "")),
    )


def worker_name() -> str:
    """Return which process this is: host and pid."""
    return f"{socket.gethostname()}:{os.getpid()}"
