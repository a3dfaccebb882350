from __future__ import annotations

import pytest

from workers.agents.quoting import is_quoted


@pytest.mark.parametrize(
    ("quote", "is_there"),
    [("return items[1]", True), ("+    return  items[1]", True), ("return items", True), ("items[1]", True), (")", False)],
)  # fmt: skip
def test_reads_a_quote_with_other_spaces(quote: str, is_there: bool) -> None:
    assert is_quoted(quote, "    return items[1]") is is_there


def test_quotes_a_short_line_whole() -> None:
    assert is_quoted("x", "  x  ") and not is_quoted("x", "  xy")


def test_takes_no_quote_for_none() -> None:
    assert not is_quoted("  ", "")
