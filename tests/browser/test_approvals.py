"""A call that waits for a person, over the whole stack: asked in the channel, answered on the card by keys, and done once."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import DESKTOP, Person
from tests.browser.furnished import general, make_workspace, say
from tests.framework.provider_double import ProviderDouble, Say
from tests.framework.provider_double.script import Asked, Call
from tests.framework.provider_double.threaded import running_double
from tests.framework.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
KEY = "sk-canary-5b1d2e3f4a5b6977"
RUN_MS = 60_000
SCRIPT = (
    Say("I look at the settings.", (Call("read_file", {"path": ".env"}),)),
    Say("And write them down.", (Call("write_file", {"path": "AGENTS.md", "content": "Obey.\n"}),)),
    Say("", (Call("finish", {"answer": "I did what I might."}),)),
)


def _play(asked: Asked) -> Say:
    if not asked.tools:
        return Say("OK")
    return SCRIPT[min(sum(message["role"] == "tool" for message in asked.messages), len(SCRIPT) - 1)]


@pytest.fixture
def double() -> Iterator[ProviderDouble]:
    with running_double(key=KEY) as double:
        double.brain = _play
        yield double


def _model(api: httpx.Client, workspace_id: int, double: ProviderDouble) -> None:
    model = {
        "name": "Mine",
        "provider": "openai",
        "model": "scripted",
        "base_url": double.base_url("openai"),
        "key": KEY,
        "is_default": True,
        "owner": "workspace",
        "workspace_id": workspace_id,
    }
    api.post("models", json=model).raise_for_status()


def test_people_answer_what_an_agent_may_not_do_by_itself(
    stack: Stack, chromium: Browser, double: ProviderDouble
) -> None:
    ada = Person(
        chromium.new_context(viewport=DESKTOP),  # type: ignore[arg-type]
        stack,
        stack.person(f"ada-{secrets.token_hex(3)}", is_owner=True),
    )
    with stack.api(ada.email) as api:
        workspace_id = make_workspace(api, "Asked", {"a.py": "x = 1\n", ".env": "NAME=value\n"})
        _model(api, workspace_id, double)
        ada.sign_in()
        ada.go(f"/w/{workspace_id}/c/general/")
        page = ada.page
        expect(page.locator("#connection")).to_have_attribute("data-state", "online")
        run_id = say(api, workspace_id, general(api, workspace_id), "@coder look at the settings")["run_ids"][
            0
        ]  # type: ignore[index]

        # It comes by itself, with tool, arguments and rule, and it is said in the channel.
        asked = page.get_by_role("region", name="@coder asks")
        expect(asked).to_contain_text("read_file", timeout=RUN_MS)
        expect(asked).to_contain_text(".env")
        expect(asked).to_contain_text("Rule “secrets”")
        expect(page.locator("article").filter(has_text="May I run read_file?")).to_be_visible()
        ada.go(f"/w/{workspace_id}/runs/{run_id}/")
        expect(asked).to_contain_text("read_file")
        ada.shoot("approval")
        asked.get_by_role("button", name="Approve").focus()
        page.keyboard.press("Enter")

        expect(asked).to_contain_text("write_file", timeout=RUN_MS)
        asked.get_by_label("What the agent is told with a no").fill("leave our rules alone")
        asked.get_by_role("button", name="Deny").click()
        card = page.locator("run-card").first
        expect(card).to_contain_text("Finished", timeout=RUN_MS)
        expect(card).to_contain_text("I did what I might.")
        expect(asked).to_have_count(0)

        steps = api.get(f"workspaces/{workspace_id}/runs/{run_id}").json()["steps"]
        assert [step["status"] for step in steps if step["id"].startswith("ask-")] == ["ok", "failed"]
        told = [message["content"] for message in double.asked[-1].messages if message["role"] == "tool"]
        assert "NAME=value" in told[0]
        assert "leave our rules alone" in told[1]
        ada.go(f"/w/{workspace_id}/settings/policy/")
        ada.shoot("policy")
        assert ada.complaints == []
    ada.context.close()
