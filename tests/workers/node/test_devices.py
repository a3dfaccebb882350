"""GPUs as NVML tells of them. What needs a GPU is not run where there is none; the arithmetic is tested everywhere."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from workers.fleet.core import FleetCore
from workers.fleet.entries import Crew, Device, Machine, Request, Resources
from workers.node import devices as module
from workers.node.devices import Devices, parent_of_process

HOLD_MB = 2048
# Allocates by the CUDA driver itself, so that no library is needed; says so, and waits to be killed.
HOLDER = f"""
import ctypes, time
cuda = ctypes.CDLL("libcuda.so.1")
assert cuda.cuInit(0) == 0
device, context, memory = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_uint64()
assert cuda.cuDeviceGet(ctypes.byref(device), 0) == 0
assert cuda.cuCtxCreate_v2(ctypes.byref(context), 0, device) == 0
assert cuda.cuMemAlloc_v2(ctypes.byref(memory), ctypes.c_size_t({HOLD_MB} * 1024 * 1024)) == 0
print("held", flush=True)
time.sleep(600)
"""


def count_gpus() -> int:
    try:
        pynvml.nvmlInit()
        return int(pynvml.nvmlDeviceGetCount())
    except pynvml.NVMLError:
        return 0


needs_gpu = pytest.mark.skipif(count_gpus() == 0, reason="not run: there is no GPU on this machine")


def test_a_machine_without_a_driver_has_no_gpus_and_says_why() -> None:
    if count_gpus():
        pytest.skip("not run: there is a GPU on this machine")
    devices = Devices("one")
    assert devices.read(()) == ()
    assert devices.problem


def test_counts_as_its_own_what_descendants_of_its_workers_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver is played here: 100 is a worker, 102 its grandchild, 7 a stranger, and of 103 nothing is told."""
    held = {102: 4_000, 7: 9_000, 103: None}
    parents = {102: 101, 101: 100, 100: 1, 7: 1, 103: 100}
    played: dict[str, Any] = {
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetName": lambda handle: "H100",
        "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(
            total=80_000 * module.MB, free=60_000 * module.MB
        ),
        "nvmlDeviceGetComputeRunningProcesses": lambda handle: [
            SimpleNamespace(pid=pid, usedGpuMemory=None if mb is None else mb * module.MB)
            for pid, mb in held.items()
        ],
    }
    for name, function in played.items():
        monkeypatch.setattr(module.pynvml, name, function)
    (device,) = Devices("one", parent_of=parents.get).read({100})
    assert device == Device(host="one", index=0, name="H100", total_mb=80_000, free_mb=60_000, own_mb=4_000)


def test_knows_the_parents_of_processes() -> None:
    assert parent_of_process(os.getpid()) == os.getppid()
    assert parent_of_process(2**22 + 1) is None


def wait_for(seen: Callable[[], bool], *, within_s: float = 20.0) -> None:
    ends_at = time.monotonic() + within_s
    while not seen():
        assert time.monotonic() < ends_at
        time.sleep(0.1)


@needs_gpu
def test_sees_memory_that_is_taken_and_that_a_kill_frees_it() -> None:
    devices = Devices("one")
    before = devices.read(())[0]
    assert 0 < before.free_mb <= before.total_mb
    holder = subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        taken = devices.read({holder.pid})[0]
        assert taken.free_mb <= before.free_mb - HOLD_MB
        assert taken.own_mb == 0 or taken.own_mb >= HOLD_MB, (
            "all of it, or, where the driver does not tell, nothing"
        )
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
    wait_for(lambda: devices.read(())[0].free_mb >= before.free_mb - 100)


@needs_gpu
def test_admits_no_more_than_the_device_really_has_free() -> None:
    device = replace(Devices("one").read(())[0], host="one")
    core = FleetCore()
    core.resources = Resources(
        crews=[Crew(name="w", host="one", pid=1, queues=("gpu",), slots=8)],
        machines=[Machine(name="one", host="one", pid=1, devices=(device,))],
    )
    most_mb = int(device.free_mb * 0.6)
    for name in ("a", "b"):
        request = Request(
            run_id=name,
            fence=1,
            workspace_id=1,
            agent="x",
            level=2,
            task="run",
            needs_gpu=True,
            gpu_memory_mb=most_mb,
        )
        core.submit(request, now=1.0)
    core.decide(now=1.0)
    assert set(core.running) == {"a"}
    core.leave("a", 1, now=1.5)
    core.decide(now=2.0)
    assert set(core.running) == {"b"}
