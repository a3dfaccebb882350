"""Where a repository may come from: https to an address on the internet, and no other.

The name is resolved here, every address is checked, and git is told to connect to exactly these addresses, so
an answer that changes between check and connection changes nothing. Redirects are off for the same reason.
"""

from __future__ import annotations

import base64
import ipaddress
import re
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from workers.changes.errors import RemoteRefused

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NUMERIC = re.compile(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+))*\.?", re.IGNORECASE)
_HOST = re.compile(r"[A-Za-z0-9_.:-]+")
_PROGRESS = re.compile(rb"(?:remote: )?([A-Z][A-Za-z ]+):\s+(?:(\d+)% )?\(?(\d+)(?:/(\d+))?")
_BYTES = re.compile(rb"([\d.]+) (bytes|KiB|MiB|GiB)")
_LINE_LIMIT = 4096
_UNITS = {b"bytes": 1, b"KiB": 1 << 10, b"MiB": 1 << 20, b"GiB": 1 << 30}


DEFAULT_USERNAME: Final = "git"
"""Where somebody has a token and no name: hosts that ask for a token take any name."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What a remote asks for; never shown and never an argument of a process."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a transfer is: its phase in git's words, per cent and bytes so far when told."""

    phase: str
    percent: int | None
    received_bytes: int | None


@dataclass(frozen=True, slots=True)
class Source:
    """A remote and what is allowed with it."""

    url: str
    allow_file: bool = False
    allow_private: bool = False
    credential: Credential | None = None
    timeout_s: float = 600.0
    max_bytes: int = 4 << 30
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class CheckedRemote:
    """A remote that may be talked to, with the settings that hold git to it; `secrets` is not for
    arguments."""

    url: str
    config: tuple[tuple[str, str], ...]
    secrets: tuple[tuple[str, str], ...] = field(repr=False, default=())

    def environment(self) -> dict[str, str]:
        """Return the variables that hand git its secrets: not in arguments, not in any file."""
        protocols = "file" if self.url.startswith("file:") else "https"
        env = {"GIT_ALLOW_PROTOCOL": protocols, "GIT_CONFIG_COUNT": str(len(self.secrets))}
        for index, (name, value) in enumerate(self.secrets):
            env[f"GIT_CONFIG_KEY_{index}"], env[f"GIT_CONFIG_VALUE_{index}"] = name, value
        return env


def check_remote(source: Source) -> CheckedRemote:
    """Return the remote when it may be talked to.

    Raises:
        RemoteRefused: another protocol, a user in the URL, or an address that is not on the internet.
    """
    url = source.url.strip()
    if any(char <= " " or char == "\x7f" for char in url):
        raise RemoteRefused("The address holds spaces or control characters.", reason="malformed")
    if source.allow_file and url.startswith("file:///"):
        return CheckedRemote(url, (("protocol.file.allow", "always"),))
    try:
        parts = urlsplit(url)
        port = parts.port or 443
    except ValueError:
        raise RemoteRefused("The address is malformed.", reason="malformed") from None
    if parts.scheme.lower() != "https" or not parts.hostname:
        raise RemoteRefused("Only https addresses are fetched.", reason="protocol")
    if parts.username is not None or parts.password is not None:
        raise RemoteRefused("Give the credential apart from the address.", reason="credential_in_url")
    addresses = resolve(parts.hostname, port, allow_private=source.allow_private)
    shown = ",".join(f"[{each}]" if ":" in each else each for each in addresses)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    clean = f"https://{host}:{port}{parts.path}"
    config = [
        ("protocol.https.allow", "always"),
        ("http.curloptResolve", f"{parts.hostname}:{port}:{shown}"),
        ("http.lowSpeedLimit", "1000"),
        ("http.lowSpeedTime", "60"),
        ("http.proxy", ""),
    ]
    if source.ca_file is not None:
        config.append(("http.sslCAInfo", str(source.ca_file)))
    secrets: list[tuple[str, str]] = []
    if source.credential is not None:
        pair = f"{source.credential.username}:{source.credential.password}".encode()
        header = f"Authorization: Basic {base64.b64encode(pair).decode()}"
        secrets.append((f"http.https://{host}:{port}/.extraHeader", header))
    return CheckedRemote(clean, tuple(config), tuple(secrets))


def resolve(host: str, port: int, *, allow_private: bool) -> list[str]:
    """Return the addresses of a host.

    Raises:
        RemoteRefused: one of them is not on the internet, the name is a disguised number, or there is none.
    """
    if not _HOST.fullmatch(host):
        raise RemoteRefused("The host name is malformed.", reason="malformed")
    if _NUMERIC.fullmatch(host) and not _is_plain_ip(host):
        raise RemoteRefused("The address is a number in disguise.", reason="malformed")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise RemoteRefused("The host name is not known.", reason="unknown_host", host=host) from None
    addresses = list(dict.fromkeys(str(each[4][0]).split("%")[0] for each in found))
    for each in addresses:
        if not allow_private and not is_public(each):
            raise RemoteRefused("This address is not on the internet.", reason="private_address", host=host)
    return addresses


def is_public(text: str) -> bool:
    """Return whether an address is reachable on the internet only: not private, loopback, link-local, or a
    tunnel to it."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if address.teredo is not None:
            return False
    return address.is_global and not address.is_multicast


class ProgressReader:
    """Reads git's progress from its standard error, whatever pieces that comes in."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, text: bytes) -> list[Progress]:
        """Return what each finished line says; lines about anything else are left out."""
        *lines, self._rest = re.split(rb"[\r\n]", self._rest[-_LINE_LIMIT:] + text)
        return [progress for line in lines if (progress := parse_progress(line)) is not None]


def parse_progress(line: bytes) -> Progress | None:
    """Return what one line of git's progress says; None for any other line."""
    found = _PROGRESS.match(line)
    if found is None:
        return None
    size = _BYTES.search(line)
    received = int(float(size[1]) * _UNITS[size[2]]) if size else None
    return Progress(found[1].decode(), int(found[2]) if found[2] else None, received)


def _is_plain_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
