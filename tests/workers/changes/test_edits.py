"""Carrying an edit to other surroundings changes nothing that the person did not touch."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workers.changes.edits import Surroundings, carry_edit

OLD = Surroundings(("one", "two", "three"), ("four", "five"))
texts = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=4)


def test_what_was_typed_stands_between_the_lines_that_are_there_now() -> None:
    edited = ["one", "two", "three", "typed", "four", "five"]
    now = Surroundings(("ONE", "three"), ("four", "FIVE", "six"))
    assert carry_edit(edited, made_on=OLD, now=now) == ["ONE", "three", "typed", "four", "FIVE", "six"]


def test_a_line_that_was_typed_over_must_still_read_as_it_did() -> None:
    edited = ["one", "two", "THREE", "typed", "four", "five"]
    assert carry_edit(edited, made_on=OLD, now=Surroundings(("0", "three"), ())) == ["0", "THREE", "typed"]
    assert carry_edit(edited, made_on=OLD, now=Surroundings(("two", "3"), ("four", "five"))) is None
    assert carry_edit(edited, made_on=OLD, now=Surroundings((), ("four", "five"))) is None
    assert carry_edit([*edited[:4], "4", "five"], made_on=OLD, now=Surroundings(OLD.before, ("x",))) is None


def test_carriage_returns_follow_the_edit_which_may_have_none() -> None:
    made_on, now = Surroundings(("a\r",), ("b\r",)), Surroundings(("x\r", "a\r"), ())
    assert carry_edit(["a", "typed", "b"], made_on=made_on, now=now) == ["x", "a", "typed"]
    assert carry_edit(["a\r", "typed\r", "b\r"], made_on=made_on, now=now) == ["x\r", "a\r", "typed\r"]


@given(texts, texts, texts)
def test_nothing_changes_where_nothing_around_it_did(
    before: list[str], edited: list[str], after: list[str]
) -> None:
    around = Surroundings(tuple(before), tuple(after))
    assert carry_edit(edited, made_on=around, now=around) == edited


@given(texts, texts, texts, texts, texts)
def test_what_stands_there_now_is_never_lost(
    before: list[str], after: list[str], typed: list[str], before_now: list[str], after_now: list[str]
) -> None:
    """An edit of the change alone takes every surrounding line as it is now, whatever it was."""
    made_on = Surroundings(tuple(before), tuple(after))
    now = Surroundings(tuple(before_now), tuple(after_now))
    carried = carry_edit([*before, "typed", *typed, "typed", *after], made_on=made_on, now=now)
    assert carried == [*before_now, "typed", *typed, "typed", *after_now]
