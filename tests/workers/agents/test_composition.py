"""An agent is composed: each mixin brings one ability, and without it that ability is gone. Nothing in it is complicated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.framework.agent_bench import Bench, MakeBench
from tests.framework.provider_double.script import Asked, Call, Say
from tests.framework.provider_double.server import ProviderDouble
from workers.agents.mixins.governance import GovernanceMixin
from workers.agents.mixins.identity import IdentityMixin
from workers.agents.mixins.knowledge import KnowledgeMixin
from workers.agents.mixins.multimodal import MultimodalMixin
from workers.agents.mixins.orchestration import OrchestrationMixin
from workers.agents.mixins.persistence import PersistenceMixin
from workers.agents.mixins.reflection import ReflectionMixin
from workers.agents.toolloop.agent import ToolLoopAgent
from workers.codehealth.auditor import CodeHealthAuditor
from workers.events import ApprovalAsked, ChangeProposed, StepFinished
from workers.queue import Job

ROOT = Path(__file__).parents[3]
MAX_COMPLEXITY = 15
PNG = b"\x89PNG\r\n\x1a\n"
FILES = {"a.py": "x = 1\n", ".env": "KEY=1\n", "docs/login.md": "People prove who they are with a passkey.\n"}
FINISH = Say(calls=(Call("finish", {"answer": "Done."}),))
WRITE = Say(calls=(Call("write_file", {"path": "b.py", "content": "y = 2\n"}),))
TOOLS = ["recall", "read_file", "write_file"]
Scenario = Callable[[Bench, ProviderDouble], Awaitable[None]]


def _job(bench: Bench, double: ProviderDouble, **fields: Any) -> Job:
    model = {
        "provider": "openai",
        "model": "m",
        "base_url": double.base_url("openai"),
        "context_tokens": 32_000,
    }
    definition = {
        "name": "all",
        "version": 3,
        "description": "All.",
        "instructions": "Do it.",
        "tools": TOOLS,
    }
    return bench.job(
        "do it", agent="all", model=model, definition=definition, policy={"role": "member"}, **fields
    )


def _script(
    double: ProviderDouble, *script: Say, critiques: tuple[Say, ...] = (Say("CONFIRM"),)
) -> list[Asked]:
    looked: list[Asked] = []

    def brain(asked: Asked) -> Say:
        if not asked.tools:
            looked.append(asked)
            return critiques[min(len(looked), len(critiques)) - 1]
        return script[min(sum(message["role"] == "tool" for message in asked.messages), len(script) - 1)]

    double.brain = brain
    return looked


async def _says_who_it_is(bench: Bench, double: ProviderDouble) -> None:
    _script(double, FINISH)
    assert await bench.run(_job(bench, double)) == "finished"
    first = bench.relay.of(StepFinished)[0].detail
    assert (first["agent"], first["version"], first["model"]) == ("all", "3", "m")
    assert "governance" in first["abilities"]


async def _does_what_it_is_asked(bench: Bench, double: ProviderDouble) -> None:
    _script(double, WRITE, FINISH)
    assert await bench.run(_job(bench, double)) == "finished"
    assert bench.read(bench.relay.of(ChangeProposed)[0].commit, "b.py") == "y = 2\n"


async def _goes_on_where_it_was(bench: Bench, double: ProviderDouble) -> None:
    _script(double, WRITE, FINISH)
    job = _job(bench, double)
    assert await bench.run(job) == "finished"
    history = bench.relay.history(job.run_id)
    written = next(at for at, step in enumerate(history) if step["title"] == "Write b.py")
    before = len(double.asked)
    again = bench.resumed(job, steps=written + 1)
    assert await bench.run(again) == "finished"
    asked = [one for one in double.asked[before:] if one.tools]
    assert len(asked) == 1  # the turn that wrote is not asked for again
    assert bench.read(bench.relay.of(ChangeProposed)[-1].commit, "b.py") == "y = 2\n"


async def _asks_before_what_is_dangerous(bench: Bench, double: ProviderDouble) -> None:
    _script(double, Say(calls=(Call("read_file", {"path": ".env"}),)), FINISH)
    assert await bench.run(_job(bench, double)) == "suspended"
    assert [event.rule for event in bench.relay.of(ApprovalAsked)] == ["secrets"]


async def _looks_at_its_work(bench: Bench, double: ProviderDouble) -> None:
    mend = Say(calls=(Call("write_file", {"path": "b.py", "content": "y = 3\n"}),))
    _script(double, WRITE, FINISH, mend, FINISH, critiques=(Say("AGAIN: y must be 3."), Say("CONFIRM")))
    assert await bench.run(_job(bench, double)) == "finished"
    assert bench.read(bench.relay.of(ChangeProposed)[0].commit, "b.py") == "y = 3\n"


async def _knows_by_meaning(bench: Bench, double: ProviderDouble) -> None:
    _script(double, Say(calls=(Call("recall", {"question": "how do users authenticate?"}),)), FINISH)
    assert await bench.run(_job(bench, double)) == "finished"
    assert any("docs/login.md:1" in message["content"] for message in double.asked[-1].messages)


async def _takes_what_comes_with_the_goal(bench: Bench, double: ProviderDouble) -> None:
    _script(double, FINISH)
    given = [{"path": "a.py", "media_type": "text/plain"}, {"path": "gone.png", "media_type": "image/png"}]
    assert await bench.run(_job(bench, double, attachments=given)) == "finished"
    opening = next(message["content"] for message in double.asked[0].messages if message["role"] == "user")
    assert "Attached file a.py:\nx = 1" in opening
    assert "gone.png is not shown" in opening


ABILITIES: list[tuple[type, Scenario]] = [
    (IdentityMixin, _says_who_it_is),
    (OrchestrationMixin, _does_what_it_is_asked),
    (PersistenceMixin, _goes_on_where_it_was),
    (GovernanceMixin, _asks_before_what_is_dangerous),
    (ReflectionMixin, _looks_at_its_work),
    (KnowledgeMixin, _knows_by_meaning),
    (MultimodalMixin, _takes_what_comes_with_the_goal),
]


@pytest.mark.parametrize(("mixin", "scenario"), ABILITIES, ids=[mixin.__name__ for mixin, _ in ABILITIES])
@pytest.mark.parametrize("is_there", [True, False], ids=["with", "without"])
async def test_an_ability_goes_with_its_mixin(
    mixin: type,
    scenario: Scenario,
    is_there: bool,
    make_bench: MakeBench,
    provider_double: ProviderDouble,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = make_bench(FILES)
    if is_there:
        await scenario(bench, provider_double)
        return
    # What the mixin defines is taken out of it, so that the class behaves as one composed without it.
    for name in [name for name, value in vars(mixin).items() if callable(value) and name != "__init__"]:
        monkeypatch.delattr(mixin, name)
    with pytest.raises(AssertionError):
        await scenario(bench, provider_double)


def test_each_mixin_states_its_contract_and_the_loop_is_composed_of_all() -> None:
    for mixin, _ in ABILITIES:
        assert mixin in ToolLoopAgent.__mro__
        assert "xpect" in (mixin.__doc__ or ""), f"{mixin.__name__} does not say what it expects of the class"
    assert len(ABILITIES) == sum(kind.__name__.endswith("Mixin") for kind in ToolLoopAgent.__mro__)


def test_no_function_and_no_class_is_complicated() -> None:
    """Measured by our own auditor: cyclomatic complexity of functions, radon's (the methods' mean and one) of classes."""
    paths = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "workers" / "agents").rglob("*.py"))
    over: list[str] = []
    for audit in CodeHealthAuditor().audit_files(ROOT, paths):
        classes: dict[str, list[int]] = defaultdict(list)
        for function in audit.functions:
            if function.cyclomatic > MAX_COMPLEXITY:
                over.append(f"{audit.path}:{function.line} {function.qualname}: {function.cyclomatic}")
            if function.kind == "method":
                classes[function.qualname.rpartition(".")[0]].append(function.complexity_radon or 0)
        for name, methods in classes.items():
            if sum(methods) / len(methods) + 1 > MAX_COMPLEXITY:
                over.append(f"{audit.path} {name}: {sum(methods) / len(methods) + 1:.1f}")
    assert len(paths) > 40
    assert over == []
