"""The walls of one sandbox as bubblewrap's arguments: what a command sees, and as whom.

The command sees a read-only system (/usr, a few files of /etc), the Python that runs PyAgent with its
packages (read-only, at the same paths, so that `python -m pytest` and `ruff` work without an install), its
own files at /workspace, and a /tmp in memory. Nothing else of the machine exists: no home folders, no
sockets, no other process, no network unless asked for.

As whom: a user namespace maps one id, the sandbox's 1000 to the id of this process, so files made inside
belong to PyAgent outside. If PyAgent itself runs as root, the sandboxed process is root by number but holds
no capability in the machine's namespace. What the number alone still buys is taken away one by one: files of
root (every mount but the workspace and /tmp is read-only), settings of the kernel (/proc/sys asks for the
number and no capability, so that a sandbox could write core_pattern: all of /proc is read-only), and freedom
from RLIMIT_NPROC (bounded by cgroups, and by `watch` without them).

Environment: bubblewrap is started with an *empty* one, because its own process 1 stays inside the sandbox and
/proc/1/environ shows what it was started with; `--clearenv` does not help there. Its arguments go by a file
descriptor, so /proc/1/cmdline names no path of the machine.
"""

from __future__ import annotations

import os
import resource
import site
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from workers.sandbox import seccomp
from workers.sandbox.cgroups import Cgroup
from workers.sandbox.errors import SandboxRefused
from workers.sandbox.limits import Limits

WORKSPACE = "/workspace"
HOME = "/tmp/home"  # noqa: S108 - a folder of the sandbox's own memory-backed /tmp
UID = GID = 1000
NO_ENV: Mapping[str, str] = {}
ETC = (
    "alternatives", "ca-certificates.conf", "debian_version", "inputrc", "ld.so.cache", "ld.so.conf",
    "ld.so.conf.d", "localtime", "magic", "mime.types", "nsswitch.conf", "os-release", "profile", "protocols",
    "services", "ssl/certs", "ssl/openssl.cnf", "terminfo",
)  # fmt: skip
ETC_NETWORK = ("resolv.conf", "hosts", "gai.conf")
PASSWD = f"agent:x:{UID}:{GID}:agent:{HOME}:/bin/bash\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
GROUP = f"agent:x:{GID}:\nnogroup:x:65534:\n"
PROMPT = r"""
PS1='\[\e[1;34m\]\w\[\e[0m\] \$ '
unset HISTFILE
alias ls='ls --color=auto' grep='grep --color=auto'
"""
# Tools must not litter the files that become a diff: caches go to /tmp or nowhere.
ENVIRONMENT = {
    "HOME": HOME,
    "USER": "agent",
    "LOGNAME": "agent",
    "SHELL": "/bin/bash",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
    "TMPDIR": "/tmp",  # noqa: S108 - as above
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "PYTEST_ADDOPTS": "-p no:cacheprovider",
    "RUFF_NO_CACHE": "true",
    "MYPY_CACHE_DIR": "/tmp/mypy",  # noqa: S108 - as above
    "XDG_CACHE_HOME": "/tmp/home/.cache",  # noqa: S108 - as above
    "GIT_TERMINAL_PROMPT": "0",
}
# With no cgroup the address space is bounded too. Four times, since runtimes reserve far more than they
# touch.
ADDRESS_SPACE_FACTOR = 4
JOIN_CGROUP = (
    'n=$1; shift; while [ "$n" -gt 0 ]; do echo 0 > "$1" || exit 97; shift; n=$((n-1)); done; exec "$@"'
)


@dataclass(slots=True)
class Launch:
    """A command line and the descriptors it reads; close after the process has started."""

    argv: list[str]
    fds: list[int] = field(default_factory=list)
    status_read: int = -1

    def close(self) -> None:
        """Close what the child has inherited; the status pipe's reading end stays open, for the `Watch`."""
        for descriptor in self.fds:
            os.close(descriptor)
        self.fds.clear()


def _data_fd(name: str, content: bytes) -> int:
    descriptor = os.memfd_create(name)
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def python_paths() -> list[Path]:
    """Return the folders that make this interpreter and its packages work, outermost first, /usr left out."""
    wanted = [Path(sys.base_prefix), Path(sys.prefix), *(Path(p) for p in site.getsitepackages())]
    found: list[Path] = []
    for path in sorted({p.resolve() for p in wanted} | {p.absolute() for p in wanted}):
        inside_known = any(path.is_relative_to(known) for known in (Path("/usr"), *found))
        if path.is_dir() and path != Path("/") and not inside_known:
            found.append(path)
    return found


def search_path() -> str:
    """Return PATH inside: the venv's programs, the interpreter's, then the system's."""
    own = [str(Path(prefix) / "bin") for prefix in dict.fromkeys((sys.prefix, sys.base_prefix))]
    return ":".join(dict.fromkeys([*own, "/usr/local/bin", "/usr/bin", "/bin"]))


def _system_args() -> list[str]:
    args = ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        path = Path("/") / name
        if path.is_symlink():
            args += ["--symlink", str(path.readlink()).lstrip("/"), str(path)]
        elif path.is_dir():
            args += ["--ro-bind", str(path), str(path)]
    return args


