"""A command that takes too much ends, alone: the machine and this process go on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.workers.sandbox.conftest import names
from workers.sandbox import Limits, cgroups, run, watch
from workers.sandbox.limits import MIB
from workers.sandbox.watch import Growth, growth_since

SMALL = Limits(
    memory_bytes=192 * MIB, processes=40, wall_s=20, disk_bytes=64 * MIB, inodes=2000, tmp_bytes=32 * MIB
)
MEMORY_BOMB = "python -c 'x = []\nwhile True: x.append(bytearray(1 << 20))'"


@pytest.fixture(params=["with cgroup", "without cgroup"])
def bounded(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of bounding: by the kernel where a cgroup can be made, by the watch where none can."""
    if request.param == "without cgroup":
        monkeypatch.setattr(cgroups, "find_place", lambda: None)
    return str(request.param)


async def test_ends_a_memory_bomb(files: Path, bounded: str) -> None:
    result = await run(MEMORY_BOMB, files=files, limits=SMALL)
    assert result.ended_by == "memory" or "MemoryError" in result.output
    assert result.duration_s < 10


async def test_ends_a_memory_bomb_made_of_many_processes(files: Path, bounded: str) -> None:
    hungry = "python -c 'import time; x = bytearray(60 << 20); time.sleep(60)'"
    script = f"for i in 1 2 3 4 5 6 7 8; do {hungry} & done; wait"
    result = await run(script, files=files, limits=SMALL)
    assert result.ended_by == "memory"


async def test_bounds_a_fork_bomb(files: Path, bounded: str) -> None:
    # Counts how many children were alive at once; the shell goes on after each refusal.
    script = """python -c '
import os, sys, time
n = 0
try:
    for _ in range(2000):
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        n += 1
except OSError as error:
    print("refused after", n, flush=True)
else:
    print("made all", flush=True)
time.sleep(60 if n > 500 else 0)
'"""
    result = await run(script, files=files, limits=SMALL)
    refused = [int(line.split()[2]) for line in result.output.splitlines() if line.startswith("refused")]
    assert result.ended_by == "processes" or (refused and refused[0] <= SMALL.processes)
    assert result.duration_s < 10


async def test_ends_a_fork_bomb_that_forks_for_ever(files: Path, bounded: str) -> None:
    result = await run("b() { b | b & }; b; sleep 60", files=files, limits=Limits(processes=40, wall_s=2))
    assert result.ended_by in {"timeout", "processes"}
    assert result.duration_s < 6


async def test_ends_a_disk_bomb(files: Path) -> None:
    script = "for i in $(seq 100); do head -c 8M /dev/urandom > f$i; done; echo made all"
    result = await run(script, files=files, limits=SMALL)
    assert result.ended_by == "disk"
    # What is written between two looks, ten times a second, comes on top.
    assert sum(path.stat().st_size for path in files.iterdir()) < 400 * MIB


@pytest.mark.parametrize("keep", ["held.append(f)", "held.append(mmap.mmap(f.fileno(), 8 << 20)); f.close()"])
async def test_ends_a_disk_bomb_of_deleted_files(files: Path, keep: str) -> None:
    script = f"""python -c '
import mmap, os, time
held = []
for number in range(60):
    f = open("f", "wb+", buffering=0)
    os.unlink("f")
    f.write(bytes(8 << 20))
    {keep}
print("made all", flush=True)
time.sleep(60)
'"""
    result = await run(script, files=files, limits=SMALL)
    assert result.ended_by == "disk"
    assert set(names(files)) <= {"f"}  # it may have been ended between making one and deleting it


async def test_deleted_files_in_memory_are_no_disk_bomb(files: Path) -> None:
    script = """python -c '
import mmap, os, time
held = [mmap.mmap(-1, 24 << 20), open("/tmp/f", "wb+", buffering=0)]
os.unlink("/tmp/f")
held[0].write(bytes(24 << 20))
held[1].write(bytes(24 << 20))
os.ftruncate(os.memfd_create("m"), 200 << 20)
with open("kept", "wb") as file:
    file.write(bytes(40 << 20))
time.sleep(1)
'"""
    result = await run(script, files=files, limits=SMALL)
    assert (result.ended_by, result.exit_code) == ("exit", 0), result.output


async def test_ends_a_disk_bomb_that_is_nested_too_deep_to_be_looked_at(files: Path) -> None:
    script = """python -c '
import os, time
for _ in range(40):
    os.mkdir("d" * 200)
    os.chdir("d" * 200)
for number in range(60):
    open(str(number), "wb").write(bytes(8 << 20))
print("made all", flush=True)
time.sleep(60)
'"""
    result = await run(script, files=files, limits=SMALL)
    assert result.ended_by == "disk"


