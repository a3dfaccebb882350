from __future__ import annotations

import pytest

from workers.agents.policy.pack import InvalidPolicy, built_in_pack, built_in_text, parse_pack

RULE = '[[rule]]\nname = "a"\neffect = "ask"\nreason = "Because."\n'


def test_reads_the_pack_that_comes_with_it() -> None:
    pack = built_in_pack()
    assert pack.text == built_in_text()
    assert {rule.effect for rule in pack.rules} == {"allow", "ask", "refuse"}
    assert all(rule.reason.endswith(".") for rule in pack.rules)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("version = \n", "no valid TOML.*line 1"),
        ("", "version = 1"),
        ("version = 2", "version = 1"),
        ('version = 1\ndefault = "perhaps"', "one of allow, ask, refuse"),
        ("version = 1\nrules = []", "unknown entry `rules`"),
        ("version = 1\nrule = 3", r"\[\[rule\]\]"),
        ('version = 1\n[[rule]]\nname = "a"', "Rule 1 .“a”. needs `effect`"),
        ("version = 1\n" + RULE, "no condition"),
        ("version = 1\n" + RULE.replace("ask", "forbid") + 'tools = ["x"]', "`effect` is one of"),
        ("version = 1\n" + RULE + "tools = []", "at least one"),
        ("version = 1\n" + RULE + 'tools = "x"', "a list of texts"),
        ("version = 1\n" + RULE + 'toolz = ["x"]', "unknown entry `toolz`"),
        ("version = 1\n" + RULE + 'origins = ["alien"]', "not “alien”"),
        ("version = 1\n" + RULE + 'tools = ["x"]\naccess = "read"', "`access` says which `paths`"),
        ("version = 1\n" + RULE + "more_files_than = -1", "whole number"),
        ("version = 1\n" + RULE + "more_files_than = true", "whole number"),
        ("version = 1\n" + RULE + "is_opaque = 1", "true or false"),
        ("version = 1\n" + (RULE + 'tools = ["x"]\n') * 2, "Two rules are called “a”"),
        ("#" * 100_001, "longer than"),
    ],
)
def test_says_where_and_why_a_pack_is_wrong(text: str, says: str) -> None:
    with pytest.raises(InvalidPolicy, match=says):
        parse_pack(text)


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("version = 1\na = " + "[" * 50_000, "nested too deeply"),
        ("version = 1\na = " + "{a=" * 20_000, "nested too deeply"),
        ("version = 1\na" + ".a" * 49_000 + " = 1", "Line 2 holds a name"),
        ('version = 1\n""' + '.""' * 30_000 + " = 1", "Line 2 holds a name"),
        ("version = " + "9" * 50_000, "no valid TOML"),
    ],
)
def test_a_text_that_is_made_to_hold_up_its_reader_is_refused_at_once(text: str, why: str) -> None:
    with pytest.raises(InvalidPolicy, match=why):
        parse_pack(text)


def test_a_pattern_has_a_bound() -> None:
    rule = '[[rule]]\nname = "a"\neffect = "ask"\nreason = "b"\npaths = ["{}"]\n'
    with pytest.raises(InvalidPolicy, match="more than 1,000 characters"):
        parse_pack("version = 1\n" + rule.format("*a" * 501))
