from __future__ import annotations

from typing import Any

import pytest

from workers.agents.explainer.core import MAX_CITATIONS, Citation, ExplainerCore
from workers.agents.explainer.places import MAX_PATH_CHARS, MAX_WORDS, Files

FILES: Files = {
    "cart.py": ["def total(items):", "    out = 0", "    for item in items[:-1]:", "        out += item", "    return out"],
    "gone.py": None,
    "a b.py": ["x = 1"],
    "my notes/read me.py": ["import cart", "cart.total([1])"],
    "my notes/read me (copy).md": ["# Read me"],
}  # fmt: skip
CORE = ExplainerCore()


def cite(path: str = "cart.py", line: Any = 3, quote: str = "for item in items[:-1]:") -> dict[str, Any]:
    return {"path": path, "line": line, "quote": quote}


def test_takes_what_stands_there_and_puts_a_near_line_right() -> None:
    verdict = CORE.check("a [^1] b [^2]", [cite(), cite(line=5)], FILES)
    assert verdict.by_mark == {1: Citation("cart.py", 3), 2: Citation("cart.py", 3)} and verdict.is_right


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (cite(path="gone.py"), "there is no text file 'gone.py'"),
        (cite(path="../etc/passwd"), "there is no text file"),
        (cite(line=99), "cart.py has 5 lines, not 99"),
        (cite(line=0), "has 5 lines, not 0"),
        (cite(quote="for item in items:"), "does not read 'for item in items:' but 'for item in items[:-1]:'"),
        (cite(quote="ou"), "does not read 'ou'"),
        (cite(quote=""), "does not read ''"),
        (cite(line="three"), "missing"),
        ("cart.py:3", "missing"),
    ],
)  # fmt: skip
def test_says_why_a_citation_does_not_hold(item: Any, reason: str) -> None:
    verdict = CORE.check("It does [^1].", [item], FILES)
    assert not verdict.by_mark
    assert verdict.wrong[0].startswith("[^1]: ") and reason in verdict.wrong[0]


def test_takes_a_mark_without_a_citation_for_wrong() -> None:
    assert CORE.check("It does [^2].", [cite()], FILES).wrong == ("[^2]: there is no such citation",)


def test_looks_at_places_in_the_text_itself_but_not_in_code() -> None:
    answer = "See `cart.py:3` and cart.py:77.\n```\nFile gone.py:1\n```\nServed at example.org:80 and 127.0.0.1:8000."
    paths = CORE.paths_in(answer, [cite("a b.py")])
    assert {"a b.py", "cart.py", "example.org"} < set(paths) and "gone.py" not in paths
    verdict = CORE.check(answer, None, FILES)
    assert verdict.wrong == ("cart.py:77: the file has 5 lines",)
    text = CORE.answer_text(answer, verdict, FILES)
    assert "See [cart.py:3](file:cart.py#L3) and cart.py." in text
    assert "File gone.py:1" in text and "example.org:80 and 127.0.0.1:8000" in text
    assert "1 citation was removed: not found where the answer said." in text


NOTES = "[my notes/read me.py:2](file:my%20notes/read%20me.py#L2)"


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ("See `my notes/read me.py:2`.", f"See {NOTES}."),
        ("See my notes/read me.py:2.", f"See {NOTES}."),
        ("See (my notes/read me.py:2-3) or “my notes/read me.py:2”", f"See ({NOTES}) or “{NOTES}”"),
        ("From cart.py:1 to my notes/read me.py:2", f"From [cart.py:1](file:cart.py#L1) to {NOTES}"),
        ("`python my notes/read me.py:2`", f"`python {NOTES}`"),
        ("**my notes/read me.py:2**", f"**{NOTES}**"),
        (
            "`my notes/read me (copy).md:1`",
            "[my notes/read me (copy).md:1](file:my%20notes/read%20me%20%28copy%29.md#L1)",
        ),
        ("[my notes/read me.py:2](file:x) and [`cart.py:1`](file:x)",) * 2,
        ("My notes\nread me.py:x",) * 2,
    ],
)  # fmt: skip
def test_finds_a_path_with_spaces_by_the_files(answer: str, shown: str) -> None:
    verdict = CORE.check(answer, None, FILES)
    assert verdict.is_right
    assert CORE.answer_text(answer, verdict, FILES).partition("\n\nNothing")[0] == shown


def test_takes_a_place_out_that_is_not_in_a_file_with_spaces() -> None:
    answer = "See `my notes/read me.py:9`, my notes/read me.py:8 and `my notes/no such.py:1`."
    verdict = CORE.check(answer, None, FILES)
    assert verdict.wrong == (
        "my notes/read me.py:9: the file has 2 lines",
        "my notes/read me.py:8: the file has 2 lines",
        "my notes/no such.py:1: there is no such text file",
    )
    text = CORE.answer_text(answer, verdict, FILES)
    assert "See my notes/read me.py, my notes/read me.py and my notes/no such.py." in text


def test_links_what_holds_and_takes_out_what_does_not() -> None:
    answer = "It leaves one out [^1]. It is fast [^2]."
    verdict = CORE.check(answer, [cite(), cite(path="gone.py"), cite("a b.py", 1, "x = 1")], FILES)
    text = CORE.answer_text(answer, verdict, FILES)
    assert "It leaves one out ([cart.py:3](file:cart.py#L3)). It is fast." in text
    assert "Seen in: [a b.py:1](file:a%20b.py#L1)" in text
    assert "1 citation was removed" in text and "gone.py" not in text
    assert "[^2]: there is no text file 'gone.py'" in CORE.mend_text(verdict)


def test_says_when_nothing_is_backed() -> None:
    verdict = CORE.check("It is fast.", [], FILES)
    assert not CORE.cites("It is fast.", verdict, FILES)
    assert "Nothing in this answer is backed by a citation" in CORE.answer_text("It is fast.", verdict, FILES)
    assert CORE.cites("See cart.py:1.", CORE.check("See cart.py:1.", [], FILES), FILES)


def test_leaves_brackets_of_code_alone() -> None:
    text = CORE.answer_text("`items[1]` is the second [^1]", CORE.check("", [cite()], FILES), FILES)
    assert "`items[1]` is the second (" in text


@pytest.mark.timeout(10)
@pytest.mark.parametrize("part", ["a-", "a.", "src/", "`a.py:"])
def test_an_answer_of_any_shape_is_read_at_once(part: str) -> None:
    assert CORE.paths_in(part * 30_000 + "\ncart.py:3", []) == ["cart.py"]


@pytest.mark.timeout(10)
@pytest.mark.parametrize("part", ["a.py:1 ", "`a b.py:1` ", "a b c d ", "( ( (", "`a b", "x" * 90 + " "])
def test_an_answer_of_places_and_words_is_read_in_bounds(part: str) -> None:
    answer = part * 20_000 + " in\tcart.py:3"
    paths = CORE.paths_in(answer, [])
    assert "cart.py" in paths and len(paths) <= 2 * (MAX_WORDS + 1)
    verdict = CORE.check(answer, [], FILES)
    assert CORE.answer_text(answer, verdict, FILES).count("[cart.py:3](file:cart.py#L3)") == 1


def test_reads_a_bounded_number_of_files_for_an_answer() -> None:
    answer = " ".join(f"{'word ' * 50}{number}.py:1" for number in range(1_000))
    paths = CORE.paths_in(answer, [])
    assert len(paths) <= 2 * MAX_CITATIONS * (MAX_WORDS + 1)
    assert "0.py" in paths and max(map(len, paths)) <= MAX_PATH_CHARS
