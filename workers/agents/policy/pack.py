"""The policy pack: a written list of rules that people read and change, and what makes one valid.

The file is TOML. Each `[[rule]]` has a `name`, an `effect` (allow, ask or refuse), a `reason` in words and conditions. A rule
fits an act when every condition that it names does; within a condition one entry is enough. The first rule that fits decides
an act, the strictest decision over its acts decides a call.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

from workers.errors import PyAgentError

Effect = Literal["allow", "ask", "refuse"]
EFFECTS: Final = ("allow", "ask", "refuse")
ORIGINS: Final = ("person", "delegation", "schedule", "webhook", "goal")
MAX_CHARS: Final = 100_000
MAX_RULES: Final = 200
MAX_PATTERN_CHARS: Final = 1_000
# A pack needs no dotted names, and the reader of TOML takes hours over one of many thousand parts.
_LONG_NAME: Final = re.compile(
    r"""(?<![\w-])(?:(?:[\w-]{1,200}|"(?:[^"\\\n]|\\.){0,200}"|'[^'\n]{0,200}')[ \t]{0,20}\.[ \t]{0,20}){16}"""
)
_ALLOWED: Final[dict[str, tuple[str, ...]]] = {
    "effects": ("read", "write", "outward"),
    "origins": ORIGINS,
    "access": ("read", "write", "delete"),
    "approver": ("caller", "maintainer"),
}


class InvalidPolicy(PyAgentError):
    """The policy pack cannot be used; the message says where and why."""

    code = "invalid_policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRule:
    """One rule; an empty condition says nothing."""

    name: str
    effect: Effect
    reason: str
    tools: tuple[str, ...] = ()
    """Names of tools, with * and ?."""
    commands: tuple[str, ...] = ()
    """Commands: `rm -r`, `git push`. Each word must be among the command's; `a|b` is either, `!a` must be absent, * and ? are
    wildcards, `-r` is also found in `-rf`. A plain second word must be the command's first word that is no option."""
    code: tuple[str, ...] = ()
    """Text handed to an interpreter, with * and ?."""
    paths: tuple[str, ...] = ()
    """Paths as in .gitignore: `**` crosses folders, "." is the project, "/" and "~" begin what lies outside, `!a` excepts.
    A rule that allows must cover every path of the act; others need one."""
    access: str = ""
    """Which of the act's paths are meant: read, write or delete; all when empty."""
    effects: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    more_files_than: int | None = None
    """Deleted files."""
    more_lines_than: int | None = None
    """Written lines."""
    is_opaque: bool | None = None
    approver: str = "caller"
    """Who may approve: who called the agent (and maintainers), or a maintainer only."""


