"""May a request go to this address?

Pure: the caller has resolved the name, and connects to exactly the address that was checked.

"Inside" is everything but the public internet: a webhook's URL is chosen by a customer, so it must not reach anything
that only this machine, its network or its cloud can. Operators can open exceptions, but never for link-local addresses,
where clouds keep their metadata, and with it credentials.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from service.errors import BrigadewatchError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# The special-purpose registries of IANA (IPv4 and IPv6), less the few entries that are ordinary public addresses.
# Listed here, since what the standard library calls private or global has changed between its releases.
_INSIDE_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",  # private
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local
        "192.0.0.0/24",
        "192.88.99.0/24",  # protocol assignments, the former 6to4 relay
        "192.0.2.0/24",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "198.18.0.0/15",  # documentation, benchmarks
        "224.0.0.0/4",
        "240.0.0.0/4",  # multicast, reserved and broadcast
    )
)
_PUBLIC_V6 = IPv6Network("2000::/3")  # everything else is loopback, unique local, link-local, multicast or reserved
_INSIDE_V6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",
        "3fff::/20",  # documentation
        "2002::/16",  # 6to4, given up by RFC 7526
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")  # what a host without IPv4 reaches the public IPv4 internet by
_METADATA = tuple(
    ip_network(text)
    for text in (
        "169.254.0.0/16",
        "fe80::/10",
        "100.100.100.200/32",
        "168.63.129.16/32",
        "192.0.0.192/32",  # Alibaba, Azure, Oracle
        "fd00:ec2::/32",
        "fd20:ce::/32",
        "fd00:c1::/32",
        "fd00:42::/32",  # AWS, Google, Oracle, Scaleway
    )
)


class OutboundRefused(BrigadewatchError):
    """The request would have gone to an address that is not allowed; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Opening:
    """An exception that the operator makes: this network inside may be reached on this port."""

    network: Network
    port: int


def parse_openings(text: str) -> tuple[Opening, ...]:
    """The exceptions of BRIGADEWATCH_OUTBOUND_ALLOW, like `10.1.0.0/16:443,[fd00::]/8:8443,127.0.0.1:9000`.

    Raises ValueError naming the part that cannot be read.
    """
    return tuple(_opening(part.strip()) for part in text.split(",")) if text.strip() else ()


def _opening(part: str) -> Opening:
    what = f"BRIGADEWATCH_OUTBOUND_ALLOW: {part[:80]!r}"
    where, _, port_text = part.rpartition(":")
    if not (port_text.isascii() and port_text.isdigit() and len(port_text) <= 5 and 1 <= int(port_text) <= 65_535):
        raise ValueError(
            f"{what}: missing or invalid port (1 to 65535); write CIDR:port, like 10.1.0.0/16:443 or [fd00::]/8:8443"
        )
    host, _, length = where.partition("/")
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        network = ip_network(f"{host[1:-1] if bracketed else host}{'/' if length else ''}{length}")
    except ValueError as error:
        raise ValueError(
            f"{what}: not a valid network ({error}); write CIDR:port, like 10.1.0.0/16:443 or [fd00::]/8:8443"
        ) from None
    if bracketed != (network.version == 6):
        raise ValueError(f"{what}: write IPv6 networks in brackets, like [fd00::]/8:8443, and IPv4 networks without")
    if any(network.version == other.version and network.subnet_of(other) for other in _METADATA):  # type: ignore[arg-type]  # of one version
        raise ValueError(f"{what}: link-local addresses and the metadata addresses of clouds cannot be opened")
    return Opening(network, int(port_text))


def refusal(address: Address, port: int, openings: Iterable[Opening] = ()) -> str | None:
    """Why a request to this address and port is not allowed; None: it is."""
    address = _plain(address)
    if is_metadata(address):
        return f"{address} is link-local or the metadata address of a cloud, where requests are never allowed"
    if not is_inside(address) or any(address in opening.network and port == opening.port for opening in openings):
        return None
    return f"{address} is not a public address; an operator can allow it with BRIGADEWATCH_OUTBOUND_ALLOW"


def is_inside(address: Address) -> bool:
    """Whether it is anything but a public unicast address, itself or by an IPv4 address that it carries."""
    address = _plain(address)
    if isinstance(address, IPv4Address):
        return any(address in network for network in _INSIDE_V4) or is_metadata(address)
    if address not in _NAT64 and (address not in _PUBLIC_V6 or any(address in network for network in _INSIDE_V6)):
        return True
    return any(is_inside(carried) for carried in _carried(address))


def is_metadata(address: Address) -> bool:
    """Whether a cloud may answer there with what only this machine should know."""
    address = _plain(address)
    if any(address in network for network in _METADATA):
        return True
    return isinstance(address, IPv6Address) and any(is_metadata(carried) for carried in _carried(address))


def _plain(address: Address) -> Address:
    if not isinstance(address, IPv6Address):
        return address
    if address.ipv4_mapped is not None:  # the socket layer connects to the IPv4 address
        return address.ipv4_mapped
    return IPv6Address(int(address)) if address.scope_id else address


def _carried(address: IPv6Address) -> Iterator[IPv4Address]:
    """The IPv4 addresses that a gateway could find in it."""
    bits = int(address)
    last = IPv4Address(bits & 0xFFFF_FFFF)
    # IPv4-compatible, translated, NAT64
    if bits >> 32 in (0, 0xFFFF_0000) or address in _NAT64 or address in IPv6Network("64:ff9b:1::/48"):
        yield last
    if (bits >> 32) & 0xFCFF_FFFF == 0x0000_5EFE:  # ISATAP
        yield last
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo


def parse_address(text: str) -> Address | None:
    """The address that a text is in its usual form; None for a name."""
    try:
        return ip_address(text)
    except ValueError:
        return None
