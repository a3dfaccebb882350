"""Which endpoints may be called: a person types a base URL, and the server is the one who connects.

Two looks are taken. `check_base_url` reads the URL when it is stored or opened. `GuardedTransport` looks up
the name at every connection and connects to the very address it has checked, so that a DNS answer that
changes in between opens nothing. Never reachable: link-local (cloud metadata), multicast, unspecified and
reserved addresses. Loopback and private ones are reachable only where the operator allows it: Ollama is
usually local.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Mapping
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from workers.errors import ProviderBadReply, ProviderRejected, ProviderUnavailable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
OLLAMA_URL: Final = "http://127.0.0.1:11434"
"""Where Ollama is when nobody says otherwise: on the machine of whoever calls it."""

# Metadata services outside link-local: AWS over IPv6, Alibaba, Oracle.
_METADATA = frozenset(map(ipaddress.ip_address, ("fd00:ec2::254", "100.100.100.200", "192.0.0.192")))
_SENT_HEADERS = frozenset(
    ("host", "content-type", "content-length", "transfer-encoding", "connection", "accept", "accept-encoding")
    + ("user-agent", "anthropic-version", "anthropic-beta")
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_SHARED = ipaddress.IPv4Network("100.64.0.0/10")


class ProviderAddressRefused(ProviderRejected):
    """This endpoint may not be called."""

    code: ClassVar[str] = "provider_address_refused"


def check_base_url(url: str, *, allow_private: bool) -> str:
    """Return `url` without a trailing slash.

    Raises:
        ProviderAddressRefused: not http(s), or it holds a user name, a query or a refused address.
    """
    try:
        parts = urlsplit(url.strip())
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise ProviderAddressRefused("the base URL cannot be read") from error
    if parts.scheme not in ("http", "https"):
        raise ProviderAddressRefused("the base URL must begin with http:// or https://")
    if not host:
        raise ProviderAddressRefused("the base URL names no host")
    if parts.username is not None or parts.password is not None:
        raise ProviderAddressRefused("the base URL must not hold a user name or password")
    if parts.query or parts.fragment:
        raise ProviderAddressRefused("the base URL must not have a query or a fragment")
    address = _literal(host)
    if address is not None:
        check_address(address, host=host, allow_private=allow_private)
    elif not allow_private and (host == "localhost" or host.endswith(".localhost")):
        raise ProviderAddressRefused("the operator does not allow endpoints on private addresses", host=host)
    return url.strip().rstrip("/")


def is_near(url: str) -> bool:
    """Return whether a base URL names this machine or a private address outright; no name is looked up."""
    host = urlsplit(url.strip()).hostname or ""
    address = _literal(host)
    if address is None:
        return host == "localhost" or host.endswith(".localhost")
    return _unwrapped(address).is_private


def check_address(address: Address, *, host: str, allow_private: bool) -> None:
    """Do nothing when `address` may be connected to.

    Raises:
        ProviderAddressRefused: it may not.
    """
    address = _unwrapped(address)
    if (
        address in _METADATA
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or (address.is_reserved and not address.is_loopback)
    ):
        raise ProviderAddressRefused(f"{host} leads to an address that is never called", host=host)
    is_private = address.is_private or (isinstance(address, ipaddress.IPv4Address) and address in _SHARED)
    if is_private and not allow_private:
        raise ProviderAddressRefused("the operator does not allow endpoints on private addresses", host=host)


def _literal(host: str) -> Address | None:
    """Return the address that `host` spells, in any form that resolvers take (0x7f.1, 2130706433, …)."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def _unwrapped(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one carries (mapped, 6to4, NAT64), else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


class _CountedStream:
    """A response body that ends in an error when it grows past its limit."""

    def __init__(self, body: Any, max_bytes: int) -> None:
        self._body = body
        self._left = max_bytes

    async def __aiter__(self) -> Any:
        async for part in self._body:
            self._left -= len(part)
            if self._left < 0:
                raise ProviderBadReply("the provider's answer is larger than the limit")
            yield part

    async def aclose(self) -> None:
        await self._body.aclose()


class GuardedTransport:
    """An HTTP transport that connects to checked addresses, sends listed headers and bounds the answer.

    It adds the key itself (`auth`), so that neither a client nor its exceptions ever hold one, and drops
    what the official clients find in this process's environment: another key, an organization, headers of
    their own.

    `library` is httpx or httpx2: the official clients use one or the other, and both take any object with
    these methods.
    """

    def __init__(self, library: Any, *, auth: Mapping[str, str], allow_private: bool, max_bytes: int) -> None:
        self._auth = dict(auth)
        self._library = library
        # Of the environment it takes SSL_CERT_FILE only: endpoints behind a private authority are common.
        self._inner = library.AsyncHTTPTransport(trust_env=True)
        self._allow_private = allow_private
        self._max_bytes = max_bytes
        # The library insists on its own base class for a body.
        self._stream_class: Any = type("CountedStream", (_CountedStream, library.AsyncByteStream), {})

    async def __aenter__(self) -> GuardedTransport:
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *exc_info: Any) -> None:
        await self._inner.__aexit__(*exc_info)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def handle_async_request(self, request: Any) -> Any:
        host = request.url.host
        url = request.url
        addresses = await self._checked_addresses(host, url.port or (443 if url.scheme == "https" else 80))
        headers = request.headers
        request.headers = self._library.Headers(
            [pair for pair in headers.multi_items() if pair[0].lower() in _SENT_HEADERS]
            + list(self._auth.items())
        )
        request.extensions = {**request.extensions, "sni_hostname": host}
        try:
            for index, address in enumerate(addresses):
                request.url = url.copy_with(host=str(address))
                try:
                    response = await self._inner.handle_async_request(request)
                    break
                except (self._library.ConnectError, self._library.ConnectTimeout):
                    if index == len(addresses) - 1:
                        raise
        finally:
            request.url, request.headers = url, headers
        return await self._bounded(response)

    async def _bounded(self, response: Any) -> Any:
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            await response.aclose()
            # We ask for none, and a packed answer could unfold to any size.
            raise ProviderBadReply("the provider's answer is compressed, which was not asked for")
        response.stream = self._stream_class(response.stream, self._max_bytes)
        return response

    async def _checked_addresses(self, host: str, port: int) -> list[Address]:
        literal = _literal(host)
        if literal is not None:
            found = [literal]
        else:
            loop = asyncio.get_running_loop()
            try:
                rows = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            except OSError:
                raise ProviderUnavailable(f"the name {host} cannot be found", host=host) from None
            found = [ipaddress.ip_address(str(row[4][0]).partition("%")[0]) for row in rows]
        for address in found:
            check_address(address, host=host, allow_private=self._allow_private)
        return list(dict.fromkeys(found))


def guarded_client(
    library: Any, *, auth: Mapping[str, str], allow_private: bool, max_bytes: int, connect_s: float
) -> Any:
    """Return an AsyncClient of httpx or httpx2: guarded; no redirects, no proxy from the environment.

    Reading has no time limit of its own: the provider's limits watch every wait.
    """
    return library.AsyncClient(
        transport=GuardedTransport(library, auth=auth, allow_private=allow_private, max_bytes=max_bytes),
        follow_redirects=False,
        trust_env=False,
        timeout=library.Timeout(None, connect=connect_s),
        headers={"accept-encoding": "identity"},
    )
