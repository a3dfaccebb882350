"""The same attempts outside and inside: outside shows that an attempt is one, inside shows that the wall
holds."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from workers.sandbox import run

CANARY = "canary-9f3b61c2"
PROBES = Path(__file__).with_name("probes.py")
# The kernel, its settings or a container may refuse these to everybody; inside they are asked all the same.
REFUSED_BY_SOME_KERNELS = {
    "type_into_a_terminal", "load_a_kernel", "press_sysrq", "open_a_device", "open_a_crypto_socket",
    "load_a_bpf_map", "count_kernel_events", "make_a_userfaultfd", "set_up_io_uring", "read_the_keyring",
    "use_the_keyring", "reach_a_file_through_proc_1_root", "raise_a_limit",
}  # fmt: skip
NEED_ROOT = {
    "read_shadow", "write_the_kernels_settings", "write_into_usr", "write_into_the_root",
    "write_into_dev", "make_a_device", "become_root", "set_the_host_name", "change_the_root", "mount",
    "open_a_mount_tree", "enter_a_namespace", "read_the_kernels_log", "open_a_packet_socket",
    "open_a_raw_socket",
}  # fmt: skip


def _greet(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"hello")


@contextlib.contextmanager
def _listening(family: socket.AddressFamily, address: Any) -> Iterator[socket.socket]:
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.bind(address)
        listener.listen()
        threading.Thread(target=_greet, args=(listener,), daemon=True).start()
        yield listener
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def facts(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    monkeypatch.setenv("PYAGENT_SECRET_KEY", CANARY)
    secret = tmp_path / "secret"
    secret.write_text(CANARY)
    (files / "link-out").symlink_to(secret)
    (files / "probes.py").write_bytes(PROBES.read_bytes())
    victim = subprocess.Popen(["sleep", "120"], env={"TOKEN": CANARY})
    named = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()", CANARY])
    socket_path, abstract = str(tmp_path / "s"), f"pyagent-{os.getpid()}"
    try:
        with (
            _listening(socket.AF_INET, ("127.0.0.1", 0)) as tcp,
            _listening(socket.AF_UNIX, socket_path),
            _listening(socket.AF_UNIX, "\0" + abstract),
        ):
            yield {
                "canary": CANARY, "secret_file": str(secret), "files": str(files),
                "victim_pid": victim.pid, "victim_name": "sleep",
                "tcp_port": tcp.getsockname()[1], "unix_socket": socket_path, "abstract_socket": abstract,
            }  # fmt: skip
    finally:
        for process in (victim, named):
            process.kill()
            process.wait()


def _read(output: str) -> dict[str, bool | str]:
    line = next(line for line in output.splitlines() if line.startswith("PROBES "))
    found: dict[str, bool | str] = json.loads(line.removeprefix("PROBES "))
    return found


def _outside(facts: dict[str, Any], files: Path) -> dict[str, bool | str]:
    done = subprocess.run(
        [sys.executable, "probes.py"],
        input=json.dumps(facts),
        cwd=files,
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    return _read(done.stdout)


async def test_holds_every_attempt_that_succeeds_outside(facts: dict[str, Any], files: Path) -> None:
    outside = _outside(facts, files)
    (files / "probe-device").unlink(missing_ok=True)
    stdin = json.dumps({**facts, "files": "/workspace"}).encode()
    inside = _read((await run(["python", "probes.py"], files=files, stdin=stdin)).output)
    assert len(inside) >= 40
    assert {name for name, result in inside.items() if result is True} == set()
    excused = REFUSED_BY_SOME_KERNELS | (NEED_ROOT if os.geteuid() else set())
    assert {
        name: result for name, result in outside.items() if result is not True and name not in excused
    } == {}


async def test_shows_no_secret_of_the_machine_in_proc(facts: dict[str, Any], files: Path) -> None:
    shown = "/proc/*/environ /proc/*/cmdline /proc/*/task/*/environ"
    script = f"cat {shown} 2>/dev/null | tr '\\0' '\\n'; env; cat /proc/self/mountinfo"
    result = await run(script, files=files)
    assert result.is_ok
    assert CANARY not in result.output
    assert "PYAGENT" not in result.output


async def test_gives_the_network_only_when_asked(facts: dict[str, Any], files: Path) -> None:
    script = f"exec 3<>/dev/tcp/127.0.0.1/{facts['tcp_port']} && head -c 5 <&3"
    assert (await run(script, files=files)).exit_code == 1
    assert (await run(script, files=files, network=True)).output == "hello"


async def test_shows_only_the_folders_it_was_given(files: Path, tmp_path: Path) -> None:
    extra = tmp_path / "extra"
    extra.mkdir()
    (extra / "note").write_text("readable")
    script = f"cat {extra}/note; echo x > {extra}/note || echo refused; touch made"
    script += "; ls /home /root/.ssh /var /sys 2>&1"
    result = await run(script, files=files, read_only=[extra])
    assert result.output.startswith("readable")
    assert "refused" in result.output
    assert result.output.count("No such file") == 4
    assert (extra / "note").read_text() == "readable"
    assert (files / "made").exists()
    assert (files / "made").stat().st_uid == os.geteuid()
