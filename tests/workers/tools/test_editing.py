from __future__ import annotations

import random

import pytest

from workers.tools.base import ToolContext
from workers.tools.editing import DeleteFile, EditFile, WriteFile, replace_once
from workers.tools.errors import EditRefused, ToolError


def test_replaces_the_only_place() -> None:
    assert replace_once("a\nb\nc\n", "b\n", "B\n") == ("a\nB\nc\n", 2)


def test_keeps_crlf_and_the_end_of_the_last_line() -> None:
    assert replace_once("a\r\nb\r\n", "a\nb", "x\ny") == ("x\r\ny\r\n", 1)
    assert replace_once("a  \nb", "a\nb", "x\ny") == ("x\ny", 1)  # found without the trailing blanks


@pytest.mark.parametrize(
    ("old", "why"),
    [
        ("x", "in 2 places (lines 1, 3)"),
        ("", "empty"),
        ("def sizes(a):\n    return len(a)", "The nearest lines are:\n     5\tdef size(a):"),
        ("zzzzqqqq", "No line is like it"),
    ],
)
def test_refuses_with_a_hint(old: str, why: str) -> None:
    text = "x\ny\nx\n\ndef size(a):\n    return len(a)\n"
    with pytest.raises(EditRefused) as caught:
        replace_once(text, old, "new")
    if "nearest" in why:
        assert "     5\tdef size(a):" in str(caught.value)
    else:
        assert why in str(caught.value)


async def test_edits_a_file_and_shows_it(context: ToolContext) -> None:
    path = context.files_dir / "a.py"
    path.write_text("def f():\n    return 1\n")
    path.chmod(0o755)
    call = {"path": "a.py", "old_text": "return 1", "new_text": "return 2"}
    result = await EditFile().call(call, context)
    assert "     2\t    return 2" in result.text
    assert path.read_text() == "def f():\n    return 2\n"
    assert path.stat().st_mode & 0o777 == 0o755


async def test_warns_when_the_file_does_not_parse_any_more(context: ToolContext) -> None:
    (context.files_dir / "a.py").write_text("x = 1\n")
    result = await EditFile().call({"path": "a.py", "old_text": "x = 1", "new_text": "x = ("}, context)
    assert "Warning: the file does not parse any more" in result.text


async def test_a_file_that_is_not_utf8_keeps_its_bytes(context: ToolContext) -> None:
    path = context.files_dir / "l.txt"
    path.write_bytes(b"caf\xe9 one\n")
    await EditFile().call({"path": "l.txt", "old_text": "one", "new_text": "two"}, context)
    assert path.read_bytes() == b"caf\xe9 two\n"


async def test_writes_and_deletes_only_below_the_folder(context: ToolContext) -> None:
    result = await WriteFile().call({"path": "new/deep/a.txt", "content": "hi\n"}, context)
    assert result.facts == {"path": "new/deep/a.txt", "is_new": True}
    (context.files_dir / "out").symlink_to("/tmp")
    for path in ("../x", "out/x", "new", ".git/config", "out"):
        with pytest.raises(ToolError):
            await WriteFile().call({"path": path, "content": "x"}, context)
    await DeleteFile().call({"path": "new/deep/a.txt"}, context)
    with pytest.raises(ToolError):
        await DeleteFile().call({"path": "new/deep/a.txt"}, context)
    assert not list((context.files_dir / "new" / "deep").iterdir())


@pytest.mark.timeout(10)
def test_what_is_nowhere_is_said_at_once_however_long_the_lines_are() -> None:
    source = random.Random(1)
    signs = [chr(0x4E00 + number) for number in range(150)]
    lines = ["".join(source.choices(signs, k=30_000)) for _ in range(4)]
    with pytest.raises(EditRefused, match="not in the file"):
        replace_once("\n".join(lines[1:]), lines[0], "x")
