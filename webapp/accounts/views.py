"""Pages about people: how they come in, their profile, their keys; for the owner, everybody."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from webapp.accounts import access, selectors, services
from webapp.accounts.access import person
from webapp.accounts.forms import ProfileForm
from webapp.accounts.models import SCOPES, User
from webapp.accounts.showing import keep_to_show, take_to_show
from webapp.errors import NotFound


@require_safe
def setup(request: HttpRequest) -> HttpResponse:
    """The URL that the first start prints: remembers the one-time token and leads to sign-up."""
    return _enter(request, request.GET.get("token", ""))


@require_safe
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """An invitation link: who is signed in joins by a button, everybody else signs up or in first."""
    return _enter(request, token)


def _enter(request: HttpRequest, token: str) -> HttpResponse:
    found = services.find_invitation(token)
    services.remember_invitation(request.session, token)
    if request.user.is_authenticated:
        return render(request, "accounts/invitation.html", {"invitation": found})
    return redirect("account_signup")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def accept_invitation(request: HttpRequest) -> HttpResponse:
    """Join with the account one has: asked by the page, done by its button."""
    found = services.invitation_in_session(request)
    if found is None:
        raise NotFound("This link was used already or is too old. Ask for a new one.")
    if request.method != "POST":
        return render(request, "accounts/invitation.html", {"invitation": found})
    services.use_invitation(invitation=found, user=person(request))
    request.session.pop(services.SESSION_KEY, None)
    return redirect(reverse("workspace", args=[found.workspace_id]) if found.workspace_id else "home")


SCOPE_WORDS = {
    "read": "see what you may see",
    "write": "edit files, commit, post messages",
    "run": "call agents and stop their runs",
    "review": "comment, accept and reject",
    "apply": "land change sets and take them out again",
    "admin": "members, settings, models, deletion",
}


class KeyForm(forms.Form):
    """Name and scopes of a new API key."""

    name = forms.CharField(
        max_length=80, label="Name", widget=forms.TextInput(attrs={"placeholder": "laptop script"})
    )
    scopes = forms.MultipleChoiceField(
        choices=[(scope, f"{scope}: {SCOPE_WORDS[scope]}") for scope in SCOPES],
        widget=forms.CheckboxSelectMultiple,
        initial=["read"],
        label="Scopes",
        error_messages={"required": "Choose at least one scope."},
    )


@require_http_methods(["GET", "POST"])
@login_required
def profile(request: HttpRequest) -> HttpResponse:
    """Name, handle and API keys."""
    form = ProfileForm(request.POST or None, instance=User.objects.get(pk=person(request).pk))
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Saved.")
        return redirect("profile")
    return _profile_page(request, form=form, key_form=KeyForm())


def _profile_page(request: HttpRequest, *, form: ProfileForm, key_form: KeyForm) -> HttpResponse:
    context = {
        "form": form,
        "key_form": key_form,
        "keys": selectors.keys_of(person(request)),
        "new_key": take_to_show(request, "new_key"),
    }
    is_wrong = form.errors or key_form.errors
    return render(request, "accounts/profile.html", context, status=422 if is_wrong else 200)


@require_POST
@login_required
def create_key(request: HttpRequest) -> HttpResponse:
    """Make an API key; the next page shows it once."""
    form = KeyForm(request.POST)
    if not form.is_valid():
        profile_form = ProfileForm(instance=User.objects.get(pk=person(request).pk))
        return _profile_page(request, form=profile_form, key_form=form)
    _, key = services.create_api_key(
        user=person(request), name=form.cleaned_data["name"], scopes=form.cleaned_data["scopes"]
    )
    keep_to_show(request, "new_key", key)
    return redirect(reverse("profile") + "#keys")


@require_POST
@login_required
def revoke_key(request: HttpRequest, key_id: int) -> HttpResponse:
    """Make a key useless."""
    services.revoke_api_key(user=person(request), key_id=key_id)
    messages.success(request, "The key is revoked.")
    return redirect(reverse("profile") + "#keys")


@require_POST
@login_required
def sign_out_everywhere(request: HttpRequest) -> HttpResponse:
    """End all of the person's sessions, this one included."""
    services.sign_out_everywhere(user=person(request))
    return redirect("account_login")


@require_safe
@login_required
def people(request: HttpRequest) -> HttpResponse:
    """Everybody who has an account; for the owner."""
    access.require_owner(request.user)
    context = {
        "people": User.objects.order_by("display_name"),
        "invitation_url": take_to_show(request, "invitation_url"),
    }
    return render(request, "accounts/people.html", context)


@require_POST
@login_required
def invite_person(request: HttpRequest) -> HttpResponse:
    """Make an invitation to the installation; for the owner."""
    owner = access.require_owner(request.user)
    _, token = services.create_invitation(invited_by=owner)
    url = request.build_absolute_uri(reverse("invitation", args=[token]))
    keep_to_show(request, "invitation_url", url)
    return redirect("people")


@require_POST
@login_required
def set_active(request: HttpRequest, user_id: int) -> HttpResponse:
    """Shut a person out, or let them in again; for the owner."""
    owner = access.require_owner(request.user)
    services.set_active(by=owner, user_id=user_id, is_active=request.POST.get("is_active") == "1")
    return redirect("people")