async def test_never_lets_the_disk_run_full(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = os.statvfs(files)
    free = {"f_bfree": state.f_bfree, "f_bavail": state.f_bavail}
    monkeypatch.setattr(
        watch.os,
        "statvfs",
        lambda _: SimpleNamespace(
            f_frsize=state.f_frsize,
            f_blocks=state.f_blocks,
            f_files=state.f_files,
            f_ffree=state.f_ffree,
            **free,
        ),
    )
    eye = watch.Watch(files=files, limits=SMALL, cgroup=None, status_fd=-1)
    free["f_bavail"] = 0
    assert not await eye._has_grown_too_much()  # it was full before this command came
    free["f_bfree"] -= 20 * MIB // state.f_frsize
    assert await eye._has_grown_too_much()
    free["f_bavail"] = state.f_blocks
    assert not await eye._has_grown_too_much()


async def test_refuses_one_file_that_is_too_large(files: Path) -> None:
    result = await run(
        "head -c 64M /dev/zero > large; stat -c %s large", files=files, limits=Limits(file_bytes=MIB)
    )
    assert result.output.strip().endswith(str(MIB))


async def test_ends_an_inode_bomb(files: Path) -> None:
    script = "python -c 'for i in range(200000): open(str(i), \"w\").close()'"
    result = await run(script, files=files, limits=SMALL)
    assert result.ended_by == "disk"
    assert len(names(files)) < 150_000


async def test_ends_an_inode_bomb_in_tmp(files: Path) -> None:
    script = "mkdir /tmp/x; cd /tmp/x; python -c 'for i in range(2000000): open(str(i), \"w\").close()'"
    result = await run(script, files=files, limits=SMALL)
    assert result.ended_by in {"disk", "memory"}


async def test_bounds_tmp_and_shared_memory(files: Path) -> None:
    script = (
        "head -c 64M /dev/zero > /tmp/f; head -c 64M /dev/zero > /dev/shm/f; stat -c %s /tmp/f /dev/shm/f"
    )
    result = await run(script, files=files, limits=SMALL)
    assert result.output.split()[-2:] == [str(SMALL.tmp_bytes)] * 2


async def test_ends_what_takes_too_long_and_all_it_started(files: Path) -> None:
    result = await run("setsid sleep 61 & (sleep 62 &) ; sleep 63", files=files, limits=Limits(wall_s=0.5))
    assert (result.ended_by, result.exit_code) == ("timeout", None)
    assert 0.4 < result.duration_s < 3


async def test_ends_background_processes_with_the_command(files: Path) -> None:
    result = await run("nohup setsid sleep 61 > /dev/null 2>&1 & echo started", files=files)
    assert (result.output, result.ended_by) == ("started\n", "exit")


async def test_bounds_processor_time(files: Path) -> None:
    result = await run(["python", "-c", "while True: pass"], files=files, limits=Limits(cpu_s=1, wall_s=20))
    assert result.ended_by == "signal"
    assert result.duration_s < 8


async def test_leaves_this_process_responsive_meanwhile(files: Path) -> None:
    bomb = asyncio.create_task(run(MEMORY_BOMB, files=files, limits=SMALL))
    worst = 0.0
    while not bomb.done():
        start = time.monotonic()
        await asyncio.sleep(0.01)
        worst = max(worst, time.monotonic() - start)
    assert worst < 1.0


def test_weighs_only_what_changed_since(files: Path) -> None:
    (files / "old").write_bytes(b"x" * MIB)
    time.sleep(0.05)
    since = time.time()
    time.sleep(0.05)
    (files / "sub").mkdir()
    (files / "sub" / "new").write_bytes(b"y" * 8192)
    (files / "link").symlink_to("/usr")
    assert growth_since(files, since, stop_at=Growth(1 << 40, 1 << 40)).inodes == 3


def test_ends_what_a_killed_process_of_ours_has_left_in_its_cgroup(tmp_path: Path) -> None:
    place = cgroups.find_place()
    if place is None:
        # Nothing to sweep where no group can be made; what is there instead is tested above, "without cgroup".
        assert cgroups.Cgroup.open(SMALL) is None
        return
    owner = subprocess.Popen(["true"])
    owner.wait()
    left = cgroups.Cgroup(place, f"{cgroups._prefix()}{owner.pid}-left")
    left._make(SMALL)
    stray = subprocess.Popen(["sleep", "300"])
    for procs in left.procs:
        procs.write_text(str(stray.pid))
    cgroups._sweep(place)
    assert stray.wait(5) == -signal.SIGKILL
    assert not any(procs.parent.exists() for procs in left.procs)
