"""A message's HTML: what Markdown promises, and nothing that a browser would run."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.webapp.xss_payloads import payloads
from webapp.markdown import DEADLINE_S, MAX_CHARS, MAX_HTML_CHARS, possible_handles, render

PEOPLE = {"mia": "Mia", "evil": '<img src=x onerror=alert(1)>\u202e"'}
TAGS = set(
    "a blockquote br code del em h1 h2 h3 h4 h5 h6 hr li ol p pre s span strong table tbody td th thead tr ul".split()  # noqa: SIM905
)
ATTRIBUTES = {
    ("a", "href"), ("a", "title"), ("a", "rel"), ("span", "class"), ("span", "title"), ("span", "data-handle"),
    ("ol", "start"), ("code", "data-language"),
}  # fmt: skip
SAFE_LINK = re.compile(r"(https?:|mailto:|[^:]*$|[^:/?#]*[/?#])", re.IGNORECASE)


class Inspector(HTMLParser):
    """Notes everything in a piece of HTML that is not on the list of what a message may hold."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            self.faults.append(f"<{tag}>")
        for name, value in attrs:
            if (tag, name) not in ATTRIBUTES:
                self.faults.append(f"{tag} {name}={value}")
            link = re.sub(r"[\x00-\x20]", "", value or "")
            if name == "href" and not SAFE_LINK.match(link):
                self.faults.append(f"link {value!r}")
        if tag == "a" and "nofollow" not in dict(attrs).get("rel", ""):
            self.faults.append("a link without rel")

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"comment {data!r}")

    def handle_decl(self, decl: str) -> None:
        self.faults.append(f"declaration {decl!r}")

    def unknown_decl(self, data: str) -> None:
        self.faults.append(f"declaration {data!r}")

    def handle_pi(self, data: str) -> None:
        self.faults.append(f"instruction {data!r}")


def faults(html: str) -> list[str]:
    inspector = Inspector()
    inspector.feed(html)
    inspector.close()
    return inspector.faults


def html_of(text: str, **options: object) -> str:
    return render(text, people=PEOPLE, agents=["coder", "tidy"], **options).html  # type: ignore[arg-type]


def test_the_inspector_sees_what_would_run():
    for bad in (
        "<script>1</script>",
        "<p onclick=x>",
        "<a href=javascript:1 rel=nofollow>",
        "<img src=x>",
        "<!-- x -->",
    ):
        assert faults(bad), bad
    assert not faults('<p><a href="https://x.example/?a=b:c" rel="nofollow">x</a></p>')


def test_passes_nothing_through_that_a_browser_would_run():
    attacks = payloads()
    assert len(attacks) > 1_000
    for attack in attacks:
        html = html_of(attack)
        assert not faults(html), f"{attack!r} became {html!r}: {faults(html)}"


@settings(max_examples=300, deadline=None)
@given(
    st.text(
        alphabet=st.sampled_from(list("<>\"'`[]()!*_~\\&;#:/@|-=\n\t ajx1\u202e\u200b\x00")), max_size=120
    )
)
def test_passes_nothing_through_of_random_marks(text: str):
    assert not faults(html_of(text))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("**a** *b* ~~c~~ `d`", "<strong>a</strong> <em>b</em> <s>c</s> <code>d</code>"),
        ("# a", "<h1>a</h1>"),
        ("a\nb", "a<br>\nb"),
        ("- a\n- b", "<ul>\n<li>a</li>"),
        ("3. a", '<ol start="3">'),
        ("> a", "<blockquote>"),
        ("| a |\n|---|\n| b |", "<td>b</td>"),
        ("[x](https://a.example)", '<a href="https://a.example" rel="nofollow noopener noreferrer">x</a>'),
        (
            "see https://a.example/b_c_d.",
            '<a href="https://a.example/b_c_d" rel="nofollow noopener noreferrer">',
        ),
        ("fix parser.py and a.b", "<p>fix parser.py and a.b</p>"),
        ("![cat](https://a.example/c.png)", '<span class="image-link">cat</span></a>'),
        ("```python\ndef f(): pass\n```", '<code data-language="python"><span class="k">def</span>'),
        ("```nonsense\n<b>\n```", '<code data-language="nonsense">&lt;b&gt;'),
        ("<b>a</b>", "&lt;b&gt;a&lt;/b&gt;"),
    ],
)
def test_renders_what_people_write(text: str, part: str):
    assert part in html_of(text)


