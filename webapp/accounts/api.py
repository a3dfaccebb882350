"""Yourself, your keys and, for the owner, people, over REST."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from ninja import Field, Router, Schema

from webapp.accounts import access, services
from webapp.accounts.models import ApiKey, User
from webapp.api import ErrorReply
from webapp.errors import Invalid

router = Router(tags=["people"])
ERRORS: dict[Any, Any] = {code: ErrorReply for code in (401, 403, 404, 409, 422)}


class MeOut(Schema):
    """You."""

    id: int
    email: str = Field(examples=["ada@example.org"])
    handle: str = Field(examples=["ada"])
    display_name: str
    is_installation_owner: bool


class MeIn(Schema):
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


class KeyIn(Schema):
    """Name and scopes of a new key."""

    name: str = Field(min_length=1, max_length=80, examples=["laptop script"])
    scopes: list[str] = Field(min_length=1, max_length=6, examples=[["read", "write"]])


class NewKeyOut(KeyOut):
    """A new key with its secret, which is shown this once."""

    key: str


class PersonOut(MeOut):
    """A person as the owner sees them."""

    is_active: bool


class ActiveIn(Schema):
    """Whether the person may sign in."""

    is_active: bool


class InvitationOut(Schema):
    """An invitation link; it works once."""

    url: str
    expires_at: datetime


@router.get("/me", response={200: MeOut, **ERRORS}, summary="Who you are")
def get_me(request: HttpRequest) -> Any:
    """Return the person whose key or session asks."""
    return access.require_scope(request, "read")


@router.put("/me", response={200: MeOut, **ERRORS}, summary="Change your name or handle")
def change_me(request: HttpRequest, body: MeIn) -> Any:
    """Change what others see."""
    from webapp.accounts.forms import ProfileForm

    user = User.objects.get(pk=access.require_scope(request, "write").pk)
    form = ProfileForm(body.dict(), instance=user)
    if not form.is_valid():
        raise Invalid(" ".join(str(error) for errors in form.errors.values() for error in errors))
    return form.save()


@router.get("/me/keys", response={200: list[KeyOut], **ERRORS}, summary="List your keys")
def list_keys(request: HttpRequest) -> Any:
    """Return your keys that work."""
    return list(access.require_scope(request, "admin").api_keys.filter(revoked_at=None).order_by("-pk"))


@router.post("/me/keys", response={201: NewKeyOut, **ERRORS}, summary="Make a key")
def create_key(request: HttpRequest, body: KeyIn) -> Any:
    """Make a key with no more than the scopes and the workspace of the key that asks."""
    user = access.require_scope(request, "admin")
    own = getattr(user, "key_scopes", None)
    if own is not None and (beyond := sorted(set(body.scopes) - own)):
        raise Invalid("A key cannot make one that may do more than itself.", beyond=beyond)
    workspace_id = getattr(user, "bound_workspace_id", None)
    row, key = services.create_api_key(
        user=user, name=body.name, scopes=body.scopes, workspace_id=workspace_id
    )
    return 201, {**_key_fields(row), "key": key}


def _key_fields(row: ApiKey) -> dict[str, Any]:
    names = ("id", "name", "prefix", "scopes", "workspace_id", "created_at", "last_used_at")
    return {name: getattr(row, name) for name in names}


@router.delete("/me/keys/{int:key_id}", response={204: None, **ERRORS}, summary="Revoke a key")
def revoke_key(request: HttpRequest, key_id: int) -> Any:
    """Make one of your keys useless."""
    services.revoke_api_key(user=access.require_scope(request, "admin"), key_id=key_id)
    return 204, None


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
    return 201, {
        "url": request.build_absolute_uri(reverse("invitation", args=[token])),
        "expires_at": invitation.expires_at,
    }


@router.put("/people/{int:user_id}/active", response={204: None, **ERRORS}, summary="Shut out or let in")
def set_active(request: HttpRequest, user_id: int, body: ActiveIn) -> Any:
    """Shut a person out, ending their sessions, or let them in again; for the owner."""
    owner = access.require_owner(access.require_scope(request, "admin"))
    services.set_active(by=owner, user_id=user_id, is_active=body.is_active)
    return 204, None
