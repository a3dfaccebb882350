"""Yourself, your keys and, for the owner, people, over REST."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from ninja import Field, Router, Schema, Status

from webapp.accounts import access, selectors, services
from webapp.accounts.models import ApiKey, User
from webapp.api import Body, ErrorReply
from webapp.errors import Invalid, NotFound

router = Router(tags=["people"])
ERRORS: dict[Any, Any] = {code: ErrorReply for code in (401, 403, 404, 409, 422)}


class MeOut(Schema):
    """You."""

    id: int
    email: str = Field(examples=["ada@example.org"])
    handle: str = Field(examples=["ada"])
    display_name: str
    is_installation_owner: bool


class MeIn(Body):
    """Your name and handle."""

    display_name: str = Field(min_length=1, max_length=80, examples=["Ada Lovelace"])
    handle: str = Field(pattern=r"^[a-z0-9_-]{2,40}$", examples=["ada"])


class KeyOut(Schema):
    """A key; the key itself is given once, when it is made."""

    id: int
    name: str
    prefix: str = Field(examples=["pya_3kd9xQ2a"])
    scopes: list[str]
    workspace_id: int | None
    created_at: datetime
    last_used_at: datetime | None


class KeyIn(Body):
    """Name and scopes of a new key."""

    name: str = Field(min_length=1, max_length=80, examples=["laptop script"])
    scopes: list[str] = Field(min_length=1, max_length=6, examples=[["read", "write"]])
    workspace_id: int | None = Field(
        None, ge=1, le=2**63 - 1, description="Bind the key to this workspace; null for all of yours."
    )


class NewKeyOut(KeyOut):
    """A new key with its secret, which is shown this once."""

    key: str


class PersonOut(MeOut):
    """A person as the owner sees them."""

    is_active: bool


class ActiveIn(Body):
    """Whether the person may sign in."""

    is_active: bool


class InvitationOut(Schema):
    """An invitation link; it works once."""

    url: str
    expires_at: datetime


class AcceptIn(Body):
    """What stands behind `/invite/` in the link."""

    token: str = Field(min_length=1, max_length=200, examples=["S7ch0Xn1l5bYp0XEo3yWQeH8m4TrkD2uJ6vLzAqGfRk"])


class AcceptedOut(Schema):
    """The workspace that you are in now; null when the link let you into the installation only."""

    workspace_id: int | None


@router.get("/me", response={200: MeOut, **ERRORS}, summary="Who you are")
def get_me(request: HttpRequest) -> Any:
    """Return the person whose key or session asks."""
    return access.require_scope(request, "read")


@router.put("/me", response={200: MeOut, **ERRORS}, summary="Change your name or handle")
def change_me(request: HttpRequest, body: MeIn) -> Any:
    """Change what others see."""
    from webapp.accounts.forms import ProfileForm

    user = User.objects.get(pk=access.require_whole_person(request, "write").pk)
    form = ProfileForm(body.dict(), instance=user)
    if not form.is_valid():
        raise Invalid(" ".join(str(error) for errors in form.errors.values() for error in errors))
    return form.save()


@router.get("/me/keys", response={200: list[KeyOut], **ERRORS}, summary="List your keys")
def list_keys(request: HttpRequest) -> Any:
    """Return your keys that work; to a key bound to a workspace, those bound to the same one."""
    return list(selectors.keys_of(access.require_scope(request, "admin")))


@router.post("/me/keys", response={201: NewKeyOut, **ERRORS}, summary="Make a key")
def create_key(request: HttpRequest, body: KeyIn) -> Any:
    """Make a key with no more than the scopes and the workspace of the key that asks."""
    user = access.require_scope(request, "admin")
    own = getattr(user, "key_scopes", None)
    if own is not None and (beyond := sorted(set(body.scopes) - own)):
        raise Invalid("A key cannot make one that may do more than itself.", beyond=beyond)
    bound_to = getattr(user, "bound_workspace_id", None)
    workspace_id = bound_to if body.workspace_id is None else body.workspace_id
    if bound_to not in (None, workspace_id):
        raise NotFound("There is no such workspace, or you are not in it.")
    row, key = services.create_api_key(
        user=user, name=body.name, scopes=body.scopes, workspace_id=workspace_id
    )
    return Status(201, {**_key_fields(row), "key": key})


def _key_fields(row: ApiKey) -> dict[str, Any]:
    names = ("id", "name", "prefix", "scopes", "workspace_id", "created_at", "last_used_at")
    return {name: getattr(row, name) for name in names}


@router.delete("/me/keys/{int:key_id}", response={204: None, **ERRORS}, summary="Revoke a key")
def revoke_key(request: HttpRequest, key_id: int) -> Any:
    """Make one of your keys useless; with a key bound to a workspace, one bound to the same."""
    services.revoke_api_key(user=access.require_scope(request, "admin"), key_id=key_id)
    return Status(204, None)


@router.post("/me/sign-out-everywhere", response={204: None, **ERRORS}, summary="End all of your sessions")
def sign_out_everywhere(request: HttpRequest) -> Any:
    """End all of your sessions in browsers; keys go on working, each is revoked by itself."""
    services.sign_out_everywhere(user=access.require_whole_person(request, "admin"))
    return Status(204, None)


@router.post("/invitations/accept", response={200: AcceptedOut, **ERRORS}, summary="Accept an invitation")
def accept_invitation(request: HttpRequest, body: AcceptIn) -> Any:
    """Join the workspace that an invitation link names, with the account you have."""
    user = access.require_whole_person(request, "write")
    invitation = services.find_invitation(body.token)
    services.use_invitation(invitation=invitation, user=user)
    return {"workspace_id": invitation.workspace_id}


@router.get("/people", response={200: list[PersonOut], **ERRORS}, summary="List people")
def list_people(request: HttpRequest) -> Any:
    """Return everybody who has an account; for the owner of the installation."""
    access.require_owner(access.require_scope(request, "admin"))
    return list(User.objects.order_by("display_name", "pk")[:10_000])


@router.post("/people/invitations", response={201: InvitationOut, **ERRORS}, summary="Invite a person")
def invite_person(request: HttpRequest) -> Any:
    """Make an invitation to the installation; for its owner."""
    owner = access.require_owner(access.require_scope(request, "admin"))
    invitation, token = services.create_invitation(invited_by=owner)
    return Status(
        201,
        {
            "url": request.build_absolute_uri(reverse("invitation", args=[token])),
            "expires_at": invitation.expires_at,
        },
    )


@router.put("/people/{int:user_id}/active", response={204: None, **ERRORS}, summary="Shut out or let in")
def set_active(request: HttpRequest, user_id: int, body: ActiveIn) -> Any:
    """Shut a person out, ending their sessions, or let them in again; for the owner."""
    owner = access.require_owner(access.require_scope(request, "admin"))
    services.set_active(by=owner, user_id=user_id, is_active=body.is_active)
    return Status(204, None)