def test_marks_mentions_outside_of_code_only():
    rendered = render(
        "@mia, @Coder: see `@tidy` and @nobody\n```\n@tidy\n```\nme@mia.example",
        people=PEOPLE,
        agents=["coder", "tidy"],
    )
    assert (rendered.people, rendered.agents) == (("mia",), ("coder",))
    assert '<span class="mention" data-handle="mia">@Mia</span>' in rendered.html
    assert '<span class="mention mention-agent" data-handle="coder">@coder</span>' in rendered.html
    assert "@nobody" in rendered.html


def test_escapes_the_names_of_people():
    html = html_of("@evil")
    assert "&lt;img" in html
    assert not faults(html)


def test_names_characters_that_hide_something():
    html = html_of("pay\u202e100\u200b and `x\u2066y`\n```py\n#\u202e\n```\n\x07")
    for name in ("U+202E", "U+200B", "U+2066", "U+0007"):
        assert name in html
    assert not re.search("[\u202e\u200b\u2066\x07]", html)


@pytest.mark.parametrize("text", ["👩\u200d💻 ❤\ufe0f 🏳\ufe0f\u200d🌈", "می\u200cخواهم", "क्\u200dष"])
def test_leaves_emoji_and_joined_scripts_alone(text: str):
    assert text in html_of(text)
    assert "hidden-char" not in html_of(text)


def test_shows_a_joiner_that_joins_nothing():
    assert "U+200D" in html_of("ad\u200dmin")


@pytest.mark.parametrize("text", [">" * 500, "[a]: x", "- > " * 400])
def test_shows_the_words_as_typed_when_markdown_would_show_nothing(text: str):
    assert text.strip()[:3].replace(">", "&gt;") in html_of(text)


STRESS = {
    "brackets": "[" * MAX_CHARS, "stars": "*a " * 6_666, "underscores": "_a__" * 5_000, "ticks": "`a``" * 5_000,
    "angles": "<" * MAX_CHARS, "quotes": ">" * MAX_CHARS, "links": "[a](" * 5_000, "images": "![a][" * 4_000,
    "lists": "- " * 10_000, "nested": "\n".join(" " * i + "- a" for i in range(190)), "strikes": "~~a" * 6_000,
    "table": "|a" * 4_000 + "\n" + "|-" * 4_000 + "\n" + "|b" * 1_000, "addresses": "http://a.b/" * 1_800,
    "definitions": "\n".join(f"[a{i}]: x" for i in range(1_500)) + "[a1]" * 500, "entities": "&#x41;" * 3_000,
    "mentions": "@mia " * 4_000, "python": "```python\n" + "(" * 7_900 + "\n```", "marks": "\u202ea" * 10_000,
    "shell": "```sh\n" + "$(" * 3_900 + "\n```", "json": "```json\n" + '{"a":' * 1_500 + "\n```",
    "html": "```html\n" + "<a " * 2_600 + "\n```", "markdown": "```md\n" + "[a](" * 1_900 + "\n```",
}  # fmt: skip


@pytest.mark.parametrize("name", STRESS)
def test_ends_in_time_and_stays_small(name: str):
    text = STRESS[name][:MAX_CHARS]
    started = time.perf_counter()
    html = html_of(text)
    assert time.perf_counter() - started < 4 * DEADLINE_S
    assert len(html) <= max(MAX_HTML_CHARS, 6 * len(text) + 100)
    assert not faults(html)


def test_falls_back_to_plain_text_at_the_deadline():
    seconds = iter([0.0, *([DEADLINE_S + 1] * 10_000)])
    rendered = render("**@mia** <b>\nsecond line", people=PEOPLE, clock=lambda: next(seconds))
    assert rendered.html == "<p>**@mia** &lt;b&gt;<br>second line</p>"
    assert rendered.people == ()


def test_finds_what_may_be_a_handle():
    assert possible_handles("@Mia, (@max-2) a@b.example x/@y") == {"mia", "max-2"}
