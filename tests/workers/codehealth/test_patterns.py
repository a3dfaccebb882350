"""Patterns through the door that everybody uses."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.framework.keys import fake_key
from workers.codehealth.errors import InvalidRule
from workers.codehealth.patterns import MAX_FINDINGS, PatternSet, Rule, pattern_set

TOKEN = fake_key("ghp_", 36)


def test_finds_a_secret_where_it_stands():
    source = f"a = 1\ntoken = '{TOKEN}'\n".encode()
    (found,) = pattern_set().scan(source, path="a.py")
    assert (found.rule, found.kind, found.line, found.column) == ("github-token", "secret", 2, 10)
    assert source[found.start : found.end].decode() == TOKEN


def test_tells_what_a_change_adds_from_what_it_moves():
    old = f"token = '{TOKEN}'\n".encode()
    moved = b"import os\n\n" + old
    patterns = pattern_set()
    assert patterns.added(old, moved, path="a.py") == []
    assert [one.rule for one in patterns.added(b"", old, path="a.py")] == ["github-token"]
    assert [one.line for one in patterns.added(old, moved + old, path="a.py")] == [4]


def test_adds_the_rules_of_a_workspace():
    rule = Rule(id="no-sleep", message="Wait for something", pattern=r"time\.sleep\(", endings=(".py",))
    patterns = PatternSet([rule])
    assert [one.message for one in patterns.scan(b"time.sleep(1)", path="a.py")] == ["Wait for something"]
    assert patterns.scan(b"time.sleep(1)", path="a.js") == ()
    assert Rule.from_dict(rule.to_dict()) == rule


@pytest.mark.parametrize("pattern", ["(", "x*", "(a{1000}){1000}", "x" * 501, "(?<=a)b"])
def test_refuses_rules_that_cannot_work_and_says_which(pattern: str):
    with pytest.raises(InvalidRule, match="rule bad"):
        PatternSet([Rule(id="bad", message="Bad", pattern=pattern)])


def test_hides_secrets_and_says_what_they_were():
    text, hidden = pattern_set().hide_secrets(f"a = '{TOKEN}'\nb = 'é {TOKEN}'\n\ud800")
    assert TOKEN not in text
    assert text == "a = '[hidden: github-token]'\nb = 'é [hidden: github-token]'\n\ud800"
    assert hidden == {"GitHub token": 2}


def test_hides_every_one_of_many():
    count = MAX_FINDINGS * 2 + 7
    text, hidden = pattern_set().hide_secrets("".join(f"t{n} = '{TOKEN}'\n<<<<<<< \n" for n in range(count)))
    assert TOKEN not in text
    assert hidden == {"GitHub token": count}
    assert text.count("\n<<<<<<< \n") == count


def test_ends_where_a_rule_finds_what_hides_it():
    patterns = PatternSet([Rule(id="h", message="H", pattern="hidden", kind="secret")])
    text, hidden = patterns.hide_secrets("hidden " * 500)
    assert hidden == {"H": 500}
    assert text == "[hidden: h] " * 500


def test_scans_files_beneath_a_folder_only(tmp_path: Path):
    inside = tmp_path / "root"
    inside.mkdir()
    (inside / "a.py").write_text("breakpoint()\n")
    (tmp_path / "out.py").write_text("breakpoint()\n")
    (inside / "link.py").symlink_to(tmp_path / "out.py")
    found = pattern_set().scan_files(inside, ["a.py", "link.py", "../out.py", "absent.py"])
    assert [None if one is None else [x.rule for x in one] for one in found] == [
        ["python-breakpoint"],
        None,
        None,
        None,
    ]


def test_is_fast_enough_to_look_through_every_request():
    text = "def f(a):\n    return a + 1  # an ordinary line of code\n" * 20_000
    patterns = pattern_set()
    patterns.hide_secrets(text)
    started = time.process_time()
    patterns.hide_secrets(text)
    assert time.process_time() - started < 0.25  # 1 MB; measured about 0.01 s
