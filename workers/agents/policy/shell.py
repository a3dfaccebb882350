"""Reads a shell script as far as its simple commands, so that rules speak of what would be run and not of text.

It knows quotes, separators, redirections, here-documents, comments and substitutions, which are read as scripts of their own.
It runs and expands nothing: a word that the shell would compute is kept as it is written, and rules see that it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MAX_CHARS = 50_000
MAX_DEPTH = 8
_RESERVED = frozenset(
    ("if", "then", "else", "elif", "do", "while", "until", "!", "{", "}", "fi", "done", "esac")
)
_HEADS = frozenset(("for", "case", "select", "function"))
_REDIRECTIONS = (
    ("<<<", "string"), ("<<-", "tabs"), ("<<", "document"), ("<(", "inner"), (">(", "inner"), (">&", "dup"), ("<&", "dup"),
    (">>", "write"), (">|", "write"), ("<>", "write"), (">", "write"), ("<", "read"),
)  # fmt: skip
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")
_SUBSTITUTION = re.compile(r"(?<!\\)\$\((?!\()")
_DOUBLE_ESCAPES = '$`"\\\n'


@dataclass(slots=True)
class Command:
    """One simple command: its words without quotes, and where its input and output come from and go to."""

    words: list[str] = field(default_factory=list)
    assignments: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    given: str | None = None
    """What a here-document or here-string hands it."""
    is_piped: bool = False
    """Whether it reads what the command before it writes."""

    @property
    def is_empty(self) -> bool:
        return not (self.words or self.assignments or self.reads or self.writes)


@dataclass(slots=True)
class Script:
    """What a script would run, in the order of its text, and whether some of it could not be read."""

    commands: list[Command] = field(default_factory=list)
    is_unclear: bool = False


def read_script(text: str, *, depth: int = 0) -> Script:
    """Return the simple commands of a shell script; of any text, without an error."""
    if len(text) > MAX_CHARS or depth > MAX_DEPTH:
        return Script(is_unclear=True)
    return _Reader(text, depth).read()


class _Reader:
    """A pass over the text with one command and one word at hand."""

    def __init__(self, text: str, depth: int) -> None:
        self._text, self._depth, self._at = text, depth, 0
        self._script = Script()
        self._command = Command()
        self._word: list[str] = []
        self._has_word = False
        self._target: str | None = None
        """The redirection whose word is awaited."""
        self._documents: list[tuple[Command, str, bool, bool]] = []
        """Here-documents whose bodies begin at the next line: command, end mark, whether tabs are cut and words expanded."""
        self._expands = True

    def read(self) -> Script:
        steps = {
            "'": self._single, '"': self._double, "`": self._backtick, "$": self._dollar, "\\": self._escape,
            "<": self._redirect, ">": self._redirect, "#": self._comment,
        }  # fmt: skip
        while self._at < len(self._text):
            char = self._text[self._at]
            if char in steps:
                steps[char]()
            elif char in " \t\r":
                self._end_word()
                self._at += 1
            elif char in ";&|()\n":
                self._separate(char)
            else:
                self._add(char)
                self._at += 1
        self._end_command()
        return self._script

    def _add(self, text: str) -> None:
        self._word.append(text)
        self._has_word = True

    def _next_is(self, text: str) -> bool:
        return self._text.startswith(text, self._at)

    def _single(self) -> None:
        end = self._text.find("'", self._at + 1)
        end = len(self._text) if end < 0 else end
        self._add(self._text[self._at + 1 : end])
        self._at = end + 1

    def _double(self) -> None:
        self._add("")
        self._at += 1
        while self._at < len(self._text) and self._text[self._at] != '"':
            char = self._text[self._at]
            if char == "\\" and self._text[self._at + 1 : self._at + 2] in tuple(_DOUBLE_ESCAPES):
                self._add(self._text[self._at + 1].replace("\n", ""))
                self._at += 2
            elif char == "$":
                self._dollar()
            elif char == "`":
                self._backtick()
            else:
                self._add(char)
                self._at += 1
        self._at += 1

    def _escape(self) -> None:
        following = self._text[self._at + 1 : self._at + 2]
        if following != "\n":
            self._add(following)
        self._at += 2

    def _comment(self) -> None:
        if self._has_word:
            self._add("#")
            self._at += 1
            return
        end = self._text.find("\n", self._at)
        self._at = len(self._text) if end < 0 else end

    def _dollar(self) -> None:
        if self._next_is("$(("):
            end = self._text.find("))", self._at)
            end = len(self._text) if end < 0 else end + 2
            self._add(self._text[self._at : end])
            self._at = end
        elif self._next_is("$("):
            self._substitute(self._at + 2)
        elif self._next_is("$'"):
            self._at += 1
            self._single()
            self._script.is_unclear |= "\\x" in self._word[-1] or "\\0" in self._word[-1]
        else:
            self._add("$")
            self._at += 1

    def _backtick(self) -> None:
        end = self._text.find("`", self._at + 1)
        end = len(self._text) if end < 0 else end
        self._take(self._text[self._at + 1 : end])
        self._add("$(…)")
        self._at = end + 1

    def _substitute(self, start: int) -> None:
        end = _closing(self._text, start)
        self._take(self._text[start:end])
        self._add("$(…)")
        self._at = end + 1

    def _take(self, inner: str) -> None:
        """Read a script that stands inside this one; its commands run too."""
        script = read_script(inner, depth=self._depth + 1)
        self._script.commands += script.commands
        self._script.is_unclear |= script.is_unclear

    def _separate(self, char: str) -> None:
        if self._next_is("&>"):
            self._end_word()
            self._at += 1
            self._redirect()
            return
        if char == "&" and self._target == "dup":
            self._at += 1
            return
        is_pipe = char == "|" and not self._next_is("||")
        self._at += 2 if self._text[self._at : self._at + 2] in ("||", "&&", "|&", ";;") else 1
        self._end_command()
        self._command.is_piped = is_pipe
        if char == "\n" and self._documents:
            self._read_documents()

    def _redirect(self) -> None:
        """Begin a redirection; its word is the next one."""
        if self._has_word and "".join(self._word).isdigit():
            self._word, self._has_word = [], False  # the number of a file descriptor
        self._end_word()
        sign, target = next(found for found in _REDIRECTIONS if self._next_is(found[0]))
        self._at += len(sign)
        if target == "inner":
            self._substitute(self._at)
            return
        self._target = target
        self._expands = self._text[self._at :].lstrip(" \t")[:1] not in ("'", '"', "\\")

    def _end_word(self) -> None:
        if not self._has_word:
            return
        word, target = "".join(self._word), self._target
        self._word, self._has_word, self._target = [], False, None
        command = self._command
        if target is None:
            is_assignment = not command.words and _ASSIGNMENT.match(word)
            (command.assignments if is_assignment else command.words).append(word)
        elif target == "write" or (target == "dup" and not word.isdigit() and word != "-"):
            command.writes.append(word)
        elif target == "read":
            command.reads.append(word)
        elif target == "string":
            command.given = word
        elif target in ("document", "tabs"):
            self._documents.append((command, word, target == "tabs", self._expands))

    def _end_command(self) -> None:
        self._end_word()
        command, self._command, self._target = self._command, Command(), None
        while command.words and command.words[0] in _RESERVED:
            del command.words[0]
            while command.words and _ASSIGNMENT.match(command.words[0]):
                command.assignments.append(command.words.pop(0))
        if command.words and command.words[0] in _HEADS:
            return
        if not command.is_empty:
            self._script.commands.append(command)

    def _read_documents(self) -> None:
        for command, mark, cuts_tabs, expands in self._documents:
            lines: list[str] = []
            while self._at < len(self._text):
                end = self._text.find("\n", self._at)
                end = len(self._text) if end < 0 else end
                line = self._text[self._at : end]
                self._at = end + 1
                if (line.lstrip("\t") if cuts_tabs else line) == mark:
                    break
                lines.append(line)
            command.given = body = "\n".join(lines)
            for found in _SUBSTITUTION.finditer(body) if expands else ():
                self._take(body[found.end() : _closing(body, found.end())])
        self._documents = []


def _closing(text: str, start: int) -> int:
    """Return where the parenthesis closes that was opened before `start`, or the end of the text."""
    depth, quote, at = 1, "", start
    while at < len(text):
        char = text[at]
        if char == "\\" and quote != "'":
            at += 1
        elif quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in "()":
            depth += 1 if char == "(" else -1
            if depth == 0:
                return at
        at += 1
    return len(text)
