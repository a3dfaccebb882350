"""A workspace's policy: versions that are checked, compared and brought back, by those who may."""

from __future__ import annotations

import pytest
from django.urls import reverse

from webapp.agents.models import PolicyVersion
from webapp.agents.policies import selectors, services
from webapp.agents.services.launching import build_job
from webapp.errors import Conflict, Invalid, NotFound
from webapp.workspaces.models import Membership
from workers.agents.policy.pack import built_in_text

pytestmark = pytest.mark.django_db(transaction=True)
MINE = 'version = 1\n\n[[rule]]\nname = "mine"\neffect = "ask"\nreason = "Because."\ntools = ["write_file"]\n'


def test_versions_are_kept_compared_and_brought_back(workspace, people):
    first = services.save_policy(workspace=workspace, text=MINE, saved_by=people.maintainer, note="ours")
    second = services.save_policy(
        workspace=workspace, text=MINE.replace("ask", "refuse"), saved_by=people.owner, expected=1
    )
    assert (first.number, second.number) == (1, 2)
    changed = selectors.diff_lines(selectors.text_before(second), second.text)
    assert [line for line in changed if line[0] in "+-"] == ['-effect = "ask"', '+effect = "refuse"']
    third = services.restore_policy(workspace=workspace, number=1, restored_by=people.maintainer)
    assert (third.number, third.text, third.note) == (3, MINE, "Back to version 1")
    assert services.restore_policy(workspace=workspace, number=0, restored_by=people.owner).text == (
        built_in_text().strip("\n") + "\n"
    )
    assert selectors.text_before(first) == built_in_text()


def test_refuses_what_is_wrong_old_or_the_same(workspace, people):
    with pytest.raises(Invalid, match="Rule 1 .“mine”.: `effect` is one of") as caught:
        services.save_policy(
            workspace=workspace, text=MINE.replace('"ask"', '"maybe"'), saved_by=people.owner
        )
    assert caught.value.field == "text"
    services.save_policy(workspace=workspace, text=MINE, saved_by=people.owner)
    with pytest.raises(Conflict, match="saved meanwhile"):
        services.save_policy(workspace=workspace, text=MINE + "#", saved_by=people.owner, expected=0)
    with pytest.raises(Conflict, match="nothing differs"):
        services.save_policy(workspace=workspace, text=MINE.replace("\n", "\r\n"), saved_by=people.owner)
    with pytest.raises(NotFound):
        services.restore_policy(workspace=workspace, number=9, restored_by=people.owner)
    assert PolicyVersion.objects.count() == 1


def test_a_run_is_handed_the_policy_and_its_callers_role_as_they_are_when_it_is_rung_for(
    run, workspace, people
):
    assert build_job(run).policy == {
        "text": "",
        "version": 0,
        "origin": "person",
        "role": "member",
        "verdicts": [],
    }
    services.save_policy(workspace=workspace, text=MINE, saved_by=people.owner)
    Membership.objects.filter(user=people.member).update(role="viewer")
    policy = build_job(run).policy
    assert (policy["text"], policy["version"], policy["role"]) == (MINE, 1, "viewer")
    Membership.objects.filter(user=people.member).delete()
    assert build_job(run).policy["role"] == "nobody"


def test_people_read_it_and_maintainers_change_it(workspace, people, browser):
    address = reverse("workspace_policy", args=[workspace.pk])
    for person in (people.viewer, people.member):
        client = browser(person)
        page = client.get(address).content.decode()
        assert "It deletes many files at once." in page
        assert "Save a new version" not in page
        assert client.post(address, {"text": MINE, "expected": 0}).status_code == 403
    assert browser(people.stranger).get(address).status_code == 404
    client = browser(people.maintainer)
    wrong = client.post(address, {"text": MINE.replace('"ask"', '"maybe"'), "expected": 0})
    assert wrong.status_code == 422
    assert "`effect` is one of allow, ask, refuse" in wrong.content.decode()
    assert "name = &quot;mine&quot;" in wrong.content.decode()  # what was typed stays
    assert client.post(address, {"text": MINE, "note": "ours", "expected": 0}).status_code == 302
    page = browser(people.viewer).get(reverse("policy_version", args=[workspace.pk, 1])).content.decode()
    assert "+name = &quot;mine&quot;" in page
    restore = reverse("restore_policy", args=[workspace.pk, 0])
    assert browser(people.member).post(restore).status_code == 403
    assert client.post(restore).status_code == 302
    assert selectors.current_version(workspace).number == 2
