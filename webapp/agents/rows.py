"""The lines of the list of runs as HTML, built here and not in a template: forty of them in a template cost half of the page."""

from __future__ import annotations

from functools import cache
from html import escape
from urllib.parse import urlencode

from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from webapp.agents.models import Run
from webapp.agents.plain import one_line, visible
from webapp.agents.selectors import Page, RunFilter, RunRow
from webapp.templatetags.ui import duration, usd

LINE_CHARS = 160


def rows_html(page: Page[RunRow], asked: RunFilter) -> SafeString:
    """Return the lines of a page of the list, and behind them the way to the next."""
    rows = [_row(run) for run in page.runs]
    if page.next_cursor:
        query = f"?{escape(urlencode(asked.query() | {'after': page.next_cursor}))}"
        rows.append(
            f'<li class="run-more"><a class="button" href="{query}" data-hx-get="{query}" data-hx-target="closest li" '
            'data-hx-swap="outerHTML">Older runs</a></li>'
        )
    return mark_safe("".join(rows))  # noqa: S308 - every text is escaped below


def row_html(run: RunRow) -> SafeString:
    """Return one line."""
    return mark_safe(_row(run))  # noqa: S308 - every text is escaped below


def _row(run: RunRow) -> str:
    base = f"/w/{run.workspace_id}"
    error = ""
    if run.error_message and run.status in (Run.Status.FAILED, Run.Status.DEAD):
        error = f'<span class="small run-line-error">{_line(run.error_message)}</span>'
    review = f'<a class="button" href="{base}/reviews/{run.review_id}/">Review</a>' if run.review_id else ""
    return (
        f'<li class="run-line" id="run-{run.pk}"><a href="{base}/runs/{run.pk}/"><span class="run-line-head">'
        f'<strong>@{escape(run.agent)}</strong><span class="truncate">{_line(run.goal)}</span></span>'
        f'<span class="small muted">{_facts(run)}</span>{error}</a>'
        f'<span class="row">{_status_badge(run.status, run.suspend_reason, run.priority)}{review}</span></li>'
    )


def _line(text: str) -> str:
    return escape(one_line(text, limit=LINE_CHARS))


def _facts(run: RunRow) -> str:
    """Return who called, when, on what, how long and for how much."""
    at = run.created_at
    when = f'<time datetime="{at.isoformat()}">{at:%b} {at.day}, {at:%H:%M}</time>'
    facts = [visible(run.model_label)]
    if run.started_at is not None and run.finished_at is not None:
        facts.append(duration(max(0, int((run.finished_at - run.started_at).total_seconds() * 1000))))
    if run.input_tokens + run.output_tokens:
        facts.append(usd(run.cost_usd))
    return " · ".join(filter(None, [escape(visible(run.requested_by or "")), when, *map(escape, facts)]))


@cache
def _status_badge(status: str, suspend_reason: str, priority: str) -> str:
    run = Run(status=status, suspend_reason=suspend_reason, priority=priority)
    return render_to_string("agents/_status.html", {"run": run}).strip()
