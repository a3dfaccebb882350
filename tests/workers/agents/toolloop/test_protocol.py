from __future__ import annotations

import json

import pytest

from workers.agents.toolloop.protocol import ThoughtReader, read_turn, response_schema, write_turn
from workers.providers.types import ToolCall, ToolSpec
from workers.tools.errors import InvalidArguments

TURN = '{"thought": "see", "tool": "read_file", "arguments": {"path": "a"}}'


@pytest.mark.parametrize(
    "text", [TURN, f"```json\n{TURN}\n```", f"I will read it.\n{TURN}\nThen more.", f"  {TURN}"]
)
def test_finds_the_call_wherever_it_stands(text: str) -> None:
    thought, call = read_turn(text, call_id="c1")
    assert (thought, call.name, call.arguments) == ("see", "read_file", {"path": "a"})


@pytest.mark.parametrize("text", ["", "prose", "[1]", '{"thought": "x"}', "{" * 10_000, '{"tool": 5}'])
def test_says_what_is_missing(text: str) -> None:
    with pytest.raises(InvalidArguments):
        read_turn(text, call_id="c1")


def test_arguments_that_are_no_object_are_kept_for_the_error() -> None:
    _, call = read_turn('{"tool": "x", "arguments": "rm -rf"}', call_id="c1")
    assert call.arguments is None and call.raw == '"rm -rf"'


def test_writes_what_it_reads() -> None:
    call = ToolCall("c1", "edit_file", {"path": "ü", "new_text": 'a"b\n'}, "")
    assert read_turn(write_turn('th"ink', call), call_id="c1")[1].arguments == call.arguments


def test_the_schema_holds_each_call_to_its_tool() -> None:
    schema = response_schema([ToolSpec("a", "", {"type": "object"}), ToolSpec("b", "", {"type": "object"})])
    assert [option["properties"]["tool"] for option in schema["oneOf"]] == [{"const": "a"}, {"const": "b"}]
    assert list(schema["oneOf"][0]["properties"]) == ["thought", "tool", "arguments"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_shows_only_the_thought_however_it_is_cut(size: int) -> None:
    thought = 'First "look", \\ then\nact: ü 😀.'
    text = json.dumps({"thought": thought, "tool": "x", "arguments": {"thought": "no"}})
    reader = ThoughtReader()
    shown = "".join(reader.feed(text[at : at + size]) for at in range(0, len(text), size))
    assert shown == thought
