"""Which adapter reads what a platform posts, and which signature it bears. PURE."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from service.platforms import coop, coral, discourse, generic, mastodon
from service.platforms.payload import Payload
from service.platforms.signatures import SCHEME_BY_PLATFORM, Scheme, check_secret

_READ_BY_PLATFORM: dict[str, Callable[[object, datetime], Payload]] = {
    "discourse": discourse.read,
    "mastodon": mastodon.read,
    "coral": coral.read,
    "coop": coop.read,
}


def scheme_of(platform: str, mapping: Mapping[str, Any] | None = None) -> Scheme:
    """How the platform proves who it is. Raises BadMapping for a generic source's mapping that cannot be used."""
    return SCHEME_BY_PLATFORM.get(platform) or _checked(mapping).scheme


def read(platform: str, document: object, now: datetime, mapping: Mapping[str, Any] | None = None) -> Payload:
    """What a verified document holds; `now` dates what bears no time.

    Raises Unusable for what the platform does not send.
    """
    reads = _READ_BY_PLATFORM.get(platform)
    return generic.read(document, _checked(mapping)) if reads is None else reads(document, now)


def check(platform: str, secret: str | None, mapping: Mapping[str, Any] | None) -> None:
    """Asked before a source of a platform that posts is stored.

    Raises ValueError for a mapping or secret that cannot be used.
    """
    scheme = scheme_of(platform, mapping)
    if secret is not None:
        check_secret(scheme, secret)


def _checked(mapping: Mapping[str, Any] | None) -> generic.FieldMap:
    return _compiled(None if mapping is None else json.dumps(mapping))


@lru_cache(maxsize=256)
def _compiled(mapping: str | None) -> generic.FieldMap:
    return generic.read_mapping(None if mapping is None else json.loads(mapping))
