"""Agents that people define: who may, what each version keeps, and what a run is handed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.test import Client

from webapp.accounts.services import create_api_key
from webapp.agents import access, definitions, services
from webapp.agents.models import AgentDefinition, AgentVersion, ModelProfile, Run
from webapp.agents.services.definitions import MAX_AGENTS, AgentFields
from webapp.errors import Conflict, Forbidden, Invalid, NotFound
from webapp.learning.models import AgentWeight
from workers.queue import Budget

pytestmark = pytest.mark.django_db(transaction=True)
FIELDS = AgentFields(
    description="Keeps the manual", instructions="Write short.", tools=("read_file", "list_files")
)


@pytest.fixture
def writer(workspace, people) -> AgentDefinition:
    return services.define_agent(
        workspace=workspace,
        defined_by=people.member,
        name="docs-writer",
        visibility="workspace",
        fields=FIELDS,
    )


def test_a_defined_agent_is_called_by_its_name_with_the_version_that_answers(writer, workspace, people, rung):
    rung()
    run = services.start_run(workspace=workspace, requested_by=people.member, agent="docs-writer", goal="go")
    assert run.agent_version == writer.current
    (job,) = rung()
    assert job["definition"] == {
        "name": "docs-writer",
        "version": 1,
        "description": "Keeps the manual",
        "instructions": "Write short.",
        "tools": ["list_files", "read_file"],
    }
    services.change_agent(
        definition=writer, changed_by=people.member, fields=replace(FIELDS, instructions="Write long.")
    )
    assert run.job["definition"]["instructions"] == "Write short."
    again = services.start_run(
        workspace=workspace, requested_by=people.member, agent="docs-writer", goal="go"
    )
    assert again.job["definition"]["version"] == 2


def test_going_back_is_a_new_version_that_says_the_same(writer, people):
    services.change_agent(
        definition=writer, changed_by=people.member, fields=replace(FIELDS, instructions="Other.")
    )
    made = services.restore_version(definition=writer, number=1, restored_by=people.maintainer)
    assert (made.number, made.instructions, made.note) == (3, "Write short.", "Back to version 1")
    writer.refresh_from_db()
    assert writer.current == made
    with pytest.raises(Conflict, match="answers already"):
        services.restore_version(definition=writer, number=3, restored_by=people.member)
    with pytest.raises(Invalid, match="no such version"):
        services.restore_version(definition=writer, number=9, restored_by=people.member)


def test_saving_what_stands_there_already_makes_no_version(writer, people):
    same = replace(FIELDS, tools=("list_files", "read_file"), note="again")
    assert services.change_agent(definition=writer, changed_by=people.member, fields=same) == writer.current
    assert writer.versions.count() == 1


def test_the_difference_of_two_versions_is_told_line_by_line(writer, people):
    old = writer.current
    new = services.change_agent(
        definition=writer,
        changed_by=people.member,
        fields=replace(FIELDS, instructions="Write short.\nIn French.", budget=Budget(steps=5)),
    )
    lines = definitions.diff_lines(old, new)
    assert ("added", "In French.") in lines
    assert ("removed", "Budget: the workspace’s") in lines
    assert ("same", "Write short.") in lines
    assert definitions.diff_lines(None, old)[0] == ("added", "Description: Keeps the manual")
    assert {kind for kind, _ in definitions.diff_lines(None, old)} <= {"added", "gap"}


def test_what_a_person_calls_a_model_of_their_own_stands_nowhere_for_others(
    writer, workspace, people, browser
):
    own = ModelProfile.objects.create(user=people.member, name="canary-7d31", provider="ollama", model="m")
    services.change_agent(
        definition=writer, changed_by=people.member, fields=replace(FIELDS, model_profile=own)
    )
    lines = definitions.diff_lines(None, AgentVersion.objects.latest("pk"))
    assert ("added", f"Model: {people.member}’s own, no. {own.pk}") in lines
    viewer, base = browser(people.viewer), f"/w/{workspace.pk}/agents/{writer.pk}/"
    for path in (base, f"{base}versions/2/"):
        assert "canary-7d31" not in viewer.get(path).content.decode()


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("Docs", Invalid),
        ("x", Invalid),
        ("a" * 33, Invalid),
        ("coder", Invalid),
        ("everyone", Invalid),
        ("member", Invalid),  # a person's handle
        ("docs-writer", Conflict),
    ],
)
def test_refuses_names_that_are_none_or_taken(writer, workspace, people, name, error):
    people.member.handle = "member"
    people.member.save()
    with pytest.raises(error):
        services.define_agent(
            workspace=workspace, defined_by=people.member, name=name, visibility="workspace", fields=FIELDS
        )


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        (replace(FIELDS, description=" "), "description"),
        (replace(FIELDS, description="x" * 201), "description"),
        (replace(FIELDS, instructions=""), "instructions"),
        (replace(FIELDS, instructions="x" * 20_001), "instructions"),
        (replace(FIELDS, tools=("sudo",)), "tools"),
        (replace(FIELDS, note="x" * 201), "note"),
        (replace(FIELDS, budget=Budget(steps=0)), "steps"),
    ],
)
def test_refuses_what_will_not_do(workspace, people, fields, field):
    with pytest.raises(Invalid) as told:
        services.define_agent(
            workspace=workspace, defined_by=people.member, name="one", visibility="workspace", fields=fields
        )
    assert told.value.facts["field"] == field
    assert not AgentDefinition.objects.exists()


def test_there_is_an_end_to_agents(workspace, people):
    rows = [
        AgentDefinition(workspace=workspace, owner=people.member, name=f"a{number}", is_archived=True)
        for number in range(MAX_AGENTS)
    ]
    AgentDefinition.objects.bulk_create(rows)
    with pytest.raises(Conflict, match="already"):
        services.define_agent(
            workspace=workspace, defined_by=people.member, name="more", visibility="workspace", fields=FIELDS
        )


def test_a_private_agent_is_its_owners_alone(workspace, people):
    row = services.define_agent(
        workspace=workspace, defined_by=people.member, name="mine", visibility="private", fields=FIELDS
    )
    assert "mine" in definitions.agent_names(people.member, workspace)
    for other in (people.owner, people.maintainer, people.viewer, people.boss):
        assert "mine" not in definitions.agent_names(other, workspace)
        with pytest.raises(NotFound):
            access.definition_for(other, workspace, row.pk)


def test_an_agent_of_the_installation_answers_everywhere_and_a_workspaces_in_it_alone(
    writer, workspace, elsewhere, people
):
    services.define_agent(
        workspace=workspace, defined_by=people.boss, name="house", visibility="installation", fields=FIELDS
    )
    assert {"house", "docs-writer"} <= set(definitions.agent_names(people.member, workspace))
    there = definitions.agent_names(people.stranger, elsewhere)
    assert "house" in there
    assert "docs-writer" not in there
    with pytest.raises(NotFound):
        access.definition_for(people.stranger, elsewhere, writer.pk)


def test_who_may_change_what(writer, workspace, people):
    house = services.define_agent(
        workspace=workspace, defined_by=people.boss, name="house", visibility="installation", fields=FIELDS
    )
    may = access.may_change_definition
    changers = (people.owner, people.maintainer, people.member, people.viewer, people.stranger)
    assert [may(user, workspace, writer) for user in changers] == [True, True, True, False, False]
    assert [may(user, workspace, house) for user in (*changers, people.boss)] == [False] * 5 + [True]
    other = services.define_agent(
        workspace=workspace, defined_by=people.owner, name="other", visibility="workspace", fields=FIELDS
    )
    with pytest.raises(Forbidden):
        access.definition_to_change(people.member, workspace, other.pk)


def test_an_archived_agent_answers_no_more_until_it_is_brought_back(writer, workspace, people):
    services.archive_agent(definition=writer, archived_by=people.member)
    assert definitions.find_agent("docs-writer", people.member, workspace) is None
    with pytest.raises(Conflict, match="archived"):
        services.change_agent(definition=writer, changed_by=people.member, fields=FIELDS)
    taken = services.define_agent(
        workspace=workspace,
        defined_by=people.owner,
        name="docs-writer",
        visibility="workspace",
        fields=FIELDS,
    )
    with pytest.raises(Conflict, match="Another agent"):
        services.archive_agent(definition=writer, archived_by=people.member, is_archived=False)
    services.archive_agent(definition=taken, archived_by=people.owner)
    services.archive_agent(definition=writer, archived_by=people.member, is_archived=False)
    assert definitions.find_agent("docs-writer", people.member, workspace) is not None


def test_runs_on_its_own_model_only_where_the_caller_may_use_that(workspace, people):
    own = ModelProfile.objects.create(user=people.member, name="mine", provider="ollama", model="m")
    shared = ModelProfile.objects.create(workspace=workspace, name="ours", provider="ollama", model="w")
    for name, profile in (("one", own), ("two", shared)):
        services.define_agent(
            workspace=workspace,
            defined_by=people.member,
            name=name,
            visibility="workspace",
            fields=replace(FIELDS, model_profile=profile, budget=Budget(steps=7)),
        )

    def ran(user, agent: str) -> Run:
        return services.start_run(workspace=workspace, requested_by=user, agent=agent, goal="go")

    assert ran(people.member, "one").model_profile == own
    assert ran(people.owner, "one").model_profile is None
    assert ran(people.owner, "two").model_profile == shared
    assert ran(people.owner, "two").budget["steps"] == 7


def test_pages_lead_through_defining_changing_comparing_and_going_back(workspace, people, browser):
    services.start_run(workspace=workspace, requested_by=people.member, agent="tidy", goal="")
    member = browser(people.member)
    base = f"/w/{workspace.pk}/agents/"
    said = {
        "name": "docs-writer",
        "visibility": "workspace",
        "description": "Keeps the manual",
        "instructions": "Write <b>short</b>.",
        "tools": ["read_file"],
        "model_id": "",
    }
    assert member.post(f"{base}new/", said).status_code == 302
    row = AgentDefinition.objects.get()
    page = member.get(base).content.decode()
    assert "@docs-writer" in page
    assert "@coder" in page
    changed = {key: value for key, value in said.items() if key not in ("name", "visibility")}
    changed |= {"instructions": "Write long.", "note": "Longer", "steps": "9"}
    assert member.post(f"{base}{row.pk}/change/", changed).status_code == 302
    row.refresh_from_db()
    assert row.current is not None
    assert (row.current.number, row.current.budget["steps"]) == (2, 9)
    diff = member.get(f"{base}{row.pk}/versions/2/").content.decode()
    assert "Write &lt;b&gt;short&lt;/b&gt;." in diff
    assert "Write long." in diff
    assert member.post(f"{base}{row.pk}/versions/1/restore/").status_code == 302
    assert "version 3" in member.get(f"{base}{row.pk}/").content.decode().lower()
    assert member.post(f"{base}{row.pk}/archive/").status_code == 302
    assert "Bring back" in member.get(base).content.decode()
    assert "Bring back" not in browser(people.viewer).get(base).content.decode()


def test_what_somebody_else_saved_meanwhile_is_not_written_over_unseen(writer, workspace, people, browser):
    member, page = browser(people.member), f"/w/{workspace.pk}/agents/{writer.pk}/change/"
    said = {"description": "Keeps the manual", "tools": ["read_file"], "model_id": ""}
    assert '<input type="hidden" name="version" value="1"' in member.get(page).content.decode()
    theirs = said | {"instructions": "Write long.", "version": "1"}
    assert browser(people.maintainer).post(page, theirs).status_code == 302
    mine = said | {"instructions": "Write in French.", "version": "1"}
    refused = member.post(page, mine)
    told = refused.content.decode()
    assert refused.status_code == 422
    assert "Version 2 was saved while you wrote." in told
    assert "Write in French." in told
    assert f"/w/{workspace.pk}/agents/{writer.pk}/versions/2/" in told
    assert '<input type="hidden" name="version" value="2"' in told
    _, key = create_api_key(user=people.member, name="k", scopes=("read", "write"))
    over_rest = Client(headers={"Authorization": f"Bearer {key}"})
    address = f"/api/v1/workspaces/{workspace.pk}/agents/{writer.pk}"
    told = over_rest.put(address, mine | {"model_id": None, "version": 1}, content_type="application/json")
    assert (told.status_code, told.json()["error"]["facts"]) == (409, {"version": 2})
    assert writer.versions.count() == 2
    assert member.post(page, mine | {"version": "2"}).status_code == 302
    writer.refresh_from_db()
    assert writer.current is not None
    assert (writer.current.number, writer.current.instructions) == (3, "Write in French.")


@pytest.mark.parametrize(
    ("who", "method", "path", "status"),
    [
        ("viewer", "get", "", 200),
        ("viewer", "get", "new/", 403),
        ("viewer", "get", "{pk}/", 200),
        ("viewer", "get", "{pk}/change/", 403),
        ("viewer", "post", "{pk}/archive/", 403),
        ("viewer", "post", "{pk}/versions/1/restore/", 403),
        ("stranger", "get", "", 404),
        ("stranger", "get", "{pk}/", 404),
        ("stranger", "post", "{pk}/archive/", 404),
        ("member", "get", "{pk}/versions/9/", 404),
        ("member", "get", "999/", 404),
    ],
)
def test_doors_of_the_pages(writer, workspace, people, browser, who, method, path, status):
    address = f"/w/{workspace.pk}/agents/" + path.format(pk=writer.pk)
    assert getattr(browser(getattr(people, who)), method)(address).status_code == status


def test_only_the_owner_of_the_installation_defines_for_everybody(workspace, people, browser):
    said = {
        "name": "house",
        "visibility": "installation",
        "description": "d",
        "instructions": "i",
        "model_id": "",
    }
    assert browser(people.owner).post(f"/w/{workspace.pk}/agents/new/", said).status_code == 422
    assert not AgentDefinition.objects.exists()


def test_rest_does_all_of_it(workspace, people, browser):
    member = browser(people.member)
    base = f"/api/v1/workspaces/{workspace.pk}/agents"

    def send(method: str, path: str, body=None):
        return getattr(member, method)(base + path, body, content_type="application/json")

    said = {"name": "docs-writer", "description": "d", "instructions": "i", "tools": ["search"]}
    made = send("post", "", said)
    assert made.status_code == 201, made.content
    pk = made.json()["id"]
    assert send("post", "", said).status_code == 409
    assert send("post", "", said | {"name": "two", "tools": ["sudo"]}).status_code == 422
    assert send("post", "", said | {"name": "house", "visibility": "installation"}).status_code == 403
    changed = {"description": "d", "instructions": "j", "budget": {"steps": 3}}
    assert send("put", f"/{pk}", changed).json()["current"]["number"] == 2
    assert [one["number"] for one in send("get", f"/{pk}/versions").json()] == [2, 1]
    assert send("post", f"/{pk}/versions/1/restore").json()["current"]["instructions"] == "i"
    assert ("docs-writer", pk) in [(agent["name"], agent["id"]) for agent in send("get", "").json()]
    assert send("delete", f"/{pk}").status_code == 204
    assert send("get", f"/{pk}").json()["is_archived"] is True
    assert send("post", f"/{pk}/bring-back").json()["is_archived"] is False
    stranger = browser(people.stranger)
    assert stranger.get(f"{base}/{pk}").status_code == 404


def test_chat_knows_the_agents_that_the_author_may_call(writer, workspace, people):
    from webapp.chat import selectors as chat
    from webapp.chat.models import Channel
    from webapp.chat.services import post_message

    services.define_agent(
        workspace=workspace, defined_by=people.member, name="mine", visibility="private", fields=FIELDS
    )
    channel = Channel.objects.create(workspace=workspace, name="general")
    found = [one["handle"] for one in chat.mentionable(people.member, workspace, "")]
    assert {"docs-writer", "mine"} <= set(found)
    assert "mine" not in [one["handle"] for one in chat.mentionable(people.owner, workspace, "")]
    workspace.role = "member"  # as the door has found
    posted = post_message(workspace=workspace, channel=channel, author=people.member, text="@mine look")
    assert [run.agent for run in posted.runs] == ["mine"]
    posted = post_message(workspace=workspace, channel=channel, author=people.owner, text="@mine look")
    assert posted.runs == []


def test_who_hands_goals_on_is_told_of_the_agents_that_do_best_first(workspace, people):
    AgentWeight.objects.create(workspace=workspace, agent="tidy", kind="", successes=9, failures=0)
    AgentWeight.objects.create(workspace=workspace, agent="coder", kind="", successes=0, failures=9)
    run = services.start_run(workspace=workspace, requested_by=people.member, agent="planner", goal="go")
    names = [agent["name"] for agent in definitions.agents_for(run)]
    assert names[0] == "tidy"
    assert names[-1] == "coder"
    run.agent, run.job = "docs-writer", {"definition": {"tools": ["read_file", "delegate"]}}
    assert [agent["name"] for agent in definitions.agents_for(run)] == names
    run.job["definition"]["tools"] = ["read_file"]
    assert definitions.agents_for(run) == []
