"""How runs end when people, relays, Redis and other workers interfere."""

from __future__ import annotations

import asyncio
import shutil
import threading
import uuid
from dataclasses import replace
from typing import Any

import pytest

from tests.framework.agent_bench import Bench, MakeBench
from tests.framework.provider_double.script import Call, Fault, Say
from tests.framework.provider_double.server import ProviderDouble
from tests.framework.redis import RedisServer
from workers.agents import runner
from workers.events import (
    ChangeProposed,
    Heartbeat,
    RunFailed,
    RunFinished,
    RunInterrupted,
    RunStopped,
    RunSuspended,
    StepFinished,
    StepStarted,
)
from workers.queue import Job, cancel_run, suspend_run
from workers.reasoning import publisher

FILES = {"a.py": "import os\n\nx = 1\n"}


def coder_job(bench: Bench, double: ProviderDouble, goal: str = "say something") -> Job:
    model = {
        "provider": "openai",
        "model": "m",
        "base_url": double.base_url("openai"),
        "context_tokens": 32_000,
    }
    return bench.job(goal, agent="coder", model=model)


async def begun(bench: Bench, job: Job, title: str) -> None:
    """Wait until a step with this beginning of a title has begun."""
    await asyncio.to_thread(
        bench.relay.wait_for,
        lambda: any(s.title.startswith(title) for s in bench.relay.of(StepStarted, job.run_id)),
    )


async def test_a_person_stops_it_in_the_middle_of_an_answer(
    make_bench: MakeBench, provider_double: ProviderDouble, redis_server: RedisServer
) -> None:
    bench = make_bench(FILES)
    provider_double.say(Say("word " * 400, token_wait_s=0.05))
    job = coder_job(bench, provider_double)
    task = asyncio.create_task(bench.run(job))
    await begun(bench, job, "m, turn 1")
    while not provider_double.asked:  # the provider's client takes seconds to load at its first call
        await asyncio.sleep(0.01)
    loop = asyncio.get_running_loop()
    asked_at = loop.time()
    cancel_run(job.run_id, client=redis_server.client)
    assert await task == "stopped"
    assert loop.time() - asked_at < 1.5
    assert [event.note for event in bench.relay.of(RunStopped)] == [""]
    assert bench.relay.of(StepFinished)[-1].status == "cancelled"
    await asyncio.sleep(0.3)
    assert provider_double.gone == 1
    assert not list(bench.repository.worktrees_dir.iterdir())


async def test_a_person_stops_it_in_the_middle_of_a_command(
    make_bench: MakeBench, provider_double: ProviderDouble, redis_server: RedisServer
) -> None:
    bench = make_bench(FILES)
    provider_double.say(Say(calls=(Call("run_command", {"command": "sleep 50"}),)))
    job = coder_job(bench, provider_double)
    task = asyncio.create_task(bench.run(job))
    await begun(bench, job, "$ sleep 50")
    cancel_run(job.run_id, client=redis_server.client)
    async with asyncio.timeout(5):
        assert await task == "stopped"


async def test_what_a_stopped_run_had_changed_is_offered_unverified(
    make_bench: MakeBench, provider_double: ProviderDouble, redis_server: RedisServer
) -> None:
    bench = make_bench(FILES)
    provider_double.say(Say("I write.", calls=(Call("write_file", {"path": "b.py", "content": "y = 2\n"}),)))
    provider_double.say(Say(calls=(Call("run_command", {"command": "echo z > c.py; sleep 50"}),)))
    job = coder_job(bench, provider_double, "add b.py")
    task = asyncio.create_task(bench.run(job))
    await begun(bench, job, "$ echo z")
    cancel_run(job.run_id, client=redis_server.client)
    async with asyncio.timeout(5):
        assert await task == "stopped"
    (proposal,) = bench.relay.of(ChangeProposed)
    assert bench.read(proposal.commit, "b.py") == "y = 2\n"
    assert bench.repository.ref(f"refs/agent/{job.run_id}/1") == proposal.commit
    assert (
        bench.repository.bare.text("diff-tree", "-r", "--name-only", job.base_commit, proposal.commit)
        == "b.py"
    )
    assert proposal.summary.startswith("**Not finished.** A person stopped it.")
    assert "I write." in proposal.summary
    assert proposal.evidence == []
    assert bench.relay.of(RunStopped)[0].note == runner.OFFERED
    assert not list(bench.repository.worktrees_dir.iterdir())


