"""Decides about a tool call by a policy pack: facts in, decision out, no I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from workers.agents.policy.acts import Act
from workers.agents.policy.globs import fits_path
from workers.agents.policy.pack import EFFECTS, Effect, Pack, PolicyRule
from workers.agents.policy.permissions import missing_permission


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFacts:
    """What is known about a call before it is made."""

    tool: str
    acts: tuple[Act, ...]
    agent: str
    origin: str = "person"
    role: str = "member"
    """Of who called the agent, in the workspace."""
    scope: frozenset[str] | None = None
    """What the run was given of its caller's rights; None for all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What happens to a call, by which rule and why."""

    effect: Effect
    rule: str = ""
    reason: str = ""
    approver: str = "caller"


ALLOWED: Final = Decision(effect="allow")


class PolicyCore:
    """Decides by one pack."""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack

    def decide(self, facts: CallFacts) -> Decision:
        """Return the strictest decision over the call's acts; what the caller may not do is refused before any rule."""
        if (missing := missing_permission(facts)) is not None:
            return Decision(effect="refuse", rule="permissions", reason=missing)
        decisions = [self._decide_act(act, facts) for act in facts.acts]
        return max(decisions, key=_strictness, default=ALLOWED)

    def _decide_act(self, act: Act, facts: CallFacts) -> Decision:
        for rule in self.pack.rules:
            if fits(rule, act, facts):
                return Decision(
                    effect=rule.effect, rule=rule.name, reason=rule.reason, approver=rule.approver
                )
        return Decision(
            effect=self.pack.default, rule="default", reason="No rule of the policy speaks of it."
        )


def _strictness(decision: Decision) -> tuple[int, bool]:
    return EFFECTS.index(decision.effect), decision.approver == "maintainer"


def fits(rule: PolicyRule, act: Act, facts: CallFacts) -> bool:
    """Return whether every condition of the rule holds for the act."""
    return (
        _among(facts.agent, rule.agents)
        and _among(facts.origin, rule.origins)
        and _among(act.tool, rule.tools)
        and _among(act.effect, rule.effects)
        and (rule.more_files_than is None or act.files > rule.more_files_than)
        and (rule.more_lines_than is None or act.lines > rule.more_lines_than)
        and (rule.is_opaque is None or act.is_opaque is rule.is_opaque)
        and (not rule.code or (act.code != "" and _among(act.code, rule.code)))
        and (not rule.commands or any(fits_command(pattern, act.words) for pattern in rule.commands))
        and (not rule.paths or _fit_paths(rule, act))
    )


def _among(value: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatchcase(value, pattern) for pattern in patterns)


def _fit_paths(rule: PolicyRule, act: Act) -> bool:
    paths = {"read": act.reads, "write": act.writes, "delete": act.deletes}.get(rule.access, act.paths)
    meant = [pattern for pattern in rule.paths if not pattern.startswith("!")]
    excepted = [pattern[1:] for pattern in rule.paths if pattern.startswith("!")]
    fitting = [
        any(fits_path(glob, path) for glob in meant) and not any(fits_path(glob, path) for glob in excepted)
        for path in paths
    ]
    return bool(fitting) and (all(fitting) if rule.effect == "allow" else any(fitting))


def fits_command(pattern: str, words: tuple[str, ...]) -> bool:
    """Return whether a command is one that `pattern` means; see `PolicyRule.commands`."""
    if not words:
        return False
    program, *wanted = pattern.split()
    if not _is_word(program, words[0]):
        return False
    rest = list(words[1:])
    if wanted and re.fullmatch(r"[\w:.|-]+", wanted[0]) and not wanted[0].startswith("-"):
        plain = next((word for word in rest if not word.startswith("-")), None)
        if plain is None or not _is_word(wanted[0], plain):
            return False
        wanted = wanted[1:]
    return all(
        not any(_is_word(word[1:], have) for have in rest)
        if word.startswith("!")
        else any(_is_word(word, have) for have in rest)
        for word in wanted
    )


def _is_word(pattern: str, word: str) -> bool:
    return any(
        fnmatchcase(word, one)
        or word.startswith(f"{one}=")
        or (
            len(one) == 2
            and one[0] == "-"
            and re.fullmatch(r"-[A-Za-z]{1,6}", word) is not None
            and one[1] in word
        )
        for one in pattern.split("|")
    )
