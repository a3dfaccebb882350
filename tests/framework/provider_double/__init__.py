"""A model provider's double: a real HTTP server that speaks OpenAI's, Anthropic's and Ollama's protocols.

It is as strict as the originals where agents go wrong (a tool result must answer a call, turns must
alternate), answers from a queue or a function, and breaks on demand in the ways that providers break.
"""

from tests.framework.provider_double.script import Asked, Brain, Call, Fault, Say
from tests.framework.provider_double.server import ProviderDouble

__all__ = ["Asked", "Brain", "Call", "Fault", "ProviderDouble", "Say"]
