"""The pages of webhooks."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from webapp.accounts.access import person
from webapp.accounts.showing import keep_to_show, take_to_show
from webapp.unattended import access, selectors, services
from webapp.unattended.forms import WebhookForm
from webapp.unattended.models import Webhook
from webapp.unattended.views.shared import edit_page, list_page, page, title_of
from webapp.workspaces.access import workspace_for
from webapp.workspaces.models import Role, Workspace

SHOWN = "webhook_secret"


@require_safe
@login_required
def webhooks(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """The workspace's webhooks, and what each was sent last."""
    workspace = workspace_for(request.user, workspace_id)
    found = selectors.webhooks_of(workspace)
    last = selectors.last_deliveries(found)
    return list_page(
        request,
        workspace,
        "webhooks",
        webhooks=[(webhook, last.get(webhook.pk)) for webhook in found],
    )


@require_safe
@login_required
def webhook(request: HttpRequest, workspace_id: int, webhook_id: int) -> HttpResponse:
    """One webhook with its deliveries; right after it was made, its secret, this once."""
    found = access.item_for(Webhook, request.user, workspace_id, webhook_id)
    may_change = access.may_change(request.user, found.workspace, found)
    return page(
        request,
        "webhook",
        found.workspace,
        item=found,
        address=selectors.address_of(found) if may_change else "",
        secret=take_to_show(request, f"{SHOWN}_{found.pk}") if may_change else None,
        deliveries=selectors.deliveries_of(found),
        acts=selectors.acts_on(found),
        may_change=may_change,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def add(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """Make a webhook."""
    return _form(request, workspace_for(request.user, workspace_id, role=Role.MEMBER), None)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def edit(request: HttpRequest, workspace_id: int, webhook_id: int) -> HttpResponse:
    """Change a webhook."""
    found = access.item_to_change(Webhook, request.user, workspace_id, webhook_id)
    return _form(request, found.workspace, found)


def _form(request: HttpRequest, workspace: Workspace, item: Webhook | None) -> HttpResponse:
    user = person(request)
    form = WebhookForm(request.POST or None, workspace=workspace, user=user, item=item)

    def save() -> Webhook:
        given, terms = form.to_fields(), form.to_terms()
        if item is not None:
            seen = form.cleaned_data["seen"]
            return services.change_webhook(webhook=item, changed_by=user, given=given, terms=terms, seen=seen)
        saved, secret = services.create_webhook(
            workspace=workspace, created_by=user, given=given, terms=terms
        )
        keep_to_show(request, f"{SHOWN}_{saved.pk}", secret)
        return saved

    title = title_of(item, "New webhook")
    return edit_page(request, form, workspace, tab="webhooks", title=title, item=item, save=save)


@require_POST
@login_required
def switch(request: HttpRequest, workspace_id: int, webhook_id: int) -> HttpResponse:
    """Switch a webhook on or off."""
    found = access.item_to_change(Webhook, request.user, workspace_id, webhook_id)
    services.switch_webhook(webhook=found, is_on=request.POST.get("is_on") == "1", by=person(request))
    return redirect("webhook", workspace_id, webhook_id)


@require_POST
@login_required
def renew(request: HttpRequest, workspace_id: int, webhook_id: int) -> HttpResponse:
    """Replace its secret."""
    found = access.item_to_change(Webhook, request.user, workspace_id, webhook_id)
    secret = services.renew_secret(webhook=found, renewed_by=person(request))
    keep_to_show(request, f"{SHOWN}_{found.pk}", secret)
    return redirect("webhook", workspace_id, webhook_id)


@require_POST
@login_required
def delete(request: HttpRequest, workspace_id: int, webhook_id: int) -> HttpResponse:
    """Delete a webhook."""
    found = access.item_to_change(Webhook, request.user, workspace_id, webhook_id)
    services.delete_webhook(webhook=found, deleted_by=person(request))
    messages.success(request, f"“{found.name}” is deleted; its runs stay.")
    return redirect("webhooks", workspace_id)
