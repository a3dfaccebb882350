"""Whether the tokens that a provider says it used can be: a count that cannot is no count, and ours takes its place.

What is counted is booked against budgets in tokens and dollars. A negative count would fill them up, 0 would make answers free,
and a huge one would end every run of the workspace.
"""

from __future__ import annotations

import json
from dataclasses import astuple
from typing import Final

from workers.providers.parts import as_text
from workers.providers.types import Capabilities, ModelReply, ModelRequest, Usage
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
TOKENS_PER_BYTE: Final = 2
"""Tokenizers make a byte into one token at most; what is sent may be shown to the model twice, tools as JSON and as text."""
OWN_INPUT_TOKENS: Final = 20_000
"""What a provider may put before the request: its own instructions for tools and safety."""
PART_TOKENS: Final = 1_000_000
"""A picture, recording or document: its tokens follow from pixels, seconds and pages, not from bytes; no model reads more."""
HIDDEN_TOKENS: Final = 128_000
"""Reasoning that is not shown, on a server that counts it beside the limit of the answer."""


def believed(reply: ModelReply, request: ModelRequest, *, can: Capabilities, provider: str) -> Usage | None:
    """Return what the provider counted, or None where nothing was, or where it cannot be.

    Counts are whole numbers of 0 or more; the two cache counts are parts of the input. The input has at least one token, and at
    most 2 for each byte sent, with 1,000,000 for each picture, recording or document and 20,000 of the provider's own. The output
    has at least one where anything was said, and at most the limit of the answer, the model's context, or 2 for each byte
    received, whichever is most, with 128,000 of hidden reasoning.
    """
    usage = reply.usage
    if usage is None or (why := _why_not(usage, reply, request, can)) is None:
        return usage
    told = [str(count)[:40] if type(count) is int else type(count).__name__ for count in astuple(usage)]
    log.warning("usage not believed", provider=provider, model=reply.model[:200], why=why, told=told)
    return None


def _why_not(usage: Usage, reply: ModelReply, request: ModelRequest, can: Capabilities) -> str | None:
    counts = astuple(usage)
    if any(type(count) is not int for count in counts):
        return "not a whole number"
    if min(counts) < 0:
        return "negative"
    said_bytes = _size_bytes(reply.text, *(call.raw for call in reply.tool_calls))
    if usage.input_tokens == 0 or (said_bytes and usage.output_tokens == 0):
        return "nothing"
    if usage.cached_input_tokens + usage.cache_write_tokens > usage.input_tokens:
        return "more cached than read"
    if usage.input_tokens > most_input_tokens(request):
        return "more than was sent"
    most_output = max(request.max_output_tokens, can.context_tokens, TOKENS_PER_BYTE * said_bytes)
    return "more than can be said" if usage.output_tokens > most_output + HIDDEN_TOKENS else None


def most_input_tokens(request: ModelRequest) -> int:
    """Return more tokens than any model can make of the request."""
    texts = [json.dumps(request.response_schema or {})]
    tokens = OWN_INPUT_TOKENS
    for message in request.messages:
        texts += [message.content, *(call.name + call.raw for call in message.tool_calls)]
        for part in message.parts:
            text = as_text(part)
            texts.append(text or "")
            tokens += PART_TOKENS if text is None else 0
    texts += [tool.name + tool.description + json.dumps(tool.parameters) for tool in request.tools]
    return tokens + TOKENS_PER_BYTE * _size_bytes(*texts)


def _size_bytes(*texts: str) -> int:
    return sum(len(text.encode(errors="surrogatepass")) for text in texts)
