"""People, how they are let in, and the keys their programs use."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.utils import timezone

SCOPES = ("read", "write", "run", "review", "apply", "admin")


class PersonManager(UserManager):
    """Creates people by e-mail address; there is no user name besides it."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:  # type: ignore[override]
        """Return a new person. `handle` is derived from the address when it is not given."""
        from webapp.accounts.handles import free_handle

        email = self.normalize_email(email).lower()
        fields.setdefault("handle", free_handle(email.partition("@")[0]))
        fields.setdefault("display_name", fields["handle"])
        user: Any = self.model(email=email, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractUser):
    """A person. `handle` is what others type after `@`."""

    username = None  # type: ignore[assignment]
    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    email = models.EmailField(unique=True)
    handle = models.SlugField(max_length=40, unique=True)
    display_name = models.CharField(max_length=80)
    is_installation_owner = models.BooleanField(default=False)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = PersonManager()  # type: ignore[misc]

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Fill in a handle for whoever was made by a library's own form."""
        if not self.handle:
            from webapp.accounts.handles import free_handle

            self.handle = free_handle((self.display_name or self.email).partition("@")[0])
        self.display_name = self.display_name or self.handle
        super().save(*args, **kwargs)

    def __str__(self) -> str:
        return self.display_name

    def get_full_name(self) -> str:
        """Return the name that others see."""
        return self.display_name


class Invitation(models.Model):
    """A link that lets one person sign up, and join a workspace when it names one. Only the token's hash is kept."""

    token_hash = models.CharField(max_length=64, unique=True)
    email = models.EmailField(blank=True)
    workspace = models.ForeignKey(
        "workspaces.Workspace", null=True, blank=True, on_delete=models.CASCADE, related_name="invitations"
    )
    role = models.CharField(max_length=16, default="member")
    is_setup = models.BooleanField(default=False)
    """The one-time token of a fresh installation: whoever uses it becomes the owner."""
    invited_by = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    used_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    @property
    def is_open(self) -> bool:
        """Whether the link still lets somebody in."""
        return self.used_at is None and self.expires_at > timezone.now()


class ApiKey(models.Model):
    """A key for programs. Shown once; only its hash is kept. Bound to one workspace when `workspace` is set."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12)
    key_hash = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    workspace = models.ForeignKey(
        "workspaces.Workspace", null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
