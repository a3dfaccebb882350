from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.framework.provider_double import ProviderDouble, Say
from workers.errors import ProviderBadReply
from workers.providers import counts
from workers.providers.base import Provider
from workers.providers.counts import HIDDEN_TOKENS, OWN_INPUT_TOKENS, PART_TOKENS, believed
from workers.providers.types import (
    Capabilities,
    FilePart,
    ImagePart,
    Message,
    ModelReply,
    ModelRequest,
    TextPart,
    ToolCall,
    ToolSpec,
    Usage,
)

CAN = Capabilities(context_tokens=8_192, has_tools=True, has_json_schema=True, has_vision=True, price=None)
HELLO = ModelRequest(messages=(Message("user", "Hello"),), max_output_tokens=50)
READ = ToolSpec("read_file", "Read a file.", {"type": "object"})


def judged(
    usage: Usage | None, *, text: str = "Hello", request: ModelRequest | None = None, **calls: Any
) -> Usage | None:
    reply = ModelReply(text, calls.get("calls", ()), usage, "stop", "m")
    return believed(reply, request or HELLO, can=CAN, provider="openai")


@pytest.mark.parametrize(
    "usage",
    [
        Usage(-1, 1),
        Usage(1, -1),
        Usage(0, 0),
        Usage(0, 7),
        Usage(5, 0),
        Usage(10, 1, cached_input_tokens=-1),
        Usage(10, 1, cached_input_tokens=6, cache_write_tokens=5),
        Usage(10**18, 1),
        Usage(1, 10**18),
        Usage(10**4_000, 1),
        Usage("12", 1),  # type: ignore[arg-type]
        Usage(True, 1),
        Usage(float("nan"), 1),  # type: ignore[arg-type]
        Usage(12.0, 1),  # type: ignore[arg-type]
    ],
    ids=lambda usage: str(usage)[:60],
)
def test_believes_no_count_that_cannot_be(usage: Usage) -> None:
    assert judged(usage) is None


def test_what_was_not_told_stays_untold() -> None:
    assert judged(None) is None


def test_nothing_made_is_believed_where_nothing_was_said() -> None:
    assert judged(Usage(5, 0), text="") == Usage(5, 0)


@given(text=st.text(max_size=200), share=st.floats(0, 1))
def test_no_text_has_more_tokens_than_twice_its_bytes(text: str, share: float) -> None:
    """Trap: a bound by characters refuses what a tokenizer makes of other scripts, one token for each of their bytes."""
    request = ModelRequest(messages=(Message("user", text),), tools=(READ,))
    honest = Usage(round(len(text.encode(errors="surrogatepass")) * share) + 1, 1)
    assert judged(honest, request=request) == honest


@pytest.mark.parametrize(
    ("part", "more"),
    [
        (ImagePart(b"x"), PART_TOKENS),
        (FilePart(b"%PDF", "application/pdf", "a.pdf"), PART_TOKENS),
        (TextPart("x" * 30_000), 60_000),
        (FilePart(b"x" * 30_000, "text/csv", "a.csv"), 60_000),
    ],
)
def test_a_part_counts_by_what_it_is(part: Any, more: int) -> None:
    request = ModelRequest(messages=(Message("user", "x", parts=(part,)),))
    assert judged(Usage(OWN_INPUT_TOKENS + more, 1), request=request) is not None
    assert judged(Usage(OWN_INPUT_TOKENS + more + 1_000, 1), request=request) is None


def test_the_answer_may_be_as_long_as_its_limit_the_context_or_what_was_received() -> None:
    assert judged(Usage(5, 8_192 + HIDDEN_TOKENS)) is not None
    assert judged(Usage(5, 8_193 + HIDDEN_TOKENS)) is None
    asked = ModelRequest(messages=(Message("user", "Hello"),), max_output_tokens=20_000)
    assert judged(Usage(5, 20_000 + HIDDEN_TOKENS), request=asked) is not None
    assert judged(Usage(5, 40_000 + HIDDEN_TOKENS), text="x" * 20_000) is not None
    call = ToolCall("a", "write_file", None, "x" * 20_000)
    assert judged(Usage(5, 40_000 + HIDDEN_TOKENS), text="", calls=(call,)) is not None


def test_says_why_in_a_line_that_has_an_end(caplog: pytest.LogCaptureFixture) -> None:
    judged(Usage(10**4_000, 1))
    judged(Usage("sk-canary-7f3a9b21", 1))  # type: ignore[arg-type]
    logged = caplog.text
    assert "more than was sent" in logged and "not a whole number" in logged
    assert "canary" not in logged and all(len(line) < 400 for line in logged.splitlines())


def test_the_bounds_are_beyond_what_any_model_does() -> None:
    """The longest context that is sold is a few million tokens, the longest answer a few hundred thousand."""
    assert counts.PART_TOKENS >= 1_000_000 and counts.HIDDEN_TOKENS >= 100_000


ABSURD = [(-5, 3), (5, -3), (10**18, 3), (5, 10**18), (0, 0), (math.nan, 3), (5, math.inf), (5.5, 3)]


@pytest.mark.parametrize("usage", ABSURD, ids=str)
async def test_a_count_that_cannot_be_is_no_count(
    provider: Provider,
    provider_double: ProviderDouble,
    usage: tuple[float, float],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Trap: what a provider said that it used was booked as it was said: 10^18 tokens, or fewer than none."""
    provider_double.say(Say("Hello there.", usage=usage))
    is_whole = all(isinstance(count, int) for count in usage)
    if provider.choice.provider == "ollama" and not is_whole:
        with pytest.raises(ProviderBadReply):  # its client takes nothing else for a count
            await provider.generate(HELLO)
        return
    reply = await provider.generate(HELLO)
    assert (reply.text, reply.usage) == ("Hello there.", None)
    assert "usage not believed" in caplog.text


async def test_a_large_count_that_can_be_is_taken_as_it_is(
    provider: Provider, provider_double: ProviderDouble
) -> None:
    """A server may add instructions of its own, and reason for long where nobody sees it."""
    provider_double.say(Say("Hello.", usage=(18_000, 60_000)))
    assert (await provider.generate(HELLO)).usage == Usage(18_000, 60_000)
