"""What lizard counts, and what of it is no branch: lizard reads tokens, so that a name can look like a keyword."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lizard

# Before these, a `&&` or `||` of Rust is a reference to a reference or a closure without parameters.
_NO_OPERAND = {"(", ",", "=", ":", "|", "<", "in", "{", "}", ";", "=>", "&", "return", "move", "->", "["}
_IN_TEMPLATE = re.compile(r"\$\{[^}]*?(?:\?|\|\||&&)")
_WORD_OPERATOR = re.compile(r"\b(?:and|or)\b")


@dataclass
class Comparison:
    """How the figures of two tools compare over many files; `others` says where nothing explains a difference."""

    equal: int = 0
    explained: Counter[str] = field(default_factory=Counter)
    others: list[str] = field(default_factory=list)
    unmatched: int = 0

    @property
    def matched(self) -> int:
        return self.equal + self.explained.total() + len(self.others)

    @property
    def agreement(self) -> float:
        """The share of functions that are equal, or would be if lizard did not take a word for a branch."""
        return 1 - len(self.others) / self.matched


def compare(audits: list[dict[str, Any]]) -> Comparison:
    """Return how cyclomatic figures compare with lizard's, for functions that both tools see end on a line of their own."""
    found = Comparison()
    for audit in audits:
        text = Path(audit["path"]).read_text("utf-8", "replace")
        theirs = _by_end(lizard.analyze_file(audit["path"]).function_list, lambda one: one.end_line)
        ours = _by_end(audit["functions"], lambda one: one["end_line"])
        for end in theirs.keys() | ours.keys():
            if len(theirs.get(end, ())) == len(ours.get(end, ())) == 1:
                _compare_function(found, audit, text.split("\n"), theirs[end][0], ours[end][0])
            else:
                found.unmatched += 1
    return found


def _by_end(functions: Any, end_of: Any) -> dict[int, list[Any]]:
    grouped = defaultdict(list)
    for one in functions:
        grouped[end_of(one)].append(one)
    return grouped


def _compare_function(
    found: Comparison, audit: dict[str, Any], lines: list[str], theirs: Any, ours: dict[str, Any]
) -> None:
    difference = theirs.cyclomatic_complexity - ours["cyclomatic"]
    if difference == 0:
        found.equal += 1
        return
    first = min(theirs.start_line, ours["line"])
    source = "\n".join(lines[first - 1 : ours["end_line"]])
    wrong = misread(audit["language"], source)
    reasons = [reason for reason, count in wrong.items() if count]
    # A nested function has words of its own, so the difference may be less than what the whole text holds.
    if difference > 0 and difference <= sum(wrong.values()):
        found.explained[reasons[0]] += 1
    elif difference < 0 and (unseen := _unseen(audit["language"], source)):
        found.explained[unseen] += 1
    elif abs(theirs.start_line - ours["line"]) > 2:
        found.explained["another function that ends on the same line"] += 1
    else:
        place = f"{audit['path']}:{ours['line']} {ours['qualname']}"
        found.others.append(f"{place}: lizard {theirs.cyclomatic_complexity}, ours {ours['cyclomatic']}")


def _unseen(language: str, source: str) -> str:
    """Return which branches of a source lizard does not see."""
    if language == "cpp":
        return "an operator written as a word" if _WORD_OPERATOR.search(source) else ""
    is_script = language in ("javascript", "typescript", "tsx")
    return "an operator inside a template string" if is_script and _IN_TEMPLATE.search(source) else ""


def misread(language: str, source: str) -> Counter[str]:
    """Return how many of lizard's conditions in a source are no branches, by reason."""
    reader = lizard.get_reader_for(f"a.{_ENDINGS[language]}")
    tokens = [token for token in reader.generate_tokens(source) if not token.isspace()]
    tokens = [token for token in tokens if reader.get_comment_from_token(token) is None]
    wrong: Counter[str] = Counter()
    for before, token, after in zip(["", *tokens], tokens, [*tokens[1:], ""], strict=False):
        reason = _RULES[language](before, token, after)
        if reason:
            wrong[reason] += 1
    if language == "rust":
        wrong["a macro's arguments, which are tokens to the grammar"] = _in_macros(tokens)
    return wrong


def _misread_script(before: str, token: str, after: str) -> str:
    if before in (".", "?.") and token in ("catch", "if", "for", "while", "case"):
        return "a property that is called like a keyword"
    if token == "?" and before in (")", "]"):
        return "an optional type or member"
    if token == "extends":
        return "a conditional type"
    return ""


def _misread_rust(before: str, token: str, after: str) -> str:
    if token == "where":
        return "a where clause"
    if token == "for" and (after == "<" or before in (">", "unsafe") or before[:1].isupper()):
        return "the `for` of a bound or an impl"
    if token == "?" and after == "Sized":
        return "a `?Sized` bound"
    if token in ("&&", "||") and before in _NO_OPERAND:
        return "a double reference or a closure without parameters"
    return ""


def _misread_java(before: str, token: str, after: str) -> str:
    return "a wildcard type" if token == "?" and before in ("<", ",") else ""


def _misread_nothing(before: str, token: str, after: str) -> str:
    return ""


_ENDINGS = {
    "javascript": "js",
    "typescript": "ts",
    "tsx": "tsx",
    "rust": "rs",
    "go": "go",
    "java": "java",
    "c": "c",
    "cpp": "cpp",
}
_RULES = {
    "javascript": _misread_script,
    "typescript": _misread_script,
    "tsx": _misread_script,
    "rust": _misread_rust,
    "go": _misread_nothing,
    "java": _misread_java,
    "c": _misread_nothing,
    "cpp": _misread_nothing,
}


def _in_macros(tokens: list[str]) -> int:
    """Return how many conditions stand inside the brackets of macro calls."""
    count, depth = 0, 0
    for before, token in zip(["", *tokens], tokens, strict=False):
        if depth == 0:
            depth = int(token in "([{" and before == "!")
            continue
        depth += (token in "([{") - (token in ")]}")
        count += token in ("if", "for", "while", "&&", "||", "?", "=>", "where")
    return count
