from __future__ import annotations

from uuid import uuid4

import pytest
from django.contrib.auth.models import AnonymousUser

from webapp.agents import access
from webapp.agents.models import ModelProfile
from webapp.errors import Forbidden, NotFound
from webapp.workspaces.models import Membership, Role


def test_shows_a_run_to_members_of_its_workspace_only(run, people):
    assert access.run_for(people.viewer, run.pk) == run
    for nobody in (people.stranger, people.boss, AnonymousUser()):
        with pytest.raises(NotFound) as hidden:
            access.run_for(nobody, run.pk)
        with pytest.raises(NotFound) as absent:
            access.run_for(nobody, uuid4())
        assert str(hidden.value) == str(absent.value)


def test_hides_a_run_behind_another_workspace_even_from_its_members(run, people, elsewhere):
    Membership.objects.create(workspace=elsewhere, user=people.member, role=Role.MEMBER)
    with pytest.raises(NotFound):
        access.run_for(people.member, run.pk, workspace_id=elsewhere.pk)


def test_refuses_a_run_id_that_is_none(people):
    with pytest.raises(NotFound):
        access.run_for(people.member, "' OR 1=1 --")


def test_lets_the_caller_and_maintainers_stop_a_run_and_nobody_else(run, people):
    assert access.may_cancel(people.member, run)
    assert access.may_cancel(people.maintainer, run)
    assert access.may_cancel(people.owner, run)
    assert not access.may_cancel(people.viewer, run)
    assert not access.may_cancel(people.stranger, run)
    assert not access.may_cancel(AnonymousUser(), run)


def test_does_not_let_another_member_stop_a_run(run, people, workspace):
    Membership.objects.filter(workspace=workspace, user=people.viewer).update(role=Role.MEMBER)
    with pytest.raises(Forbidden):
        access.run_to_cancel(people.viewer, run.pk)


def test_does_not_let_who_left_the_workspace_stop_their_run(run, people, workspace):
    Membership.objects.filter(workspace=workspace, user=people.member).delete()
    with pytest.raises(NotFound):
        access.run_to_cancel(people.member, run.pk)


def test_keeps_a_key_bound_elsewhere_out(run, people, elsewhere):
    people.member.bound_workspace_id = elsewhere.pk
    with pytest.raises(NotFound):
        access.run_for(people.member, run.pk)
    with pytest.raises(Forbidden):
        access.own_profiles(people.member)


def test_lets_a_run_use_own_workspace_and_installation_models_only(people, workspace, elsewhere):
    own = ModelProfile.objects.create(user=people.member, name="own", provider="ollama", model="m")
    shared = ModelProfile.objects.create(workspace=workspace, name="shared", provider="ollama", model="m")
    general = ModelProfile.objects.create(name="general", provider="ollama", model="m")
    for profile in (own, shared, general):
        assert access.profile_to_run_on(people.member, workspace, profile.pk) == profile
    foreign = ModelProfile.objects.create(user=people.stranger, name="theirs", provider="ollama", model="m")
    other = ModelProfile.objects.create(workspace=elsewhere, name="other", provider="ollama", model="m")
    for profile in (foreign, other):
        with pytest.raises(NotFound):
            access.profile_to_run_on(people.member, workspace, profile.pk)


def test_lets_maintainers_and_the_installation_owner_set_models(people, workspace):
    assert access.workspace_profiles(people.maintainer, workspace.pk).kind == "workspace"
    assert access.installation_profiles(people.boss).kind == "installation"
    with pytest.raises(Forbidden):
        access.workspace_profiles(people.member, workspace.pk)
    with pytest.raises(NotFound):
        access.workspace_profiles(people.stranger, workspace.pk)
    with pytest.raises(Forbidden):
        access.installation_profiles(people.owner)
    with pytest.raises(NotFound):
        access.own_profiles(AnonymousUser())
