"""Tests that fail after an edit, and not before, are the agent's mistake."""

from __future__ import annotations

from workers.learning.mistakes import MistakeWatch

FAILS = "E   IndexError: list index out of range\n"
OTHER = "E   KeyError: 'name' is not there\n"


def test_learns_when_tests_fail_after_an_edit_and_again_when_they_are_mended() -> None:
    watch = MistakeWatch()
    assert watch.tested(passed=True, output="") is None
    watch.edited("Edit pages.py")
    seen = watch.tested(passed=False, output=FAILS)
    assert seen is not None
    assert seen.cause == "The tests failed after: Edit pages.py." and seen.solution == ""
    watch.edited("Edit pages.py again")
    mended = watch.tested(passed=True, output="")
    assert mended is not None and mended.pattern == seen.pattern and mended.cause == seen.cause
    assert mended.solution == "They passed after: Edit pages.py again."
    assert watch.tested(passed=True, output="") is None


def test_blames_nobody_for_what_failed_before_the_first_edit() -> None:
    watch = MistakeWatch()
    assert watch.tested(passed=False, output=FAILS) is None
    watch.edited("Edit pages.py")
    assert watch.tested(passed=False, output=FAILS) is None
    assert watch.tested(passed=False, output=OTHER) is not None


def test_tells_a_mistake_once_however_often_the_tests_are_run() -> None:
    watch = MistakeWatch()
    watch.edited("Edit pages.py")
    assert watch.tested(passed=False, output=FAILS) is not None
    assert watch.tested(passed=False, output=FAILS) is None
    watch.edited("Edit it again")
    assert watch.tested(passed=False, output=FAILS.replace("list", "LIST")) is None


def test_learns_nothing_from_tests_that_say_nothing() -> None:
    watch = MistakeWatch()
    watch.edited("Edit pages.py")
    assert watch.tested(passed=False, output="Killed") is None
