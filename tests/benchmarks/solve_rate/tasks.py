"""The repair tasks: a project with a fault, what a person says about it, and tests that no agent sees.

A task is a folder of `repair_tasks/`: `goal.md`, `before/` (the project as the agent gets it), `hidden/`
(the tests that decide) and `solution/` (files that solve it, which prove that it can be solved). All tests
run by `unittest`, so that a sandbox needs nothing but Python.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

TASKS_DIR = Path(__file__).parents[1] / "repair_tasks"


@dataclass(frozen=True, slots=True)
class RepairTask:
    """One task, read from its folder."""

    name: str
    folder: Path

    @property
    def goal(self) -> str:
        return " ".join((self.folder / "goal.md").read_text().split())

    def files(self, part: str = "before") -> dict[str, str]:
        """Return path to text of `before`, `hidden` or `solution`."""
        root = self.folder / part
        return {
            path.relative_to(root).as_posix(): path.read_text()
            for path in sorted(root.rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts
        }

    def lay_out(self, into: Path, *, is_solved: bool = False) -> Path:
        """Write the project into the new folder `into` and return it."""
        files = self.files() | (self.files("solution") if is_solved else {})
        for name, text in files.items():
            path = into / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return into

    def add_hidden_tests(self, folder: Path) -> None:
        """Put the hidden tests into a project, over whatever an agent left at their places."""
        shutil.copytree(self.folder / "hidden", folder, dirs_exist_ok=True)


def load_tasks(names: list[str] | None = None) -> list[RepairTask]:
    """Return the tasks with these names, or all, by name.

    Raises:
        ValueError: a name is unknown.
    """
    tasks = {
        path.parent.name: RepairTask(path.parent.name, path.parent) for path in TASKS_DIR.glob("*/goal.md")
    }
    unknown = set(names or ()) - set(tasks)
    if unknown:
        raise ValueError(f"no such tasks: {', '.join(sorted(unknown))}")
    return [tasks[name] for name in sorted(names or tasks)]
