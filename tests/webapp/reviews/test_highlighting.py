from __future__ import annotations

import pytest

from webapp.reviews.highlighting import changed_ranges, highlight


def test_marks_what_differs_in_a_replaced_line() -> None:
    assert changed_ranges("total = price + tax", "total = price - tax") == (((14, 15),), ((14, 15),))


@pytest.mark.timeout(10)
def test_lines_of_equal_words_are_compared_at_once() -> None:
    """Forty such lines took ten seconds for every reader of the page, and a page has many of forty."""
    for number in range(400):
        changed_ranges("a " * 100 + str(number), "a b " * 50 + str(number))
        changed_ranges("a " * 50 + str(number), "a b " * 25 + str(number))


def test_colours_a_hunk() -> None:
    assert highlight("a.py", ("x = 'a'",))[0] != (("", "x = 'a'"),)


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.c", ""),
        ("a.cpp", " "),
        ("A.java", ""),
        ("a.service", "//ab c"),
        ("a.sp", "/*/"),
        ("a.gsx", "\t"),
        ("a.thrift", "ab c"),
    ],
)
def test_nobody_chooses_a_file_that_is_coloured_for_minutes(name: str, line: str) -> None:
    lines = (line,) * (59_000 // (len(line) + 1))
    assert highlight(name, lines) == tuple((("", line),) for line in lines)
