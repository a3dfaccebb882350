from __future__ import annotations

import pytest

from workers.agents.policy.acts import Act, acts_of, normal_path
from workers.agents.policy.core import CallFacts, PolicyCore, fits_command
from workers.agents.policy.pack import parse_pack
from workers.agents.policy.permissions import GRANTS, granted


def _decide(rules: str, command: str, **facts: object) -> tuple[str, str]:
    acts = acts_of("run_command", {"command": command}, is_effect=True)
    given = {"tool": "run_command", "acts": tuple(acts), "agent": "coder"} | facts
    decision = PolicyCore(parse_pack(f"version = 1\n{rules}")).decide(CallFacts(**given))  # type: ignore[arg-type]
    return decision.effect, decision.rule


def _rule(name: str, effect: str, condition: str) -> str:
    return f'[[rule]]\nname = "{name}"\neffect = "{effect}"\nreason = "Because."\n{condition}\n'


def test_the_first_rule_that_fits_decides_an_act_and_the_strictest_act_the_call() -> None:
    rules = _rule("mine", "allow", 'paths = ["mine/**"]') + _rule("gone", "ask", 'commands = ["rm"]')
    assert _decide(rules, "rm mine/a") == ("allow", "mine")
    assert _decide(rules, "rm mine/a theirs/b") == ("ask", "gone")  # an allowing rule must cover all
    assert _decide(rules, "rm mine/a; rm theirs/b") == ("ask", "gone")
    assert _decide(rules, "ls") == ("allow", "default")
    assert _decide(rules + _rule("no", "refuse", 'commands = ["ls"]'), "rm x; ls; rm y") == ("refuse", "no")


def test_a_maintainer_is_asked_where_one_of_the_acts_wants_one() -> None:
    rules = _rule("a", "ask", 'commands = ["a"]') + _rule(
        "b", "ask", 'commands = ["b"]\napprover = "maintainer"'
    )
    acts = tuple(acts_of("run_command", {"command": "a; b; a"}, is_effect=True))
    facts = CallFacts(tool="run_command", acts=acts, agent="coder")
    assert PolicyCore(parse_pack(f"version = 1\n{rules}")).decide(facts).approver == "maintainer"


@pytest.mark.parametrize(
    ("condition", "facts", "effect"),
    [
        ('agents = ["tid*"]', {"agent": "tidy"}, "ask"),
        ('agents = ["tid*"]', {"agent": "coder"}, "allow"),
        ('origins = ["goal", "webhook"]', {"origin": "goal"}, "ask"),
        ('origins = ["goal", "webhook"]', {"origin": "person"}, "allow"),
        ('effects = ["write"]\ntools = ["run_*"]', {}, "ask"),
        ('effects = ["outward"]', {}, "allow"),
        ("more_files_than = 0", {}, "allow"),
        ("is_opaque = false", {}, "ask"),
    ],
)
def test_a_condition_holds_or_the_rule_is_none(condition: str, facts: dict[str, str], effect: str) -> None:
    assert _decide(_rule("it", "ask", condition), "make", **facts)[0] == effect


@pytest.mark.parametrize(
    ("pattern", "command", "fits"),
    [
        ("rm -r", "rm -rf x", True),
        ("rm -r", "rm -f x", False),
        ("rm -r|--recursive", "rm --recursive x", True),
        ("git push", "git push origin", True),
        ("git push", "git log push", False),
        ("find -delete !-name", "find . -delete", True),
        ("find -delete !-name", "find . -name x -delete", False),
        ("chmod 777|a+w", "chmod -R 777 .", True),
        ("mkfs*", "mkfs.ext4 x", True),
        ("a", "b a", False),
    ],
)
def test_a_pattern_means_a_command(pattern: str, command: str, fits: bool) -> None:
    assert fits_command(pattern, tuple(command.split())) is fits


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("./a/../b", "b"), ("/workspace/a", "a"), ("", "."), (".", "."), ("*", "."), ("a/*", "a"), ("..", "/"), ("../..", "/"),
        ("/etc//passwd", "/etc/passwd"), ("$HOME/x", "~/x"), ("~/", "~"), ("/*", "/"), ("//etc", "/etc"), ("$X/*", "$X"),
    ],
)  # fmt: skip
def test_a_path_has_one_name(path: str, normal: str) -> None:
    assert normal_path(path) == normal


def test_an_agent_never_has_more_than_its_caller_and_a_child_never_more_than_it_was_given() -> None:
    assert granted("viewer", None) == {"read"}
    assert granted("owner", frozenset(("read",))) == {"read"}
    assert granted("viewer", frozenset(("read", "write"))) == {"read"}
    assert granted("nobody", None) == set()
    roles = ["viewer", "member", "maintainer", "owner"]
    assert all(GRANTS[low] <= GRANTS[high] for low, high in zip(roles, roles[1:], strict=False))
    act = Act(tool="write_file", writes=("a",))
    facts = CallFacts(tool="write_file", acts=(act,), agent="coder", role="viewer")
    decision = PolicyCore(parse_pack('version = 1\ndefault = "allow"')).decide(facts)
    assert (decision.effect, decision.rule) == ("refuse", "permissions")
