from __future__ import annotations

import asyncio
import datetime
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from workers.errors import ProviderError
from workers.providers.addresses import ProviderAddressRefused, check_address, check_base_url, guarded_client

NEVER = [
    "http://169.254.169.254/latest/meta-data",
    "http://169.254.0.1",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[2002:a9fe:a9fe::]/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0251.0376.0251.0376/",
    "http://169.254.43518/",
    "http://[fd00:ec2::254]/",
    "http://100.100.100.200/",
    "http://192.0.0.192/",
    "http://0.0.0.0:80/",
    "http://0/",
    "http://[::]/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "ftp://example.org/",
    "file:///etc/passwd",
    "gopher://example.org",
    "//example.org/v1",
    "example.org",
    "",
    "http://",
    "http://user:password@example.org/",
    "http://user@example.org/",
    "https://example.org/v1?key=1",
    "https://example.org/v1#x",
    "http://example.org:99999/",
    "http://[::1/",
]
PRIVATE = [
    "http://127.0.0.1:11434",
    "http://localhost:11434",
    "http://ollama.localhost/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://127.1/",
    "http://[::1]:8000",
    "http://[::ffff:127.0.0.1]/",
    "http://10.1.2.3/v1",
    "http://172.16.0.1/",
    "http://192.168.1.7:1234/v1",
    "http://100.64.0.1/",
    "http://[fd12:3456::1]/",
]


@pytest.mark.parametrize("url", NEVER)
def test_refuses_what_is_never_called(url: str) -> None:
    with pytest.raises(ProviderAddressRefused):
        check_base_url(url, allow_private=True)


@pytest.mark.parametrize("url", PRIVATE)
def test_calls_private_addresses_only_where_the_operator_allows_it(url: str) -> None:
    assert check_base_url(url, allow_private=True) == url.rstrip("/")
    with pytest.raises(ProviderAddressRefused):
        check_base_url(url, allow_private=False)


def test_takes_ordinary_endpoints() -> None:
    assert (
        check_base_url(" https://api.example.org/v1/ ", allow_private=False) == "https://api.example.org/v1"
    )
    check_address(ipaddress.ip_address("93.184.216.34"), host="x", allow_private=False)


class Canary:
    """A server on loopback that counts who reaches it."""

    def __init__(self) -> None:
        self.hits = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.hits += 1
        self.host_header = next(
            line for line in head.split(b"\r\n") if line.lower().startswith(b"host:")
        ).decode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
        await writer.drain()
        writer.close()


@pytest_asyncio.fixture
async def canary() -> AsyncIterator[Canary]:
    canary = Canary()
    server = await asyncio.start_server(canary.serve, "127.0.0.1", 0)
    canary.port = server.sockets[0].getsockname()[1]
    async with server:
        yield canary


def answer_names(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Make the resolver give each of `answers` in turn, the last for ever; return the names it was asked."""
    asked: list[str] = []

    async def getaddrinfo(self: Any, host: str, port: int, **_options: Any) -> list[Any]:
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        return [
            (socket.AF_INET6 if ":" in a else socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port))
            for a in found
        ]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return asked


LIBRARIES = pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])


def client_of(library: Any, *, allow_private: bool) -> Any:
    return guarded_client(library, auth={}, allow_private=allow_private, max_bytes=1000, connect_s=1)


@LIBRARIES
@pytest.mark.parametrize(
    "answer",
    [["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["::ffff:127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"]],
)
async def test_a_name_that_leads_inside_reaches_nothing(
    library: Any, canary: Canary, monkeypatch: pytest.MonkeyPatch, answer: list[str]
) -> None:
    answer_names(monkeypatch, answer)
    async with client_of(library, allow_private=False) as client:
        with pytest.raises(ProviderAddressRefused):
            await client.get(f"http://model.example:{canary.port}/")
    assert canary.hits == 0


@LIBRARIES
async def test_a_name_whose_answer_changes_reaches_nothing(
    library: Any, canary: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks up each name once a request and connects to what it checked: 192.0.2.0/24 answers nobody."""
    asked = answer_names(monkeypatch, ["198.51.100.1"], ["127.0.0.1"])
    monkeypatch.setattr("workers.providers.addresses.check_address", _check_all_but_documentation)
    async with client_of(library, allow_private=False) as client:
        with pytest.raises((library.TransportError, ProviderError)):
            await client.get(f"http://model.example:{canary.port}/")
        with pytest.raises(ProviderAddressRefused):
            await client.get(f"http://model.example:{canary.port}/")
    assert asked == ["model.example", "model.example"]
    assert canary.hits == 0


def _check_all_but_documentation(address: Any, *, host: str, allow_private: bool) -> None:
    if address not in ipaddress.ip_network(
        "198.51.100.0/24"
    ):  # Python counts the documentation nets as private
        check_address(address, host=host, allow_private=allow_private)


@LIBRARIES
async def test_connects_to_the_next_address_when_one_does_not_answer(
    library: Any, canary: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_names(monkeypatch, ["::1", "127.0.0.1"])
    async with client_of(library, allow_private=True) as client:
        reply = await client.get(f"http://model.example:{canary.port}/")
    assert reply.text == "hi"
    assert canary.host_header == f"host: model.example:{canary.port}"
    assert str(reply.request.url) == f"http://model.example:{canary.port}/"


@LIBRARIES
async def test_a_name_that_nobody_knows_is_an_error_of_its_own(
    library: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def getaddrinfo(self: Any, *_args: Any, **_options: Any) -> list[Any]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    async with client_of(library, allow_private=True) as client:
        with pytest.raises(ProviderError, match="cannot be found"):
            await client.get("http://model.example/")


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Return a self-signed certificate for `name`, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, key_pem = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return pem, key_pem


@LIBRARIES
@pytest.mark.parametrize(("name", "is_trusted"), [("model.example", True), ("other.example", False)])
async def test_checks_the_certificate_of_the_name_though_it_connects_to_an_address(
    library: Any, name: str, is_trusted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem, key_pem = make_certificate(tmp_path, "model.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(pem, key_pem)
    canary = Canary()
    server = await asyncio.start_server(canary.serve, "127.0.0.1", 0, ssl=server_side)
    port = server.sockets[0].getsockname()[1]
    answer_names(monkeypatch, ["127.0.0.1"])
    async with server, client_of(library, allow_private=True) as client:
        if is_trusted:
            assert (await client.get(f"https://{name}:{port}/")).text == "hi"
        else:
            with pytest.raises(library.ConnectError, match="(?i)certificate"):
                await client.get(f"https://{name}:{port}/")
    assert canary.hits == int(is_trusted)
