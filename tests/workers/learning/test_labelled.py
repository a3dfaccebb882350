"""The thresholds that lessons live by are those that the labelled pairs choose."""

from __future__ import annotations

from tests.benchmarks.lessons.labelled import evaluate


def test_uses_the_thresholds_that_the_odd_pairs_choose_and_the_even_pairs_bear_out() -> None:
    same, fits, again = evaluate()
    for result in (same, fits, again):
        assert result.in_use == result.chosen, result
    assert same.precision >= 0.9 and same.recall >= 0.3
    assert fits.astray <= 0.015 and fits.recall >= 0.5
    assert again.precision >= 0.9 and again.recall >= 0.9
