"""Paths and lines as text that loses nothing: bytes that are not UTF-8 survive the way there and back.

Inside the engine they are `surrogateescape` text. Where text must also be valid Unicode without NUL (JSON for
a browser, a PostgreSQL column), `to_portable` moves each such byte to a private character of plane 16, and
`from_portable` back.
"""

from __future__ import annotations

import re

from workers.changes.errors import PathRefused

_FIRST = (
    0x10FE00  # byte b travels as U+10FE00 + b; plane 16 is private use, so no real text means anything by it
)
_UNSAFE = re.compile("[\x00\ud800-\udfff\U0010fe00-\U0010feff]")
_ESCAPED = re.compile("[\U0010fe00-\U0010feff]+")
MAX_PATH_BYTES = 4000  # Linux takes 4,096 with the final NUL; the rest is room for temporary names
_GIT_IGNORES = dict.fromkeys(  # code points that HFS+ drops from names, so that ".g\u200cit" is ".git" there
    [0x200C, 0x200D, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF]
)
_WORDS = {
    "empty": "it is empty",
    "absolute": "it begins with /",
    "nul": "it holds a NUL character",
    "too_long": "it is too long",
    "not_plain": "it has empty parts, . or ..",
    "git_folder": "what is git's own is not for editing",
}


def to_bytes(text: str) -> bytes:
    """Return the bytes that `text` stands for."""
    return text.encode("utf-8", "surrogateescape")


def from_bytes(data: bytes) -> str:
    """Return `data` as text; bytes that are not UTF-8 become lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


def to_portable(text: str) -> str:
    """Return `text` with NUL and non-UTF-8 bytes moved to private characters: valid in JSON and databases."""
    if not _UNSAFE.search(text):
        return text
    return _UNSAFE.sub(
        lambda found: "".join(chr(_FIRST + byte) for byte in found[0].encode("utf-8", "surrogateescape")),
        text,
    )


def from_portable(text: str) -> str:
    """Return what `to_portable` was given."""
    if not _ESCAPED.search(text):
        return text
    return _ESCAPED.sub(lambda found: from_bytes(bytes(ord(char) - _FIRST for char in found[0])), text)


def is_git_name(name: str) -> bool:
    """Return whether some file system reads this path component as `.git`."""
    plain = name.translate(_GIT_IGNORES).casefold().split(":")[0].rstrip(" .")
    return plain in (".git", "git~1")


def check_path(path: str, *, is_root_allowed: bool = False) -> str:
    """Return `path` when it is a plain relative path that stays inside a workspace.

    Raises:
        PathRefused: empty, absolute, with `..`, `.`, empty parts, NUL, a `.git` part, or too long.
    """
    if path == "" and is_root_allowed:
        return path
    try:
        size = len(to_bytes(path))
    except UnicodeEncodeError:
        raise PathRefused(
            "The path is not valid text.", path=to_portable(repr(path)), reason="encoding"
        ) from None
    reason = ""
    if path == "":
        reason = "empty"
    elif path.startswith("/"):
        reason = "absolute"
    elif "\x00" in path:
        reason = "nul"
    elif size > MAX_PATH_BYTES:
        reason = "too_long"
    else:
        for part in path.split("/"):
            if part in ("", ".", ".."):
                reason = "not_plain"
            elif len(to_bytes(part)) > 255:
                reason = "too_long"
            elif is_git_name(part):
                reason = "git_folder"
    if reason:
        raise PathRefused(f"The path is refused: {_WORDS[reason]}.", path=to_portable(path), reason=reason)
    return path


def parent_of(path: str) -> str:
    """Return the directory part; "" for the root."""
    return path.rpartition("/")[0]


def parents_of(path: str) -> list[str]:
    """Return every directory above `path`, outermost first, without the root."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]
