"""The built-in tools; a tool is a line here."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from workers.registry import load
from workers.tools.base import Toolbox

BUILT_IN: Final[dict[str, str]] = {
    "list_files": "workers.tools.reading:ListFiles",
    "read_file": "workers.tools.reading:ReadFile",
    "search": "workers.tools.reading:Search",
    "edit_file": "workers.tools.editing:EditFile",
    "edit_code": "workers.tools.editing:EditCode",
    "write_file": "workers.tools.editing:WriteFile",
    "delete_file": "workers.tools.editing:DeleteFile",
    "run_command": "workers.tools.commands:RunCommand",
    "run_tests": "workers.tools.testing:RunTests",
    "finish": "workers.tools.finish:Finish",
}

# For agents that name them.
KNOWLEDGE: Final[dict[str, str]] = {
    "recall": "workers.tools.knowing:Recall",
    "find_related": "workers.tools.knowing:FindRelated",
}
# For agents that name them.
DELEGATION: Final[dict[str, str]] = {
    "delegate": "workers.tools.delegation:Delegate",
    "delegate_several": "workers.tools.delegation:DelegateSeveral",
}


def open_toolbox(
    *, only: Collection[str] | None = None, more: Collection[str] = (), answers_review: bool = False
) -> Toolbox:
    """Return the built-in tools and `more` of the others, or `only` some and `finish`; for an answer to a review, that asks for
    an answer to each comment too. The tools of delegation and of knowledge come when they are named."""
    finish = {"finish": "workers.tools.finish:FinishRevision"} if answers_review else {}
    targets = BUILT_IN | DELEGATION | KNOWLEDGE | finish
    wanted = {"finish", *(only if only is not None else (*BUILT_IN, *more))}
    names = [name for name in targets if name in wanted]
    return Toolbox([load(targets[name])() for name in names])
