"""A treemap of files: area is lines of code, folders stay together, and what would be too small to see is drawn as its folder.

The layout is Bruls, Huizing and van Wijk's “Squarified Treemaps” (2000): rows are filled for as long as that makes their
rectangles more square. It is computed here, so that the page needs no script and no inline style.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from webapp.codehealth.figures import Entry

WIDTH, HEIGHT = 1000.0, 560.0
MIN_AREA = 2_000.0
"""Of a tile: 0.36 % of the map. Smaller ones of a folder are drawn together, so that the map has a few hundred tiles at most."""
MIN_LABEL_WIDTH, LABEL_HEIGHT, CHARACTER_WIDTH = 44.0, 17.0, 7.2


@dataclass(slots=True)
class Node:
    """A file (with its entry) or a folder."""

    path: str
    name: str
    lines: int = 0
    entry: Entry | None = None
    children: dict[str, Node] = field(default_factory=dict)
    is_rest: bool = False
    """Whether it stands for the small ones of the folder `path`."""

    def files(self) -> Iterator[Entry]:
        """Yield the entries of all files below."""
        stack = [self]
        while stack:
            node = stack.pop()
            if node.entry is not None:
                yield node.entry
            stack.extend(node.children.values())


@dataclass(frozen=True, slots=True)
class Box:
    """A place on the map."""

    x: float
    y: float
    width: float
    height: float

    @property
    def area(self) -> float:
        return self.width * self.height


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle of the map: a file, a folder with so many files, or the small ones of a folder."""

    path: str
    label: str
    box: Box
    entry: Entry | None
    is_rest: bool
    files: int
    lines: int
    maintainability: float | None
    cyclomatic: int | None

    @classmethod
    def of(cls, node: Node, box: Box) -> Self:
        """Return the tile of a node; a folder has the mean maintainability by lines, and the worst complexity."""
        entries = list(node.files())
        known = [
            (one.maintainability, max(one.lines, 1)) for one in entries if one.maintainability is not None
        ]
        weight = sum(lines for _, lines in known)
        room = int((box.width - 8) / CHARACTER_WIDTH)
        fits = box.width >= MIN_LABEL_WIDTH and box.height >= LABEL_HEIGHT and room >= 3
        name = node.name if node.entry is not None or node.is_rest else f"{node.name}/"
        return cls(
            path=node.path,
            label="" if not fits else name if len(name) <= room else f"{name[: room - 1]}…",
            box=Box(*(round(value, 1) for value in (box.x, box.y, box.width, box.height))),
            entry=node.entry,
            is_rest=node.is_rest,
            files=len(entries),
            lines=node.lines,
            maintainability=sum(index * lines for index, lines in known) / weight if weight else None,
            cyclomatic=max((one.cyclomatic for one in entries if one.cyclomatic is not None), default=None),
        )


def build_tree(entries: Mapping[str, Entry], *, under: str = "") -> Node:
    """Return the folder `under` with everything below it; a file without lines has no place on a map."""
    root = Node(under, under.rpartition("/")[2])
    skip = len(under) + 1 if under else 0
    for path, entry in entries.items():
        if not entry.lines:
            continue
        node = root
        node.lines += entry.lines
        parts = path[skip:].split("/")
        for depth, part in enumerate(parts):
            known = "/".join([*([under] if under else []), *parts[: depth + 1]])
            node = node.children.setdefault(part, Node(known, part))
            node.lines += entry.lines
        node.entry = entry
    return root


def tiles(entries: Mapping[str, Entry], *, under: str = "") -> list[Tile]:
    """Return the rectangles of the map of a folder, the largest of each folder first."""
    found: list[Tile] = []
    stack = [(build_tree(entries, under=under), Box(0, 0, WIDTH, HEIGHT))]
    while stack:
        node, box = stack.pop()
        is_open = bool(node.children) and not node.is_rest and (box.area >= MIN_AREA or node.path == under)
        if is_open:
            children = _visible(node, box.area)
            boxes = squarify([child.lines for child in children], box)
            stack.extend(reversed(list(zip(children, boxes, strict=True))))
        elif node.lines:
            found.append(Tile.of(node, box))
    return found


def _visible(folder: Node, area: float) -> list[Node]:
    """Return what a folder shows on so much area, the largest first: its larger children, and one for the small ones."""
    children = sorted(folder.children.values(), key=lambda child: (-child.lines, child.name))
    small = [child for child in children if area * child.lines / folder.lines < MIN_AREA]
    if len(small) < 2:
        return children
    lines = sum(child.lines for child in small)
    rest = Node(folder.path, f"{len(small)} more", lines, None, {child.name: child for child in small}, True)
    return sorted([*children[: len(children) - len(small)], rest], key=lambda child: -child.lines)


def squarify(sizes: Sequence[float], box: Box) -> list[Box]:
    """Return a box for each size, in order, that fill `box` with areas in proportion; sizes are positive and descend."""
    scale = box.area / sum(sizes)
    areas = [size * scale for size in sizes]
    placed: list[Box] = []
    start, left = 0, box
    while start < len(areas):
        end = start + 1
        side = min(left.width, left.height)
        while end < len(areas) and _worst(areas[start : end + 1], side) <= _worst(areas[start:end], side):
            end += 1
        row, left = _row(areas[start:end], left)
        placed += row
        start = end
    return placed


def _worst(areas: Sequence[float], side: float) -> float:
    """Return the worst aspect ratio of a row of these areas along a side of this length."""
    total = sum(areas)
    if not total or not side:
        return float("inf")
    return max(side * side * max(areas) / (total * total), total * total / (side * side * min(areas)))


def _row(areas: Sequence[float], box: Box) -> tuple[list[Box], Box]:
    """Return the boxes of a row along the shorter side, and what is left of `box`."""
    total = sum(areas)
    row: list[Box] = []
    if box.width >= box.height:
        width = total / box.height if box.height else 0
        y = box.y
        for area in areas:
            height = area / width if width else 0
            row.append(Box(box.x, y, width, height))
            y += height
        return row, Box(box.x + width, box.y, max(box.width - width, 0), box.height)
    height = total / box.width if box.width else 0
    x = box.x
    for area in areas:
        width = area / height if height else 0
        row.append(Box(x, box.y, width, height))
        x += width
    return row, Box(box.x, box.y + height, box.width, max(box.height - height, 0))
