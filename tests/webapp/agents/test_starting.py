from __future__ import annotations

import time

import pytest

from webapp.agents import choosing, services
from webapp.agents.models import ModelProfile, Run
from webapp.errors import Conflict, Invalid
from webapp.workspaces.models import Workspace
from webapp.workspaces.repositories import root_of
from workers.changes.repository import Repository
from workers.config import load_config
from workers.errors import UnknownAgent
from workers.queue import Job, waiting

pytestmark = pytest.mark.django_db(transaction=True)


def start(workspace, person, **fields):
    return services.start_run(
        **{"workspace": workspace, "requested_by": person, "agent": "tidy", "goal": "tidy up", **fields}
    )


def test_rings_with_a_whole_job_once_the_row_is_committed(workspace, people, rung):
    run = start(workspace, people.member, conversation=[{"author": "Ada", "text": "It is slow."}])
    run.refresh_from_db()
    (job,) = rung()
    assert Job(**job).run_id == str(run.pk)
    assert (job["fence"], job["next_seq"], job["history"]) == (1, 1, [])
    assert job["conversation"] == [{"author": "Ada", "text": "It is slow."}]
    assert run.status == Run.Status.QUEUED
    assert run.rung_at is not None
    assert run.cost_usd == 0.0


def test_works_on_what_is_not_yet_committed_too(workspace, people, rung):
    repository = Repository(root_of(workspace.pk))
    (repository.files_dir / "new.py").write_text("x = 1\n")
    before = repository.resolve("HEAD")
    start(workspace, people.member)
    base = rung()[0]["base_commit"]
    assert repository.read_at(base, "new.py") == b"x = 1\n"
    assert repository.resolve("HEAD") == before


def test_works_on_the_commit_it_is_given(workspace, people, rung):
    head = Repository(root_of(workspace.pk)).resolve("HEAD")
    start(
        workspace,
        people.member,
        base_commit=head,
        revision={"change_set_id": 1, "revision": 1, "commit": head},
    )
    (job,) = rung()
    assert job["base_commit"] == head
    assert job["revision_of"]["commit"] == head


def test_fails_visibly_when_the_repository_is_gone(workspace, people, rung):
    import shutil

    shutil.rmtree(root_of(workspace.pk))
    run = start(workspace, people.member)
    run.refresh_from_db()
    assert run.status == Run.Status.FAILED
    assert run.error_message
    assert rung() == []


def test_stays_queued_while_the_broker_is_away(workspace, people, rung, monkeypatch, tmp_path):
    nobody = load_config({"REDIS_URL": f"unix://{tmp_path}/nobody.sock"})
    monkeypatch.setattr(waiting, "get_config", lambda: nobody)
    began = time.monotonic()
    run = start(workspace, people.member)
    run.refresh_from_db()
    assert run.status == Run.Status.QUEUED
    assert run.rung_at is None
    assert run.base_commit
    assert time.monotonic() - began < 5


def test_uses_the_persons_default_before_the_workspaces_before_the_installations(workspace, people):
    def label():
        return start(workspace, people.member, agent="coder").model_label

    assert label() == "SmolLM2-135M-Instruct (embedded)"
    ModelProfile.objects.create(name="general", provider="ollama", model="general", is_default=True)
    assert label() == "general (ollama)"
    ModelProfile.objects.create(
        workspace=workspace, name="w", provider="ollama", model="shared", is_default=True
    )
    assert label() == "shared (ollama)"
    ModelProfile.objects.create(
        user=people.member, name="own", provider="ollama", model="own", is_default=True
    )
    assert label() == "own (ollama)"


def test_says_when_an_agent_needs_no_model(workspace, people):
    ModelProfile.objects.create(
        user=people.member, name="own", provider="ollama", model="own", is_default=True
    )
    run = start(workspace, people.member, agent="tidy")
    assert run.model_label == "no model"
    assert run.model_profile is None


def test_hands_over_the_name_of_a_key_and_never_the_key(workspace, people, rung):
    from webapp import vault

    secret = "sk-canary-0123456789"
    profile = ModelProfile.objects.create(
        user=people.member,
        name="own",
        provider="openai",
        model="gpt",
        sealed_key=vault.seal(secret),
        is_default=True,
    )
    run = start(workspace, people.member, agent="coder")
    run.refresh_from_db()
    (job,) = rung()
    assert job["credential_ref"] == choosing.credential_ref(profile)
    assert secret not in repr(job)
    assert secret not in repr(run.__dict__)


def test_tells_the_model_how_to_answer_and_what_it_costs(workspace, people, rung):
    profile = ModelProfile.objects.create(
        user=people.member,
        name="small",
        provider="ollama",
        model="s",
        tool_use="json",
        input_usd_per_mtok=1,
        output_usd_per_mtok=2,
    )
    start(workspace, people.member, agent="coder", model_profile=profile)
    model = rung()[0]["model"]
    assert (model["has_tools"], model["has_json_schema"]) == (False, True)
    assert model["price"]["output_usd_per_mtok"] == 2


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"agent": "nobody"}, UnknownAgent),
        ({"agent": "coder", "goal": "  "}, Invalid),
        ({"goal": "x" * 20_001}, Invalid),
        ({"priority": "now"}, Invalid),
    ],
)
def test_refuses_what_makes_no_sense(workspace, people, fields, error):
    with pytest.raises(error):
        start(workspace, people.member, **fields)
    assert not Run.objects.exists()


def test_refuses_a_workspace_that_is_not_ready(workspace, people):
    workspace.state = Workspace.State.PREPARING
    with pytest.raises(Conflict):
        start(workspace, people.member)


def test_refuses_the_fifty_first_run_at_once(workspace, people):
    Run.objects.bulk_create(
        Run(workspace=workspace, requested_by=people.member, agent="tidy", goal="") for _ in range(50)
    )
    with pytest.raises(Conflict):
        start(workspace, people.member)
    start(workspace, people.owner)
