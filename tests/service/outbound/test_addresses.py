"""What is inside, and what an operator can open."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.outbound.addresses import is_inside, is_metadata, parse_openings, refusal

INSIDE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "168.63.129.16",
    "::",
    "::1",
    "::2",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:0:10.0.0.1",
    "::ffff:0:8.8.8.8",
    "64:ff9b::10.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b:1::8.8.8.8",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "fd00:ec2::254",
    "2606:4700::5efe:10.0.0.1",
    "2606:4700::200:5efe:192.168.1.1",
]
OUTSIDE = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.1",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2606:4700::1111",
    "2a00:1450:4001::1",
    "2001:4860:4860::8888",
    "2003::1",
    "3ffe::1",
    "2606:4700::5efe:8.8.8.8",
]
METADATA = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.0.23",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fd00:c1::a9fe:a9fe",
    "fd00:42::42",
    "fe80::a9fe:a9fe",
    "::ffff:169.254.169.254",
    "::169.254.169.254",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::169.254.169.254",
    "2002:a9fe:a9fe::",
    "2001:0:a9fe:a9fe::",
    "2001:0:4136:e378:8000:63bf:5601:5601",
    "::ffff:0:169.254.169.254",
    "2606:4700::5efe:169.254.169.254",
    "fe80::1%eth0",
]


@pytest.mark.parametrize("text", INSIDE)
def test_what_is_inside_is_refused(text: str) -> None:
    assert is_inside(ip_address(text))
    assert refusal(ip_address(text), 443) is not None


@pytest.mark.parametrize("text", OUTSIDE)
def test_what_is_public_is_not(text: str) -> None:
    assert not is_inside(ip_address(text))
    assert refusal(ip_address(text), 443) is None


@pytest.mark.parametrize("text", METADATA)
def test_metadata_is_never_asked_whatever_is_opened(text: str) -> None:
    everything = parse_openings("0.0.0.0/0:80,[::]/0:80")
    assert is_metadata(ip_address(text))
    assert "metadata" in str(refusal(ip_address(text), 80, everything))


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_an_ipv4_address_inside_stays_inside_however_it_is_wrapped(address: IPv4Address) -> None:
    number = int(address)
    for wrapped in (0xFFFF << 32 | number, 0x64FF9B << 96 | number, 0x2606_4700 << 96 | 0x5EFE << 32 | number):
        assert is_inside(IPv6Address(wrapped)) == is_inside(address)
    for refused_as_such in (number, 0x2002 << 112 | number << 80, 0xFFFF << 48 | number):
        assert is_inside(IPv6Address(refused_as_such))


@given(st.integers(0, 2**128 - 1).map(IPv6Address))
def test_an_ipv6_address_outside_is_global_unicast_or_carries_a_public_ipv4_one(address: IPv6Address) -> None:
    if not is_inside(address):
        assert int(address) >> 125 == 1 or address.ipv4_mapped is not None or int(address) >> 32 == 0x64FF9B << 64


def test_an_opening_holds_for_its_network_and_port_alone() -> None:
    openings = parse_openings(" 10.1.0.0/16:443 , [fd12::]/16:8443,127.0.0.1:9000,[::1]:9000 ")
    assert len(openings) == 4
    for text, port in (
        ("10.1.2.3", 443),
        ("::ffff:10.1.2.3", 443),
        ("fd12::9", 8443),
        ("127.0.0.1", 9000),
        ("::1", 9000),
        ("8.8.8.8", 1),
    ):
        assert refusal(ip_address(text), port, openings) is None
    for text, port in (
        ("10.1.2.3", 80),
        ("10.2.0.1", 443),
        ("fd13::9", 8443),
        ("127.0.0.2", 9000),
        ("127.0.0.1", 9001),
    ):
        assert refusal(ip_address(text), port, openings) is not None


def test_nothing_is_open_by_default() -> None:
    assert parse_openings("") == parse_openings("  ") == ()


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.0/8",
        "10.0.0.0/8:",
        "10.0.0.0/8:0",
        "10.0.0.0/8:65536",
        "10.0.0.0/8:x",
        "10.0.0.0/8:٣",
        "10.0.0.1/8:443",
        "10.0.0.0/33:443",
        "host:443",
        ":443",
        "fd00::/8:443",
        "[10.0.0.0]/8:443",
        "[fd00::]/129:443",
        "[fd00::/8]:443",
        "10.0.0.0/8:443,",
        ",",
        "10.0.0.0/:443x",
        "10.0.0.0/8:999999999999999999999",
        "[fd00::1%eth0]/128:1x",
    ],
)
def test_what_cannot_be_read_is_named_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="BRIGADEWATCH_OUTBOUND_ALLOW: "):
        parse_openings(text)


@pytest.mark.parametrize(
    "text", ["169.254.169.254:80", "169.254.0.0/16:80", "[fe80::]/10:80", "100.100.100.200/32:80", "[fd00:ec2::254]:80"]
)
def test_metadata_cannot_be_opened(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be opened"):
        parse_openings(text)
