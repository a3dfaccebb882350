from __future__ import annotations

import pytest

from workers.tools.base import ToolContext
from workers.tools.errors import ToolError
from workers.tools.reading import ListFiles, ReadFile, Search, normalise_path


def write(context: ToolContext, path: str, text: str) -> None:
    target = context.files_dir / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


async def test_reads_numbered_lines_of_a_range(context: ToolContext) -> None:
    write(context, "a.py", "".join(f"line {n}\n" for n in range(1, 11)))
    result = await ReadFile().call({"path": "./a.py", "start_line": 3, "end_line": 4}, context)
    assert result.text == "     3\tline 3\n     4\tline 4\n[… 10 lines in all …]"


async def test_says_where_a_long_file_goes_on(context: ToolContext) -> None:
    write(context, "a.py", "x" * 90 + "\n" + "y\n" * 10_000)
    result = await ReadFile().call({"path": "a.py"}, context)
    assert len(result.text) <= context.output_chars
    assert f"read on with start_line={result.facts['last_line'] + 1}" in result.text


async def test_suggests_the_file_that_was_meant(context: ToolContext) -> None:
    write(context, "src/parser.py", "")
    with pytest.raises(ToolError, match="Did you mean src/parser.py"):
        await ReadFile().call({"path": "parser.py"}, context)


async def test_refuses_what_leads_out_and_what_is_binary(context: ToolContext) -> None:
    (context.files_dir / "link").symlink_to("/etc/passwd")
    (context.files_dir / "b.bin").write_bytes(b"\0\1")
    for path in ("../x", "link", "a/../../etc/passwd"):
        with pytest.raises(ToolError):
            await ReadFile().call({"path": path}, context)
    with pytest.raises(ToolError, match="binary file of 2 bytes"):
        await ReadFile().call({"path": "b.bin"}, context)


async def test_lists_files_and_counts_when_there_are_many(context: ToolContext) -> None:
    write(context, "a/b.py", "")
    assert (await ListFiles().call({}, context)).text == "a/b.py"
    for number in range(401):
        write(context, f"many/deep/f{number}", "")
    text = (await ListFiles().call({}, context)).text
    assert "402 files; list a folder" in text
    assert "many/deep/  (401 files)" in text
    with pytest.raises(ToolError):
        await ListFiles().call({"path": "nowhere"}, context)


async def test_finds_lines_by_text_and_by_expression(context: ToolContext) -> None:
    write(context, "a.py", "def total():\n    pass\n")
    write(context, "b.txt", "total\n")
    found = await Search().call({"query": "total", "path_glob": "*.py"}, context)
    assert found.text == "a.py:1: def total():"
    assert (await Search().call({"query": r"def \w+", "is_regex": True}, context)).facts["count"] == 1
    assert (await Search().call({"query": "absent"}, context)).text == "No match."
    with pytest.raises(ToolError):
        await Search().call({"query": "(", "is_regex": True}, context)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [("./a", "a"), ("/workspace/a/b", "a/b"), ("a/", "a"), (".", ""), ("", ""), ("../a", "../a")],
)
def test_reads_a_path_as_it_was_meant(given: str, wanted: str) -> None:
    assert normalise_path(given) == wanted
