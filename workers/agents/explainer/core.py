"""What @explainer decides without a model: which citations of an answer hold, and how the answer reads with them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote as percent_encoded

from workers.agents.explainer import prompts
from workers.agents.explainer.places import Files, Place, is_file_name, places_in, prose_and_code
from workers.agents.quoting import is_quoted
from workers.agents.toolloop.core import ToolLoopCore
from workers.tools.reading import normalise_path
from workers.tools.text import bound, clean

NEAR_LINES = 3
"""A quote this far from its line is taken to be meant there, and the line put right."""
MAX_CITATIONS = 60
MIN_QUOTE_CHARS = 4
_MARK = re.compile(r"\s?\[\^(\d{1,3})\]")


@dataclass(frozen=True, slots=True)
class Citation:
    """A place that holds."""

    path: str
    line: int

    @property
    def link(self) -> str:
        """The place as a link that pages make an address of (`webapp/agents/linking.py`)."""
        return f"[{self.path}:{self.line}](file:{percent_encoded(self.path)}#L{self.line})"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of an answer's citations: by their marks those that hold, and why the others do not."""

    by_mark: Mapping[int, Citation] = field(default_factory=dict)
    wrong: tuple[str, ...] = ()

    @property
    def is_right(self) -> bool:
        return not self.wrong


class ExplainerCore(ToolLoopCore):
    """Plain data in, plain data out."""

    def paths_in(self, answer: str, citations: Any) -> list[str]:
        """Return the files that an answer names, so that they can be read."""
        named = [
            normalise_path(str(item.get("path") or ""))
            for item in _items(citations)
            if isinstance(item, dict)
        ]
        inline = dict.fromkeys(place.readings for place in _inline_places(answer))
        for readings in list(inline)[: 2 * MAX_CITATIONS]:
            named += readings
        return list(dict.fromkeys(path for path in named if path))

    def check(self, answer: str, citations: Any, files: Files) -> Verdict:
        """Return which citations hold: the file is there, has that line, and reads near it as quoted.

        A place that stands in the text itself (`calc.py:3`) must be there too. Marks without an entry are wrong.
        """
        by_mark: dict[int, Citation] = {}
        wrong: list[str] = []
        for mark, item in enumerate(_items(citations), 1):
            found = _check_one(item, files)
            if isinstance(found, str):
                wrong.append(f"[^{mark}]: {found}")
            else:
                by_mark[mark] = found
        count = len(_items(citations))
        marks = {int(match[1]) for match in _MARK.finditer(answer)}
        wrong += [f"[^{mark}]: there is no such citation" for mark in sorted(marks) if not 0 < mark <= count]
        for place in _inline_places(answer):
            if reason := place.problem(files):
                wrong.append(f"{place.path(files)}:{place.line}: {reason}")
        return Verdict(by_mark, tuple(dict.fromkeys(wrong)))

    def mend_text(self, verdict: Verdict) -> str:
        """Return what the model is told of citations that do not hold."""
        return prompts.MEND.format(reasons="\n".join(f"- {reason}" for reason in verdict.wrong[:20]))

    def answer_text(self, answer: str, verdict: Verdict, files: Files) -> str:
        """Return the answer with links for what holds, without what does not, and with how many were taken out."""
        used: set[int] = set()

        def linked(match: re.Match[str]) -> str:
            citation = verdict.by_mark.get(int(match[1]))
            if citation is None:
                return ""
            used.add(int(match[1]))
            return f" ({citation.link})"

        pieces = prose_and_code(answer.strip())
        for index in range(0, len(pieces), 2):  # the others are code
            pieces[index] = _MARK.sub(linked, _with_links(pieces[index], files))
        text = "".join(pieces) or "I have no answer."
        rest = [citation.link for mark, citation in verdict.by_mark.items() if mark not in used]
        notes = []
        if rest:
            notes.append(prompts.SOURCES.format(sources=", ".join(dict.fromkeys(rest))))
        if verdict.wrong:
            count = len(verdict.wrong)
            notes.append(prompts.REMOVED.format(count=count, s=" was" if count == 1 else "s were"))
        if "](file:" not in text and not rest:
            notes.append(prompts.NO_CITATION)
        return "\n\n".join([text, *notes])

    def cites(self, answer: str, verdict: Verdict, files: Files) -> bool:
        """Return whether anything in the answer is backed by a place that holds."""
        return bool(verdict.by_mark) or any(not place.problem(files) for place in _inline_places(answer))


def _items(citations: Any) -> list[Any]:
    return citations[:MAX_CITATIONS] if isinstance(citations, list) else []


def _inline_places(answer: str) -> list[Place]:
    """The places that stand in the text itself, outside of blocks of code."""
    return [place for piece in prose_and_code(answer)[::2] for place in places_in(piece)]


def _with_links(text: str, files: Files) -> str:
    """The text with a link for each place that is there, and the path alone for one that is not."""
    parts, done = [], 0
    for place in places_in(text):
        path = place.path(files)
        if is_file_name(path, files):
            start, end = place.span(path)
            parts += [text[done:start], path if place.problem(files) else Citation(path, place.line).link]
            done = end
    return "".join([*parts, text[done:]])


def _check_one(item: Any, files: Files) -> Citation | str:
    """The citation when it holds, its line put right; else why it does not."""
    if not isinstance(item, dict) or not isinstance(item.get("line"), int):
        return "path, line or quote is missing"
    path, line = normalise_path(str(item.get("path") or "")), int(item["line"])
    lines = files.get(path)
    if lines is None:
        return f"there is no text file {path!r}"
    if not 0 < line <= len(lines):
        return f"{path} has {len(lines)} lines, not {line}"
    quote = str(item.get("quote") or "")
    found = _nearest(quote, line, lines)
    if found is None:
        return f"{path}:{line} does not read {bound(quote, 120)!r} but {bound(clean(lines[line - 1]).strip(), 120)!r}"
    return Citation(path, found)


def _nearest(quote: str, line: int, lines: Sequence[str]) -> int | None:
    """The line nearest to `line` that reads so, at most `NEAR_LINES` away."""
    around = range(max(1, line - NEAR_LINES), min(len(lines), line + NEAR_LINES) + 1)
    there = [number for number in around if is_quoted(quote, lines[number - 1], min_chars=MIN_QUOTE_CHARS)]
    return min(there, key=lambda number: abs(number - line), default=None)
