"""The machine's GPUs, as their driver tells (NVML). No driver means no GPUs, which is no fault."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

import pynvml

from workers.fleet.entries import Device
from workers.telemetry.logging import get_logger

log = get_logger(__name__)
MB: Final = 1024 * 1024
MAX_GENERATIONS: Final = 64


class Devices:
    """Asks the driver. `parent_of` returns the parent of a process, or None."""

    def __init__(self, host: str, *, parent_of: Callable[[int], int | None] | None = None) -> None:
        self._host = host
        self._parent_of = parent_of or parent_of_process
        self._is_open = False
        self.problem = ""
        """Why there are no GPUs, in words; empty when there are."""

    def read(self, own_pids: Collection[int]) -> tuple[Device, ...]:
        """Return the devices as they are now.

        Args:
            own_pids: Workers of this machine; what they and their descendants hold counts as the fleet's own.
        """
        try:
            if not self._is_open:
                pynvml.nvmlInit()
                self._is_open = True
            devices = tuple(self._device(index, own_pids) for index in range(pynvml.nvmlDeviceGetCount()))
        except pynvml.NVMLError as error:
            self._is_open = False
            if self.problem != str(error):
                log.info("no GPUs on this machine", reason=str(error))
            self.problem = str(error)
            return ()
        self.problem = "" if devices else "the driver knows of no GPU"
        return devices

    def _device(self, index: int, own_pids: Collection[int]) -> Device:
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        name = pynvml.nvmlDeviceGetName(handle)
        held = 0
        for process in pynvml.nvmlDeviceGetComputeRunningProcesses(handle):
            # In some containers the driver does not tell how much, or whose; then it counts as a stranger's.
            if process.usedGpuMemory and self._descends(process.pid, own_pids):
                held += process.usedGpuMemory
        return Device(
            host=self._host,
            index=index,
            name=name if isinstance(name, str) else name.decode(),
            total_mb=int(memory.total) // MB,
            free_mb=int(memory.free) // MB,
            own_mb=held // MB,
        )

    def _descends(self, pid: int, own_pids: Collection[int]) -> bool:
        seen: int | None = pid
        for _ in range(MAX_GENERATIONS):
            if seen is None or seen <= 1:
                return False
            if seen in own_pids:
                return True
            seen = self._parent_of(seen)
        return False


def parent_of_process(pid: int) -> int | None:
    """Return the parent of a process of this machine; None when there is no such process."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return None
