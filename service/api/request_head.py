"""What a request's header must hold once, and how it says where it goes (RFC 9112, sections 3.2 and 6.3). PURE.

A proxy and this service must not read a header differently: where two fields or two places may disagree, a request is
refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# A name or an address, perhaps with a port; no user, no path, no list.
_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]+)(:[0-9]{1,5})?")
_ONCE = (b"host", b"authorization", b"content-length", b"content-type", b"origin")


def fault_of_head(http_version: str, target: bytes, fields: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Why a header is refused; None: it is not. Names of `fields` are in lower case."""
    counts = dict.fromkeys(_ONCE, 0)
    host = b""
    for name, value in fields:
        if name in counts:
            counts[name] += 1
            host = value if name == b"host" else host
    for name, count in counts.items():
        if count > 1:
            return f"request has {count} {name.decode().title()} fields; expected one"
    if counts[b"host"] == 0:
        return None if http_version == "1.0" else "request has no Host field"
    if not _HOST.fullmatch(host):
        return "the Host field is not a host name or address with an optional port"
    scheme, mark, rest = target.partition(b"://")
    if mark and b"/" not in scheme and re.split(rb"[/?#]", rest, maxsplit=1)[0].lower() != host.lower():
        return "the host in the request's target differs from the Host field"
    return None
