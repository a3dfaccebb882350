"""How much a thing that was learned still counts: what came of it, and how long nobody needed it.

Time is counted in cycles: a cycle is one finished run of the workspace. A weight is never stored and then changed bit by bit;
it follows from three numbers (successes, failures, the cycle of the last use), so that asking twice halves nothing twice,
and the order in which outcomes become known makes no difference. All weights keep to one pair of bounds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

MIN_WEIGHT: Final = 0.05
MAX_WEIGHT: Final = 1.0
IDLE_CYCLES: Final = 50
"""So long a thing may lie unused and lose nothing; in the next cycle it loses half its weight."""
HALF_LIFE_CYCLES: Final = 50
"""After that, its weight halves once in so many cycles."""
ARCHIVE_BELOW: Final = 0.1
"""What weighs less and lies idle goes to the archive, from where people bring it back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a weight follows from."""

    successes: int = 0
    failures: int = 0
    last_cycle: int = 0
    """The cycle in which it was last learned, used or brought back."""
    is_pinned: bool = False

    def credited(self) -> Standing:
        """Return the standing after one more good outcome."""
        return replace(self, successes=self.successes + 1)

    def discredited(self) -> Standing:
        """Return the standing after one more bad outcome."""
        return replace(self, failures=self.failures + 1)

    def used(self, cycle: int) -> Standing:
        """Return the standing after a use in `cycle`; an older use than the last one changes nothing."""
        return replace(self, last_cycle=max(self.last_cycle, cycle))

    def idle_cycles(self, cycle: int) -> int:
        """Return for how many cycles it has not been used."""
        return max(0, cycle - self.last_cycle)


def bounded(weight: float) -> float:
    """Return the weight within the bounds that hold for all weights."""
    return min(MAX_WEIGHT, max(MIN_WEIGHT, weight))


def merit(standing: Standing) -> float:
    """Return the share of good outcomes that is to be expected: 0.5 before any is known, within the bounds."""
    # Laplace's rule of succession: one good and one bad outcome are assumed beforehand.
    return bounded((standing.successes + 1) / (standing.successes + standing.failures + 2))


def decay(idle_cycles: int) -> float:
    """Return what is left after so many idle cycles, 0–1: all up to 50, half at the 51st, halved every 50 more."""
    if idle_cycles <= IDLE_CYCLES:
        return 1.0
    halvings = 1 + (idle_cycles - IDLE_CYCLES - 1) / HALF_LIFE_CYCLES
    return float(0.5**halvings)


def weight_of(standing: Standing, *, cycle: int) -> float:
    """Return the weight in `cycle`, within the bounds; what is pinned keeps what it has earned."""
    left = 1.0 if standing.is_pinned else decay(standing.idle_cycles(cycle))
    return bounded(merit(standing) * left)


def is_faded(standing: Standing, *, cycle: int) -> bool:
    """Return whether it belongs into the archive: unpinned, idle for more than 50 cycles, and light."""
    if standing.is_pinned or standing.idle_cycles(cycle) <= IDLE_CYCLES:
        return False
    return weight_of(standing, cycle=cycle) < ARCHIVE_BELOW
