"""What every agent in the tool loop says to its model: how to answer, and what to heed."""

from __future__ import annotations

NATIVE = "\nCall at least one tool in every turn, with a sentence on why."

CONSTRAINED = (
    "\nAnswer every turn with one JSON object and nothing else: "
    '{{"thought": "...", "tool": "...", "arguments": {{...}}}}\n'
    "Tools:\n"
    "{tools}\n"
    "{examples}"
)

EXAMPLES = "\nExamples:\n{examples}"

OPENING = "The request:\n{goal}"

EARLIER = "What was said in the channel before:\n{messages}\n\n"

FILES = "\n\nThe files of the project:\n{listing}"

NUDGE_NO_CALL = "You called no tool. Call one now, or call finish with your answer when you are done."
NUDGE_CUT_OFF = (
    "Your answer was cut off: it reached the limit of {limit} tokens. Be shorter and end with one tool call."
)
NUDGE_REPEAT = "You have made this same call {times} times and it brings the same result. Try something else, or call finish."
NUDGE_TURNS = "You have {turns} turns left. Come to an end: check your work and call finish."

TOO_SMALL = (
    "I run on {model}, a very small model that ships with PyAgent. It cannot {work}, so I have not let it try. Choose a "
    "capable model under Settings → Models (an OpenAI-compatible address, Anthropic or Ollama) and call me again."
)

HAND_ON = (
    "\n"
    "You may hand on a part of the work that stands by itself and that another agent does better (delegate), and wait for its "
    "answer; never the request as a whole. What that agent changes is offered to people in a change set of its own; it is not "
    "in your files. The agents:\n"
    "{agents}\n"
)
"""What an agent is told that has the tools of delegation."""
