"""The network address that a request comes from, as attempts to sign in are counted by it."""

from __future__ import annotations

import ipaddress
import re

from starlette.requests import Request

_WITH_PORT = re.compile(r"\[([^\]]+)\](?::[0-9]+)?|([0-9.]+):[0-9]+")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def address_of(request: Request) -> str:
    """An IPv4 address, or an IPv6 /64 network (usually one household).

    It is the peer's, or what a trusted proxy says (FORWARDED_ALLOW_IPS, docs/deploy.md).
    """
    return counted_address(request.client.host if request.client else "unknown")


def counted_address(host: str) -> str:
    """What `host` is counted as. A port that a proxy appends is dropped: each connection would be an address of its
    own. IPv4 inside IPv6 (mapped, NAT64, 6to4) is IPv4.
    """
    found = _WITH_PORT.fullmatch(host)
    text = (found[1] or found[2]) if found else host
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return "".join(c for c in host[:31] if c.isprintable() and c != " ") or "unknown"
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address in _NAT64:
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return str(inner) if inner else str(ipaddress.ip_network((address, 64), strict=False))
