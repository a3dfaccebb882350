"""Whether this machine can confine a command, found out by confining one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from workers.sandbox import jail, seccomp
from workers.sandbox.cgroups import find_place
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.limits import Limits

NAME = "bubblewrap"
REINSTALL = "apt-get install --reinstall bubblewrap"
# 0.8.0 brought --disable-userns; 0.5.0 brought --size and several filters.
MINIMUM = (0, 8, 0)
PROBE_TIMEOUT_S = 15


@dataclass(frozen=True, slots=True)
class Mechanism:
    """What confines commands here, and why not when it cannot."""

    name: str
    version: str
    is_available: bool
    reason: str
    """Empty when available."""
    mend: str = ""
    """The line that would repair it."""
    has_cgroup: bool = False
    """Whether the kernel bounds memory and processes; else they are counted from outside."""


def find_bwrap() -> Path | None:
    """Return bubblewrap's program; looked for in the system's folders only, never in a workspace's PATH."""
    found = shutil.which("bwrap", path="/usr/local/bin:/usr/bin:/bin")
    return Path(found) if found else None


def _unavailable(version: str, reason: str, mend: str) -> Mechanism:
    return Mechanism(NAME, version, False, reason, mend)


def _userns_mend(text: str) -> str:
    apparmor = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    clone = Path("/proc/sys/kernel/unprivileged_userns_clone")
    if apparmor.exists() and apparmor.read_text().strip() == "1":
        return "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    if clone.exists() and clone.read_text().strip() == "0":
        return "sysctl -w kernel.unprivileged_userns_clone=1"
    if Path("/.dockerenv").exists():
        return (
            "start the container with --security-opt seccomp=unconfined --security-opt systempaths=unconfined"
        )
    if "No space left" in text:
        return "sysctl -w user.max_user_namespaces=10000"
    return "allow user namespaces for this user (sysctl user.max_user_namespaces)"


def _try_to_confine(bwrap: Path, version: str) -> Mechanism:
    """Build the very walls that commands get, around `true`."""
    with tempfile.TemporaryDirectory(prefix="pyagent-sandbox-") as folder:
        launch = jail.prepare(["/usr/bin/true"], bwrap=bwrap, files=Path(folder), limits=Limits())
        try:
            done = subprocess.run(
                launch.argv, env={}, cwd="/", pass_fds=launch.fds, capture_output=True, text=True,
                timeout=PROBE_TIMEOUT_S, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            return _unavailable(version, f"bubblewrap does not run: {error}", REINSTALL)
        finally:
            launch.close()
            os.close(launch.status_read)
    if done.returncode != 0:
        text = done.stderr.strip()
        return _unavailable(version, f"bubblewrap may not confine here: {text}", _userns_mend(text))
    return Mechanism(NAME, version, True, "", "", find_place() is not None)


@cache
def _check_once() -> Mechanism:
    bwrap = find_bwrap()
    if bwrap is None:
        return _unavailable("", "bubblewrap is not installed", "apt-get install bubblewrap")
    try:
        answer = subprocess.run(
            [bwrap, "--version"], env={}, capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        return _unavailable("", f"bubblewrap does not run: {error}", REINSTALL)
    numbers = re.search(r"(\d+)\.(\d+)\.(\d+)", answer)
    version = numbers.group(0) if numbers else ""
    if numbers is None or tuple(int(part) for part in numbers.groups()) < MINIMUM:
        wanted = ".".join(map(str, MINIMUM))
        return _unavailable(
            version, f"bubblewrap {version or '?'} is older than {wanted}", f"install bubblewrap >= {wanted}"
        )
    try:
        seccomp.bpf_program()
    except SandboxUnavailable as error:
        return _unavailable(version, str(error), error.facts.get("mend", ""))
    return _try_to_confine(bwrap, version)


def check_mechanism() -> Mechanism:
    """Return what confines commands on this machine. A good answer is kept, a bad one asked again."""
    mechanism = _check_once()
    if not mechanism.is_available:
        _check_once.cache_clear()
    return mechanism


def require_mechanism() -> Path:
    """Return bubblewrap's path.

    Raises:
        SandboxUnavailable: nothing may run here unconfined, so nothing runs; `mend` repairs it.
    """
    mechanism = check_mechanism()
    bwrap = find_bwrap()
    if not mechanism.is_available or bwrap is None:
        raise SandboxUnavailable(
            f"{mechanism.reason}; mend it with: {mechanism.mend}",
            reason=mechanism.reason,
            mend=mechanism.mend,
        )
    return bwrap
