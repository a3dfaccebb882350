"""What a self-critique is asked and how its answer is read: evidence first, then the model's opinion, which must be plain.

The critique never speaks for the agent: it confirms, or asks for one more pass with a reason. Whatever cannot be read strictly
as one of the two confirms, so that a comment is never taken for an order, and is counted as unclear.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from workers.providers.reply import read_arguments
from workers.providers.types import Message, ModelRequest
from workers.tools.text import bound

Kind = Literal["confirm", "again", "unclear"]
MAX_REASON_CHARS: Final = 2_000
MAX_OUTPUT_TOKENS: Final = 600
EVIDENCE_CHARS: Final = 4_000
_TESTS: Final = re.compile(r"\b(pytest|unittest|npm (run )?test|cargo test|go test|tox|nox)\b")
_CONFIRM: Final = re.compile(r"CONFIRM\.?")
_AGAIN: Final = re.compile(r"AGAIN:\s*(\S.*)", re.DOTALL)
_TASK: Final = """You check finished work before its author hands it in. You see the request, what the author answers, what was
really run and the change. """
_TWO_LINES: Final = """Reply in exactly one of two forms, with nothing before or after it:

CONFIRM
AGAIN: <the fault, in one to three sentences>

AGAIN is"""
_OBJECT: Final = """Reply with one JSON object and nothing else, in one of two forms:

{"fault": "", "verdict": "CONFIRM"}
{"fault": "<the fault, in one to three sentences>", "verdict": "AGAIN"}

AGAIN is"""
_RULE: Final = """ for a fault that you can name in this change: the request is not met, a case gives a wrong result,
something that worked is broken. Taste, praise, further ideas and what you cannot see are no fault. What a run command shows
counts more than what you think."""
SYSTEM: Final = _TASK + _TWO_LINES + _RULE
SYSTEM_OBJECT: Final = _TASK + _OBJECT + _RULE
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"fault": {"type": "string"}, "verdict": {"type": "string", "enum": ["CONFIRM", "AGAIN"]}},
    "required": ["fault", "verdict"],
    "additionalProperties": False,
}
"""The fault comes first: a small model that has to name it decides better."""
AGAIN_NOTE: Final = (
    "You looked at your work once more before handing it in, and found: {reason}\n"
    "Mend that and finish again; where it is no fault, finish again and say why."
)
TESTS_NOTE: Final = "`{command}` fails on the files as they are (exit code {exit_code}):\n{output}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Critique:
    """What came of looking once more."""

    kind: Kind
    reason: str = ""
    is_evidence: bool = False
    """Whether a command that was really run says it, not the model."""

    @property
    def sends_back(self) -> bool:
        return self.kind == "again"


class ReflectionCore:
    """Plain data in, plain data out."""

    def from_evidence(self, evidence: Sequence[Mapping[str, Any]]) -> Critique | None:
        """Return what tests say that ran on the files as they are; None when none failed. It beats every opinion."""
        failed = [item for item in evidence if _TESTS.search(item["command"]) and item["exit_code"] != 0]
        if not failed:
            return None
        newest = failed[-1]
        output = bound(str(newest.get("output", "")), EVIDENCE_CHARS)
        told = TESTS_NOTE.format(command=newest["command"], exit_code=newest["exit_code"], output=output)
        return Critique(kind="again", reason=told, is_evidence=True)

    def question(
        self,
        *,
        goal: str,
        answer: str,
        diff: str,
        evidence: Sequence[Mapping[str, Any]],
        max_chars: int,
        is_constrained: bool = False,
    ) -> ModelRequest:
        """Return what the model is asked; the change is cut so that the whole has at most `max_chars` characters.

        Args:
            is_constrained: Whether the answer is held to a JSON form, for a model that answers in nothing else.
        """
        system = SYSTEM_OBJECT if is_constrained else SYSTEM
        ran = "\n".join(f"- `{item['command']}`: exit code {item['exit_code']}" for item in evidence)
        head = (
            f"Request:\n{bound(goal, max_chars // 8)}\n\nThe author answers:\n{bound(answer, max_chars // 8)}\n\n"
            f"Run on these files:\n{ran or '- nothing'}\n\nThe change:\n"
        )
        body = head + bound(diff, max(500, max_chars - len(head) - len(system)))
        return ModelRequest(
            messages=(Message("system", system), Message("user", body)),
            response_schema=SCHEMA if is_constrained else None,
            max_output_tokens=MAX_OUTPUT_TOKENS,
            temperature=0.0 if is_constrained else None,
        )

    def read(self, text: str, *, is_constrained: bool = False) -> Critique:
        """Return the verdict that a reply states, strictly; everything else is unclear."""
        text = _as_lines(text) if is_constrained else text.strip()
        if _CONFIRM.fullmatch(text):
            return Critique(kind="confirm")
        found = _AGAIN.fullmatch(text)
        if found and len(found[1]) <= MAX_REASON_CHARS and "CONFIRM" not in found[1]:
            return Critique(kind="again", reason=found[1].strip())
        return Critique(kind="unclear")

    def describe(self, critiques: Sequence[Critique]) -> str:
        """Return "Self-critique: asked for more once, confirmed once" for people; empty when there was none."""
        words = {
            "again": "asked for more",
            "confirm": "confirmed",
            "unclear": "unclear, so the answer stands",
        }
        counts = [(words[kind], sum(one.kind == kind for one in critiques)) for kind in words]
        told = [f"{what}{f' {count} times' if count > 1 else ''}" for what, count in counts if count]
        return f"Self-critique: {', '.join(told)}" if told else ""


def _as_lines(text: str) -> str:
    """Return what an answer in JSON says, as a model says it that writes lines; nothing for any other JSON."""
    told = read_arguments(text) or {}
    fault, verdict = told.get("fault"), told.get("verdict")
    if verdict == "AGAIN" and isinstance(fault, str):
        return f"AGAIN: {fault.strip()}"
    return "CONFIRM" if verdict == "CONFIRM" else ""
