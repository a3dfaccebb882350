"""Files as the editor sees them: text with its encoding and line ends, so that saving an untouched file changes no byte."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workers.changes.files import FileContent
from workers.errors import PyAgentError

MAX_TEXT_BYTES = 2 * 1024 * 1024
_SNIFF_BYTES = 8192
Encoding = Literal["utf-8", "utf-8-sig", "latin-1"]


class NotText(PyAgentError):
    """The text cannot be written in the file's encoding."""

    code = "invalid"


@dataclass(frozen=True, slots=True)
class Document:
    """A file's text. `text` is None for binary files and those too large to edit; `why_not` says which."""

    text: str | None
    encoding: Encoding
    line_separator: Literal["\n", "\r\n"]
    version: str
    size_bytes: int
    mode: int
    why_not: str = ""


def decode(content: FileContent) -> Document:
    """Return the document for a file's bytes.

    A file that is not UTF-8 is read as Latin-1, which maps every byte to one character and back.
    """
    data = content.data
    if b"\0" in data[:_SNIFF_BYTES]:
        return Document(
            None, "utf-8", "\n", content.version, content.size_bytes, content.mode, "This file is binary."
        )
    encoding: Encoding = "utf-8-sig" if data.startswith(b"\xef\xbb\xbf") else "utf-8"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        encoding, text = "latin-1", data.decode("latin-1")
    # Mixed line ends stay as they are: lone \r characters are then part of their lines.
    newlines = text.count("\n")
    separator: Literal["\n", "\r\n"] = "\r\n" if newlines and text.count("\r\n") == newlines else "\n"
    return Document(text, encoding, separator, content.version, content.size_bytes, content.mode)


def encode(text: str, encoding: Encoding) -> bytes:
    """Return the bytes of `text`.

    Raises:
        NotText: the encoding lacks a character; the message names it.
    """
    try:
        return text.encode(encoding)
    except UnicodeEncodeError as error:
        found = text[error.start]
        raise NotText(
            f"“{found}” cannot be written in this file's encoding ({encoding}).", encoding=encoding
        ) from error
