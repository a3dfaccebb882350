from __future__ import annotations

import pytest

from webapp.reviews.showing import edited_lines
from workers.changes.diffs import Hunk, Line


def hunk_of(old: list[str]) -> Hunk:
    lines = tuple(Line("-", number, None, text) for number, text in enumerate(old, 1))
    return Hunk("k", "a.txt", 1, 1, len(old), 1, 0, "", lines)


def test_shows_an_edit_as_what_differs() -> None:
    shown = edited_lines(hunk_of(["a", "b", "c"]), ["a", "x", "c"])
    assert [f"{line.kind}{line.text}" for line in shown] == [" a", "-b", "+x", " c"]


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "new", [["x", "y"] * 5_000, ["x"] * 10_000, [f"{n // 2}{n % 2}" for n in range(20_000)]]
)
def test_an_edit_of_any_lines_is_shown_at_once(new: list[str]) -> None:
    """A few thousand equal lines held up everybody for minutes, each time that somebody looked."""
    shown = edited_lines(hunk_of(["x"] * 10_000), new)
    assert [line.text for line in shown if line.kind != "-"] == new
    assert len([line for line in shown if line.kind != "+"]) == 10_000
