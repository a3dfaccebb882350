from __future__ import annotations

import time

import pytest
from django.urls import reverse

from tests.framework.stack import free_port
from webapp import vault
from webapp.agents import embedded
from webapp.agents.models import ModelProfile, Run, Step
from workers import events as engine
from workers.config import get_config
from workers.providers.anthropic import AnthropicProvider
from workers.providers.ollama import OllamaProvider
from workers.providers.openai_compatible import OpenAICompatibleProvider

pytestmark = pytest.mark.django_db(transaction=True)
CANARY = "sk-canary-4f1d2c3b5a697887"
HOSTILE = "<img src=x onerror=alert(1)>\x1b[2J\u202e"
READING = ("run", "run_state", "run_card", "run_row")


def url(name, run, *rest):
    return reverse(name, args=[run.workspace_id, run.pk, *rest])


@pytest.mark.parametrize("name", READING)
def test_shows_a_run_to_members_and_hides_it_from_everybody_else(run, people, browser, name):
    assert browser(people.viewer).get(url(name, run)).status_code == 200
    for other in (people.stranger, people.boss):
        assert browser(other).get(url(name, run)).status_code == 404
    assert browser(None).get(url(name, run)).status_code == 302


def test_hides_steps_from_strangers(worker, people, browser):
    worker.step("s1", detail={"output": "inside"})
    address = url("run_step", worker.run, "s1")
    assert b"inside" in browser(people.viewer).get(address).content
    reply = browser(people.stranger).get(address)
    assert reply.status_code == 404
    assert b"inside" not in reply.content
    assert browser(people.viewer).get(url("run_step", worker.run, "s9")).status_code == 404


def test_shows_the_whole_tree_without_scripts(worker, people, browser):
    worker.step("s1", "plan", detail={})
    worker.step("s2", "command", parent="s1", status="failed")
    page = browser(people.viewer).get(url("run", worker.run)).content.decode()
    assert page.index("Step s1") < page.index("Step s2")
    assert "Running" in page


def test_shows_what_agents_write_as_text(worker, people, browser):
    worker.say(engine.StepStarted, step_id="s1", parent_id=None, kind="command", title=HOSTILE)
    worker.say(
        engine.StepFinished,
        step_id="s1",
        status="ok",
        duration_ms=1,
        detail={"output": HOSTILE, HOSTILE: HOSTILE},
    )
    worker.say(engine.RunFailed, code="x", message=HOSTILE, retryable=False)
    Run.objects.filter(pk=worker.run.pk).update(goal=HOSTILE, answer=HOSTILE, model_label=HOSTILE)
    client = browser(people.viewer)
    addresses = [url(name, worker.run) for name in READING] + [url("run_step", worker.run, "s1")]
    addresses.append(reverse("workspace_runs", args=[worker.run.workspace_id]))
    for address in addresses:
        reply = client.get(address)
        text = reply.content.decode()
        if reply["Content-Type"].startswith("text/html"):
            assert "<img src=x" not in text, address
        assert "\x1b" not in text, address


def test_bounds_a_step_of_ten_megabytes(worker, people, browser):
    worker.step("s1", "command", detail={"output": "x" * 10_000_000})
    reply = browser(people.viewer).get(
        url("run_step", worker.run, "s1"), headers={"X-Requested-With": "run-card"}
    )
    assert len(reply.content) < 200_000
    assert b"left out" in reply.content


def test_says_unknown_price_and_never_nothing_for_unknown(worker, people, browser):
    worker.step("s1", "model_call", input_tokens=10, output_tokens=5, cost_usd=None)
    page = browser(people.viewer).get(url("run", worker.run)).content.decode()
    assert "unknown price" in page
    assert "$0" not in page


def test_says_why_a_run_failed_and_what_to_do(worker, people, browser):
    worker.say(
        engine.RunFailed,
        code="provider_auth_failed",
        message="The provider does not accept the key",
        retryable=False,
    )
    page = browser(people.member).get(url("run", worker.run)).content.decode()
    assert "does not accept the key" in page
    assert "Settings → Models" in page
    assert "Try again" in page


def test_gives_a_card_what_it_needs(worker, people, browser):
    worker.step("s1", "plan", detail={"text": "secret of the detail"})
    worker.step("s2", "command")
    state = browser(people.member).get(url("run_state", worker.run)).json()
    assert [step["id"] for step in state["steps"]] == ["s1", "s2"]
    assert (state["may_cancel"], state["may_retry"], state["has_more"]) == (True, True, False)
    assert "secret of the detail" not in repr(state)
    newer = (
        browser(people.viewer).get(url("run_state", worker.run), {"after": state["steps"][0]["seq"]}).json()
    )
    assert [step["id"] for step in newer["steps"]] == ["s2"]
    assert (newer["may_cancel"], newer["may_retry"]) == (False, False)
    assert browser(people.member).get(url("run_state", worker.run), {"after": "x"}).status_code == 422


