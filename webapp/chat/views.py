"""The channel page and its pieces, channels, and search."""

from __future__ import annotations

from datetime import UTC, datetime

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from webapp.chat import access, selectors, services
from webapp.chat.lists import hits_html, people_html, topics_html
from webapp.chat.models import Channel, Topic
from webapp.chat.rendering import messages_html
from webapp.errors import Conflict, Invalid, NotFound, status_of
from webapp.workspaces.access import includes, workspace_for
from webapp.workspaces.models import Role

MAX_NUMBER = 2**31 - 1


def _number(request: HttpRequest, name: str) -> int | None:
    """Return a whole number of the query, None when it is not there.

    Raises:
        Invalid: it is no number, or far too large.
    """
    raw = request.GET.get(name)
    if not raw:
        return None
    if not raw.isascii() or not raw.isdigit() or int(raw) > MAX_NUMBER:
        raise Invalid(f"“{name}” is not a number.")
    return int(raw)


def _topic(request: HttpRequest, channel: Channel) -> Topic | None:
    topic_id = _number(request, "topic")
    return access.topic_in(channel, topic_id) if topic_id else None


@require_safe
@login_required
def channels(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """Lead to the first channel."""
    workspace = workspace_for(request.user, workspace_id)
    first = selectors.first_channel(workspace)
    if first is None:
        raise NotFound("This workspace has no channel yet.")
    return redirect("channel", workspace.pk, first.name)


@require_safe
@login_required
def channel(request: HttpRequest, workspace_id: int, name: str) -> HttpResponse:
    """A channel: its last messages, or those around `near`, and the composer."""
    workspace, found = access.channel_for(request.user, workspace_id, name)
    topic = _topic(request, found)
    near, before = _number(request, "near"), _number(request, "before")
    read_to = selectors.last_read(found, request.user)  # type: ignore[arg-type]
    as_of = timezone.now()
    if near:
        page = selectors.page_around(found, near, topic)
    elif before:
        page = selectors.page_before(found, before, topic)
    else:
        page = selectors.latest_page(found, topic)
    is_unread = 0 < read_to < found.last_number
    selectors.arrange(page.messages, unread_after=read_to if is_unread else None)
    selectors.add_reactions(page.messages)
    context = {
        "workspace": workspace,
        "channel": found,
        "topic": topic,
        "topics": topics_html(workspace, found, selectors.topics_of(found), topic),
        "people": people_html(selectors.people_of(workspace)),
        "messages_html": messages_html(workspace, page.messages),
        "page": page,
        "near": near,
        "read_to": read_to,
        "as_of": as_of.timestamp(),
        "may_call_agents": access.may_call_agents(request.user, workspace),
        "may_change": includes(workspace.role, Role.MAINTAINER),  # type: ignore[attr-defined]
    }
    return render(request, "chat/channel.html", context)


@require_safe
@login_required
def messages(request: HttpRequest, workspace_id: int, name: str) -> HttpResponse:
    """A piece of history: right before `before`, or right after `after` (then also what changed since `changed_since`)."""
    workspace, found = access.channel_for(request.user, workspace_id, name)
    topic = _topic(request, found)
    before, after, only = _number(request, "before"), _number(request, "after"), _number(request, "only")
    as_of = timezone.now()
    if only:
        page = selectors.page_after(found, only - 1, limit=1)
    elif before:
        page = selectors.page_before(found, before, topic, limit=selectors.HISTORY_SIZE)
    else:
        page = selectors.page_after(found, after or 0, topic, limit=selectors.MAX_PAGE_SIZE)
    changed = []
    since = request.GET.get("changed_since")
    if since and after:
        changed = selectors.changed_since(found, _moment(since), _number(request, "first") or 0, after)
    selectors.arrange(page.messages)
    selectors.add_reactions([*page.messages, *changed])
    context = {
        "messages_html": messages_html(workspace, page.messages),
        "changed_html": messages_html(workspace, changed) if changed else "",
    }
    response = render(request, "chat/_history.html", context)
    response["X-Has-Older"], response["X-Has-Newer"] = str(int(page.has_older)), str(int(page.has_newer))
    response["X-As-Of"] = str(as_of.timestamp())
    return response


def _moment(raw: str) -> datetime:
    try:
        return datetime.fromtimestamp(float(raw), tz=UTC)
    except (ValueError, OverflowError, OSError):
        raise Invalid("“changed_since” is not a moment.") from None


@require_safe
@login_required
def message(request: HttpRequest, workspace_id: int, message_id: int) -> HttpResponse:
    """Lead to a message where it stands."""
    workspace = workspace_for(request.user, workspace_id)
    found = access.message_in(workspace, message_id)
    address = reverse("channel", args=[workspace.pk, found.channel.name])
    return redirect(f"{address}?near={found.number}#m{found.pk}")


@require_safe
@login_required
def topics(request: HttpRequest, workspace_id: int, name: str) -> HttpResponse:
    """The list of a channel's topics."""
    workspace, found = access.channel_for(request.user, workspace_id, name)
    here = _topic(request, found)
    return HttpResponse(topics_html(workspace, found, selectors.topics_of(found), here))


@require_safe
@login_required
def rail(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """The channels in the side rail, with what is unread."""
    workspace = workspace_for(request.user, workspace_id)
    found = selectors.channels_of(workspace, request.user)  # type: ignore[arg-type]
    here = request.headers.get("HX-Current-URL", "")
    return render(request, "chat/_rail.html", {"workspace": workspace, "channels": found, "here": here})


@require_safe
@login_required
def mentions(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """People and agents whose name begins with `q`, for completion."""
    workspace = workspace_for(request.user, workspace_id)
    return JsonResponse(
        {"found": selectors.mentionable(request.user, workspace, request.GET.get("q", "")[:40])}
    )


@require_POST
@login_required
def new_channel(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """Create a channel and lead there; the dialog gets its form back with what was typed and why that will not do."""
    workspace = workspace_for(request.user, workspace_id, role=Role.MEMBER)
    is_in_dialog = bool(request.headers.get("HX-Request"))
    typed = {name: request.POST.get(name, "") for name in ("name", "purpose")}
    try:
        made = services.create_channel(workspace=workspace, **typed)
    except (Invalid, Conflict) as error:
        if not is_in_dialog:
            raise
        context = {"workspace": workspace, "refusal": str(error), **typed}
        return render(request, "chat/_new_channel.html", context, status=status_of(error))
    address = reverse("channel", args=[workspace.pk, made.name])
    if is_in_dialog:
        return HttpResponse(status=204, headers={"HX-Redirect": address})
    return redirect(address)


@require_POST
@login_required
def channel_settings(request: HttpRequest, workspace_id: int, name: str) -> HttpResponse:
    """Change a channel's name and purpose, archive it or bring it back."""
    workspace = workspace_for(request.user, workspace_id, role=Role.MAINTAINER)
    _, found = access.channel_for(request.user, workspace_id, name)
    changed = services.change_channel(
        channel=found,
        name=request.POST.get("name") or None,
        purpose=request.POST.get("purpose"),
        is_archived=request.POST.get("is_archived") == "1" if "is_archived" in request.POST else None,
    )
    return redirect("channel", workspace.pk, changed.name)


@require_safe
@login_required
def search(request: HttpRequest, workspace_id: int) -> HttpResponse:
    """Search the messages of a workspace."""
    workspace = workspace_for(request.user, workspace_id)
    query = request.GET.get("q", "").strip()
    found = selectors.search(workspace, query, before=_number(request, "before") or 0) if query else None
    hits = hits_html(workspace, found.messages) if found else ""
    archived = [] if query else selectors.archived_channels(workspace)
    context = {"workspace": workspace, "query": query, "found": found, "hits": hits, "archived": archived}
    return render(request, "chat/search.html", context)
