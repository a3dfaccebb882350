from __future__ import annotations

import dataclasses
import random

import pytest

from webapp.codehealth.figures import Entry
from webapp.codehealth.treemap import HEIGHT, MIN_AREA, WIDTH, Box, Tile, squarify, tiles

FILE = Entry("k", "python", 10, 8, 1, 0, 70.0, 1, 1, "f", 1, None, "", 0, 0)


def sized(lines: int, **fields: object) -> Entry:
    return dataclasses.replace(FILE, lines=lines, **fields)  # type: ignore[arg-type]


def overlap(a: Box, b: Box) -> float:
    wide = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    high = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    return max(wide, 0) * max(high, 0)


def test_areas_are_in_proportion_and_fill_the_box_without_overlap() -> None:
    sizes = sorted((random.Random(1).randint(1, 900) for _ in range(60)), reverse=True)
    boxes = squarify(sizes, Box(0, 0, 600, 400))
    for size, box in zip(sizes, boxes, strict=True):
        assert box.area == pytest.approx(size * 240_000 / sum(sizes), rel=1e-6)
        assert box.x >= -1e-6 and box.x + box.width <= 600 + 1e-6 and box.y + box.height <= 400 + 1e-6
    assert sum(overlap(a, b) for n, a in enumerate(boxes) for b in boxes[n + 1 :]) < 1e-3


def test_equal_sizes_come_out_nearly_square() -> None:
    for box in squarify([1.0] * 24, Box(0, 0, 600, 400)):
        assert max(box.width / box.height, box.height / box.width) < 1.7


def test_a_small_folder_is_one_tile_with_the_mean_and_the_worst_of_its_files() -> None:
    entries = {
        "big.py": sized(100_000),
        "small/a.py": sized(10, maintainability=40.0, cyclomatic=7),
        "small/b.py": sized(30, maintainability=80.0, cyclomatic=3),
    }
    found = {tile.path: tile for tile in tiles(entries)}
    assert set(found) == {"big.py", "small"}
    small = found["small"]
    assert (small.files, small.lines, small.maintainability, small.cyclomatic) == (2, 40, 70.0, 7)


def test_many_thousand_files_make_a_few_hundred_tiles() -> None:
    chance = random.Random(2)
    entries = {f"d{n % 40}/e{n % 7}/f{n}.py": sized(chance.randint(1, 800)) for n in range(20_000)}
    found = tiles(entries)
    assert 40 <= len(found) <= 2 * WIDTH * HEIGHT / MIN_AREA
    assert sum(tile.lines for tile in found) == sum(entry.lines for entry in entries.values())


def test_the_small_files_of_a_flat_folder_are_one_tile() -> None:
    entries = {"big.py": sized(900)} | {f"f{n}.py": sized(1) for n in range(3_000)}
    (rest,) = [tile for tile in tiles(entries) if tile.is_rest]
    assert (rest.files, rest.lines, rest.path, rest.label) == (3_000, 3_000, "", "3000 more")


def test_a_part_is_shown_under_its_folder_and_empty_files_nowhere() -> None:
    entries = {"a/b/x.py": sized(5), "a/b/y.py": sized(5), "a/b/empty.py": sized(0)}
    assert sorted(tile.path for tile in tiles(entries, under="a/b")) == ["a/b/x.py", "a/b/y.py"]
    assert tiles({"e.py": sized(0)}) == []
    assert tiles({}) == []


def test_labels_stand_where_they_fit() -> None:
    found: list[Tile] = tiles({"a_rather_long_name_of_a_file.py": sized(500), "b.py": sized(1)})
    labels = {tile.path: tile.label for tile in found}
    assert labels["a_rather_long_name_of_a_file.py"].startswith("a_rather")
    assert labels["b.py"] == ""
