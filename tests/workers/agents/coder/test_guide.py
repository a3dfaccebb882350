from __future__ import annotations

from workers.agents.coder.guide import MAX_POINTS, Guide, Standing, split_points

GOAL = (
    "`free_slots` offers times that are taken. It goes wrong e.g. when bookings overlap, see v1.2. Not good. "
    "Amounts like `1,234.50` stay."
)


def test_cuts_a_request_at_its_sentences() -> None:
    assert split_points(GOAL) == [
        "`free_slots` offers times that are taken.",
        "It goes wrong e.g. when bookings overlap, see v1.2. Not good.",
        "Amounts like `1,234.50` stay.",
    ]


def test_cuts_a_request_at_its_list_items() -> None:
    goal = (
        "Please mend the cache:\n- a get counts\n  as a use\n- None is kept for ever\n\n2. stats count hits"
    )
    assert split_points(goal) == [
        "Please mend the cache:",
        "a get counts as a use",
        "None is kept for ever",
        "stats count hits",
    ]


def test_puts_what_is_too_much_into_the_last_point() -> None:
    points = split_points(" ".join(f"This is sentence number {n}." for n in range(12)))
    assert len(points) == MAX_POINTS
    assert points[-1].endswith("number 11.")


def test_puts_each_point_before_the_model_once() -> None:
    guide = Guide("Add a size. It must be a whole number.")
    assert "(1 of 2): Add a size." in (guide.next_point() or "")
    assert "(2 of 2): It must be" in (guide.next_point() or "")
    assert guide.next_point() is None


def test_a_request_of_one_point_is_not_put_again() -> None:
    assert Guide("fix add in calc.py").next_point() is None


def test_goes_back_after_two_edits_that_made_it_worse() -> None:
    guide = Guide("fix it")
    start, mended = Standing("a", False, 2), Standing("b", False, 1)
    assert not guide.judge(start)
    assert not guide.judge(mended)
    assert guide.best == mended and not guide.is_behind
    assert not guide.judge(Standing("c", False, None))
    assert guide.is_behind
    assert guide.judge(Standing("d", False, 2))
    assert guide.best == mended
    assert not guide.judge(mended)
    assert not guide.is_behind


def test_of_equal_states_the_newest_is_the_best() -> None:
    guide = Guide("fix it")
    guide.judge(Standing("a", True, 0))
    guide.judge(Standing("b", True, None))
    assert guide.best == Standing("b", True, None)