def test_gives_a_long_tree_in_pages(worker, people, browser):
    Step.objects.bulk_create(
        Step(
            run=worker.run,
            step_id=f"s{n}",
            kind="thought",
            title="t",
            started_at=worker.run.created_at,
            seq=n,
        )
        for n in range(10, 1510)
    )
    first = browser(people.member).get(url("run_state", worker.run)).json()
    assert (len(first["steps"]), first["has_more"]) == (1000, True)
    rest = (
        browser(people.member).get(url("run_state", worker.run), {"after": first["steps"][-1]["seq"]}).json()
    )
    assert (len(rest["steps"]), rest["has_more"]) == (500, False)


def test_stops_and_retries_by_the_rights_of_each(run, people, browser):
    for other, status in ((people.viewer, 403), (people.stranger, 404), (None, 302)):
        assert browser(other).post(url("cancel_run", run)).status_code == status
        assert browser(other).post(url("retry_run", run)).status_code == status
    reply = browser(people.maintainer).post(url("cancel_run", run), headers={"Accept": "application/json"})
    assert reply.json()["run"]["status"] == "cancelled"
    assert browser(people.member).post(url("cancel_run", run)).status_code == 409
    again = (
        browser(people.member)
        .post(url("retry_run", run), headers={"Accept": "application/json"})
        .json()["run"]
    )
    assert again["retry_of"] == str(run.pk)


def test_wants_the_csrf_token_for_every_change(run, people, browser):
    client = browser(people.member, enforce_csrf_checks=True)
    addresses = [url("cancel_run", run), url("retry_run", run), reverse("start_run", args=[run.workspace_id])]
    addresses += [reverse("my_models_add"), reverse("my_models_test_embedded")]
    for address in addresses:
        assert client.post(address).status_code == 403, address


def test_lists_runs_a_page_at_a_time_without_gaps_or_repeats(workspace, people, browser):
    at = workspace.created_at
    Run.objects.bulk_create(
        Run(workspace=workspace, agent="tidy", goal=f"goal {n}", requested_by=people.member)
        for n in range(120)
    )
    Run.objects.update(created_at=at)
    client = browser(people.viewer)
    address, seen = reverse("workspace_runs", args=[workspace.pk]), []
    cursor = ""
    for _ in range(3):
        page = client.get(address, {"after": cursor} if cursor else {}).context["page"]
        seen += [run.pk for run in page.runs]
        cursor = page.next_cursor
    assert cursor is None
    assert len(seen) == len(set(seen)) == 120


def test_lists_what_is_at_work_across_its_states_in_order(workspace, people, browser):
    states = ["queued", "running", "cancelling", "finished"]
    Run.objects.bulk_create(
        Run(workspace=workspace, agent="tidy", goal=str(n), status=states[n % 4]) for n in range(240)
    )
    client, cursor, seen = browser(people.viewer), "", []
    while cursor is not None:
        query = {"status": "active"} | ({"after": cursor} if cursor else {})
        page = client.get(reverse("workspace_runs", args=[workspace.pk]), query).context["page"]
        seen += page.runs
        cursor = page.next_cursor
    assert len({run.pk for run in seen}) == len(seen) == 180
    assert [run.created_at for run in seen] == sorted((run.created_at for run in seen), reverse=True)


def test_asks_the_database_no_more_for_many_runs_than_for_few(
    workspace, people, browser, django_assert_max_num_queries
):
    client, address = browser(people.viewer), reverse("workspace_runs", args=[workspace.pk])
    Run.objects.bulk_create(
        Run(workspace=workspace, agent="tidy", goal="x", requested_by=people.member) for _ in range(60)
    )
    client.get(address)
    with django_assert_max_num_queries(12):
        assert len(client.get(address).context["page"].runs) == 40


def test_shows_what_was_given_up(run, people, browser):
    Run.objects.update(status="dead", error_message="Its worker was lost 3 times.")
    client, address = browser(people.viewer), reverse("workspace_runs", args=[run.workspace_id])
    assert b"given up" in client.get(address).content
    assert b"lost 3 times" in client.get(address, {"status": "dead"}).content
    assert client.get(address, {"status": "nonsense"}).status_code == 422
    assert client.get(address, {"after": "nonsense"}).status_code == 422


def test_calls_an_agent_from_the_list(workspace, people, browser, rung):
    address = reverse("start_run", args=[workspace.pk])
    assert browser(people.viewer).post(address, {"agent": "tidy", "goal": "go"}).status_code == 403
    reply = browser(people.member).post(address, {"agent": "tidy", "goal": "go"})
    assert reply.status_code == 302
    assert rung()[0]["goal"] == "go"


@pytest.fixture
def keyed(people, workspace):
    sealed = vault.seal(CANARY)
    common = {"provider": "openai", "model": "gpt", "sealed_key": sealed}
    return {
        "my_models": ModelProfile.objects.create(user=people.member, name="own", **common),
        "workspace_models": ModelProfile.objects.create(workspace=workspace, name="shared", **common),
        "installation_models": ModelProfile.objects.create(name="general", **common),
    }


def place(name, workspace, *rest):
    return reverse(name, args=[*([workspace.pk] if name.startswith("workspace") else []), *rest])