_FIELDS: Final = {entry.name: entry for entry in fields(PolicyRule)}
_CONDITIONS: Final = frozenset(_FIELDS) - {"name", "effect", "reason", "approver", "access"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """A whole policy."""

    name: str
    rules: tuple[PolicyRule, ...]
    default: Effect = "allow"
    """What happens to an act that no rule fits."""
    text: str = field(default="", repr=False, compare=False)
    reflecting: tuple[str, ...] = ("*",)
    """Agents that look at their work once more before they end; `!a` excepts."""

    def reflects(self, agent: str) -> bool:
        """Return whether this agent looks at its work once more."""
        is_excepted = any(fnmatchcase(agent, one[1:]) for one in self.reflecting if one.startswith("!"))
        return not is_excepted and any(fnmatchcase(agent, one) for one in self.reflecting)


def built_in_text() -> str:
    """Return the pack that comes with PyAgent, as it is written."""
    return Path(__file__).with_name("pack.toml").read_text(encoding="utf-8")


@lru_cache(maxsize=32)
def parse_pack(text: str) -> Pack:
    """Return the pack that `text` holds.

    Raises:
        InvalidPolicy: it is no TOML, or a rule makes no sense; the message names the line or the rule.
    """
    if len(text) > MAX_CHARS:
        raise InvalidPolicy(f"The pack is longer than {MAX_CHARS:,} characters.")
    data = _read_toml(text)
    _refuse_unknown(data, {"version", "name", "default", "reflection", "rule"}, "The pack")
    if data.get("version") != 1:
        raise InvalidPolicy("The pack must say `version = 1`.")
    default = data.get("default", "allow")
    if default not in EFFECTS:
        raise InvalidPolicy(f"`default` is one of {', '.join(EFFECTS)}.")
    rules = data.get("rule", [])
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise InvalidPolicy("Rules are written as [[rule]] tables.")
    if len(rules) > MAX_RULES:
        raise InvalidPolicy(f"A pack has at most {MAX_RULES} rules.")
    parsed = tuple(_rule(rule, number) for number, rule in enumerate(rules, start=1))
    names = [rule.name for rule in parsed]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InvalidPolicy(f"Two rules are called “{twice}”.")
    return Pack(
        name=str(data.get("name", "")), rules=parsed, default=default, text=text, reflecting=_reflecting(data)
    )


def _read_toml(text: str) -> dict[str, Any]:
    if found := _LONG_NAME.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise InvalidPolicy(f"Line {line} holds a name of too many parts.")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise InvalidPolicy("This is nested too deeply.") from None
    except ValueError as error:  # no TOML, or a number of thousands of digits
        raise InvalidPolicy(f"This is no valid TOML: {error}.") from error


def built_in_pack() -> Pack:
    """Return the pack that comes with PyAgent."""
    return parse_pack(built_in_text())


def _reflecting(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what `[reflection]` says."""
    section = data.get("reflection", {"agents": ["*"]})
    if not isinstance(section, dict):
        raise InvalidPolicy("`[reflection]` is a table with `agents`.")
    _refuse_unknown(section, {"agents"}, "`[reflection]`")
    agents = section.get("agents", ["*"])
    if not isinstance(agents, list) or not all(isinstance(agent, str) for agent in agents):
        raise InvalidPolicy("`[reflection]`: `agents` is a list of names.")
    return tuple(agents)


def _refuse_unknown(data: Mapping[str, Any], known: set[str] | frozenset[str], whose: str) -> None:
    if unknown := sorted(set(data) - known):
        raise InvalidPolicy(
            f"{whose} has an unknown entry `{unknown[0]}`. Known: {', '.join(sorted(known))}."
        )


def _rule(data: Mapping[str, Any], number: int) -> PolicyRule:
    name = data.get("name")
    whose = f"Rule {number}" + (f" (“{name}”)" if isinstance(name, str) else "")
    _refuse_unknown(data, frozenset(_FIELDS), whose)
    for needed in ("name", "effect", "reason"):
        if not isinstance(data.get(needed), str) or not data[needed].strip():
            raise InvalidPolicy(f"{whose} needs `{needed}`, in words.")
    if data["effect"] not in EFFECTS:
        raise InvalidPolicy(f"{whose}: `effect` is one of {', '.join(EFFECTS)}.")
    if not _CONDITIONS & set(data):
        raise InvalidPolicy(f"{whose} has no condition, so it would fit everything. Use `default` for that.")
    if "access" in data and "paths" not in data:
        raise InvalidPolicy(f"{whose}: `access` says which `paths` are meant, and there are none.")
    return PolicyRule(**{key: _value(key, value, whose) for key, value in data.items()})


def _value(key: str, value: Any, whose: str) -> Any:
    kind = str(_FIELDS[key].type)
    if kind.startswith("tuple"):
        if (
            not isinstance(value, list)
            or not value
            or not all(isinstance(item, str) and item.strip() for item in value)
        ):
            raise InvalidPolicy(f"{whose}: `{key}` is a list of texts, at least one.")
        for item in value:
            _check_word(key, item, whose)
        return tuple(value)
    if kind.startswith("int"):
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise InvalidPolicy(f"{whose}: `{key}` is a whole number from 0.")
        return value
    if kind.startswith("bool"):
        if not isinstance(value, bool):
            raise InvalidPolicy(f"{whose}: `{key}` is true or false.")
        return value
    if not isinstance(value, str):
        raise InvalidPolicy(f"{whose}: `{key}` is a text.")
    _check_word(key, value, whose)
    return value


def _check_word(key: str, value: str, whose: str) -> None:
    if len(value) > MAX_PATTERN_CHARS:
        raise InvalidPolicy(f"{whose}: `{key}` holds a text of more than {MAX_PATTERN_CHARS:,} characters.")
    if key in _ALLOWED and value not in _ALLOWED[key]:
        raise InvalidPolicy(f"{whose}: `{key}` knows {', '.join(_ALLOWED[key])}, not “{value}”.")
