from __future__ import annotations

import time

import pytest

from workers.tools.text import bound, clean, first_line


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m plain", "red plain"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]52;c;Y2xpcA==\x1b\\text", "text"),
        ("\x1bPq#0\x1b\\text", "text"),
        ("10%\r50%\r100%\r\ndone", "100%\ndone"),
        ("a\x00b\x08c\x9bd", "abcd"),
        ("tab\tstays\n", "tab\tstays\n"),
        ("\x1b]0;never ended", ""),
        ("lone \udcff", "lone \ufffd"),
    ],
)
def test_shows_text_as_a_person_would_read_it(raw: str, shown: str) -> None:
    assert clean(raw) == shown


def test_cleans_a_line_of_ten_megabytes_in_time() -> None:
    started = time.monotonic()
    clean("x" * 10_000_000)
    clean("\r".join(["x" * 1000] * 2000))
    assert time.monotonic() - started < 3


def test_keeps_head_and_tail_and_says_what_is_missing() -> None:
    shown = bound("a" * 5000 + "b" * 5000, 1000)
    assert len(shown) == 1000
    assert shown.startswith("aaa") and shown.endswith("bbb")
    assert "9000 of 10000 characters left out" in shown
    assert bound("short", 1000) == "short"
    assert len(bound("x" * 100, 10)) == 10


def test_takes_the_first_line_that_says_something() -> None:
    assert first_line("\n\n  hello  \nworld") == "hello"
    assert first_line("x" * 200, 20) == "x" * 19 + "…"
    assert first_line("") == ""
