"""The reasoning tree from its rows: plain, for pages that read without scripts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from webapp.agents.models import Step


@dataclass(slots=True)
class Node:
    """A step with the steps below it."""

    step: Step
    children: list[Node] = field(default_factory=list)


def build_tree(steps: Iterable[Step]) -> list[Node]:
    """Return the roots, in order.

    A step whose parent is unknown, or comes later than itself, is a root: nothing is lost and nothing goes in circles.
    """
    nodes: dict[str, Node] = {}
    roots: list[Node] = []
    for step in steps:
        node = Node(step)
        parent = nodes.get(step.parent_id)
        (parent.children if parent else roots).append(node)
        nodes[step.step_id] = node
    return roots
