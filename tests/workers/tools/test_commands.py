from __future__ import annotations

import pytest

from workers.tools.base import ToolContext
from workers.tools.commands import RunCommand
from workers.tools.errors import ToolError


async def test_runs_in_the_folder_and_tells_the_end(context: ToolContext) -> None:
    (context.files_dir / "a.txt").write_text("hello")
    result = await RunCommand().call({"command": "cat a.txt; echo; printf '\\033[31mred'; exit 3"}, context)
    assert result.text == "Exit code 3.\nhello\nred"
    assert result.is_error
    assert result.facts["exit_code"] == 3


async def test_stops_a_command_that_takes_too_long(context: ToolContext) -> None:
    result = await RunCommand().call({"command": "echo begun; sleep 60", "timeout_s": 1}, context)
    assert result.text.startswith("It was stopped: it ran longer than 1 s.\nbegun")


async def test_shows_the_tail_of_a_long_output(context: ToolContext) -> None:
    result = await RunCommand().call({"command": "seq 1 100000"}, context)
    assert len(result.text) <= context.output_chars + 100
    assert result.text.endswith("\n100000")


async def test_refuses_an_empty_command(context: ToolContext) -> None:
    with pytest.raises(ToolError):
        await RunCommand().call({"command": "  "}, context)
