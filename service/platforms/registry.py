"""All platforms by name, and what the rest of the service asks about one. PURE."""

from __future__ import annotations

from datetime import datetime
from importlib import import_module

from service.platforms import NAMES
from service.platforms.field_map import BadMapping
from service.platforms.payload import Payload
from service.platforms.platform import Mapped, Platform
from service.platforms.signatures import Scheme, check_secret


def _declared(name: str) -> Platform:
    platform = import_module(f"service.platforms.{name}").PLATFORM
    if not isinstance(platform, Platform) or platform.name != name:
        raise ValueError(f"service/platforms/{name}.py has to declare PLATFORM with the name {name!r}")
    return platform


PLATFORM_BY_NAME = {name: _declared(name) for name in NAMES}
POSTING = tuple(name for name, platform in PLATFORM_BY_NAME.items() if platform.read is not None)
POLLED = tuple(name for name, platform in PLATFORM_BY_NAME.items() if platform.poller is not None)
WORDS_BY_PLATFORM = {name: platform.words for name, platform in PLATFORM_BY_NAME.items()}


def scheme_of(platform: str, mapping: Mapped = None) -> Scheme:
    """How the platform signs what it posts.

    Raises BadMapping if the signature in the field map of a generic source is not valid, KeyError for a platform that
    does not post.
    """
    scheme = PLATFORM_BY_NAME[platform].scheme
    if scheme is None:
        raise KeyError(platform)
    return scheme(mapping)


def read(platform: str, document: object, now: datetime, mapping: Mapped = None) -> Payload:
    """What a verified document contains; `now` dates what has no time.

    Raises Unusable for a document that the platform does not send, BadMapping for a field map that is not valid (any
    more), KeyError for a platform that does not post.
    """
    reads = PLATFORM_BY_NAME[platform].read
    if reads is None:
        raise KeyError(platform)
    return reads(document, now, mapping)


def may_be_unsigned(platform: str) -> bool:
    """Whether the platform can post without a signature if no secret is set."""
    return PLATFORM_BY_NAME[platform].may_be_unsigned


def check_mapping(platform: str, mapping: Mapped) -> None:
    """Raises BadMapping for a field map that is not valid: one that was stored may have passed older rules."""
    checks = PLATFORM_BY_NAME[platform].check
    if checks is not None:
        checks(mapping)


def mapping_problem(platform: str, mapping: Mapped) -> str | None:
    """Why posts cannot be read by this stored field map; None if they can."""
    try:
        check_mapping(platform, mapping)
    except BadMapping as error:
        return str(error)
    return None


def check(platform: str, secret: str | None, mapping: Mapped) -> None:
    """Check a source of a platform that posts, before it is stored.

    Raises ValueError for a field map or secret that is not valid.
    """
    check_mapping(platform, mapping)
    scheme = scheme_of(platform, mapping)
    if secret is not None:
        check_secret(scheme, secret)


def check_token(platform: str, secret: str) -> None:
    """Check the secret of a source that is polled, before it is stored. Raises ValueError for one that cannot work."""
    poller = PLATFORM_BY_NAME[platform].poller
    if poller is not None:
        poller.authorization(secret)
