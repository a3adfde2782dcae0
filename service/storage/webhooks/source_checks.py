"""What has to be right about a source before it is stored."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from service.errors import Refused
from service.intake.namespaces import NAMESPACE_SYNTAX, is_namespace
from service.platforms import registry

MAX_SECRET_CHARACTERS = 4_096
MAX_URL_CHARACTERS = 2_048
_PRINTABLE = re.compile(r"[\x20-\x7e]+\Z")


def is_poller(platform: str, url: str | None) -> bool:
    """Whether a source of this platform with this URL is polled; otherwise it posts."""
    return platform in registry.POLLED and url is not None


def has_bare_ids(platform: str, url: str | None, namespace: str | None) -> bool:
    """Whether what such a source brings keeps the platform's own ids. A webhook of a polled platform brings nothing: it
    only wakes the poller.
    """
    return namespace is None and (is_poller(platform, url) or platform not in registry.POLLED)


def check_namespace(namespace: str | None) -> None:
    """Raises Refused for text that is not a namespace."""
    if namespace is not None and not is_namespace(namespace):
        raise Refused(f"{namespace[:40]!r} is not a valid namespace: use {NAMESPACE_SYNTAX}")


def check_shared_ids(platform: str, bare: Collection[str]) -> None:
    """Raises Refused for a source with bare ids beside one of its platform; `bare` as in `shared_ids_warning`."""
    if platform in bare:
        raise Refused(
            f"{platform} is already connected without a namespace. Two installations of one platform number their"
            " complaints, accounts and content alike, so most of what the second one sends would be taken for what the"
            " first one sent. Give the new connection a namespace, which is put before its IDs. Only a second"
            " connection of the same installation needs none",
            command_hint=" (--namespace NAME, or --same-installation)",
        )


def shared_ids_warning(bare: Iterable[str]) -> str | None:
    """What to know where several sources bring bare ids; `bare` has the platform of each."""
    counts = Counter(bare)
    if counts.total() < 2:
        return None
    named = [platform if number == 1 else f"{platform} ({number} times)" for platform, number in sorted(counts.items())]
    return (
        f"Connected without a namespace: {', '.join(named)}. Equal IDs from these connections count as the same"
        " complaint, account or target. If that is wrong, remove all but one of them and add them again with a"
        " namespace; what they sent before keeps its IDs."
    )


def check_url(platform: str, url: str | None) -> None:
    """Raises Refused for an address that cannot be one, and without one where the platform is only polled."""
    if url is None:
        if platform not in registry.POSTING:
            raise Refused(
                f"{platform} does not post and has to be polled: its URL is required",
                command_hint="; give it with --url",
            )
        return
    try:
        parts = urlsplit(url)
        fits = (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and not parts.username
            and not parts.password
            and not parts.fragment
            and (parts.port is None or parts.port > 0)
        )
    except ValueError:
        fits = False
    if not fits or len(url) > MAX_URL_CHARACTERS or not _PRINTABLE.match(url) or " " in url:
        raise Refused(
            f"{url[:200]!r} is not a valid address such as https://forum.example: http or https, a host, no user, no"
            f" fragment, at most {MAX_URL_CHARACTERS} characters"
        )


def check_secret(platform: str, url: str | None, secret: str | None, mapping: Mapping[str, Any] | None) -> None:
    """Raises Refused for a secret that the platform cannot sign with, and without one where it needs one."""
    if secret is None:
        if is_poller(platform, url) or not registry.may_be_unsigned(platform):
            raise Refused(
                f"{platform} requires a secret",
                command_hint=": give it with --secret-file FILE, or - for standard input",
            )
        return
    try:
        if is_poller(platform, url):
            registry.check_token(platform, secret)
        else:
            registry.check(platform, secret, mapping)
    except ValueError as error:
        raise Refused(f"{platform}: {error}") from None
    if not secret or not secret.isprintable() or secret != secret.strip() or len(secret) > MAX_SECRET_CHARACTERS:
        raise Refused(
            f"invalid secret: it must have 1 to {MAX_SECRET_CHARACTERS} printable characters and no space at either end"
        )
