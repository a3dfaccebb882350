"""The system calls that nothing in a sandbox may make, as a BPF program for bubblewrap's `--seccomp`.

A deny-list and not an allow-list: people run compilers, test suites and language runtimes here, and an
allow-list that is wide enough for those lets the same calls through. What is listed either reaches past the
namespaces (mounts, keyrings, kernel modules), widens the kernel surface that unprivileged escapes have used
(io_uring, userfaultfd, bpf, perf), or inspects other processes. Namespaces may not be made either, which
`--disable-userns` enforces a second time.
"""

from __future__ import annotations

import errno
import os
from functools import cache
from types import ModuleType
from typing import Any

from workers.sandbox.errors import SandboxUnavailable

DENIED = (
    "acct", "add_key", "adjtimex", "bpf", "chroot", "clock_adjtime", "clock_settime", "delete_module",
    "fanotify_init", "finit_module", "fsconfig", "fsmount", "fsopen", "fspick", "init_module",
    "io_uring_enter", "io_uring_register", "io_uring_setup", "ioperm", "iopl", "kcmp",
    "kexec_file_load", "kexec_load", "keyctl", "lookup_dcookie", "mount", "mount_setattr", "move_mount",
    "name_to_handle_at", "nfsservctl", "open_by_handle_at", "open_tree", "perf_event_open",
    "pidfd_getfd", "pivot_root", "process_madvise", "process_vm_readv", "process_vm_writev", "ptrace",
    "quotactl", "quotactl_fd", "reboot", "request_key", "setns", "settimeofday", "swapoff", "swapon",
    "syslog", "umount", "umount2", "unshare", "uselib", "userfaultfd", "vhangup", "vmsplice",
)  # fmt: skip

# Libraries live with the absence of these: glibc falls back from clone3 to clone, whose flags can be seen.
ABSENT = ("clone3",)

NAMESPACE_FLAGS = {
    "CLONE_NEWNS": 0x00020000,
    "CLONE_NEWCGROUP": 0x02000000,
    "CLONE_NEWUTS": 0x04000000,
    "CLONE_NEWIPC": 0x08000000,
    "CLONE_NEWUSER": 0x10000000,
    "CLONE_NEWPID": 0x20000000,
    "CLONE_NEWNET": 0x40000000,
}
TIOCSTI, TIOCLINUX = 0x5412, 0x541C
LOW_32 = 0xFFFFFFFF
AF_VSOCK, AF_ALG, AF_PACKET = 40, 38, 17


def _library() -> ModuleType:
    try:
        import pyseccomp
    except (ImportError, RuntimeError, OSError) as error:
        raise SandboxUnavailable(
            f"the seccomp library is missing ({error})", reason=str(error), mend="apt-get install libseccomp2"
        ) from error
    module: ModuleType = pyseccomp
    return module


def _add(program: Any, library: ModuleType, action: Any, call: str, *args: Any) -> None:
    try:
        program.add_rule(action, call, *args)
    except (ValueError, OSError, RuntimeError) as error:
        # A call that this library version or processor does not know cannot be filtered by name.
        if library.resolve_syscall(library.Arch.NATIVE, call) >= 0:
            raise SandboxUnavailable(
                f"seccomp refuses the rule for {call}: {error}", reason=str(error), mend=""
            ) from error


@cache
def bpf_program() -> bytes:
    """Return the filter as the kernel reads it: an array of `struct sock_filter`.

    Raises:
        SandboxUnavailable: libseccomp is not installed.
    """
    library = _library()
    program = library.SyscallFilter(library.ALLOW)
    deny = library.ERRNO(errno.EPERM)
    for call in DENIED:
        _add(program, library, deny, call)
    for call in ABSENT:
        _add(program, library, library.ERRNO(errno.ENOSYS), call)
    for flag in NAMESPACE_FLAGS.values():
        _add(program, library, deny, "clone", library.Arg(0, library.MASKED_EQ, flag, flag))
    for request in (TIOCSTI, TIOCLINUX):
        # Only the low half: the kernel ignores the high one, and a filter on all 64 bits was a way around
        # (CVE-2019-10063).
        _add(program, library, deny, "ioctl", library.Arg(1, library.MASKED_EQ, LOW_32, request))
    for family in (AF_VSOCK, AF_ALG, AF_PACKET):
        _add(program, library, deny, "socket", library.Arg(0, library.MASKED_EQ, LOW_32, family))
    descriptor = os.memfd_create("seccomp", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "w+b") as stream:
        program.export_bpf(stream)
        stream.seek(0)
        return stream.read()
