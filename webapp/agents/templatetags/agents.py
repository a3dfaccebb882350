"""What the templates of runs need: a run as JSON for its element, and a step's detail as sections of plain text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from django import template
from django.utils.safestring import SafeString

from webapp.agents import selectors
from webapp.agents.advice import advice_for
from webapp.agents.linking import answer_html
from webapp.agents.models import Run, Step
from webapp.agents.plain import visible

register = template.Library()
MAX_SECTIONS: Final = 40
LABELS: Final = {
    "text": "Text",
    "thought": "Thought",
    "plan": "Plan",
    "command": "Command",
    "arguments": "Arguments",
    "output": "Output",
    "result": "Result",
    "exit_code": "Exit code",
    "error": "Error",
    "note": "Note",
    "messages": "Conversation",
    "hidden": "Hidden from the model",
    "model": "Model",
    "finish_reason": "Ended because",
}
FIRST: Final = list(LABELS)


@dataclass(frozen=True, slots=True)
class Section:
    """A piece of a step's detail: `is_block` pieces are shown as preformatted text."""

    label: str
    text: str
    is_block: bool


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return str(value)
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def _messages(value: list[Any]) -> str:
    parts = []
    for item in value:
        if not isinstance(item, dict):
            parts.append(_as_text(item))
            continue
        rest = {
            name: part
            for name, part in item.items()
            if name not in ("role", "author", "content", "text") and part
        }
        said = _as_text(item.get("content") or item.get("text") or "")
        head = f"— {item.get('role') or item.get('author') or 'message'} —"
        parts.append("\n".join(part for part in (head, said, _as_text(rest) if rest else "") if part))
    return "\n\n".join(parts)


@register.simple_tag
def step_sections(step: Step) -> list[Section]:
    """Return the step's detail in reading order, as visible plain text."""
    detail: dict[str, Any] = step.detail if isinstance(step.detail, dict) else {"detail": step.detail}
    names = sorted(detail, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))
    sections = []
    for name in names[:MAX_SECTIONS]:
        value = detail[name]
        if value in (None, "", [], {}):
            continue
        text = visible(
            _messages(value) if name == "messages" and isinstance(value, list) else _as_text(value)
        )
        label = LABELS.get(name, visible(name.replace("_", " ").capitalize(), limit=60))
        sections.append(Section(label, text, "\n" in text or len(text) > 60))
    return sections


@register.filter
def kind_words(kind: str) -> str:
    """Return what a kind of step is called."""
    return kind.replace("_", " ").capitalize()


@register.filter
def run_json(run: Run) -> str:
    """Return the run's summary as JSON for a `data-` attribute."""
    return json.dumps(selectors.summary(run), separators=(",", ":"))


@register.filter
def review_of(run: Run) -> int | None:
    """Return the change set that this run offers or answers."""
    return selectors.review_id(run)


@register.filter
def advice(run: Run) -> str:
    """Return what a person can do about the run's error."""
    return advice_for(run.error_code, is_retryable=run.is_retryable)


@register.filter
def suspend_words(run: Run) -> str:
    """Return why the run does not work now though it has begun."""
    return selectors.suspend_words(run)


@register.filter
def plain(text: str) -> str:
    """Return what an agent wrote with control and invisible characters as signs."""
    return visible(text or "")


@register.simple_tag
def answer_of(run: Run, limit: int) -> SafeString:
    """Return the run's answer, cut to `limit` characters, with its links."""
    return answer_html(run.answer[:limit], run.workspace_id)


@register.filter
def elapsed_ms(run: Run) -> int | None:
    """Return how long the run took, None while it has not ended."""
    if run.started_at is None or run.finished_at is None:
        return None
    return max(0, int((run.finished_at - run.started_at).total_seconds() * 1000))


@register.filter
def total_tokens(thing: Run | Step) -> int:
    """Return the tokens of a run or step, in and out."""
    return thing.input_tokens + thing.output_tokens
