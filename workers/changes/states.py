"""What can be at a path, and the steps from one state to the next; all of it fits into JSON."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, replace
from typing import Any, Literal

from workers.changes.paths import from_bytes, from_portable, to_portable


@dataclass(frozen=True, slots=True)
class State:
    """What is at one path: nothing, a file by content and mode, a link by target, or a folder."""

    kind: Literal["absent", "file", "link", "dir"]
    version: str = ""
    mode: int = 0
    size: int = 0
    target: str = ""

    def has_content_of(self, other: State) -> bool:
        """Return whether both are the same, whatever the mode."""
        return replace(self, mode=0) == replace(other, mode=0)


ABSENT = State("absent")


def file_state(version: str, mode: int, size: int) -> State:
    return State("file", version=version, mode=mode, size=size)


def link_state(target: bytes) -> State:
    return State("link", target=from_bytes(target))


def dir_state(mode: int) -> State:
    return State("dir", mode=mode)


@dataclass(frozen=True, slots=True)
class Step:
    """One change that the kernel makes whole.

    - put: `path` goes from `old` to `new` by one rename; content is in the journal or staged as `stage`.
    - chmod: the mode of `path` goes from `old` to `new`.
    - mkdir, rmdir: an empty folder appears, or goes when it is empty.
    - move: `path` is renamed to `to`, into the trash when `is_trash`; the identity says which thing it was.
    """

    op: Literal["put", "chmod", "mkdir", "rmdir", "move"]
    path: str
    old: State = ABSENT
    new: State = ABSENT
    to: str = ""
    is_trash: bool = False
    inode: int = 0
    born_ns: int = 0
    stage: str = ""
    is_inline: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """A transaction, complete: what it is called, its steps in order, and the content that travels in the
    journal.
    """

    label: str
    steps: tuple[Step, ...]
    data: dict[int, bytes]
    """Content by index of the step, for steps that are inline."""

    def encode(self) -> bytes:
        sizes = {index: len(data) for index, data in self.data.items()}
        meta = {
            "label": to_portable(self.label),
            "steps": [_encode(step) for step in self.steps],
            "sizes": sizes,
        }
        head = json.dumps(meta, separators=(",", ":")).encode()
        return struct.pack("<I", len(head)) + head + b"".join(self.data.values())


def decode_plan(payload: bytes) -> Plan:
    """Return the plan that `Plan.encode` wrote."""
    (length,) = struct.unpack_from("<I", payload)
    meta = json.loads(payload[4 : 4 + length])
    data: dict[int, bytes] = {}
    offset = 4 + length
    for index, size in meta["sizes"].items():
        data[int(index)] = payload[offset : offset + size]
        offset += size
    return Plan(from_portable(meta["label"]), tuple(_decode(step) for step in meta["steps"]), data)


def _encode(step: Step) -> dict[str, Any]:
    out: dict[str, Any] = {"op": step.op, "path": to_portable(step.path)}
    out["old"], out["new"] = _encode_state(step.old), _encode_state(step.new)
    if step.to:
        out |= {
            "to": to_portable(step.to),
            "inode": step.inode,
            "born_ns": step.born_ns,
            "is_trash": step.is_trash,
        }
    if step.stage:
        out |= {"stage": step.stage, "is_inline": step.is_inline}
    return out


def _encode_state(state: State) -> dict[str, Any]:
    if state.kind == "file":
        return {"kind": "file", "version": state.version, "mode": state.mode, "size": state.size}
    if state.kind == "link":
        return {"kind": "link", "target": to_portable(state.target)}
    return {"kind": state.kind, "mode": state.mode}


def _decode(raw: dict[str, Any]) -> Step:
    for name in ("path", "to"):
        if name in raw:
            raw[name] = from_portable(raw[name])
    for name in ("old", "new"):
        if "target" in raw[name]:
            raw[name]["target"] = from_portable(raw[name]["target"])
        raw[name] = State(**raw[name])
    return Step(**raw)
