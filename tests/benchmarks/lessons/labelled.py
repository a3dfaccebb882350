"""The thresholds of lessons on pairs that people labelled: `python -m tests.benchmarks.lessons.labelled`.

Each threshold is the lowest step of 0.05 that keeps its promise on the odd pairs; the even pairs, which had no say, tell what
it is worth. A promise is a precision, or how seldom a lesson is given to a goal that it has nothing to do with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workers.learning.core import FITS_GOAL, SAME_GOAL, SAME_MEANING
from workers.memory.embedding import minilm

FOLDER = Path(__file__).parent
STEPS = [round(step * 0.05, 2) for step in range(2, 20)]
PRECISION = 0.9
GIVEN_ASTRAY = 0.01


@dataclass(frozen=True)
class Pairs:
    """Pairs of texts, their cosines [pairs], and whether people see them together [pairs]."""

    left: NDArray[np.float32]
    right: NDArray[np.float32]
    is_together: NDArray[np.bool_]

    @property
    def cosines(self) -> NDArray[np.float32]:
        return (self.left * self.right).sum(axis=1)

    def half(self, start: int) -> Pairs:
        """Return the odd pairs (0) or the even ones (1)."""
        return Pairs(self.left[start::2], self.right[start::2], self.is_together[start::2])

    def recall(self, threshold: float) -> float:
        return float((self.cosines[self.is_together] >= threshold).mean())

    def precision(self, threshold: float) -> float:
        found = self.cosines >= threshold
        return float(self.is_together[found].mean()) if found.any() else 1.0

    def astray(self, threshold: float) -> float:
        """Return the share of pairings of any left text with the right side of a pair that does not belong together."""
        return float((self.right[~self.is_together] @ self.left.T >= threshold).mean())


def read_pairs(name: str) -> Pairs:
    """Return a labelled set, embedded."""
    lines = (FOLDER / f"{name}.txt").read_text().splitlines()
    rows = [[cell.strip() for cell in line.split(" | ")] for line in lines if not line.startswith("#")]
    left, right = minilm.embed([row[1] for row in rows]), minilm.embed([row[2] for row in rows])
    return Pairs(left, right, np.array([row[0] not in ("other", "no") for row in rows]))


def lowest(keeps: Callable[[float], bool]) -> float:
    """Return the lowest step from which on the promise is kept."""
    broken = [step for step in STEPS if not keeps(step)]
    return next(step for step in STEPS if not broken or step > broken[-1])


@dataclass(frozen=True)
class Result:
    """A threshold, what the odd pairs choose, and its figures on the even ones."""

    name: str
    pairs: int
    in_use: float
    chosen: float
    precision: float
    recall: float
    astray: float


def evaluate() -> list[Result]:
    """Return the three thresholds with their figures."""
    sets = {
        "two mistakes are one lesson": ("pairs", SAME_MEANING, False),
        "a lesson fits a goal": ("goals", FITS_GOAL, True),
        "two goals call for the same lessons": ("again", SAME_GOAL, False),
    }
    results = []
    for name, (file, in_use, is_seldom) in sets.items():
        pairs = read_pairs(file)
        odd, even = pairs.half(0), pairs.half(1)
        if is_seldom:
            chosen = lowest(lambda step, odd=odd: odd.astray(step) <= GIVEN_ASTRAY)
        else:
            chosen = lowest(lambda step, odd=odd: odd.precision(step) >= PRECISION)
        results.append(
            Result(
                name, len(pairs.cosines), in_use, chosen,
                even.precision(in_use), even.recall(in_use), even.astray(in_use),
            )
        )  # fmt: skip
    return results


def main() -> None:
    """Print the table."""
    for result in evaluate():
        print(
            f"  {result.name}: {result.in_use:.2f} in use ({result.chosen:.2f} chosen on the odd of {result.pairs} pairs); "
            f"on the even: precision {result.precision:.2f}, recall {result.recall:.2f}, unrelated over it {result.astray:.1%}"
        )


if __name__ == "__main__":
    main()