async def test_half_an_answer_to_a_review_takes_no_revisions_place(
    make_bench: MakeBench, provider_double: ProviderDouble, redis_server: RedisServer
) -> None:
    bench = make_bench(FILES)
    provider_double.say(Say(calls=(Call("write_file", {"path": "b.py", "content": "y = 2\n"}),)))
    provider_double.say(Say(calls=(Call("run_command", {"command": "sleep 50"}),)))
    revision = {"change_set_id": 1, "revision": 1, "commit": bench.repository.head(), "comments": []}
    job = replace(coder_job(bench, provider_double, "add b.py"), revision_of=revision)
    task = asyncio.create_task(bench.run(job))
    await begun(bench, job, "$ sleep 50")
    cancel_run(job.run_id, client=redis_server.client)
    assert await task == "stopped"
    assert bench.relay.of(ChangeProposed) == []
    assert bench.relay.of(RunStopped)[0].note == runner.DROPPED


async def test_no_effect_begins_while_the_relay_is_deaf(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(FILES)
    provider_double.say(Say(calls=(Call("write_file", {"path": "b.py", "content": "y = 2\n"}),)))
    provider_double.say(Say(calls=(Call("finish", {"answer": "done"}),)))
    deaf = threading.Event()

    def go_deaf(asked: Any) -> None:
        bench.relay.deafen()
        deaf.set()

    job = coder_job(bench, provider_double)
    original = provider_double._next

    def next_reply(asked: Any) -> Any:
        if not deaf.is_set():
            go_deaf(asked)
        return original(asked)

    provider_double._next = next_reply  # type: ignore[method-assign]
    task = asyncio.create_task(bench.run(job))
    await asyncio.to_thread(deaf.wait, 10)
    await asyncio.sleep(1.0)
    worktree = bench.repository.worktrees_dir / job.run_id
    assert worktree.is_dir() and not (worktree / "b.py").exists()
    bench.relay.answers.set()
    assert await task == "finished"
    assert bench.read(bench.relay.of(ChangeProposed)[0].commit, "b.py") == "y = 2\n"


async def test_is_silent_when_another_worker_holds_it(make_bench: MakeBench) -> None:
    bench = make_bench(FILES)
    job = bench.job("")
    bench.relay.fences[job.run_id] = 2
    assert await bench.run(job) == "superseded"
    assert not bench.relay.events
    assert bench.repository.ref(f"refs/agent/{job.run_id}/1") is None


async def test_gives_up_when_the_relay_is_silent_for_too_long(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_bench(FILES)
    monkeypatch.setattr(publisher, "SETTLE_TIMEOUT_S", 0.3)
    bench.relay.deafen()
    run = runner.Runner(bench.job(""), client=bench.client, config=bench.config)
    run._publisher._settle_timeout_s = 0.5
    assert await run.run() == "unheard"
    assert not bench.repository.worktrees_dir.exists() or not list(bench.repository.worktrees_dir.iterdir())


async def test_goes_on_after_redis_was_killed_and_came_back(
    make_bench: MakeBench, provider_double: ProviderDouble, redis_server: RedisServer
) -> None:
    bench = make_bench(FILES)
    provider_double.say(
        Say(calls=(Call("write_file", {"path": "b.py", "content": "y = 2\n"}),)),
        Say("word " * 20, (Call("write_file", {"path": "c.py", "content": "z = 3\n"}),), token_wait_s=0.05),
        Say(calls=(Call("finish", {"answer": "done"}),)),
    )
    job = coder_job(bench, provider_double)
    task = asyncio.create_task(bench.run(job))
    await begun(bench, job, "m, turn 2")
    await asyncio.to_thread(redis_server.kill)
    await asyncio.sleep(0.5)
    await asyncio.to_thread(redis_server.start)
    assert await task == "finished"
    (proposal,) = bench.relay.of(ChangeProposed)
    assert bench.read(proposal.commit, "c.py") == "z = 3\n"
    assert [event.run_seq for event in bench.relay.events] == list(range(1, len(bench.relay.events) + 1))


async def test_hands_the_run_back_when_the_worker_shuts_down(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(FILES)
    provider_double.say(
        Say(calls=(Call("write_file", {"path": "b.py", "content": "y = 2\n"}),)),
        Say("slow", fault=Fault("hang")),
    )
    job = coder_job(bench, provider_double, "write b.py")
    flag = threading.Event()
    task = asyncio.create_task(bench.run(job, should_stop=flag.is_set))
    await begun(bench, job, "m, turn 2")
    flag.set()
    assert await task == "interrupted"
    await asyncio.to_thread(
        bench.relay.wait_for, lambda: any(isinstance(e, RunInterrupted) for e in bench.relay.news)
    )
    assert not bench.relay.of(RunFinished) and not bench.relay.of(RunFailed)
    started = {event.step_id for event in bench.relay.of(StepStarted)}
    finished = {event.step_id for event in bench.relay.of(StepFinished)}
    assert len(started - finished) == 1  # the step in flight stays open

    provider_double.say(Say(calls=(Call("finish", {"answer": "Made b.py."}),)))
    again = bench.resumed(job)
    before = len(provider_double.asked)
    assert await bench.run(again) == "finished"
    assert len(provider_double.asked) - before == 1  # turn 1 was not asked again
    roles = [message["role"] for message in provider_double.asked[-1].messages]
    assert roles == ["system", "user", "assistant", "tool"]
    writes = [event for event in bench.relay.of(StepStarted) if event.title == "Write b.py"]
    assert len(writes) == 1
    assert bench.read(bench.relay.of(ChangeProposed)[0].commit, "b.py") == "y = 2\n"


async def test_does_pending_calls_and_no_finished_one_after_a_crash(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    """At every point of a run: what had an effect and is finished is not done again, and the end is the same."""
    bench = make_bench(FILES)
    script = [
        Say(
            "two at once",
            (
                Call("write_file", {"path": "b.py", "content": "y = 2\n"}),
                Call("run_command", {"command": "echo z >> log.txt"}),
            ),
        ),
        Say("", (Call("run_command", {"command": "echo z >> log.txt"}),)),
        Say("", (Call("finish", {"answer": "done"}),)),
    ]

    def brain(asked: Any) -> Say:
        return script[sum(message["role"] == "assistant" for message in asked.messages)]

    provider_double.brain = brain
    job = coder_job(bench, provider_double, "write it")
    assert await bench.run(job) == "finished"
    history = bench.relay.history(job.run_id)
    whole = bench.relay.of(ChangeProposed)[0]
    assert bench.read(whole.commit, "log.txt") == "z\nz\n"
    for count in range(len(history)):
        again = replace(job, run_id=str(uuid.uuid4()), fence=2, history=history[:count])
        assert await bench.run(again) == "finished", count
        (proposal,) = bench.relay.of(ChangeProposed, again.run_id)
        assert bench.repository.tree_of(proposal.commit) == bench.repository.tree_of(whole.commit), count
        done = {event.step_id for event in bench.relay.of(StepStarted, again.run_id)}
        assert done.isdisjoint(step["step_id"] for step in history[:count])


async def test_says_its_answer_again_when_only_that_was_missing(make_bench: MakeBench) -> None:
    bench = make_bench(FILES)
    job = bench.job("")
    await bench.run(job)
    answer = bench.relay.of(RunFinished)[0].answer
    again = replace(job, run_id=str(uuid.uuid4()), fence=2, history=bench.relay.history(job.run_id))
    assert await bench.run(again) == "finished"
    assert bench.relay.of(RunFinished, again.run_id)[0].answer == answer
    assert not bench.relay.of(ChangeProposed, again.run_id)


async def test_beats_while_it_lives(
    make_bench: MakeBench, provider_double: ProviderDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_bench(FILES)
    monkeypatch.setattr(runner, "HEARTBEAT_S", 0.1)
    provider_double.say(Say("word " * 20, token_wait_s=0.05))
    await bench.run(coder_job(bench, provider_double))
    beats = [
        event for event in bench.relay.news if isinstance(event, Heartbeat) and event.tokens_per_s is not None
    ]
    assert len(beats) > 5
    assert any(beat.tokens_per_s > 0 for beat in beats)


async def test_fails_with_a_name_when_the_base_is_gone(make_bench: MakeBench) -> None:
    bench = make_bench(FILES)
    assert await bench.run(replace(bench.job(""), base_commit="0" * 40)) == "failed"
    assert bench.relay.of(RunFailed)[0].code == "unknown_revision"
    assert await bench.run(bench.job("", agent="nobody")) == "failed"
    assert bench.relay.of(RunFailed)[1].code == "unknown_agent"


async def test_shows_what_a_command_prints_while_it_runs(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(FILES)
    provider_double.say(
        Say(calls=(Call("run_command", {"command": "echo one; printf '\\033[31mtwo\\n'"}),)),
        Say(calls=(Call("finish", {"answer": "done"}),)),
    )
    job = coder_job(bench, provider_double)
    await bench.run(job)
    (step,) = [event for event in bench.relay.of(StepStarted) if event.kind == "command"]
    entries = await bench.client.xrange(f"pyagent:run:{job.run_id}:tokens")
    printed = [
        fields[b"text"].decode() for _, fields in entries if fields[b"step_id"].decode() == step.step_id
    ]
    assert "".join(printed) == "one\ntwo\n"


async def test_lets_go_when_it_is_asked_to_suspend_and_goes_on_elsewhere(
    make_bench: MakeBench, provider_double: ProviderDouble, redis_server: RedisServer
) -> None:
    bench = make_bench(FILES)
    provider_double.say(Say("word " * 400, token_wait_s=0.05))
    job = coder_job(bench, provider_double)
    task = asyncio.create_task(bench.run(job))
    await begun(bench, job, "m, turn 1")
    suspend_run(job.run_id, fence=job.fence + 1, client=redis_server.client)  # meant for a later attempt
    await asyncio.sleep(0.6)
    assert not task.done()
    asked_at = asyncio.get_running_loop().time()
    suspend_run(job.run_id, fence=job.fence, client=redis_server.client)
    assert await task == "suspended"
    assert asyncio.get_running_loop().time() - asked_at < 1.5
    assert [event.reason for event in bench.relay.of(RunSuspended)] == ["preempted"]
    (cut_off,) = [event for event in bench.relay.of(StepFinished) if event.status == "cancelled"]
    assert cut_off.detail["tokens"] == "estimated: the answer was cut off"
    assert cut_off.input_tokens > 100
    assert 5 <= cut_off.output_tokens < 400
    assert cut_off.cost_usd is None, "its price is unknown"
    provider_double.say(Say("all is well"))
    later = replace(
        job,
        fence=job.fence + 1,
        history=bench.relay.history(job.run_id),
        next_seq=bench.relay.next_seq(job.run_id),
    )
    assert await bench.run(later) == "finished"


async def test_a_resumed_run_cannot_spend_again_what_was_cut_off(
    make_bench: MakeBench, provider_double: ProviderDouble, redis_server: RedisServer
) -> None:
    """Trap: a run that was preempted often could spend its budget each time."""
    bench = make_bench(FILES)
    provider_double.say(Say("word " * 400, token_wait_s=0.05))
    job = replace(coder_job(bench, provider_double), budget={"steps": 9, "tokens": 4_000, "seconds": 60})
    task = asyncio.create_task(bench.run(job))
    await begun(bench, job, "m, turn 1")
    await asyncio.sleep(0.6)
    suspend_run(job.run_id, fence=job.fence, client=redis_server.client)
    assert await task == "suspended"
    (told, *_) = [event.calls for event in bench.relay.news if isinstance(event, Heartbeat) and event.calls]
    (cut_off,) = [event for event in bench.relay.of(StepFinished) if event.status == "cancelled"]
    assert told[cut_off.step_id]["input_tokens"] == cut_off.input_tokens, "told with its first word"
    used = {"input_tokens": 3_000, "output_tokens": 990, "cost_usd": None}
    later = replace(
        job,
        fence=2,
        history=bench.relay.history(job.run_id),
        next_seq=bench.relay.next_seq(job.run_id),
        cut_off=used,
    )
    asked_before = len(provider_double.asked)
    assert await bench.run(later) == "failed"
    assert len(provider_double.asked) == asked_before
    (failure,) = bench.relay.of(RunFailed)
    assert failure.code == "budget_exceeded"


async def test_a_connection_that_breaks_in_mid_answer_has_cost_what_it_said(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    bench = make_bench(FILES)
    provider_double.say(Say("word " * 400, fault=Fault("cut")), Say("all is well"))
    assert await bench.run(coder_job(bench, provider_double)) == "finished"
    (broken,) = [event for event in bench.relay.of(StepFinished) if event.status == "failed"]
    assert broken.input_tokens > 100 and broken.output_tokens > 10
    assert broken.detail["tokens"] == "estimated: the answer was cut off"


async def test_an_effect_that_has_begun_is_done_before_the_run_lets_go_and_is_not_done_again(
    make_bench: MakeBench, provider_double: ProviderDouble, redis_server: RedisServer
) -> None:
    bench = make_bench(FILES)
    command = "echo once >> log.txt; sleep 1.5; echo twice >> log.txt"
    provider_double.say(
        Say(calls=(Call("run_command", {"command": command}), Call("run_command", {"command": "rm a.py"})))
    )
    job = coder_job(bench, provider_double, "write the log")
    task = asyncio.create_task(bench.run(job))
    await begun(bench, job, "$ echo once")
    suspend_run(job.run_id, fence=job.fence, client=redis_server.client)
    assert await task == "suspended"
    finished = [step for step in bench.relay.history(job.run_id) if step["kind"] == "command"]
    assert [step["status"] for step in finished] == ["ok"], "the second command has not begun"
    provider_double.say(Say(calls=(Call("finish", {"answer": "done"}),)))
    assert await bench.run(bench.resumed(job)) == "finished"
    (change,) = bench.relay.of(ChangeProposed)
    assert bench.read(change.commit, "log.txt") == "once\ntwice\n"
    started = [event.title for event in bench.relay.of(StepStarted) if event.kind == "command"]
    assert len(started) == len(set(started)) == 2


async def test_what_was_written_before_a_suspension_is_there_on_the_next_worker(
    make_bench: MakeBench, provider_double: ProviderDouble, redis_server: RedisServer
) -> None:
    bench = make_bench(FILES)
    provider_double.say(
        Say(calls=(Call("write_file", {"path": "b.py", "content": "y = 2\n"}),)),
        Say("word " * 400, token_wait_s=0.05),
    )
    job = coder_job(bench, provider_double, "write b.py")
    task = asyncio.create_task(bench.run(job))
    await begun(bench, job, "m, turn 2")
    suspend_run(job.run_id, fence=job.fence, client=redis_server.client)
    assert await task == "suspended"
    shutil.rmtree(bench.repository.worktrees_dir)  # another machine has none of these files
    provider_double.say(Say(calls=(Call("finish", {"answer": "done"}),)))
    later = bench.resumed(job)
    assert await bench.run(later) == "finished"
    (change,) = bench.relay.of(ChangeProposed)
    assert bench.read(change.commit, "b.py") == "y = 2\n"
    asked = [event for event in bench.relay.of(StepFinished) if event.detail.get("finish_reason")]
    spent = sum(event.input_tokens + event.output_tokens for event in asked if event.status == "ok")
    told = sum(step["input_tokens"] + step["output_tokens"] for step in bench.relay.history(job.run_id))
    assert spent == told, "no finished step is billed twice"


async def test_asks_for_its_models_key_only_once_its_row_says_that_it_runs(
    make_bench: MakeBench, provider_double: ProviderDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relay that was killed writes the start late; the key would be refused, and the run fail, meanwhile."""
    bench = make_bench(FILES)
    provider_double.say(Say("hello"))
    asked = asyncio.Event()
    real = runner.open_models

    async def noting(*args: Any, **fields: Any) -> Any:
        asked.set()
        return await real(*args, **fields)

    monkeypatch.setattr(runner, "open_models", noting)
    bench.relay.deafen()
    task = asyncio.create_task(bench.run(coder_job(bench, provider_double)))
    await asyncio.sleep(1.0)
    assert not asked.is_set()
    bench.relay.answers.set()
    assert await task == "finished"
    assert asked.is_set()
