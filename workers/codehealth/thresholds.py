"""Where a figure begins to matter. Defaults; a workspace may choose its own."""

from __future__ import annotations

from dataclasses import dataclass

from workers.codehealth.metrics import FileAudit, FunctionAudit

# ruff's and mccabe's own default; NIST 500-235 names 10 as the limit McCabe proposed and allows up to 15.
CYCLOMATIC_MEDIUM = 10
CYCLOMATIC_HIGH = 15
GROWTH_MEDIUM = 5
# Radon ranks above 19 as "A"; 65 and 85 in the literature belong to the index before it was scaled to 0–100.
MAINTAINABILITY_LOW = 20.0
MAINTAINABILITY_FALL_MEDIUM = 10.0


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What a workspace tolerates. None switches a limit off."""

    max_cyclomatic: int | None = CYCLOMATIC_HIGH
    min_maintainability: float | None = MAINTAINABILITY_LOW


@dataclass(frozen=True, slots=True)
class Breach:
    """A limit that a file does not keep; `function` is None when it is about the file."""

    path: str
    function: FunctionAudit | None
    figure: float
    limit: float

    @property
    def sentence(self) -> str:
        """The breach in words."""
        if self.function is None:
            return f"{self.path}: maintainability {self.figure:.0f} is below {self.limit:.0f}"
        place = f"{self.path}:{self.function.line}: {self.function.qualname}"
        return f"{place} has complexity {self.figure:.0f}, over {self.limit:.0f}"


def breaches(audit: FileAudit, limits: Thresholds) -> list[Breach]:
    """Return which limits a file does not keep, in source order, the file's own last."""
    found: list[Breach] = []
    if limits.max_cyclomatic is not None:
        found += [
            Breach(audit.path, function, function.cyclomatic, limits.max_cyclomatic)
            for function in audit.functions
            if function.cyclomatic > limits.max_cyclomatic
        ]
    index = audit.maintainability_index
    if limits.min_maintainability is not None and index is not None and index < limits.min_maintainability:
        found.append(Breach(audit.path, None, index, limits.min_maintainability))
    return found
