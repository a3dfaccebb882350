from __future__ import annotations

import pytest

from workers.agents.policy.acts import acts_of
from workers.agents.policy.shell import read_script


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ls -la", [["ls", "-la"]]),
        ("a; b && c || d | e", [["a"], ["b"], ["c"], ["d"], ["e"]]),
        ("echo 'a; b' \"c && d\" e\\;f", [["echo", "a; b", "c && d", "e;f"]]),
        ('r""m -r"f" x', [["rm", "-rf", "x"]]),
        ("a # b; c\nd#e", [["a"], ["d#e"]]),
        ("a \\\n  b", [["a", "b"]]),
        ("if a; then b; else c; fi", [["a"], ["b"], ["c"]]),
        ("for x in 1 2; do a $x; done", [["a", "$x"]]),
        ("echo $(a | b) `c`", [["a"], ["b"], ["c"], ["echo", "$(…)", "$(…)"]]),
        ('echo "$(a "$(b)")"', [["b"], ["a", "$(…)"], ["echo", "$(…)"]]),
        ("echo $((1 + 2))", [["echo", "$((1 + 2))"]]),
        ("diff <(a) <(b)", [["a"], ["b"], ["diff", "$(…)", "$(…)"]]),
        ("X=1 a b=2", [["a", "b=2"]]),
        ("cat <<'E'\nrm x; $(y)\nE\nls", [["cat"], ["ls"]]),
        ("cat <<E\n$(y)\nE", [["cat"], ["y"]]),
        ("cat <<-E\n\tz\n\tE\nls", [["cat"], ["ls"]]),
        ("{ a; }", [["a"]]),
        ("(a)&b", [["a"], ["b"]]),
        ("'unclosed", [["unclosed"]]),
        ('"', [[""]]),
        ("$(", [["$(…)"]]),
        ("<<", []),
        ("", []),
    ],
)
def test_reads_simple_commands(text: str, words: list[list[str]]) -> None:
    assert [command.words for command in read_script(text).commands] == words


def test_tells_where_input_and_output_go() -> None:
    (command,) = read_script("a <in >out 2>>err 3>&1 &>both >|more").commands
    assert (command.words, command.reads, command.writes) == (["a"], ["in"], ["out", "err", "both", "more"])
    first, second = read_script("a | b <<< 'c d'").commands
    assert (first.is_piped, second.is_piped, second.given) == (False, True, "c d")
    (command,) = read_script("a <<E\none\ntwo\nE").commands
    assert command.given == "one\ntwo"


def test_says_when_it_cannot_read() -> None:
    assert read_script("a" * 60_000).is_unclear
    assert read_script("$(" * 12 + "a" + ")" * 12).is_unclear
    assert read_script("$'\\x72m' x").is_unclear


@pytest.mark.parametrize("text", ["'" * 5001, '"$(' * 900, "(" * 5000, "<<E\n" * 900, "\\" * 5001, "`" * 901])
def test_ends_on_hostile_text(text: str) -> None:
    read_script(text)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("command", ["a" * 49_000 + "(){ ", "ab(){ " * 8_000])
def test_a_long_command_is_judged_at_once(command: str) -> None:
    assert acts_of(
        "run_command", {"command": command}, is_effect=True, is_outward=False, count_files=lambda _: 0
    )
