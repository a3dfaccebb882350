"""What should not stand in a source: secrets, conflict marks, debugging leftovers, and what a workspace forbids itself.

All patterns are looked for in one pass in Rust, in time linear in the source. Used before an agent's change is shown, and
before anything leaves for a model provider.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from workers.codehealth.errors import InvalidRule
from workers.codehealth.metrics import load_core

Kind = Literal["secret", "conflict", "debug", "custom"]

MAX_FINDINGS = 200
"""Of one source that are listed."""

_core = load_core()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A pattern that a workspace adds.

    `pattern` is a regular expression in Rust's dialect (no look-around, no back-references), at most 500
    characters; a group named `secret` says which part of a match is meant. `endings` are the file endings that it
    looks at, none for all.
    """

    id: str
    message: str
    pattern: str
    kind: Kind = "custom"
    endings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-safe data that `from_dict` reads back."""
        return asdict(self) | {"endings": list(self.endings)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Rule:
        """Return the rule that `to_dict` wrote.

        Raises:
            InvalidRule: a field is unknown or missing.
        """
        try:
            return cls(**(dict(data) | {"endings": tuple(data.get("endings", ()))}))
        except TypeError as error:
            raise InvalidRule(f"the stored rule cannot be read: {error}") from error


@dataclass(frozen=True, slots=True)
class Finding:
    """A place that a rule found; line and column count from 1, `start` and `end` are the bytes meant."""

    rule: str
    kind: Kind
    message: str
    line: int
    column: int
    start: int
    end: int


class PatternSet:
    """The built-in rules and a workspace's own, compiled. Hold on to it: compiling costs more than looking.

    Raises:
        InvalidRule: a rule does not compile, is too large or would be found everywhere; the message says which and why.
    """

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        given = [(rule.id, rule.kind, rule.message, rule.pattern, list(rule.endings)) for rule in rules]
        try:
            self._set = _core.PatternSet(given)
        except ValueError as error:
            raise InvalidRule(str(error)) from error

    def scan(self, source: bytes, *, path: str | None = None) -> tuple[Finding, ...]:
        """Return what is found, in order of place, at most `MAX_FINDINGS`. Any bytes give an answer.

        `path` is read for its ending only.
        """
        return tuple(Finding(**found) for found in self._set.scan(source, path))

    def scan_files(self, root: Path, paths: Iterable[str]) -> list[tuple[Finding, ...] | None]:
        """Return what is found in files beneath `root`, in the order of `paths`; None for one that cannot be read.

        No path leaves `root` or follows a symbolic link.

        Raises:
            OSError: `root` cannot be opened.
        """
        found = self._set.scan_paths(list(paths), root=root)
        return [None if one is None else tuple(Finding(**item) for item in one) for one in found]

    def added(self, before: bytes, after: bytes, *, path: str) -> list[Finding]:
        """Return what `after` holds and `before` did not, wherever it stood there."""
        known = Counter(
            (found.rule, before[found.start : found.end]) for found in self.scan(before, path=path)
        )
        new = []
        for found in self.scan(after, path=path):
            key = (found.rule, after[found.start : found.end])
            if known[key] > 0:
                known[key] -= 1
            else:
                new.append(found)
        return new

    def hide_secrets(self, text: str) -> tuple[str, Counter[str]]:
        """Return the text with each secret as `[hidden: rule]`, and how many were hidden by what rules they broke."""
        rest = text.encode("utf-8", "surrogatepass")
        parts: list[bytes] = []
        hidden: Counter[str] = Counter()
        found: tuple[Finding, ...] | None = None
        # A scan lists a bounded number of places: what it left out stands behind the last one.
        while found is None or len(found) >= MAX_FINDINGS:
            found = self.scan(rest)
            done = 0
            for secret in (one for one in found if one.kind == "secret"):
                parts += [rest[done : secret.start], f"[hidden: {secret.rule}]".encode()]
                done = secret.end
                hidden[secret.message] += 1
            cut = max((one.end for one in found), default=0) if len(found) >= MAX_FINDINGS else len(rest)
            parts.append(rest[done:cut])
            rest = rest[cut:]
        return b"".join(parts).decode("utf-8", "surrogatepass"), hidden


@lru_cache(maxsize=64)
def pattern_set(rules: tuple[Rule, ...] = ()) -> PatternSet:
    """Return the compiled set of these rules and the built-in ones; raises as `PatternSet` does."""
    return PatternSet(rules)
