"""What is free: slots of workers, memory of GPUs, and what a model's provider allows. Admission never goes beyond it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from copy import copy
from dataclasses import replace

from workers.fleet.entries import Device, Request, Resources, Running

SLOTS, GPU, MODEL = "slots", "gpu", "model"


class Capacity:
    """Counts what running jobs hold of what there is. Cheap to copy for "what if" questions."""

    def __init__(self, resources: Resources, running: Iterable[Running]) -> None:
        self._slots = _Slots(resources)
        self._devices = {(device.host, device.index): device for device in resources.devices}
        self._reserved: Counter[tuple[str, int]] = Counter()
        self._talking: Counter[str] = Counter()
        self._tokens_per_minute: defaultdict[str, float] = defaultdict(float)
        for run in running:
            self.take(run.request, tokens_per_s=run.tokens_per_s)

    def copy(self) -> Capacity:
        """Return the same, to try things on."""
        other = copy(self)
        other._slots = self._slots.copy()
        other._reserved = self._reserved.copy()
        other._talking = self._talking.copy()
        other._tokens_per_minute = self._tokens_per_minute.copy()
        return other

    def take(self, request: Request, *, tokens_per_s: float = 0.0) -> None:
        """Count a job that holds its slot, its device and its place at the model."""
        self._count(request, 1, tokens_per_s)

    def give_back(self, request: Request, *, tokens_per_s: float = 0.0) -> None:
        """Count that job no more."""
        self._count(request, -1, -tokens_per_s)

    def _count(self, request: Request, sign: int, tokens_per_s: float) -> None:
        self._slots.count(request.gpu_host if request.needs_gpu else "", sign)
        if request.gpu_host and request.gpu_index >= 0:
            self._reserved[request.gpu_host, request.gpu_index] += sign * request.gpu_memory_mb
        if request.model_key:
            self._talking[request.model_key] += sign
            self._tokens_per_minute[request.model_key] += tokens_per_s * 60

    def place(self, request: Request) -> Request | None:
        """Return the request with the device that it gets, or None when it does not fit now."""
        if self.blocked_by(request):
            return None
        if not request.needs_gpu:
            return request
        device = self._device_for(request)
        if device is None:
            return None
        memory_mb = request.gpu_memory_mb or self.available_mb(device)
        return replace(request, gpu_host=device.host, gpu_index=device.index, gpu_memory_mb=memory_mb)

    def blocked_by(self, request: Request) -> str:
        """Return which resource is missing: SLOTS, GPU or MODEL; "" when it fits now."""
        if request.needs_gpu:
            if self._device_for(request) is None:
                return GPU if self._slots.has_gpu_slot() else SLOTS
        elif not self._slots.fits(""):
            return SLOTS
        return "" if self._model_has_room(request) else MODEL

    def could_fit(self, request: Request) -> bool:
        """Return whether the fleet has what the job needs at all, once everything else has ended."""
        if not request.needs_gpu:
            return True
        need_mb = max(1, request.gpu_memory_mb)
        return any(
            need_mb <= device.free_mb + device.own_mb and self._slots.serves_gpu(device.host)
            for device in self._devices.values()
        )

    def reason(self, request: Request) -> str:
        """Return why the job does not fit now, in words for people."""
        missing = self.blocked_by(request)
        if missing == SLOTS:
            queue = "gpu" if request.needs_gpu else "cpu"
            return (
                "all slots are taken" if self._slots.total(queue) else f"no worker serves the queue {queue}"
            )
        if missing == GPU:
            if not self._devices:
                return "there is no GPU in this fleet"
            if not self.could_fit(request):
                return f"no GPU has {request.gpu_memory_mb:,} MB, even when nothing else runs"
            need = f"{request.gpu_memory_mb:,} MB" if request.gpu_memory_mb else "a whole GPU"
            return f"no GPU has {need} to give"
        if missing == MODEL:
            limit = (
                f"{request.concurrency} at once"
                if self._is_crowded(request)
                else f"{request.tokens_per_minute:,} tokens a minute"
            )
            return f"its model's limit is reached: {limit}"
        return ""

    def model_use(self, key: str) -> tuple[int, float]:
        """Return how many jobs talk to the model, and how many tokens a minute they get."""
        return self._talking[key], self._tokens_per_minute[key]

    def available_mb(self, device: Device) -> int:
        """Return how much of a device may still be promised.

        What is free, less what admitted jobs were promised and have not taken yet. So neither a job that has not begun to
        fill its share nor a stranger's process is overlooked.
        """
        reserved = self.reserved_mb(device)
        return max(0, device.free_mb - max(0, reserved - device.own_mb))

    def reserved_mb(self, device: Device) -> int:
        """Return what admitted jobs were promised of a device."""
        return self._reserved[device.host, device.index]

    def _device_for(self, request: Request) -> Device | None:
        fitting = [
            (self.available_mb(device), device.host, device.index, device)
            for device in self._devices.values()
            if self._slots.fits(device.host) and self._has_memory(device, request)
        ]
        return min(fitting, key=lambda one: one[:3])[3] if fitting else None

    def _has_memory(self, device: Device, request: Request) -> bool:
        available = self.available_mb(device)
        if request.gpu_memory_mb:
            return request.gpu_memory_mb <= available
        return available > 0 and self.reserved_mb(device) == 0

    def _model_has_room(self, request: Request) -> bool:
        if not request.model_key or self._is_crowded(request):
            return not request.model_key
        limit = request.tokens_per_minute
        return not limit or self._tokens_per_minute[request.model_key] < limit

    def _is_crowded(self, request: Request) -> bool:
        return bool(request.concurrency) and self._talking[request.model_key] >= request.concurrency


class _Slots:
    """Slots by queue and machine. A job for a GPU is bound to that GPU's machine, one without may run anywhere."""

    def __init__(self, resources: Resources) -> None:
        self._cpu_slots = sum(crew.slots for crew in resources.crews if "cpu" in crew.queues)
        self._gpu_slots: Counter[str] = Counter()
        self._gpu_only: Counter[str] = Counter()
        for crew in resources.crews:
            if "gpu" in crew.queues:
                self._gpu_slots[crew.host] += crew.slots
                if "cpu" not in crew.queues:
                    self._gpu_only[crew.host] += crew.slots
        self._used: Counter[str] = Counter()
        """By machine of the GPU; "" counts jobs that need none."""

    def copy(self) -> _Slots:
        other = copy(self)
        other._used = self._used.copy()
        return other

    def total(self, queue: str) -> int:
        return self._cpu_slots if queue == "cpu" else self._gpu_slots.total()

    def serves_gpu(self, host: str) -> bool:
        return self._gpu_slots[host] > 0

    def has_gpu_slot(self) -> bool:
        """Whether a job for a GPU would find a slot on some machine that serves them."""
        return any(self.fits(host) for host in list(self._gpu_slots))

    def count(self, host: str, sign: int) -> None:
        self._used[host] += sign

    def fits(self, host: str) -> bool:
        """Return whether one more job, bound to `host` (or to none: ""), finds a slot beside the others.

        Workers that serve both queues are shared: what GPU jobs take beyond the workers of their own is taken from there.
        """
        used = self._used.copy()
        used[host] += 1
        if host and used[host] > self._gpu_slots[host]:
            return False
        if host and used[host] <= self._gpu_only[host]:
            return True
        spilt = sum(max(0, count - self._gpu_only[name]) for name, count in used.items() if name)
        return used[""] + spilt <= self._cpu_slots
