"""Files that come with a goal: which kinds there are, how large they may be, and what a model is shown of them."""

from __future__ import annotations

import re
from typing import Final

from workers.errors import PyAgentError
from workers.providers.types import AudioPart, Capabilities, ContentPart, FilePart, ImagePart, TextPart
from workers.tools.text import bound

MAX_ATTACHMENTS: Final = 8
MAX_BYTES: Final = {
    "image": 5 * 1024 * 1024,
    "audio": 20 * 1024 * 1024,
    "application": 10 * 1024 * 1024,
    "text": 256 * 1024,
}
MEDIA_TYPES: Final = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp",
    "wav": "audio/wav", "mp3": "audio/mpeg", "pdf": "application/pdf",
    "txt": "text/plain", "md": "text/markdown", "csv": "text/csv", "log": "text/plain", "json": "text/plain",
}  # fmt: skip
_BEGINNINGS: Final = {
    "image/png": rb"\x89PNG\r\n\x1a\n",
    "image/jpeg": rb"\xff\xd8\xff",
    "image/gif": rb"GIF8[79]a",
    "image/webp": rb"RIFF....WEBP",
    "audio/wav": rb"RIFF....WAVE",
    "audio/mpeg": rb"ID3|\xff[\xe2-\xff]",
    "application/pdf": rb"%PDF-",
}
# Pictures, recordings and documents are meant when they are named; text files are read by tools when they matter.
_IN_WORDS: Final = re.compile(
    r"(?<![\w/.@-])(?:\./)?([\w][\w./-]*\.(?:png|jpe?g|gif|webp|wav|mp3|pdf))(?![\w/]|\.\w)", re.IGNORECASE
)


class InvalidAttachment(PyAgentError):
    """This file cannot come with a goal; `path` names it."""

    code = "invalid_attachment"


def media_type_of(path: str) -> str:
    """Return what a file is by the ending of its name.

    Raises:
        InvalidAttachment: no model reads this kind.
    """
    ending = path.rpartition(".")[2].lower()
    try:
        return MEDIA_TYPES[ending]
    except KeyError:
        known = ", ".join(MEDIA_TYPES)
        raise InvalidAttachment(f"“{path}” cannot be attached; these can: {known}.", path=path) from None


def check_size(path: str, media_type: str, size_bytes: int) -> None:
    """Refuse a file that is too large for its kind.

    Raises:
        InvalidAttachment: it is.
    """
    limit = MAX_BYTES[media_type.partition("/")[0]]
    if size_bytes > limit:
        raise InvalidAttachment(f"“{path}” has {size_bytes:,} bytes; the limit is {limit:,}.", path=path)


def named_in(text: str) -> list[str]:
    """Return the paths of pictures, recordings and documents that a message names, each once, in order."""
    return list(dict.fromkeys(found[1] for found in _IN_WORDS.finditer(text)))


class AttachmentCore:
    """Plain data in, plain data out."""

    def part_of(self, path: str, media_type: str, data: bytes, can: Capabilities) -> ContentPart:
        """Return what the model is shown of a file: the file itself where it can read the kind, else words that say why not."""
        pattern = _BEGINNINGS.get(media_type)
        if pattern is not None and re.match(pattern, data, re.DOTALL) is None:
            return self.absent(path, f"its content is no {media_type}")
        kind = media_type.partition("/")[0]
        if kind == "text":
            return TextPart(
                f"Attached file {path}:\n{bound(data.decode('utf-8', 'replace'), MAX_BYTES['text'])}"
            )
        if kind == "image":
            return (
                ImagePart(data, media_type)
                if can.has_vision
                else self.absent(path, "this model cannot see images", kind)
            )
        if kind == "audio":
            return (
                AudioPart(data, media_type)
                if can.has_audio
                else self.absent(path, "this model cannot hear audio", kind)
            )
        if can.has_files:
            return FilePart(data, media_type, path.rpartition("/")[2])
        return self.absent(path, "this model cannot read such files")

    def absent(self, path: str, why: str, kind: str = "file") -> TextPart:
        """Return the words that stand where a file cannot be shown."""
        return TextPart(f"[Attached {kind} {path} is not shown: {why}. Do not guess what it holds.]")

    def describe(self, path: str, part: ContentPart) -> str:
        """Return a line for people that says what the model is given of a file."""
        if isinstance(part, TextPart):
            return part.text if part.text.startswith("[") else f"{path} as text"
        return f"{path} as {type(part).__name__.removesuffix('Part').lower()}"
