"""What a command's output and end look like from outside."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.workers.sandbox.conftest import count_descriptors, descendants, names
from workers.sandbox import Limits, SandboxError, SandboxRefused, SandboxUnavailable, mechanism, run
from workers.sandbox.limits import HARD_OUTPUT

LONG_S = "86397"


def read_or_empty(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


async def test_tells_lines_while_the_command_runs(files: Path) -> None:
    lines: asyncio.Queue[str] = asyncio.Queue()
    task = asyncio.create_task(run("echo one; read -r x < gate; echo two", files=files, on_line=lines.put))
    os.mkfifo(files / "gate")
    assert await asyncio.wait_for(lines.get(), 10) == "one"
    assert not task.done()
    await asyncio.to_thread((files / "gate").write_text, "go\n")
    result = await task
    assert (lines.get_nowait(), result.output, result.exit_code) == ("two", "one\ntwo\n", 0)


async def test_runs_a_program_without_a_shell_in_a_folder_of_the_workspace(files: Path) -> None:
    (files / "sub").mkdir()
    result = await run(
        ["python", "-c", "import os, sys; print(os.getcwd(), sys.argv[1:])", "$HOME"], files=files, cwd="sub"
    )
    assert result.output == "/workspace/sub ['$HOME']\n"


async def test_runs_pytest_and_ruff_of_our_own_environment_and_litters_nothing(files: Path) -> None:
    (files / "test_sum.py").write_text("import os\ndef test_sum():\n    assert 1 + 1 == 2\n")
    result = await run("python -m pytest -q; ruff check --select F .", files=files)
    assert "1 passed" in result.output
    assert "F401" in result.output
    assert names(files) == ["test_sum.py"]


async def test_passes_on_only_what_it_is_told_of_the_environment(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "of this process")
    result = await run("echo ${MY_TOKEN-unset} $GIVEN $HOME", files=files, env={"GIVEN": "yes"})
    assert result.output == "unset yes /tmp/home\n"


async def test_feeds_standard_input(files: Path) -> None:
    data = b"x" * 300_000
    assert (await run("wc -c", files=files, stdin=data)).output.strip() == "300000"
    assert (await run("true", files=files, stdin=data)).is_ok


@pytest.mark.parametrize(
    ("script", "code", "signal"), [("exit 3", 3, None), ("kill -TERM $$", None, 15), ("true", 0, None)]
)
async def test_tells_how_the_command_ended(
    files: Path, script: str, code: int | None, signal: int | None
) -> None:
    result = await run(script, files=files)
    assert (result.exit_code, result.signal, result.ended_by) == (
        code,
        signal,
        "signal" if signal else "exit",
    )


async def test_hands_on_a_ten_megabyte_line_in_pieces_and_keeps_both_ends(files: Path) -> None:
    pieces: list[str] = []
    script = 'python -c \'print("a" * 5_000_000 + "b" * 5_000_000)\''
    result = await run(script, files=files, on_line=pieces.append)
    assert sum(map(len, pieces)) == 10_000_000
    assert max(map(len, pieces)) <= 8192
    assert (result.is_truncated, result.output_bytes) == (True, 10_000_001)
    assert result.output.startswith("aaa")
    assert result.output.endswith("bbb\n")
    assert len(result.output) < Limits().output_bytes + 100


async def test_ends_a_command_that_writes_for_ever(files: Path) -> None:
    limits = Limits(output_bytes=10_000)
    result = await run("yes", files=files, limits=limits)
    assert result.ended_by == "output"
    assert result.output_bytes < 10_000 * HARD_OUTPUT + 1_000_000


async def test_makes_any_bytes_safe_text(files: Path) -> None:
    lines: list[str] = []
    result = await run(
        r"printf 'a\0b\xff\xfe\x1b[31mred\x1b[0m\r\n\xe2\x82'; printf '\xac'",
        files=files,
        on_line=lines.append,
    )
    assert lines == ["a\u2400b\ufffd\ufffd\x1b[31mred\x1b[0m", "€"]
    assert result.output == "a\u2400b\ufffd\ufffd\x1b[31mred\x1b[0m\r\n€"


async def test_leaves_no_process_when_cancelled(files: Path) -> None:
    before = descendants()
    started = asyncio.Event()
    task = asyncio.create_task(
        run("echo up; setsid sleep 60 & sleep 60", files=files, on_line=lambda _: started.set())
    )
    await asyncio.wait_for(started.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert descendants() <= before


async def test_leaves_no_process_when_cancelled_at_any_moment_of_its_start(files: Path) -> None:
    before = descendants()
    for moment in range(40):
        task = asyncio.create_task(run(f"sleep {LONG_S}", files=files))
        # So many turns of the loop first: each is another point inside the start.
        for _ in range(moment if moment < 20 else 0):
            await asyncio.sleep(0)
        await asyncio.sleep((moment - 20) * 0.002 if moment >= 20 else 0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert descendants() <= before
    # An orphan would have been handed on, so it is looked for everywhere.
    assert not [
        path for path in Path("/proc").glob("[0-9]*/cmdline") if LONG_S.encode() in read_or_empty(path)
    ]


async def test_stops_when_told(files: Path) -> None:
    stop = asyncio.Event()
    task = asyncio.create_task(
        run("echo kept; sleep 60", files=files, stop=stop, on_line=lambda _: stop.set())
    )
    result = await task
    assert (result.ended_by, result.output) == ("cancel", "kept\n")


async def test_ends_the_command_when_its_listener_fails(files: Path) -> None:
    def fail(_: str) -> None:
        raise ValueError("listener")

    with pytest.raises(ValueError, match="listener"):
        await run("echo x; sleep 60", files=files, on_line=fail)


@pytest.mark.parametrize("cwd", ["..", "/etc", "a/../../b"])
async def test_refuses_a_folder_outside_the_workspace(files: Path, cwd: str) -> None:
    with pytest.raises(SandboxRefused):
        await run("true", files=files, cwd=cwd)


async def test_says_when_the_folder_does_not_exist(files: Path) -> None:
    with pytest.raises(SandboxError, match="nowhere"):
        await run("true", files=files, cwd="nowhere")
    with pytest.raises(SandboxRefused):
        await run("true", files=files / "absent")


async def test_refuses_to_run_where_nothing_confines(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mechanism._check_once.cache_clear()
    monkeypatch.setattr(mechanism, "find_bwrap", lambda: None)
    with pytest.raises(SandboxUnavailable, match="apt-get install bubblewrap"):
        await run("touch ran", files=files)
    assert names(files) == []
    assert not mechanism.check_mechanism().is_available


async def test_refuses_a_bubblewrap_that_may_make_no_namespace(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "bwrap"
    fake.write_text(
        "#!/bin/sh\n"
        "[ $1 = --version ] && echo bubblewrap 0.8.0 && exit\n"
        "echo 'bwrap: No permissions' >&2; exit 1\n"
    )
    fake.chmod(0o755)
    mechanism._check_once.cache_clear()
    monkeypatch.setattr(mechanism, "find_bwrap", lambda: fake)
    with pytest.raises(SandboxUnavailable, match="No permissions"):
        await run("true", files=files)


async def test_runs_many_at_once(files: Path) -> None:
    results = await asyncio.gather(*(run(f"echo {number}", files=files) for number in range(12)))
    assert [result.output for result in results] == [f"{number}\n" for number in range(12)]


async def test_leaves_no_descriptor_open(files: Path) -> None:
    await run("true", files=files)
    before = count_descriptors()
    for _ in range(3):
        await run("true", files=files, stdin=b"x")
    assert count_descriptors() == before
