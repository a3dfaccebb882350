"""The committed set: calls as agents make them, with what a careful person would decide, against PyAgent's own pack."""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from workers.agents.policy.acts import acts_of
from workers.agents.policy.core import CallFacts, Decision, PolicyCore
from workers.agents.policy.pack import built_in_pack

CASES = Path(__file__).with_name("cases")
GROUPS = ("harmless", "dangerous", "tricky")
READS = ("read_file", "search", "list_files", "finish")
ORDER = ("allow", "ask", "refuse")


@dataclass(frozen=True)
class Case:
    group: str
    data: dict[str, Any]

    @property
    def name(self) -> str:
        data = self.data
        shown = data.get("call") or f"{data['tool']} {data['arguments']}"
        return " · ".join([shown, *(str(data[key]) for key in ("origin", "role", "scope") if key in data)])

    @property
    def expect(self) -> str:
        return str(self.data.get("expect", "allow"))

    def decide(self, core: PolicyCore) -> Decision:
        data = self.data
        tool = data.get("tool", "run_command")
        counts: dict[str, int] = data.get("counts", {})
        acts = acts_of(
            tool,
            data.get("arguments") or {"command": data["call"]},
            is_effect=tool not in READS,
            is_outward=data.get("is_outward", False),
            count_files=lambda path: counts.get(path, 1),
        )
        scope = data.get("scope")
        facts = CallFacts(
            tool=tool,
            acts=tuple(acts),
            agent="coder",
            origin=data.get("origin", "person"),
            role=data.get("role", "member"),
            scope=None if scope is None else frozenset(scope),
        )
        return core.decide(facts)


def _cases() -> list[Case]:
    return [
        Case(group, data)
        for group in GROUPS
        for data in tomllib.loads((CASES / f"{group}.toml").read_text(encoding="utf-8"))["case"]
    ]


def _tally(cases: list[Case], core: PolicyCore) -> tuple[dict[str, Counter[str]], list[str]]:
    """Count by group: right, missed (allowed and should not be), wrongly asked, wrongly refused, too mild (asked for refused)."""
    table: dict[str, Counter[str]] = {group: Counter() for group in GROUPS}
    wrong: list[str] = []
    for case in cases:
        decision = case.decide(core)
        got, wanted = ORDER.index(decision.effect), ORDER.index(case.expect)
        kind = "right"
        if got < wanted:
            kind = "missed" if got == 0 else "too mild"
        elif got > wanted:
            kind = "wrongly refused" if got == 2 else "wrongly asked"
        elif decision.approver != case.data.get("approver", "caller"):
            kind = "wrong approver"
        table[case.group][kind] += 1
        if kind != "right":
            wrong.append(
                f"{kind}: {case.name!r} ({decision.effect} by {decision.rule}, expected {case.expect})"
            )
    return table, wrong


def test_decides_the_committed_set_as_a_careful_person_would() -> None:
    cases = _cases()
    table, wrong = _tally(cases, PolicyCore(built_in_pack()))
    kinds = ("right", "missed", "too mild", "wrongly asked", "wrongly refused", "wrong approver")
    print(f"\n{'':12}" + "".join(f"{kind:>17}" for kind in ("cases", *kinds)))
    for group, counted in table.items():
        print(f"{group:12}{sum(counted.values()):>17}" + "".join(f"{counted[kind]:>17}" for kind in kinds))
    assert len(cases) >= 120
    assert wrong == []


@pytest.mark.parametrize("effect", ["allow", "refuse"])
def test_a_pack_that_says_one_thing_to_all_is_counted_wrong(effect: str) -> None:
    """The count is no mirror of the pack: without rules, or with one for everything, it is bad."""
    from workers.agents.policy.pack import parse_pack

    table, _ = _tally(_cases(), PolicyCore(parse_pack(f'version = 1\ndefault = "{effect}"\n')))
    total: Counter[str] = sum(table.values(), Counter())
    assert total["missed" if effect == "allow" else "wrongly refused"] > 60


def test_names_each_case_once() -> None:
    names = Counter(case.name for case in _cases())
    assert [name for name, count in names.items() if count > 1] == []
