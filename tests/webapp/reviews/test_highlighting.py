from __future__ import annotations

import pytest

from webapp.reviews.highlighting import changed_ranges


def test_marks_what_differs_in_a_replaced_line() -> None:
    assert changed_ranges("total = price + tax", "total = price - tax") == (((14, 15),), ((14, 15),))


@pytest.mark.timeout(10)
def test_lines_of_equal_words_are_compared_at_once() -> None:
    """Forty such lines took ten seconds for every reader of the page, and a page has many of forty."""
    for number in range(400):
        changed_ranges("a " * 100 + str(number), "a b " * 50 + str(number))
        changed_ranges("a " * 50 + str(number), "a b " * 25 + str(number))
