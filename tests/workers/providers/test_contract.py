"""One suite for every provider: what holds for one holds for all, over their real protocols and clients."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.framework.provider_double import Call, Fault, ProviderDouble, Say
from tests.framework.provider_double.side_protocols import vector_of
from tests.workers.providers.conftest import CANARY, OpenProvider
from workers.errors import (
    ContextTooLong,
    NotSupported,
    ProviderAuthFailed,
    ProviderBadReply,
    ProviderCutOff,
    ProviderError,
    ProviderRateLimited,
    ProviderRejected,
    ProviderTimeout,
    ProviderUnavailable,
)
from workers.providers.base import Provider, ReplyLimits
from workers.providers.types import (
    AudioPart,
    FilePart,
    Finished,
    ImagePart,
    Message,
    ModelRequest,
    TextDelta,
    TextPart,
    ToolCallDelta,
    ToolSpec,
    Usage,
)

HELLO = ModelRequest(
    messages=(Message("system", "Be brief."), Message("user", "Hello")), max_output_tokens=50
)
READ = ToolSpec(
    "read_file",
    "Read a file.",
    {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
)
SCHEMA = {
    "type": "object",
    "properties": {"tool": {"type": "string", "enum": ["a", "b"]}},
    "required": ["tool"],
    "additionalProperties": False,
}


async def test_streams_text_piece_by_piece_and_ends_with_the_whole(
    provider: Provider, provider_double: ProviderDouble
) -> None:
    provider_double.say(Say("Hello there, dear person.", usage=(11, 5)))
    items = [item async for item in provider.stream(HELLO)]
    texts = [item.text for item in items if isinstance(item, TextDelta)]
    assert texts == ["Hello", " there,", " dear", " person."]
    last = items[-1]
    assert isinstance(last, Finished) and last.reply.text == "Hello there, dear person."
    assert (last.reply.finish_reason, last.reply.usage, last.reply.model) == (
        "stop",
        Usage(11, 5),
        "double-1",
    )
    assert [message["content"] for message in provider_double.asked[0].messages] == ["Be brief.", "Hello"]


async def test_passes_limits_on_the_answer_to_the_provider(
    provider: Provider, provider_double: ProviderDouble
) -> None:
    provider_double.say("ok")
    await provider.generate(
        ModelRequest(messages=HELLO.messages, max_output_tokens=7, temperature=0.5, stop=("END",))
    )
    sent = json.dumps(provider_double.asked[0].body)
    assert ('"END"' in sent) is (provider.choice.provider != "responses") and ": 7" in sent
    assert ("0.5" in sent) is (provider.choice.provider != "anthropic")


@pytest.mark.parametrize("stop", [("END",), (" word",), ("mid.dle", "dle EN"), ("here ", " text")])
async def test_ends_before_the_first_stop_sequence_whatever_its_server_does(
    provider: Provider, provider_double: ProviderDouble, stop: tuple[str, ...]
) -> None:
    """Trap: one API has no such field, and a server may ignore it; then the model talked on."""
    said = "Here middle EN END text word and more"
    provider_double.say(Say(said, token_wait_s=0.01))
    items = [item async for item in provider.stream(ModelRequest(messages=HELLO.messages, stop=stop))]
    expected = said[: min(said.find(one) for one in stop if one in said)]
    texts = [item.text for item in items if isinstance(item, TextDelta)]
    assert "".join(texts) == expected and all(texts)
    last = items[-1]
    assert isinstance(last, Finished)
    assert (last.reply.text, last.reply.finish_reason, last.reply.tool_calls) == (expected, "stop", ())


async def test_keeps_what_only_looks_like_a_stop_sequence(
    provider: Provider, provider_double: ProviderDouble
) -> None:
    provider_double.say(Say("It is the EN", usage=(11, 5)))
    reply = await provider.generate(ModelRequest(messages=HELLO.messages, stop=("END", "")))
    assert (reply.text, reply.usage) == ("It is the EN", Usage(11, 5))


async def test_brings_tool_calls_and_takes_their_results_back(
    open_at_double: OpenProvider, provider_name: str, provider_double: ProviderDouble
) -> None:
    provider = open_at_double(provider_name)
    provider_double.say(
        Say("Let me look.", (Call("read_file", {"path": "a.py"}), Call("read_file", {"path": "ü.py"}))),
        "It is fine.",
    )
    asking = ModelRequest(messages=(Message("user", "Check"),), tools=(READ,))
    items = [item async for item in provider.stream(asking)]
    assert any(isinstance(item, ToolCallDelta) and item.name == "read_file" for item in items)
    reply = items[-1].reply  # type: ignore[union-attr]
    assert reply.finish_reason == "tool_calls"
    assert [call.arguments for call in reply.tool_calls] == [{"path": "a.py"}, {"path": "ü.py"}]
    assert len({call.id for call in reply.tool_calls}) == 2
    answers = tuple(Message("tool", f"content {call.id}", tool_call_id=call.id) for call in reply.tool_calls)
    talk = (*asking.messages, Message("assistant", reply.text, tool_calls=reply.tool_calls), *answers)
    second = await provider.generate(ModelRequest(messages=talk, tools=(READ,)))
    assert second.text == "It is fine." and second.finish_reason == "stop"
    results = [m for m in provider_double.asked[1].messages if m["role"] == "tool"]
    assert [m["content"] for m in results] == [m.content for m in answers]
    assert [m["name"] for m in results] == ["read_file", "read_file"]
    assert provider_double.refused == []


@pytest.mark.parametrize("provider_name", ["openai", "responses", "anthropic", "embedded"], indirect=False)
async def test_keeps_malformed_tool_arguments_word_for_word_and_can_send_them_back(
    open_at_double: OpenProvider, provider_name: str, provider_double: ProviderDouble
) -> None:
    provider = open_at_double(provider_name)
    provider_double.say(Say(calls=(Call("read_file", '{"path": "a.py'),)), "Sorry.")
    asking = ModelRequest(messages=(Message("user", "Check"),), tools=(READ,))
    reply = await provider.generate(asking)
    (call,) = reply.tool_calls
    assert (call.arguments, call.raw) == (None, '{"path": "a.py')
    answer = Message("tool", "Your arguments are no JSON object.", tool_call_id=call.id)
    talk = (*asking.messages, Message("assistant", "", tool_calls=(call,)), answer)
    assert (await provider.generate(ModelRequest(messages=talk, tools=(READ,)))).text == "Sorry."


async def test_asks_for_constrained_output(provider: Provider, provider_double: ProviderDouble) -> None:
    provider_double.say('{"tool": "a"}')
    reply = await provider.generate(ModelRequest(messages=HELLO.messages, response_schema=SCHEMA))
    assert json.loads(reply.text) == {"tool": "a"}
    schema = provider_double.asked[0].schema
    assert schema is not None and schema["properties"]["tool"]["enum"] == ["a", "b"]


async def test_says_when_the_answer_was_cut_by_its_own_limit(
    provider: Provider, provider_double: ProviderDouble
) -> None:
    provider_double.say(Say("And then", finish="length"))
    assert (await provider.generate(HELLO)).finish_reason == "length"


@pytest.mark.parametrize("provider_name", ["openai", "responses", "anthropic"], indirect=False)
async def test_tells_a_refusal_from_an_answer(
    open_at_double: OpenProvider, provider_name: str, provider_double: ProviderDouble
) -> None:
    provider_double.say(Say("I can't help with that.", finish="refusal"))
    assert (await open_at_double(provider_name).generate(HELLO)).finish_reason == "refusal"


FAULTS = [
    (Fault("http", 401, message=f"Incorrect API key: {CANARY}"), ProviderAuthFailed),
    (Fault("http", 403), ProviderAuthFailed),
    (Fault("http", 429, headers={"Retry-After": "7"}), ProviderRateLimited),
    (Fault("http", 400, message="unknown parameter"), ProviderRejected),
    (Fault("http", 404, message="no such model"), ProviderRejected),
    (Fault("http", 400, message="This model's maximum context length is 9 tokens"), ContextTooLong),
    (Fault("http", 413, message="prompt is too long: 9 tokens > 8 maximum"), ContextTooLong),
    (Fault("http", 500, message=f"boom {CANARY}"), ProviderUnavailable),
    (Fault("http", 503), ProviderUnavailable),
    (Fault("http", 529), ProviderUnavailable),
    (Fault("hang"), ProviderTimeout),
    (Fault("hang_midway"), ProviderTimeout),
    (Fault("garbage"), ProviderBadReply),
    (Fault("garbage_event"), ProviderBadReply),
    (Fault("odd_event"), ProviderBadReply),
    (Fault("cut"), ProviderCutOff),
    (Fault("unfinished"), ProviderCutOff),
    (Fault("long_line"), ProviderBadReply),
    (Fault("compressed"), ProviderBadReply),
    (Fault("redirect", location="http://127.0.0.1:9/"), ProviderRejected),
    (Fault("error_event", message="Overloaded", error_type="overloaded_error"), ProviderUnavailable),
]


@pytest.mark.parametrize(("fault", "expected"), FAULTS, ids=lambda value: getattr(value, "kind", None))
async def test_names_every_fault_exactly_and_without_the_key(
    provider: Provider, provider_double: ProviderDouble, fault: Fault, expected: type[ProviderError]
) -> None:
    provider_double.say(Say("one two three four five six", fault=fault))
    with pytest.raises(ProviderError) as caught:
        await provider.generate(HELLO)
    assert type(caught.value) is expected
    told = json.dumps(caught.value.to_dict()) + repr(caught.value) + repr(provider) + str(vars(caught.value))
    assert CANARY not in told
    assert len(provider_double.asked) == 1


async def test_reports_the_wait_that_a_rate_limit_asks_for(
    provider: Provider, provider_double: ProviderDouble
) -> None:
    provider_double.say(Say(fault=Fault("http", 429, headers={"Retry-After": "7"})))
    with pytest.raises(ProviderRateLimited) as caught:
        await provider.generate(HELLO)
    assert caught.value.facts["retry_after_s"] == (None if provider.choice.provider == "ollama" else 7.0)


async def test_gives_what_was_said_before_the_connection_broke(
    provider: Provider, provider_double: ProviderDouble
) -> None:
    provider_double.say(Say("one two three four five six seven eight", fault=Fault("cut")))
    heard = []
    with pytest.raises(ProviderCutOff):
        async for item in provider.stream(HELLO):
            heard.append(item)
    assert "".join(item.text for item in heard if isinstance(item, TextDelta)).startswith("one two")


async def test_says_that_nobody_is_there(
    open_at_double: OpenProvider, provider_name: str, provider_double: ProviderDouble
) -> None:
    provider = open_at_double(provider_name)
    await provider_double.stop()
    with pytest.raises(ProviderUnavailable):
        await provider.generate(HELLO)
    await provider_double.start()


async def test_a_slow_answer_is_no_fault_while_each_token_comes_in_time(
    provider: Provider, provider_double: ProviderDouble
) -> None:
    provider_double.say(Say("a b c d e f", token_wait_s=0.25))
    assert (await provider.generate(HELLO)).text == "a b c d e f"


async def test_hidden_reasoning_counts_as_a_sign_of_life(
    provider: Provider, provider_double: ProviderDouble
) -> None:
    provider_double.say(Say("done", reasoning="a b c d e f", token_wait_s=0.25))
    reply = await provider.generate(HELLO)
    assert reply.text == "done"


async def test_ends_an_answer_that_passes_the_whole_time_limit(
    open_at_double: OpenProvider, provider_name: str, provider_double: ProviderDouble
) -> None:
    limits = ReplyLimits(first_token_s=2, between_tokens_s=2, total_s=0.5)
    provider_double.say(Say(" ".join("abcdefghijkl"), token_wait_s=0.1))
    with pytest.raises(ProviderTimeout, match="the end of its answer"):
        await open_at_double(provider_name, limits=limits).generate(HELLO)


async def test_hangs_up_when_the_listener_leaves(provider: Provider, provider_double: ProviderDouble) -> None:
    provider_double.say(Say("a b c d e f g h i j", token_wait_s=0.2))
    stream = provider.stream(HELLO)
    assert isinstance(await anext(stream), TextDelta)
    await stream.aclose()
    await _until(lambda: provider_double.gone == 1)


async def test_hangs_up_when_its_task_is_cancelled(
    provider: Provider, provider_double: ProviderDouble
) -> None:
    provider_double.say(Say("a b c", fault=Fault("hang")))
    task = asyncio.create_task(provider.generate(HELLO))
    await _until(lambda: len(provider_double.asked) == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _until(lambda: provider_double.gone == 1)


async def test_sends_the_given_key_and_nothing_else_that_it_finds(
    open_at_double: OpenProvider,
    provider_name: str,
    provider_double: ProviderDouble,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    foreign = "foreign-secret-value"
    for name in (
        "OPENAI_API_KEY",
        "OPENAI_ADMIN_KEY",
        "OPENAI_ORG_ID",
        "OPENAI_PROJECT_ID",
        "OLLAMA_API_KEY",
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
    ):
        monkeypatch.setenv(name, foreign)
    for name in ("OPENAI_CUSTOM_HEADERS", "ANTHROPIC_CUSTOM_HEADERS"):
        monkeypatch.setenv(name, f"X-Extra: {foreign}")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    provider_double.say("one", "two")
    for secret in (CANARY, None):
        await open_at_double(provider_name, secret=secret).generate(HELLO)
        headers = provider_double.asked[-1].headers
        assert foreign not in str(headers)
        is_keyed = secret is not None and provider_name != "embedded"
        assert (CANARY in str(headers)) is is_keyed
        assert not [name for name in headers if name.startswith("x-stainless")]


PIXEL = b"\x89PNG\r\n\x1a\n not really a picture"


SEES = ["openai", "responses", "anthropic", "ollama"]


@pytest.mark.parametrize("provider_name", SEES)
async def test_shows_images_in_the_order_of_the_parts(
    open_at_double: OpenProvider, provider_name: str, provider_double: ProviderDouble
) -> None:
    provider_double.say("Two pictures.")
    parts = (ImagePart(PIXEL + b"1"), TextPart("and"), ImagePart(PIXEL + b"2", "image/jpeg"))
    provider = open_at_double(provider_name, choice={"has_vision": True})
    assert provider.capabilities().has_vision
    await provider.generate(ModelRequest(messages=(Message("user", "What is this?", parts=parts),)))
    assert provider_double.refused == []
    shown = provider_double.asked[0].messages
    assert [data for message in shown for _kind, _type, data in message["parts"]] == [
        PIXEL + b"1",
        PIXEL + b"2",
    ]
    said = "\n\n".join(message["content"] for message in shown if message["content"])
    assert said == "What is this?\n\nand"


@pytest.mark.parametrize("provider_name", SEES)
async def test_takes_back_an_image_that_a_tool_brought(
    open_at_double: OpenProvider, provider_name: str, provider_double: ProviderDouble
) -> None:
    provider = open_at_double(provider_name, choice={"has_vision": True})
    provider_double.say(Say(calls=(Call("look", {}), Call("look", {}))), "A cat.")
    look = ToolSpec("look", "Take a picture.", {"type": "object", "properties": {}})
    asked = ModelRequest(messages=(Message("user", "Look"),), tools=(look,))
    reply = await provider.generate(asked)
    results = tuple(
        Message("tool", "taken", tool_call_id=call.id, parts=(ImagePart(PIXEL),)) for call in reply.tool_calls
    )
    talk = (*asked.messages, Message("assistant", "", tool_calls=reply.tool_calls), *results)
    assert (await provider.generate(ModelRequest(messages=talk, tools=(look,)))).text == "A cat."
    brought = [part for message in provider_double.asked[1].messages for part in message.get("parts", ())]
    assert [data for _kind, _type, data in brought] == [PIXEL, PIXEL]


async def test_reads_a_text_file_whatever_the_model(
    provider: Provider, provider_double: ProviderDouble
) -> None:
    provider_double.say("Fine.")
    part = FilePart(b"a,b\n1,2\n", "text/csv", "table.csv")
    await provider.generate(ModelRequest(messages=(Message("user", "Sum up", parts=(part,)),)))
    said = "\n\n".join(message["content"] for message in provider_double.asked[0].messages)
    assert said == "Sum up\n\nFile table.csv:\na,b\n1,2\n"


CANNOT_READ = [
    *[(name, ImagePart(PIXEL), "images") for name in [*SEES, "embedded"]],
    *[(name, AudioPart(b"RIFF"), "audio") for name in [*SEES, "embedded"]],
    *[
        (name, FilePart(b"%PDF", "application/pdf", "a.pdf"), "files")
        for name in ("openai", "ollama", "embedded")
    ],
]


@pytest.mark.parametrize(("provider_name", "part", "what"), CANNOT_READ)
async def test_refuses_what_its_model_cannot_read_and_says_who_can(
    open_at_double: OpenProvider,
    provider_name: str,
    provider_double: ProviderDouble,
    part: ImagePart | AudioPart | FilePart,
    what: str,
) -> None:
    provider = open_at_double(provider_name, choice={"has_vision": False})
    with pytest.raises(NotSupported) as caught:
        await provider.generate(ModelRequest(messages=(Message("user", "x", parts=(part,)),)))
    assert caught.value.facts["what"] == what and caught.value.facts["instead"] in str(caught.value)
    assert provider_double.asked == []


EMBEDS = ["openai", "responses", "ollama", "embedded"]


@pytest.mark.parametrize("provider_name", EMBEDS)
async def test_turns_texts_into_vectors_in_their_order(
    open_at_double: OpenProvider, provider_name: str, provider_double: ProviderDouble
) -> None:
    provider = open_at_double(provider_name)
    texts = ["the cat sat", "stock prices fell", "the cat lay"]
    cat, stock, other_cat = await provider.embed(texts)
    assert cat == pytest.approx(vector_of(texts[0]))
    assert _product(cat, other_cat) > _product(cat, stock)
    assert await provider.embed([]) == []
    assert len(provider_double.asked) == 1


async def test_makes_no_vectors_where_there_is_no_such_model(
    provider: Provider, provider_double: ProviderDouble
) -> None:
    if provider.choice.provider != "anthropic":
        provider_double.say(Say(fault=Fault("http", 501, message="This server does not support embeddings")))
    with pytest.raises(NotSupported, match="makes no embeddings; text-embedding-3-small"):
        await provider.embed(["x"])


async def test_writes_down_what_is_said_and_speaks(
    open_at_double: OpenProvider, provider_name: str, provider_double: ProviderDouble
) -> None:
    provider = open_at_double(provider_name)
    if provider_name in ("anthropic", "ollama"):
        with pytest.raises(NotSupported, match="whisper-1"):
            await provider.transcribe(AudioPart(b"RIFF"))
        with pytest.raises(NotSupported, match="gpt-4o-mini-tts"):
            await provider.speak("Hello")
        assert provider_double.asked == []
        return
    provider_double.say("Good morning.", "sound of hello")
    assert await provider.transcribe(AudioPart(b"RIFF some sound"), language="en") == "Good morning."
    assert provider_double.asked[0].body["file"] == b"RIFF some sound"
    assert provider_double.asked[0].body["language"] == "en"
    assert await provider.speak("Hello", voice="nova") == AudioPart(b"sound of hello", "audio/mpeg")
    assert provider_double.asked[1].body["voice"] == "nova"


SIDE_FAULTS = [
    (Fault("http", 401, message=f"Incorrect API key: {CANARY}"), ProviderAuthFailed),
    (Fault("http", 429, headers={"Retry-After": "7"}), ProviderRateLimited),
    (Fault("http", 500), ProviderUnavailable),
    (Fault("hang"), ProviderTimeout),
    (Fault("garbage"), ProviderBadReply),
    (Fault("compressed"), ProviderBadReply),
    (Fault("redirect", location="http://127.0.0.1:9/"), ProviderRejected),
]


@pytest.mark.parametrize("provider_name", EMBEDS)
@pytest.mark.parametrize(("fault", "expected"), SIDE_FAULTS, ids=lambda value: getattr(value, "kind", None))
async def test_names_the_faults_of_embedding_too(
    open_at_double: OpenProvider,
    provider_name: str,
    provider_double: ProviderDouble,
    fault: Fault,
    expected: type[ProviderError],
) -> None:
    provider_double.say(Say(fault=fault))
    with pytest.raises(ProviderError) as caught:
        await open_at_double(provider_name).embed(["x"])
    assert type(caught.value) is expected
    assert CANARY not in json.dumps(caught.value.to_dict()) + repr(caught.value)


async def test_hangs_up_when_an_embedding_is_no_longer_wanted(
    open_at_double: OpenProvider, provider_double: ProviderDouble
) -> None:
    provider_double.say(Say(fault=Fault("hang")))
    task = asyncio.create_task(open_at_double("openai").embed(["x"]))
    await _until(lambda: len(provider_double.asked) == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _until(lambda: provider_double.gone == 1)


def _product(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


async def test_the_test_button_tells_who_answered(
    provider: Provider, provider_double: ProviderDouble
) -> None:
    provider_double.say("OK")
    assert (await provider.check()).startswith("double-1 answered in ")


async def _until(is_so: object) -> None:
    async with asyncio.timeout(3):
        while not is_so():  # type: ignore[operator]
            await asyncio.sleep(0.01)