def _folder_inside(cwd: str) -> str:
    path = PurePosixPath(WORKSPACE) / cwd
    if ".." in path.parts or not path.is_relative_to(WORKSPACE):
        raise SandboxRefused(f"{cwd!r} lies outside the workspace", cwd=cwd)
    return str(path)


def rlimits(limits: Limits, *, has_cgroup: bool) -> list[str]:
    """Return the `prlimit` call that stands before the command inside the sandbox.

    Inside, because RLIMIT_NPROC is then counted in the sandbox's own user namespace and not over everything
    its user runs.
    """
    wanted = {
        "cpu": (resource.RLIMIT_CPU, limits.cpu_s),
        "nproc": (resource.RLIMIT_NPROC, limits.processes),
        "fsize": (resource.RLIMIT_FSIZE, limits.file_bytes),
        "nofile": (resource.RLIMIT_NOFILE, limits.open_files),
        "core": (resource.RLIMIT_CORE, 0),
    }
    if not has_cgroup:
        wanted["as"] = (resource.RLIMIT_AS, limits.memory_bytes * ADDRESS_SPACE_FACTOR)
    values = []
    for name, (kind, value) in wanted.items():
        hard = resource.getrlimit(kind)[1]
        # A limit that already binds this process more tightly cannot be raised in there, and need not be.
        values.append(f"--{name}={value if hard == resource.RLIM_INFINITY else min(value, hard)}")
    return ["/usr/bin/prlimit", *values, "--"]


def _mount_args(files: Path, limits: Limits, read_only: Sequence[Path], *, network: bool) -> list[str]:
    args = _system_args()
    for name in (*ETC, *(ETC_NETWORK if network else ())):
        args += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    args += ["--proc", "/proc", "--dev", "/dev"]
    for folder in ("/tmp", "/dev/shm"):  # noqa: S108 - mounts inside the sandbox
        args += ["--perms", "1777", "--size", str(limits.tmp_bytes), "--tmpfs", folder]
    for path in (*python_paths(), *(p.absolute() for p in read_only)):
        args += ["--ro-bind", str(path), str(path)]
    return [*args, "--dir", HOME, "--bind", str(files.resolve()), WORKSPACE]


def _small_files(*, network: bool) -> dict[str, str]:
    files = {"/etc/passwd": PASSWD, "/etc/group": GROUP, "/etc/pyagent.bashrc": PROMPT}
    if not network:
        files["/etc/hosts"] = "127.0.0.1 localhost sandbox\n::1 localhost\n"
    return files


def _variables(env: Mapping[str, str]) -> dict[str, str]:
    variables = {**ENVIRONMENT, "PATH": search_path(), **env}
    for name, value in variables.items():
        if not name or "=" in name or "\0" in name or "\0" in value:
            raise SandboxRefused("the environment holds a name or value that cannot be passed on", name=name)
    return variables


def prepare(
    command: Sequence[str],
    *,
    bwrap: Path,
    files: Path,
    limits: Limits,
    cwd: str = ".",
    env: Mapping[str, str] = NO_ENV,
    network: bool = False,
    read_only: Sequence[Path] = (),
    cgroup: Cgroup | None = None,
    has_terminal: bool = False,
) -> Launch:
    """Return the launch of `command` behind the walls.

    Raises:
        SandboxRefused: `files` is no folder, `cwd` leaves it, or `env` holds what no environment can.
    """
    if not files.is_dir():
        raise SandboxRefused("the workspace's files are not there", path=str(files))
    folder, variables, program = _folder_inside(cwd), _variables(env), seccomp.bpf_program()
    launch = Launch([])
    args = ["--unshare-all", *(["--share-net"] if network else []), "--unshare-user", "--disable-userns"]
    # With a terminal, the shell makes the session itself, so that it can take the terminal as its own.
    args += [] if has_terminal else ["--new-session"]
    args += ["--die-with-parent", "--hostname", "sandbox", "--uid", str(UID), "--gid", str(GID)]
    args += _mount_args(files, limits, read_only, network=network)
    for path_inside, text in _small_files(network=network).items():
        launch.fds.append(_data_fd("data", text.encode()))
        args += ["--perms", "0444", "--ro-bind-data", str(launch.fds[-1]), path_inside]
    for name, value in variables.items():
        args += ["--setenv", name, value]
    # Bubblewrap's root and /dev are memory without a bound of their own, /proc holds the kernel's settings:
    # nobody writes there.
    for mount in ("/", "/dev", "/proc"):
        args += ["--remount-ro", mount]
    launch.fds.append(_data_fd("seccomp", program))
    launch.status_read, status_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    launch.fds.append(status_write)
    args += ["--chdir", folder, "--seccomp", str(launch.fds[-2]), "--json-status-fd", str(status_write)]
    launch.fds.append(_data_fd("args", "\0".join(args).encode("utf-8", "surrogateescape") + b"\0"))
    inner = [*rlimits(limits, has_cgroup=cgroup is not None), *command]
    launch.argv = [str(bwrap), "--args", str(launch.fds[-1]), "--", *inner]
    if cgroup is not None:
        procs = [str(path) for path in cgroup.procs]
        launch.argv = ["/bin/sh", "-c", JOIN_CGROUP, "sh", str(len(procs)), *procs, *launch.argv]
    return launch
