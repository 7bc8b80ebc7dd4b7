"""The server connects to hosts on the internet, and to nothing else that an address may mean."""

import socket
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus.common.network_policy import PrivateAddress, resolve_allowed_addresses

PRIVATE = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0.1.2.3",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::ffff:127.0.0.1",
    "fe80::1",
    "fd00::1",
    "fec0::1",
    "ff02::1",
    "::",
    # with an IPv4 address in them
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:0808:0808::1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
    "2606:4700::5efe:7f00:1",
    "2606:4700::200:5efe:7f00:1",
    # of no host on the internet
    "192.0.0.9",
    "192.0.2.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.175.48.1",
    "198.18.0.1",
    "203.0.113.1",
    "240.0.0.1",
    "100::1",
    "100:0:0:1::1",
    "1fff::1",
    "2001:1::1",
    "2001:20::1",
    "2001:db8::1",
    "2620:4f:8000::1",
    "3ffe::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fe00::1",
    # written otherwise
    "127.1",
    "0x7f000001",
    "0177.0.0.1",
    "0:0:0:0:0:ffff:7f00:1",
    "localhost",
]


PUBLIC = ["8.8.8.8", "192.0.1.1", "::ffff:8.8.8.8", "2001:4860:4860::8888", "2606:4700::1111", "2a00:1450::1"]
# What is before the IPv4 address in an IPv6 address that leads to it, and how many bits are behind it.
EMBEDDED = {
    "compatible": (0, 0),
    "mapped": (0xFFFF << 32, 0),
    "translated": (0xFFFF << 48, 0),
    "NAT64": (int(IPv6Address("64:ff9b::")), 0),
    "6to4": (0x2002 << 112, 80),
    "ISATAP": (int(IPv6Address("2a00:1450::5efe:0:0")), 0),
    "Teredo": (0x20010000 << 96, 0),
}


@pytest.mark.parametrize("host", PRIVATE)
def test_only_hosts_on_the_internet_are_reached(host: str) -> None:
    with pytest.raises(PrivateAddress):
        resolve_allowed_addresses(host, 443, [], "SETTING")


@pytest.mark.parametrize("host", PUBLIC)
def test_hosts_on_the_internet_are_reached(host: str) -> None:
    assert [is_own for _address, is_own in resolve_allowed_addresses(host, 443, [], "SETTING")] == [False]


@pytest.mark.parametrize("way", EMBEDDED)
@given(inside=st.integers(0, 2**24 - 1))
def test_no_way_from_ipv6_leads_to_a_private_address(way: str, inside: int) -> None:
    before, shift = EMBEDDED[way]
    private = int(IPv4Address("10.0.0.0")) + inside
    with pytest.raises(PrivateAddress):
        resolve_allowed_addresses(str(IPv6Address(before | private << shift)), 443, [], "SETTING")


def test_a_name_with_one_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in ("93.184.216.34", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(PrivateAddress):
        resolve_allowed_addresses("rebinding.example", 443, [], "SETTING")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found[:1])
    assert [str(address) for address, _ in resolve_allowed_addresses("public.example", 443, [], "SETTING")] == [
        "93.184.216.34"
    ]
