"""People and workspaces for tests: a member of each role, a stranger with a workspace of their own, and nobody."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.test import Client

from webapp.accounts.models import User
from webapp.workspaces.models import Membership, Role, Workspace
from webapp.workspaces.preparing import Source
from webapp.workspaces.repositories import root_of
from webapp.workspaces.services import create_workspace_now

PASSWORD = "correct horse battery"


def make_person(name: str, **fields: object) -> User:
    """Return a person whose address and handle come from the name."""
    return User.objects.create_user(
        f"{name}@example.org", PASSWORD, display_name=name.title(), handle=name, **fields
    )


@dataclass
class Company:
    """A ready workspace with a person of each role, and a stranger."""

    workspace: Workspace
    owner: User
    maintainer: User
    member: User
    viewer: User
    stranger: User

    def client(self, person: User | None) -> Client:
        """Return a browser signed in as `person`; nobody for None. It checks CSRF as a real one is checked."""
        client = Client()
        if person is not None:
            client.force_login(person)
        return client


@pytest.fixture
def company(db: None, redis_client: object) -> Company:
    """A workspace with an empty repository on disk, and its people."""
    # Numbers start afresh when a test's rows are rolled back, its files do not.
    shutil.rmtree(root_of(0).parent, ignore_errors=True)
    owner, maintainer, member, viewer, stranger = (
        make_person(name) for name in ("olga", "max", "mia", "vera", "stan")
    )
    workspace = create_workspace_now(name="Parser", owner=owner, source=Source())
    for person, role in ((maintainer, Role.MAINTAINER), (member, Role.MEMBER), (viewer, Role.VIEWER)):
        Membership.objects.create(workspace=workspace, user=person, role=role)
    create_workspace_now(name="Elsewhere", owner=stranger, source=Source())
    return Company(workspace, owner, maintainer, member, viewer, stranger)


@pytest.fixture
def api_key(company: Company) -> Callable[..., dict[str, str]]:
    """Return a function that makes the headers of a key: `api_key(person, "read", "write")`."""
    from webapp.accounts.services import create_api_key

    def headers(person: User, *scopes: str, workspace: Workspace | None = None) -> dict[str, str]:
        row, key = create_api_key(user=person, name="test", scopes=scopes)
        row.workspace = workspace  # also one that the person has left since
        row.save()
        return {"Authorization": f"Bearer {key}"}

    return headers
