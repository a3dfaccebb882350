"""Which code is given colours. A lexer is a list of regular expressions that nothing can interrupt, so whoever wrote the code
must not be able to choose a slow one, or a text that takes a quick one minutes.
"""

from __future__ import annotations

import re
from typing import Final

LINE_CHARS: Final = 2_000
"""A longer line has no colours, and a review cuts it for display; decisions and landing work on the whole of it."""
_NAMES: Final = (
    "python py python3 pycon pytb javascript js typescript ts jsx tsx json yaml yml toml ini bash sh shell console zsh html xml "
    "css scss sql rust rs go c cpp c++ h java kotlin swift ruby rb php lua diff patch docker dockerfile make makefile cmake "
    "nginx markdown md text http"
)
LANGUAGES: Final = frozenset(_NAMES.split())
"""Names of lexers whose patterns are known to be kind."""
JAVA_CHARS: Final = 8_000
"""Java's lexer compares each word with all that follow it."""
# A function of C may have any blanks between its words: the lexer tries all ways to share them.
_BLANKS: Final = re.compile(r"\s{300}")


def may_colour(code: str, language: str) -> bool:
    """Return whether the lexer of this language is done with the code at once: no endless line, no desert of blanks."""
    if language not in LANGUAGES or (language == "java" and len(code) > JAVA_CHARS):
        return False
    return _BLANKS.search(code) is None and max(map(len, code.split("\n"))) <= LINE_CHARS
