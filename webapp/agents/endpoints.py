"""Which addresses a person may have a model served from.

A base URL is something a person makes this server call. What nobody may call stands in `workers.providers.addresses`. Here
stands the rule between people: addresses of this machine and its private network are for whoever owns the installation, and
for others once the owner offers that same host and port to everybody. An Ollama beside the server is the usual case; a map
of the operator's network for any member is not. A name can lead elsewhere once it is stored, so the rule travels with every run.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from webapp.agents.models import ModelProfile
from webapp.agents.plain import sentence
from webapp.errors import Invalid
from workers.config import get_config
from workers.errors import ProviderRejected
from workers.providers.addresses import OLLAMA_URL, check_address
from workers.providers.addresses import check_base_url as check_url

Resolve = Callable[[str, int], list[str]]
_METADATA_HOSTS = {"metadata", "metadata.google.internal", "metadata.goog", "instance-data"}


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of `host`, read as a client would read it; none when it has none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return sorted({str(item[4][0]).partition("%")[0] for item in found})


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return (parts.hostname or "").rstrip("."), parts.port or (443 if parts.scheme == "https" else 80)


def may_use_private(url: str, *, is_installation_owner: bool, offered: Iterable[str]) -> bool:
    """Return whether this person may use `url` even if it leads to a private address."""
    if not get_config().allow_private_endpoints:
        return False
    return is_installation_owner or any(_place(other) == _place(url) for other in offered)


def offered_urls() -> list[str]:
    """Return the base URLs that the owner of the installation offers to everybody."""
    rows = ModelProfile.objects.filter(user=None, workspace=None).values_list("provider", "base_url")
    return [url for provider, base_url in rows if (url := base_url or private_url_of(provider))]


def private_url_of(provider: str) -> str:
    """Return the private address where this provider's models are when a profile names none; empty for all but Ollama."""
    return OLLAMA_URL if provider == ModelProfile.Provider.OLLAMA else ""


def may_be_private(profile: ModelProfile) -> bool:
    """Return whether a run may be led to a private address by this profile, whatever its name meant when it was stored.

    An Ollama without an address dates from when everybody might save one, and goes on.
    """
    return not profile.base_url or may_use_private(
        profile.base_url,
        is_installation_owner=profile.is_of_operator,
        offered=() if profile.is_of_operator else offered_urls(),
    )


def check_base_url(
    url: str, *, is_installation_owner: bool, offered: Iterable[str] = (), resolver: Resolve = resolve
) -> str:
    """Return `url` without a trailing slash when a model may be served from there.

    Args:
        url: What the person typed.
        is_installation_owner: Whether the person owns the installation.
        offered: Base URLs that the owner offers to everybody.
        resolver: Returns the addresses of a host and port.

    Raises:
        Invalid: not http(s), with credentials in it, never to be called, or private and not this person's to use.
    """
    url = url.strip()
    if any(ord(char) <= 0x20 or ord(char) == 0x7F for char in url) or "\\" in url:
        raise Invalid("An address has no spaces, control characters or backslashes.", field="base_url")
    try:
        url = check_url(url, allow_private=True)
        is_private_allowed = may_use_private(
            url, is_installation_owner=is_installation_owner, offered=offered
        )
        host, port = _place(url)
        if host.lower() in _METADATA_HOSTS:
            raise Invalid(
                "This address belongs to a machine's own metadata service, not to a model.", field="base_url"
            )
        check_url(url, allow_private=is_private_allowed)
        for address in resolver(host, port):
            check_address(ipaddress.ip_address(address), host=host, allow_private=is_private_allowed)
    except ProviderRejected as error:
        raise Invalid(_explain(str(error)), field="base_url") from error
    return url


def _explain(message: str) -> str:
    if "private addresses" not in message:
        return sentence(message)
    return (
        "This address lies on the server's own machine or private network. "
        "Ask the owner of this installation to add it for everybody."
    )
