from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.errors import ProviderBadReply, ProviderCutOff
from workers.providers.reply import MAX_TOOL_CALLS, ReplyBuilder, read_arguments


def begun() -> ReplyBuilder:
    builder = ReplyBuilder("m")
    builder.has_begun = True
    return builder


@given(st.lists(st.text(min_size=1), max_size=20))
def test_the_whole_is_the_sum_of_its_pieces(pieces: list[str]) -> None:
    builder = begun()
    assert [builder.add_text(piece).text for piece in pieces] == pieces
    builder.finish("stop")
    assert builder.build().text == "".join(pieces)


def test_is_cut_off_without_an_end_and_a_bad_reply_without_a_beginning() -> None:
    with pytest.raises(ProviderBadReply):
        ReplyBuilder("m").build()
    with pytest.raises(ProviderCutOff):
        begun().build()


def test_puts_interleaved_calls_together_in_their_order() -> None:
    builder = begun()
    builder.add_call(1, id="b", name="two", part='{"x"')
    builder.add_call(0, id="a", name="one", part="")
    builder.add_call(1, id=None, name=None, part=": 1}")
    builder.finish("stop")
    reply = builder.build()
    assert [(c.id, c.name, c.arguments) for c in reply.tool_calls] == [
        ("a", "one", {}),
        ("b", "two", {"x": 1}),
    ]
    assert reply.finish_reason == "tool_calls"


def test_gives_calls_without_ids_ids_that_never_repeat() -> None:
    ids = set()
    for _ in range(50):
        builder = begun()
        builder.add_call(0, id=None, name="one", part="")
        builder.finish("stop")
        ids.add(builder.build().tool_calls[0].id)
    assert len(ids) == 50


def test_refuses_a_call_without_a_name_and_a_flood_of_calls() -> None:
    builder = begun()
    builder.add_call(0, id="a", name=None, part="{}")
    builder.finish("stop")
    with pytest.raises(ProviderBadReply, match="naming"):
        builder.build()
    flood = begun()
    with pytest.raises(ProviderBadReply, match=str(MAX_TOOL_CALLS)):
        for index in range(MAX_TOOL_CALLS + 1):
            flood.add_call(index, id=None, name="one", part="")


@pytest.mark.parametrize("raw", ["{", "[1]", "3", "null", '"x"', "{'a': 1}", "[" * 100_000])
def test_arguments_that_are_no_object_are_none(raw: str) -> None:
    assert read_arguments(raw) is None


def test_no_arguments_are_an_empty_object() -> None:
    assert read_arguments("  ") == {} == read_arguments("{}")
