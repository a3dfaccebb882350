"""The one door to knowledge: by meaning and by ties, with a scope, and as tools over the real runner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.framework.agent_bench import Bench, MakeBench
from tests.framework.provider_double.script import Call, Say
from tests.framework.provider_double.server import ProviderDouble
from workers.agents.knowledge.stores import EmptyScope, JobStore, MeaningStore, Scope, Store, TiesStore
from workers.changes.files import WorkspaceFiles
from workers.events import RunFailed
from workers.queue import Job

DOCS = {
    "docs/money.md": "# Money\n\nPrices are kept in cents, so that no rounding loses a penny.\n",
    "docs/login.md": "# Signing in\n\nPeople prove who they are with a passkey or a password.\n",
    "shop/cart.py": 'def add_item(cart, item):\n    """Put an article into the basket."""\n    cart.append(item)\n',
    "shop/page.py": "from shop.cart import add_item\n\n\ndef buy(item):\n    add_item([], item)\n",
}


@pytest.fixture
def files(tmp_path: Path) -> WorkspaceFiles:
    for path, text in DOCS.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    return WorkspaceFiles(tmp_path)


def _job(**fields: Any) -> Job:
    return Job(run_id="r", fence=1, workspace_id=1, agent="a", goal="g", base_commit="", model={}, **fields)


@pytest.mark.parametrize(
    ("question", "where"),
    [
        ("how do users authenticate?", "docs/login.md:3"),
        ("which unit does currency have?", "docs/money.md:3"),
        ("where does a product get into the shopping trolley", "shop/cart.py:1"),
    ],
)
def test_finds_by_meaning_what_shares_no_word(files: WorkspaceFiles, question: str, where: str) -> None:
    found = MeaningStore(files, 1).know(question, scope=Scope(frozenset((1,))), limit=3)
    assert found[0].where == where


def test_an_empty_scope_and_another_workspaces_are_errors(files: WorkspaceFiles) -> None:
    with pytest.raises(EmptyScope):
        Scope(frozenset())
    stores: list[Store] = [JobStore(_job()), MeaningStore(files, 1), TiesStore(files, 1)]
    for store in stores:
        with pytest.raises(EmptyScope, match="outside of the scope"):
            store.know("anything", scope=Scope(frozenset((2,))), limit=3)


def _defined(bench: Bench, double: ProviderDouble, **fields: Any) -> Job:
    model = {
        "provider": "openai",
        "model": "m",
        "base_url": double.base_url("openai"),
        "context_tokens": 32_000,
    }
    definition = {
        "name": "knower",
        "version": 1,
        "description": "Knows.",
        "instructions": "Answer.",
        "tools": ["recall", "find_related"],
    }
    return bench.job("what do we know?", agent="knower", model=model, definition=definition, **fields)


async def test_an_agent_asks_by_tools(make_bench: MakeBench, provider_double: ProviderDouble) -> None:
    bench = make_bench(DOCS)
    calls = (
        Call("recall", {"question": "how do users authenticate?"}),
        Call("find_related", {"name": "add_item"}),
    )
    provider_double.say(Say(calls=calls), Say("Now I know."))
    lessons = [{"id": 4, "pattern": "users", "cause": "", "solution": "authenticate users by passkey"}]
    assert await bench.run(_defined(bench, provider_double, lessons=lessons)) == "finished"
    recalled, related = [m["content"] for m in provider_double.asked[-1].messages if m["role"] == "tool"]
    assert "[semantic] docs/login.md:3" in recalled
    assert "[structured] lesson 4" in recalled
    assert "[relational] shop/page.py:5\ncalls add_item" in related


async def test_a_run_that_may_read_nothing_knows_nothing(
    make_bench: MakeBench, provider_double: ProviderDouble
) -> None:
    from workers.agents.lineage import CascadeContext

    bench = make_bench(DOCS)
    provider_double.say(Say(calls=(Call("recall", {"question": "who?"}),)), Say("Nothing."))
    job = _defined(bench, provider_double)
    lineage = CascadeContext.of_job(job).to_dict() | {"scope": ["write"]}
    assert await bench.run(_defined(bench, provider_double, lineage=lineage)) == "finished"
    (told,) = [m["content"] for m in provider_double.asked[-1].messages if m["role"] == "tool"]
    assert "login" not in told
    assert not bench.relay.of(RunFailed)
