"""Programs that Hypothesis makes, against the twins; and bytes of any kind, against nothing but staying alive."""

from __future__ import annotations

import os
import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rust_core
from tests.rust_core.agreement import differences_of_source
from tests.rust_core.corpus import sample

EXAMPLES = 5_000 if os.environ.get("PYAGENT_STORM") == "full" else 150
quick = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)

ATOMS = st.sampled_from(
    ["a", "b.c", "1", "1.0", "True", "'a'", "b'a'", "0j", "None", "...", "f'{a + 1}'", "f(a)", "a[1:b]"]
)


def _compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = st.sampled_from(["+", "@", "**", "<", "is not", "not in", "and", "or", "=="])
    return st.one_of(
        st.tuples(inner, operators, inner).map(lambda part: f"({' '.join(part)})"),
        st.tuples(st.sampled_from(["-", "~", "not "]), inner).map(lambda part: f"({part[0]}{part[1]})"),
        st.tuples(inner, inner, inner).map(lambda part: f"({part[0]} if {part[1]} else {part[2]})"),
        st.tuples(inner, inner).map(lambda part: f"[{part[0]} for x in {part[1]} if x]"),
        st.tuples(inner, inner).map(lambda part: f"(lambda y={part[0]}: {part[1]})"),
        st.tuples(inner, st.sampled_from(["f", "g", "self.f", "self.g", "a.b.c", "x[0].c", "f()"])).map(
            lambda part: f"{part[1]}({part[0]})"
        ),
        st.tuples(inner, inner).map(lambda part: f"{{{part[0]}: {part[1]}}}"),
    )


EXPRESSIONS = st.recursive(ATOMS, _compound, max_leaves=6)
SIMPLE = st.one_of(
    EXPRESSIONS,
    EXPRESSIONS.map(lambda value: f"a += {value}"),
    EXPRESSIONS.map(lambda value: f"a: {value} = 1; b = 2"),
    st.tuples(EXPRESSIONS, EXPRESSIONS).map(lambda part: f"assert {part[0]}, {part[1]}"),
    st.sampled_from(
        ["pass", "'''doc\n\nstring'''", "x = [\n# note\n1]", "# only a comment\npass  # and one more"]
    ),
)


def _indent(block: str) -> str:
    # Continuation lines of strings and brackets may be indented too: nothing here depends on their text.
    return "\n".join(f"  {line}" for line in block.split("\n"))


def _blocks(block: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    body = st.lists(block, min_size=1, max_size=3).map(lambda statements: _indent("\n".join(statements)))
    value = EXPRESSIONS
    heads = {
        "if {0}:\n{1}": (value, body),
        "if {0}:\n{1}\nelif {2}:\n{3}\nelse:\n{4}": (value, body, value, body, body),
        "for x in {0}:\n{1}\nelse:\n{2}": (value, body, body),
        "while {0}:\n{1}": (value, body),
        "with {0} as x:\n{1}": (value, body),
        "try:\n{0}\nexcept A:\n{1}\nelse:\n{2}\nfinally:\n{3}": (body, body, body, body),
        "async def g():\n  async for x in {0}:\n{1}\n  async with a:\n{1}": (value, body.map(_indent)),
        "try:\n{0}\nexcept* A:\n{1}": (body, body),
        "match {0}:\n  case 1:\n{1}\n  case [_, x]:\n{2}": (value, body.map(_indent), body.map(_indent)),
        "match {0}:\n  case A() as b:\n{1}\n  case x:\n{2}": (value, body.map(_indent), body.map(_indent)),
        "@a({0})\ndef f(x={1}):\n{2}": (value, value, body),
        "def g():\n{0}": (body,),
        "def f(self, /, *rest, key=None, **more):\n{0}": (body,),
        "def decorate(function):\n  def g():\n{0}\n  return g": (body.map(_indent),),
        "class A({0}):\n{1}": (value, body),
    }
    return st.one_of(
        [st.tuples(*parts).map(lambda found, head=head: head.format(*found)) for head, parts in heads.items()]
    )


PROGRAMS = st.lists(st.recursive(SIMPLE, _blocks, max_leaves=8), max_size=4).map("\n".join)


@quick
@given(PROGRAMS)
def test_counts_made_up_programs_as_the_twins_do(source: str):
    assert differences_of_source(source) == []


@quick
@given(st.binary(max_size=300))
def test_answers_any_bytes(source: bytes):
    found = rust_core.audit_source(source)
    assert found["errors"] or found["maintainability_index"] is not None
    assert rust_core.outline_source(source)["is_parsed"] in (True, False)


@quick
@given(st.text(alphabet="()[]{}:,.;'\"\\#@=+-*<>!$ \t\n\r\x0cfartb1xé\u2028", max_size=200))
def test_answers_any_text_made_of_what_the_lexer_minds(source: str):
    found = rust_core.audit_source(source)
    assert found["errors"] or found["maintainability_index"] is not None


def test_answers_real_source_that_was_cut_and_stirred():
    dice = random.Random(7)
    for path in sample(60, seed=7, max_bytes=20_000):
        source = bytearray(path.read_bytes())
        for _ in range(10):
            start, length = dice.randrange(len(source) + 1), dice.randrange(40)
            source[start : start + length] = dice.choice(
                [b"", b"(", b'"""', b"\n", b"{", b"\xff", b"f'{", b"lambda "]
            )
            found = rust_core.audit_source(bytes(source))
            assert found["errors"] or found["maintainability_index"] is not None
            rust_core.outline_source(bytes(source))
