"""The rows of the list as HTML, built here and not in a template: fifty of them in a template cost four times the whole page."""

from __future__ import annotations

from html import escape

from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from webapp.reviews.characters import visible_html
from webapp.reviews.selectors import ReviewPage, ReviewRow
from webapp.templatetags.ui import icon

_RISKS = {"low": ("", "Low risk"), "medium": (" warn", "Medium risk"), "high": (" bad", "High risk")}
_STATUSES = {
    "landing": (" accent", "Being applied"),
    "landed": (" good", "Landed"),
    "discarded": ("", "Discarded"),
    "reverted": (" warn", "Reverted"),
}


def rows_html(page: ReviewPage, *, workspace_id: int, which: str) -> SafeString:
    """Return the rows of a page of the list, and behind them the way to the next."""
    base = reverse("workspace_reviews", args=[workspace_id])
    bot, user = icon("bot"), icon("user")
    rows = [_row(one, base, bot, user) for one in page.reviews]
    if page.next_before is not None:
        query = f"?which={escape(which)}&amp;before={page.next_before}"
        rows.append(
            f'<li class="review-more"><a class="button" href="{query}" data-hx-get="{base}rows/{query}" '
            'data-hx-target="closest li" data-hx-swap="outerHTML">Older reviews</a></li>'
        )
    return mark_safe("".join(rows))  # noqa: S308 - every text is escaped below


def _row(one: ReviewRow, base: str, bot: str, user: str) -> str:
    at = one.created_at
    by = f"<span>for {visible_html(one.requested_by)}</span>" if one.requested_by else ""
    risk, risk_words = _RISKS[one.risk]
    unverified = (
        '<span class="badge warn">unverified</span>' if one.status == "open" and not one.has_evidence else ""
    )
    return (
        f'<li class="review-line"><a href="{base}{one.pk}/">'
        f'<span class="review-line-head"><strong class="truncate">{visible_html(one.title)}</strong></span>'
        f'<span class="review-line-facts small muted"><span>@{escape(one.agent)}</span>{by}'
        f'<time datetime="{at.isoformat()}">{at:%b} {at.day}, {at:%H:%M}</time>'
        f'<span class="plus">+{one.added}</span><span class="minus">−{one.deleted}</span>'
        f"<span>{_count(one.file_count, 'file')}, {_count(one.hunk_count, 'hunk')}</span></span></a>"
        f'<span class="row"><span class="badge{risk}">{risk_words}</span>{unverified}{_status(one, bot, user)}</span></li>'
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _status(one: ReviewRow, bot: str, user: str) -> str:
    if one.status == "open":
        turn = f"{bot}@{escape(one.agent)}’s turn" if one.turn == "agent" else f"{user}reviewer’s turn"
        return f'<span class="badge">{turn}</span>'
    style, words = _STATUSES[one.status]
    return f'<span class="badge{style}">{words}</span>'
