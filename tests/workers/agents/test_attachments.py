from __future__ import annotations

import pytest

from workers.agents.attachments import (
    AttachmentCore,
    InvalidAttachment,
    check_size,
    media_type_of,
    named_in,
)
from workers.providers.types import AudioPart, Capabilities, FilePart, ImagePart, TextPart

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
BLIND = Capabilities(context_tokens=8_000, has_tools=True, has_json_schema=True, has_vision=False, price=None)
ABLE = Capabilities(
    context_tokens=8_000,
    has_tools=True,
    has_json_schema=True,
    has_vision=True,
    price=None,
    has_audio=True,
    has_files=True,
)
core = AttachmentCore()


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("make it look like docs/mock up.png", ["up.png"]),
        ("make it look like docs/mockup.png, please", ["docs/mockup.png"]),
        ("see ./a.PNG and a.PNG and (b/c.jpeg).", ["a.PNG", "b/c.jpeg"]),
        ("`voice.wav` says more", ["voice.wav"]),
        ("https://example.org/x.png is elsewhere", []),
        ("/etc/x.png and @x.png", []),
        ("logo.png.bak is no picture", []),
        ("nothing here.txt", []),
    ],
)
def test_finds_the_files_that_a_message_names(text: str, paths: list[str]) -> None:
    assert named_in(text) == paths


def test_knows_kinds_by_their_endings_and_bounds_them() -> None:
    assert media_type_of("a/B.JPG") == "image/jpeg"
    with pytest.raises(InvalidAttachment, match="cannot be attached; these can: png"):
        media_type_of("a.exe")
    check_size("a.png", "image/png", 5 * 1024 * 1024)
    with pytest.raises(InvalidAttachment, match="limit is 5,242,880"):
        check_size("a.png", "image/png", 5 * 1024 * 1024 + 1)


def test_gives_the_file_where_the_model_can_read_it() -> None:
    assert core.part_of("a.png", "image/png", PNG, ABLE) == ImagePart(PNG, "image/png")
    wav = b"RIFF\0\0\0\0WAVEfmt "
    assert core.part_of("a.wav", "audio/wav", wav, ABLE) == AudioPart(wav, "audio/wav")
    assert core.part_of("d/a.pdf", "application/pdf", b"%PDF-1.7", ABLE) == FilePart(
        b"%PDF-1.7", "application/pdf", "a.pdf"
    )
    assert core.part_of("a.txt", "text/plain", b"hi", BLIND) == TextPart("Attached file a.txt:\nhi")


@pytest.mark.parametrize(
    ("media_type", "data", "why"),
    [
        ("image/png", PNG, "this model cannot see images"),
        ("audio/wav", b"RIFF\0\0\0\0WAVE", "this model cannot hear audio"),
        ("application/pdf", b"%PDF-1.7", "this model cannot read such files"),
        ("image/png", b"<script>", "its content is no image/png"),
    ],
)
def test_says_honestly_what_is_not_shown(media_type: str, data: bytes, why: str) -> None:
    part = core.part_of("a/b", media_type, data, BLIND)
    assert isinstance(part, TextPart)
    assert f"is not shown: {why}." in part.text
