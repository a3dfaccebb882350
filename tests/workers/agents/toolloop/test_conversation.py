from __future__ import annotations

from workers.agents.toolloop.conversation import Conversation, Turn, size_of
from workers.providers.types import ToolCall


def conversation(turns: int, *, size: int = 1000, is_native: bool = True) -> Conversation:
    talk = Conversation("system", "opening", is_native=is_native)
    for number in range(turns):
        call = ToolCall(f"c{number}", "read_file", {"path": f"{number}.py"}, f'{{"path": "{number}.py"}}')
        talk.turns.append(Turn(f"thought {number}", [call], {call.id: f"<{number}>" + "x" * size}))
    return talk


def test_stays_whole_while_it_fits() -> None:
    talk = conversation(3)
    messages = talk.fit(100_000)
    assert [message.role for message in messages] == ["system", "user"] + ["assistant", "tool"] * 3
    assert "shortened" not in "".join(message.content for message in messages)


def test_shortens_old_results_first_and_never_the_last_ones() -> None:
    talk = conversation(10)
    messages = talk.fit(9000)
    assert size_of(messages) <= 9000
    assert "shortened" in messages[3].content
    assert messages[-1].content.endswith("x" * 1000)


def test_drops_the_oldest_turns_and_tells_what_they_did() -> None:
    talk = conversation(60)
    messages = talk.fit(8000)
    assert size_of(messages) <= 8000
    assert (
        'read_file {"path": "0.py"}' in messages[1].content
        or "You have already done this" in messages[1].content
    )
    assert messages[2].role == "assistant"  # no result without its call


def test_the_beginning_stays_the_same_from_turn_to_turn() -> None:
    talk = conversation(12)
    first = talk.fit(9000)
    talk.turns += conversation(1, size=10).turns
    second = talk.fit(9000)
    assert second[: len(first) - 6] == first[: len(first) - 6]


def test_bounds_recent_turns_that_are_too_long_alone() -> None:
    assert size_of(conversation(3, size=50_000).fit(12_000)) <= 16_000


def test_one_json_turn_and_its_result_are_two_messages_in_constrained_form() -> None:
    talk = conversation(1, is_native=False)
    talk.turns[0].notes.append("Hurry.")
    messages = talk.messages()
    assert [message.role for message in messages] == ["system", "user", "assistant", "user"]
    assert messages[2].content.startswith('{"thought": "thought 0", "tool": "read_file"')
    assert messages[3].content.startswith("Result of read_file:\n<0>") and messages[3].content.endswith(
        "Hurry."
    )


def test_sends_no_malformed_arguments_back() -> None:
    talk = Conversation("s", "o", is_native=True)
    talk.turns.append(Turn("", [ToolCall("c", "x", None, "{broken")], {"c": "no JSON"}))
    assert talk.messages()[2].tool_calls[0].raw == "{}"
