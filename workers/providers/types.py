"""What is said to a model and what comes back, in one vocabulary for every provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from workers.errors import ConfigError

Role = Literal["system", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "tool_calls", "refusal"]
ProviderName = Literal["embedded", "openai", "responses", "anthropic", "ollama"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's wish to call a tool.

    `arguments` is None when the model wrote something that is no JSON object; `raw` is what it wrote, word
    for word, so that an agent can show the model its own mistake instead of losing the turn.
    """

    id: str
    name: str
    arguments: dict[str, Any] | None
    raw: str


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as a model sees it; `parameters` is a JSON schema of type object."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TextPart:
    """Text between other parts of a message."""

    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """A picture: PNG, JPEG, GIF or WebP."""

    data: bytes
    media_type: str = "image/png"


@dataclass(frozen=True, slots=True)
class AudioPart:
    """A recording: WAV or MP3."""

    data: bytes
    media_type: str = "audio/wav"


@dataclass(frozen=True, slots=True)
class FilePart:
    """A whole file with its name; a model that cannot read its kind refuses it."""

    data: bytes
    media_type: str
    name: str


ContentPart = TextPart | ImagePart | AudioPart | FilePart


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of a conversation. A `tool` message answers the call named by `tool_call_id`.

    `parts` come after the text of `content`, in their order. Only what people and tools say has parts.
    """

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    parts: tuple[ContentPart, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One question to a model. Give `tools` or `response_schema`, not both; few providers take both."""

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    response_schema: dict[str, Any] | None = None
    max_output_tokens: int = 4096
    temperature: float | None = None
    """A wish; Anthropic's API has no such field any more."""
    stop: tuple[str, ...] = ()
    """The answer ends before the first of these, whether or not the provider heeds them."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them. The two cache counts are parts of `input_tokens`."""

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens. A cache price that is not given counts as the full input price."""

    input_usd_per_mtok: float
    output_usd_per_mtok: float
    cached_input_usd_per_mtok: float | None = None
    cache_write_usd_per_mtok: float | None = None


@dataclass(frozen=True, slots=True)
class ModelReply:
    """A whole answer. `usage` is None when the provider did not tell, or told what cannot be."""

    text: str
    tool_calls: tuple[ToolCall, ...]
    usage: Usage | None
    finish_reason: FinishReason
    model: str


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """The next piece of the tool call with this index; `name` comes with its first piece."""

    index: int
    name: str | None
    arguments_part: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a stream, with everything that was said."""

    reply: ModelReply


StreamItem = TextDelta | ToolCallDelta | Finished


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model can do. `price` is None when nobody told: unknown, which is not free."""

    context_tokens: int
    has_tools: bool
    has_json_schema: bool
    has_vision: bool
    price: Price | None
    has_audio: bool = False
    """Whether it hears recordings in a conversation."""
    has_files: bool = False
    """Whether it reads whole files, such as PDF, in a conversation."""
    has_embeddings: bool = False
    has_transcription: bool = False
    has_speech: bool = False


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Which model a person or a workspace chose. Holds no secret, so it may be stored, shown and queued.

    The fields that begin with `has_` overrule what the provider is assumed to offer: an OpenAI-compatible
    server speaks the protocol, but the small model behind it may only manage constrained output.
    """

    provider: ProviderName
    model: str
    base_url: str | None = None
    context_tokens: int | None = None
    price: Price | None = None
    has_tools: bool | None = None
    has_json_schema: bool | None = None
    has_vision: bool | None = None
    has_audio: bool | None = None
    first_token_s: float | None = None
    """How long it may be silent before its first token and, below, between two; the provider's own limits when None."""
    between_tokens_s: float | None = None
    requests_per_minute: int | None = None
    """What its key may be used for by all runs together, and the two below; None means without limit."""
    tokens_per_minute: int | None = None
    max_concurrency: int | None = None
    may_be_private: bool = True
    """Whether the name may lead to this machine or its private network, as far as the operator allows that at all."""
    extra: dict[str, Any] = field(default_factory=dict)
    """Further fields of the provider's own protocol, passed on as they are (`seed`, …)."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-safe data that `from_dict` reads back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ModelChoice:
        """Return the choice that `to_dict` wrote; absent fields take their defaults.

        Raises:
            ConfigError: a field is unknown, missing or of the wrong type.
        """
        fields = dict(data)
        try:
            if (price := fields.get("price")) is not None:
                fields["price"] = Price(**price)
            choice = cls(**fields)
        except TypeError as error:
            raise ConfigError(f"the stored model choice cannot be read: {error}") from error
        if choice.provider not in get_args(ProviderName) or not isinstance(choice.model, str):
            raise ConfigError(f"there is no provider named {choice.provider!r}")
        return choice


EMBEDDED_CHOICE = ModelChoice(provider="embedded", model="SmolLM2-135M-Instruct")


def cost_usd(usage: Usage | None, price: Price | None) -> float | None:
    """Return what a reply cost in US dollars, or None when the usage or the price is unknown."""
    if usage is None or price is None:
        return None
    cached_usd, write_usd = price.cached_input_usd_per_mtok, price.cache_write_usd_per_mtok
    fresh_tokens = usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens
    total = (
        fresh_tokens * price.input_usd_per_mtok
        + usage.cached_input_tokens * (price.input_usd_per_mtok if cached_usd is None else cached_usd)
        + usage.cache_write_tokens * (price.input_usd_per_mtok if write_usd is None else write_usd)
        + usage.output_tokens * price.output_usd_per_mtok
    )
    return total / 1_000_000
