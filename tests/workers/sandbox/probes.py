"""Attempts to get out, each a small function: prints a JSON object that says which succeeded.

Run by the very same interpreter outside the sandbox and inside it. Outside, an attempt that does not succeed
proves nothing about the walls; so the tests ask both. Nothing here does harm when it succeeds.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import platform
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

LIBC = ctypes.CDLL(None, use_errno=True)
IS_X86 = platform.machine() == "x86_64"
NUMBERS = {  # x86_64, then the generic table of aarch64 and others
    "add_key": (248, 217), "bpf": (321, 280), "clone": (56, 220), "io_uring_setup": (425, 425),
    "keyctl": (250, 219), "kexec_load": (246, 104), "mount": (165, 40), "name_to_handle_at": (303, 264),
    "open_tree": (428, 428), "perf_event_open": (298, 241), "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434), "process_vm_readv": (310, 270), "ptrace": (101, 117), "setns": (308, 268),
    "syslog": (103, 116), "unshare": (272, 97), "userfaultfd": (323, 282),
}  # fmt: skip
CLONE_NEWNS, CLONE_NEWUSER, SIGCHLD = 0x20000, 0x10000000, 17
TIOCSTI, TIOCSCTTY = 0x5412, 0x540E


def syscall(name: str, *args: Any) -> int:
    """Make a system call; raise OSError when it fails."""
    number = NUMBERS[name][0 if IS_X86 else 1]
    padded = [*args, *([0] * (6 - len(args)))]
    result = int(LIBC.syscall(ctypes.c_long(number), *(_word(value) for value in padded)))
    if result == -1:
        raise OSError(ctypes.get_errno(), f"{name} failed")
    return result


def _word(value: Any) -> Any:
    return ctypes.c_long(value) if isinstance(value, int) else value


def in_child(attempt: Callable[[], object]) -> bool:
    """Return whether `attempt` succeeds in a child, so that its effects end with it."""
    pid = os.fork()
    if pid == 0:
        try:
            attempt()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1] == 0


def with_sleeper(attempt: Callable[[int], object]) -> object:
    """Call `attempt` with the number of a child of ours that sleeps."""
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    try:
        return attempt(pid)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def read_canary(path: str, canary: bytes) -> bool:
    return canary in Path(path).read_bytes()


def any_proc_file(name: str, canary: bytes, *, but_self: bool) -> bool:
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or (but_self and int(folder.name) == os.getpid()):
            continue
        try:
            if canary in (folder / name).read_bytes():
                return True
        except OSError:
            continue
    return False


def create_and_remove(path: str) -> bool:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    os.close(descriptor)
    Path(path).unlink()
    return True


def connect(family: int, address: Any) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as stream:
        stream.settimeout(3)
        stream.connect(address)
        return stream.recv(5) == b"hello"


def open_socket(family: int, kind: int, protocol: int = 0) -> bool:
    socket.socket(family, kind, protocol).close()
    return True


def open_for_writing(path: str) -> bool:
    os.close(os.open(path, os.O_WRONLY))
    return True


def type_into_terminal() -> None:
    master, slave = os.openpty()
    os.setsid()
    fcntl.ioctl(slave, TIOCSCTTY, 0)
    fcntl.ioctl(slave, TIOCSTI, b"x")
    os.close(master)


def read_memory_of(pid: int) -> int:
    buffer = ctypes.create_string_buffer(8)
    source = ctypes.create_string_buffer(b"8 bytes!")
    local = (ctypes.c_void_p * 2)(ctypes.addressof(buffer), 8)
    remote = (ctypes.c_void_p * 2)(ctypes.addressof(source), 8)
    return syscall("process_vm_readv", pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0)


def set_up_io_uring() -> bool:
    os.close(syscall("io_uring_setup", 4, ctypes.create_string_buffer(256)))
    return True


def open_a_device() -> bool:
    known = {
        "null",
        "zero",
        "full",
        "random",
        "urandom",
        "tty",
        "ptmx",
        "console",
        "stdin",
        "stdout",
        "stderr",
        "fd",
        "core",
    }
    for path in Path("/dev").iterdir():
        if path.name not in known and (path.is_block_device() or path.is_char_device()):
            try:
                os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
            except OSError:
                continue
            return True
    return False


def perf() -> bool:
    attributes = ctypes.create_string_buffer(struct.pack("IIQ", 1, 112, 1).ljust(112, b"\0"), 112)
    os.close(syscall("perf_event_open", attributes, 0, -1, -1, 0))
    return True


def raise_open_files() -> bool:
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    resource.setrlimit(resource.RLIMIT_NOFILE, (65, 65))
    return True


def attempts(facts: dict[str, Any]) -> dict[str, Callable[[], object]]:
    """Return every attempt by name. `facts` (from stdin, so that no command line holds them) names the
    canaries."""
    canary = facts["canary"].encode()
    secret, victim = facts["secret_file"], facts["victim_pid"]
    link = str(Path(facts["files"]) / "link-out")
    return {
        "read_a_file_outside": lambda: read_canary(secret, canary),
        "follow_a_link_out": lambda: read_canary(link, canary),
        "reach_a_file_through_proc_1_root": lambda: read_canary(f"/proc/1/root{secret}", canary),
        "write_a_file_outside": lambda: open_for_writing(secret),
        "read_shadow": lambda: bool(Path("/etc/shadow").read_bytes()),
        "find_the_secret_in_own_environment": lambda: facts["canary"] in json.dumps(dict(os.environ)),
        "find_the_secret_in_any_environ": lambda: any_proc_file("environ", canary, but_self=False),
        "find_the_secret_in_any_cmdline": lambda: any_proc_file("cmdline", canary, but_self=True),
        "see_the_victim": lambda: (
            Path(f"/proc/{victim}/stat").read_text().split()[1] == f"({facts['victim_name']})"
        ),
        "signal_the_victim": lambda: (
            os.kill(victim, 0) is None
            and Path(f"/proc/{victim}/comm").read_text().strip() == facts["victim_name"]
        ),
        "reach_the_loopback": lambda: connect(socket.AF_INET, ("127.0.0.1", facts["tcp_port"])),
        "reach_a_unix_socket": lambda: connect(socket.AF_UNIX, facts["unix_socket"]),
        "reach_an_abstract_socket": lambda: connect(socket.AF_UNIX, "\0" + facts["abstract_socket"]),
        "write_the_kernels_settings": lambda: open_for_writing("/proc/sys/kernel/core_pattern"),
        "press_sysrq": lambda: open_for_writing("/proc/sysrq-trigger"),
        "write_into_usr": lambda: create_and_remove("/usr/bin/.pyagent-probe"),
        "write_into_the_interpreter": lambda: create_and_remove(str(Path(sys.prefix) / ".pyagent-probe")),
        "write_into_the_root": lambda: create_and_remove("/.pyagent-probe"),
        "write_into_dev": lambda: create_and_remove("/dev/.pyagent-probe"),
        "open_a_device": open_a_device,
        "make_a_device": lambda: (
            os.mknod("probe-device", 0o020600, os.makedev(1, 3)) is None and open_for_writing("probe-device")
        ),
        "become_root": lambda: in_child(lambda: os.setresuid(0, 0, 0)),
        "raise_a_limit": lambda: in_child(raise_open_files),
        "set_the_host_name": lambda: socket.sethostname(socket.gethostname()) is None,
        "change_the_root": lambda: in_child(lambda: os.chroot(".")),
        "make_a_user_namespace": lambda: in_child(lambda: syscall("unshare", CLONE_NEWUSER)),
        "clone_into_a_user_namespace": lambda: _clone_new_user(),
        "mount": lambda: in_child(
            lambda: (syscall("unshare", CLONE_NEWNS), syscall("mount", b"none", b"/tmp", b"tmpfs", 0, 0))
        ),
        "open_a_mount_tree": lambda: syscall("open_tree", -100, b"/", 1) > 0,
        "enter_a_namespace": lambda: in_child(
            lambda: syscall("setns", os.open("/proc/self/ns/net", os.O_RDONLY), 0)
        ),
        "trace_a_child": lambda: with_sleeper(lambda pid: syscall("ptrace", 0x4206, pid, 0, 0) == 0),
        "read_a_childs_memory": lambda: with_sleeper(read_memory_of) == 8,
        "take_a_childs_descriptor": lambda: with_sleeper(
            lambda pid: syscall("pidfd_getfd", syscall("pidfd_open", pid, 0), 0, 0) > 0
        ),
        "use_the_keyring": lambda: syscall("add_key", b"user", b"pyagent-probe", b"x", 1, -2) > 0,
        "read_the_keyring": lambda: syscall("keyctl", 0, -2, 1) > 0,
        "set_up_io_uring": set_up_io_uring,
        "make_a_userfaultfd": lambda: syscall("userfaultfd", 1) > 0,
        "load_a_bpf_map": lambda: (
            syscall(
                "bpf",
                0,
                ctypes.create_string_buffer(struct.pack("IIIII", 2, 4, 4, 1, 0).ljust(120, b"\0")),
                120,
            )
            > 0
        ),
        "count_kernel_events": perf,
        "take_a_file_handle": lambda: _file_handle(),
        "read_the_kernels_log": lambda: syscall("syslog", 10, 0, 0) > 0,
        "load_a_kernel": lambda: syscall("kexec_load", 0, 0, 0, 0) == 0,
        "open_a_crypto_socket": lambda: open_socket(38, socket.SOCK_SEQPACKET),
        "open_a_packet_socket": lambda: open_socket(socket.AF_PACKET, socket.SOCK_RAW),
        "open_a_raw_socket": lambda: open_socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
        "type_into_a_terminal": lambda: in_child(type_into_terminal),
    }


def _clone_new_user() -> bool:
    pid = syscall("clone", CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return True


def _file_handle() -> bool:
    handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0).ljust(136, b"\0"), 136)
    return syscall("name_to_handle_at", -100, b"/usr", handle, ctypes.byref(ctypes.c_int()), 0) == 0


def main() -> None:
    """Try everything and print what succeeded."""
    found: dict[str, bool | str] = {}
    for name, attempt in attempts(json.load(sys.stdin)).items():
        try:
            found[name] = bool(attempt())
        except BaseException as error:
            found[name] = f"{type(error).__name__}: {error}"
    print("PROBES " + json.dumps(found))


if __name__ == "__main__":
    main()
