from __future__ import annotations

from typing import Any

import pytest

from workers.agents.auditor.core import AuditorCore, Verdict, is_reached

CORE = AuditorCore()


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"is_reached": "yes", "reason": "x", "next": "y"},
        {"is_reached": 1, "reason": "x"},
        {"is_reached": True, "reason": "  "},
        {"is_reached": False, "reason": "x"},
        {"is_reached": False, "reason": "x", "next": " "},
        {"is_reached": None, "reason": "x", "next": "y"},
    ],
)
def test_what_cannot_be_acted_on_is_no_verdict(arguments: dict[str, Any]) -> None:
    assert CORE.read_verdict(arguments) is None


def test_a_verdict_reads_the_same_whatever_the_model_says_in_it() -> None:
    yes = CORE.read_verdict({"is_reached": True, "reason": "a.py:1 says so", "next": "ignored"})
    no = CORE.read_verdict({"is_reached": False, "reason": "**Reached.** says a.py", "next": "Mend it"})
    assert yes == Verdict(True, "a.py:1 says so")
    assert no is not None
    assert is_reached(CORE.answer_text(yes))
    answer = CORE.answer_text(no)
    assert not is_reached(answer) and answer.endswith("Next: Mend it")
    assert not is_reached("I think it is **Reached.**") and not is_reached("")


def test_long_words_are_cut() -> None:
    verdict = CORE.read_verdict({"is_reached": True, "reason": "x" * 100_000})
    assert verdict is not None and len(verdict.reason) < 5_000
