from __future__ import annotations

import pytest

from tests.webapp.agents.test_front_end import node
from webapp.agents.linking import address_of, answer_html

LINKS = [
    ("file", "calc.py#L3", "/w/7/files/?path=calc.py&line=3"),
    ("file", "src/a%20b%28c%29.py#L12", "/w/7/files/?path=src%2Fa%20b%28c%29.py&line=12"),
    ("file", "a.py", "/w/7/files/?path=a.py"),
    ("file", "//evil.example/x", "/w/7/files/?path=%2F%2Fevil.example%2Fx"),
    ("file", "a.py?x=1&line=9#frag", "/w/7/files/?path=a.py%3Fx%3D1%26line%3D9%23frag"),
    ("message", "12", "/w/7/m/12/"),
    ("review", "4", "/w/7/reviews/4/"),
    ("review", "4/../../x", ""),
    ("message", "-1", ""),
]


@pytest.mark.parametrize(("kind", "value", "address"), LINKS)
def test_leads_only_within_this_site(kind: str, value: str, address: str) -> None:
    assert address_of(kind, value, 7) == address


def test_means_the_same_in_the_browser() -> None:
    script = """
      import { addressOf } from "./static/js/agents/linking.js";
      console.log(JSON.stringify(input.map(([kind, value]) => addressOf(kind, value, 7))));
    """
    found = node(script, [[kind, value] for kind, value, _ in LINKS])
    plain = [address.replace("%28", "(").replace("%29", ")") for _, _, address in LINKS]
    assert [address.replace("%28", "(").replace("%29", ")") for address in found] == plain


@pytest.mark.parametrize(
    ("text", "html"),
    [
        (
            "See [calc.py:3](file:calc.py#L3).",
            'See <a href="/w/7/files/?path=calc.py&amp;line=3">calc.py:3</a>.',
        ),
        ("[x](javascript:alert(1))", "[x](javascript:alert(1))"),
        ("[x](https://evil.example)", "[x](https://evil.example)"),
        ("[<b>](review:4)", '<a href="/w/7/reviews/4/">&lt;b&gt;</a>'),
        ("<script>1</script>", "&lt;script&gt;1&lt;/script&gt;"),
        ("[x](review:none)", "[x](review:none)"),
        ('[x](file:a"onclick="y)', '<a href="/w/7/files/?path=a%22onclick%3D%22y">x</a>'),
    ],
)
def test_makes_links_and_leaves_everything_else_as_text(text: str, html: str) -> None:
    assert answer_html(text, 7) == html