@pytest.mark.parametrize(
    ("kind", "who", "others"),
    [
        ("my_models", "member", {"stranger": 404, "boss": 404}),
        ("workspace_models", "maintainer", {"member": 403, "viewer": 403, "stranger": 404}),
        ("installation_models", "boss", {"owner": 403, "stranger": 403}),
    ],
)
def test_lets_only_its_owner_touch_a_model(keyed, people, browser, workspace, kind, who, others):
    profile = keyed[kind]
    edit = place(f"{kind}_edit", workspace, profile.pk)
    assert browser(getattr(people, who)).get(edit).status_code == 200
    for other, status in others.items():
        client = browser(getattr(people, other))
        assert client.get(edit).status_code == status
        for action in ("delete", "default", "test"):
            assert client.post(place(f"{kind}_{action}", workspace, profile.pk)).status_code == status
    assert browser(None).get(edit).status_code == 302
    assert ModelProfile.objects.filter(pk=profile.pk).exists()


@pytest.mark.parametrize(
    ("kind", "who"),
    [("my_models", "member"), ("workspace_models", "maintainer"), ("installation_models", "boss")],
)
def test_never_shows_a_key_again(keyed, people, browser, workspace, kind, who, capfd):
    client, profile = browser(getattr(people, who)), keyed[kind]
    pages = [client.get(place(kind, workspace)), client.get(place(f"{kind}_edit", workspace, profile.pk))]
    bad = client.post(
        place(f"{kind}_add", workspace), {"name": "", "provider": "openai", "model": "m", "key": CANARY}
    )
    assert bad.status_code == 422
    good = client.post(
        place(f"{kind}_add", workspace),
        {"name": "n", "provider": "openai", "model": "m", "key": CANARY, "tool_use": "auto"},
        follow=True,
    )
    assert good.status_code == 200
    for reply in [*pages, bad, good]:
        assert CANARY not in reply.content.decode()
    out = capfd.readouterr()
    assert CANARY not in out.out + out.err


def test_makes_default_and_deletes(keyed, people, browser, workspace):
    client, profile = browser(people.member), keyed["my_models"]
    client.post(place("my_models_default", workspace, profile.pk))
    profile.refresh_from_db()
    assert profile.is_default
    client.post(place("my_models_default", workspace, profile.pk))
    profile.refresh_from_db()
    assert not profile.is_default
    client.post(place("my_models_delete", workspace, profile.pk))
    assert not ModelProfile.objects.filter(pk=profile.pk).exists()


def test_shows_the_clear_error_of_a_model_that_does_not_answer(people, browser, workspace):
    profile = ModelProfile.objects.create(
        name="gone", provider="openai", model="m", base_url="http://127.0.0.1:1/v1"
    )
    reply = browser(people.boss).post(
        place("installation_models_test", workspace, profile.pk), headers={"HX-Request": "true"}
    )
    assert reply.status_code == 200
    assert "cannot be reached" in reply.content.decode()


@pytest.fixture
def no_model_server(monkeypatch):
    """An address on which nobody serves a model, whatever else runs on this machine."""
    monkeypatch.setenv("PYAGENT_MODEL_URL", f"http://127.0.0.1:{free_port()}/v1")
    get_config.cache_clear()
    yield
    get_config.cache_clear()


def test_says_when_the_embedded_model_is_not_there(people, browser, workspace, no_model_server):
    page = browser(people.member).get(place("my_models", workspace)).content.decode()
    assert "unavailable" in page
    assert "model server does not answer" in page


def test_asks_again_for_the_embedded_model_until_it_is_ready(
    people, browser, workspace, no_model_server, monkeypatch
):
    client, address = browser(people.member), place("my_models_embedded", workspace)
    assert f'data-hx-get="{address}"' in client.get(place("my_models", workspace)).content.decode()
    assert f'data-hx-get="{address}"' in client.get(address).content.decode()
    ready = embedded.ModelServerState("ready", "Ready.")
    heard_at = time.monotonic() + 60
    monkeypatch.setitem(embedded._seen, embedded.health_url(get_config().model_url), (heard_at, ready))
    page = client.get(address).content.decode()
    assert "Ready." in page and "data-hx-get" not in page


def test_says_what_an_empty_context_means_for_each_provider(people, browser, workspace):
    page = browser(people.member).get(place("my_models_add", workspace)).content.decode()
    for provider in (AnthropicProvider, OllamaProvider, OpenAICompatibleProvider):
        assert f"{provider.default_context_tokens:,} for" in page


def test_folds_away_what_a_model_works_without_and_opens_it_when_it_is_wrong(people, browser):
    client = browser(people.member)
    assert '<details class="more"><summary>Context' in client.get("/settings/models/add/").content.decode()
    wrong = {"name": "Mine", "provider": "openai", "model": "gpt", "tool_use": "auto", "context_tokens": "1"}
    reply = client.post("/settings/models/add/", wrong)
    assert reply.status_code == 422
    assert '<details class="more" open>' in reply.content.decode()
