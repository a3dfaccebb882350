from __future__ import annotations

import json

from webapp.agents.plain import KEEP_CHARS, one_line, sentence, storable, storable_text, visible


def test_shows_terminal_escapes_as_signs():
    assert visible("\x1b[31mred\x1b]0;title\x07") == "⟨ESC⟩[31mred⟨ESC⟩]0;title⟨BEL⟩"


def test_shows_bidirectional_and_invisible_characters_by_number():
    assert visible("if admin\u202e ⁦// check\u200b") == "if admin⟨U+202E⟩ ⟨U+2066⟩// check⟨U+200B⟩"


def test_leaves_emoji_and_scripts_with_joiners_as_they_are():
    for text in ("⚠\ufe0f done", "👩\u200d💻", "می\u200cخواهم"):
        assert visible(text) == text
    assert visible("ad\u200dmin") == "ad⟨U+200D⟩min"
    assert visible("a\U000e0041") == "a⟨U+E0041⟩"


def test_leaves_html_as_text_for_the_template_to_escape():
    assert visible("<img src=x onerror=alert(1)>") == "<img src=x onerror=alert(1)>"


def test_cuts_a_ten_megabyte_line_and_says_so():
    shown = visible("x" * 10_000_000)
    assert len(shown) < 3_000
    assert "left out" in shown


def test_keeps_ordinary_lines_as_they_are():
    assert visible("one\r\n\ttwo\n") == "one\n\ttwo\n"


def test_stores_no_nul_and_no_lone_surrogate():
    assert storable_text("a\x00b\ud800c") == "a⟨NUL⟩b\ufffdc"


def test_stores_the_head_and_the_tail_of_what_is_too_long():
    kept = storable_text("a" * KEEP_CHARS + "the end")
    assert kept.startswith("aaa") and kept.endswith("the end")
    assert "7 characters left out" in kept


def test_stores_only_what_json_can_hold_and_nothing_nested_without_end():
    deep: dict[str, object] = {}
    inner = deep
    for _ in range(100):
        inner["x"] = {}
        inner = inner["x"]  # type: ignore[assignment]
    stored = storable({"nan": float("nan"), "deep": deep, "key\x00": [1, 2.5, None, True]})
    text = json.dumps(stored, allow_nan=False)
    assert "nested too deeply" in text
    assert stored["nan"] is None
    assert stored["key⟨NUL⟩"] == [1, 2.5, None, True]


def test_puts_a_goal_on_one_line():
    assert one_line("fix\n\n  the\ttest", limit=100) == "fix the test"
    assert len(one_line("word " * 1000, limit=50)) == 50


def test_makes_an_errors_text_a_sentence():
    assert sentence("the provider cannot be reached") == "The provider cannot be reached."
    assert sentence("Stopped by Ada.") == "Stopped by Ada."
    assert sentence("") == ""
