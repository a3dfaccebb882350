"""From figures to what the pages show: classes of colour, words, lines of a chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webapp.codehealth.figures import FIGURES
from webapp.codehealth.models import Limits, TrendPoint
from webapp.codehealth.treemap import Tile

MEASURES = {"maintainability": "Maintainability", "cyclomatic": "Highest complexity"}
# The lowest value of each class, the best class first. Radon ranks below 20 as "B" and below 10 as "C".
_MAINTAINABILITY = (80.0, 60.0, 40.0, 20.0)
# The highest value of each class: 10 is McCabe's own limit, 15 the one that NIST 500-235 still allows.
_COMPLEXITY = (5, 10, 15, 30)
FIGURE_NAMES = {
    "cyclomatic": ("Complexity", "C901, as ruff counts it"),
    "cognitive": ("Cognitive", "how hard it is to follow, by Sonar’s paper"),
    "complexity_radon": ("radon", "radon’s complexity"),
    "nesting": ("Nesting", "how deep blocks stand in blocks"),
    "parameters": ("Parameters", "how many it takes"),
    "fan_out": ("Fan-out", "how many others it calls"),
    "halstead_volume": ("Halstead", "volume: how much there is to read"),
    "cyclomatic_mccabe": ("mccabe", "C901, as mccabe counts it"),
}
LEGENDS = {
    "maintainability": ("80 and more", "60 to 80", "40 to 60", "20 to 40", "below 20"),
    "cyclomatic": ("up to 5", "6 to 10", "11 to 15", "16 to 30", "over 30"),
}
CHART_WIDTH, CHART_HEIGHT = 600, 120


def grade(measure: str, value: float | None) -> int:
    """Return the class of a value, 1 (best) to 5; 0 where there is none."""
    if value is None:
        return 0
    if measure == "maintainability":
        return 1 + sum(value < bound for bound in _MAINTAINABILITY)
    return 1 + sum(value > bound for bound in _COMPLEXITY)


@dataclass(frozen=True, slots=True)
class ShownTile:
    """A tile with its class of colour and its name to read aloud."""

    tile: Tile
    grade: int
    words: str


def shown_tile(tile: Tile, measure: str) -> ShownTile:
    """Return what the map shows of a tile."""
    value = tile.maintainability if measure == "maintainability" else tile.cyclomatic
    what = tile.path
    if tile.entry is None:
        place = f"{tile.path}/" if tile.path else "everything"
        what = f"{'smaller ones of ' if tile.is_rest else ''}{place}, {_count(tile.files, 'file')}"
    index = "" if tile.maintainability is None else f", maintainability {tile.maintainability:.0f}"
    worst = "" if tile.cyclomatic is None else f", highest complexity {tile.cyclomatic}"
    return ShownTile(tile, grade(measure, value), f"{what}, {_count(tile.lines, 'line')}{index}{worst}")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure over the commits; `points` are those of an SVG polyline."""

    name: str
    points: str
    last: tuple[float, float]
    first_value: float
    last_value: float
    low: float
    high: float

    @property
    def words(self) -> str:
        """The chart in a sentence."""
        return f"{self.name}: from {self.first_value:g} to {self.last_value:g}"


def charts(trend: Sequence[TrendPoint]) -> list[Chart]:
    """Return a chart of maintainability and one of complex functions; none before there are two points."""
    shown = [
        ("Maintainability", "maintainability"),
        ("Functions over 15", "complex_functions"),
        ("Lines", "lines"),
    ]
    found = []
    for name, figure in shown:
        values = [getattr(point, figure) for point in trend]
        known = [(number, float(value)) for number, value in enumerate(values) if value is not None]
        if len(known) > 1:
            found.append(_chart(name, known, len(values)))
    return found


def _chart(name: str, known: Sequence[tuple[int, float]], count: int) -> Chart:
    low, high = min(value for _, value in known), max(value for _, value in known)
    span = high - low or 1.0
    places = [
        (
            round(6 + number * (CHART_WIDTH - 12) / (count - 1), 1),
            round(CHART_HEIGHT - 8 - (value - low) / span * (CHART_HEIGHT - 16), 1),
        )
        for number, value in known
    ]
    return Chart(
        name=name,
        points=" ".join(f"{x:g},{y:g}" for x, y in places),
        last=places[-1],
        first_value=known[0][1],
        last_value=known[-1][1],
        low=low,
        high=high,
    )


@dataclass(frozen=True, slots=True)
class FunctionRow:
    """A function of the drill-down: its figures in the order of the columns, each with whether it is over a limit."""

    qualname: str
    line: int
    end_line: int
    kind: str
    cells: Sequence[tuple[Any, bool]]

    @property
    def length(self) -> int:
        """Its lines, from its name to its end."""
        return self.end_line - self.line + 1


def function_table(
    functions: Sequence[Mapping[str, Any]], limits: Limits
) -> tuple[list[tuple[str, str]], list[FunctionRow]]:
    """Return the columns (name, what it means) that any function has, and the functions, the most complex first."""
    columns = [name for name in FIGURES if any(one.get(name) is not None for one in functions)]
    allowed = {"cyclomatic": limits.max_cyclomatic, "cognitive": limits.max_cognitive}
    rows = [
        FunctionRow(
            qualname=one["qualname"],
            line=one["line"],
            end_line=one["end_line"],
            kind=one["kind"],
            cells=[(one.get(name), _is_over(one.get(name), allowed.get(name))) for name in columns],
        )
        for one in sorted(functions, key=lambda one: (-one["cyclomatic"], one["line"]))
    ]
    return [FIGURE_NAMES[name] for name in columns], rows


def _is_over(figure: int | None, limit: int | None) -> bool:
    return figure is not None and limit is not None and figure > limit
