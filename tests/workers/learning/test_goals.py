"""Kinds of goals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.learning.goals import KINDS, kind_of


@pytest.mark.parametrize(
    ("goal", "kind"),
    [
        ("Why does the parser fail?", "question"),
        ("the cart is off, isn't it?", "question"),
        ("Write tests for cart.py", "test"),
        ("Make the failing test pass", "fix"),
        ("Update the README", "docs"),
        ("The total is wrong by a cent", "fix"),
        ("Add a discount", "change"),
        ("", "change"),
    ],
)
def test_tells_kinds_by_their_words(goal: str, kind: str) -> None:
    assert kind_of(goal) == kind


@given(st.text())
def test_knows_a_kind_for_any_goal(goal: str) -> None:
    assert kind_of(goal) in KINDS
