from __future__ import annotations

import pytest

from webapp.agents.endpoints import check_base_url, resolve
from webapp.errors import Invalid


def check(url, *, owner=False, offered=(), addresses=None):
    resolver = resolve if addresses is None else lambda host, port: addresses
    return check_base_url(url, is_installation_owner=owner, offered=offered, resolver=resolver)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/v1",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "//example.org",
        "http://",
        "http:///v1",
        "http://user:pass@example.org/v1",
        "http://example.org/v1?key=1",
        "http://example.org/v1#x",
        "http://exa mple.org/",
        "http://example.org\\@169.254.169.254/",
        "http://example.org:99999/",
        "http://[::1",
    ],
)
def test_refuses_what_is_no_plain_web_address_even_from_the_owner(url):
    with pytest.raises(Invalid):
        check(url, owner=True, addresses=["93.184.216.34"])


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest",
        "http://2852039166/",
        "http://0xA9FEA9FE/",
        "http://0251.0376.0251.0376/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fd00:ec2::254]/",
        "http://100.100.100.200/",
        "http://metadata.google.internal/computeMetadata",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://0.0.0.0:8000/",
        "http://224.0.0.1/",
    ],
)
def test_refuses_metadata_services_to_everybody(url):
    with pytest.raises(Invalid):
        check(url, owner=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:6379/",
        "http://localhost:8000/internal",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://[::1]:11434/",
        "http://[::ffff:127.0.0.1]/",
        "http://10.0.0.5/v1",
        "http://192.168.1.1/",
        "http://172.16.0.1/",
        "http://100.64.0.1/",
        "http://[fc00::1]/",
    ],
)
def test_keeps_private_addresses_for_the_installations_owner(url):
    with pytest.raises(Invalid, match="owner"):
        check(url)
    assert check(url, owner=True) == url.rstrip("/")


def test_sees_through_a_name_that_leads_inside():
    with pytest.raises(Invalid):
        check("https://llm.example.org/v1", addresses=["93.184.216.34", "10.0.0.5"])
    with pytest.raises(Invalid):
        check("https://llm.example.org/v1", owner=True, addresses=["169.254.169.254"])


def test_opens_a_private_address_once_the_owner_offers_that_host_and_port():
    offered = ["http://127.0.0.1:11434/v1"]
    assert check("http://127.0.0.1:11434", offered=offered) == "http://127.0.0.1:11434"
    with pytest.raises(Invalid):
        check("http://127.0.0.1:6379", offered=offered)


def test_lets_everybody_use_public_addresses():
    assert check(" https://llm.example.org/v1/ ", addresses=["93.184.216.34"]) == "https://llm.example.org/v1"
