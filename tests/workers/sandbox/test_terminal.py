"""A person's shell: typing, job control, size, and an end that leaves nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.workers.sandbox.conftest import count_descriptors, descendants
from workers.sandbox import TERMINAL_LIMITS, SandboxError, Terminal
from workers.sandbox.limits import MIB


@pytest.fixture
async def terminal(files: Path) -> AsyncIterator[Terminal]:
    opened = await Terminal.open(files=files, rows=30, cols=100)
    yield opened
    await opened.close()


async def _until(terminal: Terminal, wanted: bytes) -> bytes:
    seen = b""
    async with asyncio.timeout(20):
        while wanted not in seen:
            chunk = await terminal.read(4096)
            assert chunk, seen
            seen += chunk
    return seen


async def test_runs_what_is_typed_in_the_workspace(terminal: Terminal, files: Path) -> None:
    await terminal.write(b"pwd > where; id -u; echo do''ne\n")
    seen = await _until(terminal, b"done\r\n")
    assert b"1000\r\n" in seen
    assert (files / "where").read_text() == "/workspace\n"


async def test_knows_its_size(terminal: Terminal) -> None:
    await terminal.write(b"stty size\n")
    await _until(terminal, b"30 100\r\n")
    terminal.resize(41, 121)
    await terminal.write(b"stty size\n")
    await _until(terminal, b"41 121\r\n")


async def test_interrupts_and_continues_jobs(terminal: Terminal) -> None:
    # What it says itself comes only when it has the foreground, and so will get the signal.
    await terminal.write(b"sh -c 'echo be''gun; exec sleep 60'\n")
    await _until(terminal, b"begun\r\n")
    await terminal.write(b"\x03")
    await terminal.write(b"sleep 61 & jobs; echo al''ive\n")
    assert b"Running" in await _until(terminal, b"alive\r\n")


async def test_tells_the_exit_code(terminal: Terminal) -> None:
    await terminal.write(b"exit 4\n")
    async with asyncio.timeout(20):
        while await terminal.read():
            pass
    await terminal.close()
    assert terminal.exit_code == 4
    with pytest.raises(SandboxError):
        await terminal.write(b"more")


async def test_leaves_nothing_when_closed(files: Path) -> None:
    before, descriptors = descendants(), count_descriptors()
    terminal = await Terminal.open(files=files)
    await terminal.write(b"nohup setsid sleep 60 & sleep 61 & echo rea''dy\n")
    await _until(terminal, b"ready")
    reading = asyncio.create_task(terminal.read())
    await asyncio.gather(terminal.close(), terminal.close())
    while await reading:
        reading = asyncio.create_task(terminal.read())
    assert descendants() <= before
    assert count_descriptors() == descriptors


async def test_stops_writing_while_nobody_reads_it(terminal: Terminal) -> None:
    await terminal.write(b"yes > /dev/tty; echo never\n")
    await asyncio.sleep(1)
    # The pseudo-terminal holds a few kB; then the program waits, and this process holds nothing.
    assert len(await terminal.read(10 * MIB)) < 128 * 1024


async def test_may_not_type_into_its_own_terminal(terminal: Terminal) -> None:
    await terminal.write(b"python -c 'import fcntl; fcntl.ioctl(0, 0x5412, b\"x\")'\n")
    assert b"PermissionError" in await _until(terminal, b"PermissionError")


async def test_ends_a_shell_that_takes_too_much(files: Path) -> None:
    terminal = await Terminal.open(files=files, limits=replace(TERMINAL_LIMITS, memory_bytes=128 * MIB))
    await terminal.write(b"python -c 'x = bytearray(1 << 30)'\n")
    async with asyncio.timeout(20):
        while await terminal.read():
            pass
    assert terminal.ended_by == "memory"
    await terminal.close()
