"""Sources: a tenant's inbound connections, each with its secret, mapping and (if polled) position.

A source that posts is known by the unguessable end of its path. Its row is read at every delivery, never remembered:
changes made with `sources` apply as soon as the command has ended. Removing a source deletes its secrets.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, Row, Select, insert, or_, select, update

from service.errors import NotFound, Refused
from service.model import JsonObject
from service.platforms import registry
from service.storage.accounts import audit_log
from service.storage.accounts.secret_box import SecretBox
from service.storage.sql import timers
from service.storage.sql.engine import lock_tenant
from service.storage.sql.schema import sources, tenants

ID_PREFIX = "src_"
OVERLAP_SECONDS = 86_400  # how long the secret before a rotation is accepted too, by default
MAX_SECRET_CHARACTERS = 4_096
MAX_URL_CHARACTERS = 2_048
_ID = re.compile(ID_PREFIX + r"[0-9a-f]{48}\Z")
_PRINTABLE = re.compile(r"[\x20-\x7e]+\Z")


@dataclass(frozen=True, slots=True)
class Source:
    """One connection. `secret` and `previous_secret` are sealed: `open_secrets` opens them."""

    id: str
    tenant_id: int
    tenant: str
    platform: str
    url: str | None  # of a poller: the address to poll; otherwise for display only
    secret: str | None = field(repr=False)
    previous_secret: str | None = field(repr=False)
    previous_until_us: int | None
    mapping: JsonObject | None  # of the generic platform
    created_us: int
    cursor: JsonObject | None  # of a poller, as are the rest
    next_poll_us: int | None
    polled_us: int | None  # the latest poll that succeeded
    failures: int  # in a row
    last_error: str | None

    @property
    def polled(self) -> bool:
        """Whether it is polled; otherwise it posts."""
        return _is_poller(self.platform, self.url)

    @property
    def path(self) -> str:
        """Where the platform posts to."""
        return f"/v1/webhooks/{self.platform}/{self.id}"


def open_secrets(source: Source, box: SecretBox, now_us: int) -> tuple[str, ...]:
    """The secrets that are valid now, the newest first; none for a source that has none.

    Raises Refused when no key opens them.
    """
    sealed = [source.secret]
    if source.previous_until_us is not None and now_us < source.previous_until_us:
        sealed.append(source.previous_secret)
    return tuple(box.open(text) for text in sealed if text is not None)


def add_source(
    connection: Connection,
    box: SecretBox,
    tenant_id: int,
    platform: str,
    *,
    secret: str | None,
    url: str | None = None,
    mapping: Mapping[str, Any] | None = None,
    now_us: int,
    actor: str = "cli",
) -> Source:
    """Make a source in the caller's writing transaction; a poller is due at once.

    Raises Refused for an unknown platform, a missing or impossible secret, a bad URL or mapping.
    """
    if platform not in registry.PLATFORM_BY_NAME:
        raise Refused(f"unknown platform {platform[:40]!r}; known: {', '.join(registry.PLATFORM_BY_NAME)}")
    _check_url(platform, url)
    if mapping is not None and platform != "generic":
        raise Refused(f"only the platform generic takes a mapping; {platform} has a payload of its own")
    _check_secret(platform, url, secret, mapping)
    identifier = ID_PREFIX + secrets.token_hex(24)
    connection.execute(
        insert(sources).values(
            id=identifier,
            tenant_id=tenant_id,
            platform=platform,
            url=url,
            secret=None if secret is None else box.seal(secret),
            mapping=None if mapping is None else json.dumps(mapping),
            created_us=now_us,
            next_poll_us=now_us if _is_poller(platform, url) else None,
        )
    )
    if _is_poller(platform, url):
        timers.at_latest(connection, tenant_id, "poll", now_us)
    _audit(
        connection,
        tenant_id,
        "source added",
        identifier,
        {"platform": platform, "url": url, "signed": secret is not None},
        now_us,
        actor,
    )
    return source_of(connection, tenant_id, identifier)


def rotate_secret(
    connection: Connection,
    box: SecretBox,
    tenant_id: int,
    identifier: str,
    secret: str,
    *,
    now_us: int,
    overlap_seconds: int = OVERLAP_SECONDS,
    actor: str = "cli",
) -> Source:
    """Give the source a new secret; the present one is valid beside it for `overlap_seconds` (0: not at all).

    A poller has one token at a time, and is polled again at once. Raises NotFound, and Refused for an invalid secret.
    """
    lock_tenant(connection, tenant_id)
    source = source_of(connection, tenant_id, identifier)
    _check_secret(source.platform, source.url, secret, source.mapping)
    overlap = source.secret is not None and overlap_seconds > 0 and not source.polled
    changes: dict[str, Any] = {
        "secret": box.seal(secret),
        "previous_secret": source.secret if overlap else None,
        "previous_until_us": now_us + overlap_seconds * 1_000_000 if overlap else None,
    }
    if source.polled:
        changes |= {"failures": 0, "last_error": None, "next_poll_us": now_us}
        timers.at_latest(connection, tenant_id, "poll", now_us)
    connection.execute(update(sources).where(sources.c.id == identifier).values(changes))
    _audit(
        connection,
        tenant_id,
        "source rotated",
        identifier,
        {"platform": source.platform, "overlap_seconds": overlap_seconds if overlap else 0},
        now_us,
        actor,
    )
    return source_of(connection, tenant_id, identifier)


def remove_source(connection: Connection, tenant_id: int, identifier: str, *, now_us: int, actor: str = "cli") -> None:
    """Remove a source: its path answers as if it had never existed, its secrets are deleted. Raises NotFound."""
    source = source_of(connection, tenant_id, identifier)
    connection.execute(
        update(sources)
        .where(sources.c.id == identifier)
        .values(removed_us=now_us, secret=None, previous_secret=None, previous_until_us=None, next_poll_us=None)
    )
    _audit(connection, tenant_id, "source removed", identifier, {"platform": source.platform}, now_us, actor)


def source_of(connection: Connection, tenant_id: int, identifier: str) -> Source:
    """The tenant's source. Raises NotFound: removed ones and those of others never existed."""
    row = connection.execute(_statement().where(sources.c.id == identifier, sources.c.tenant_id == tenant_id)).first()
    if row is None:
        raise NotFound("no source has this id")
    return _source(row)


def find_source(connection: Connection, platform: str, identifier: str) -> Source | None:
    """The source that posts to this path, of any tenant; None for one that does not post, was removed or never
    existed.
    """
    if not _ID.match(identifier):  # text of another form cannot be an id: no query needed
        return None
    row = connection.execute(_statement().where(sources.c.id == identifier, sources.c.platform == platform)).first()
    found = None if row is None else _source(row)
    return None if found is None or found.polled else found


def list_sources(connection: Connection, tenant_id: int, *, after: str = "", limit: int = 1_000) -> list[Source]:
    """The tenant's sources by id, those behind `after`."""
    statement = (
        _statement().where(sources.c.tenant_id == tenant_id, sources.c.id > after).order_by(sources.c.id).limit(limit)
    )
    return [_source(row) for row in connection.execute(statement)]


def pollers(connection: Connection, tenant_id: int) -> list[Source]:
    """The tenant's polled sources, the one due first in front; due is `next_poll_us` <= now (null: at once)."""
    statement = _statement().where(
        sources.c.tenant_id == tenant_id, sources.c.platform.in_(registry.POLLED), sources.c.url.is_not(None)
    )
    return [
        _source(row)
        for row in connection.execute(statement.order_by(sources.c.next_poll_us.asc().nulls_first(), sources.c.id))
    ]


def lock_source(connection: Connection, source: Source) -> Source | None:
    """The source, locked until the transaction ends; None: it was removed."""
    row = connection.execute(_statement().where(sources.c.id == source.id).with_for_update(of=sources)).first()
    return None if row is None else _source(row)


def claim_poll(connection: Connection, source: Source, next_poll_us: int) -> bool:
    """At the start of a poll, set when the next one is due, so that a request to poll meanwhile is not lost.

    False: it was removed.
    """
    return _update_unless_removed(connection, source, {"next_poll_us": next_poll_us})


def record_cursor(connection: Connection, source: Source, cursor: Mapping[str, Any]) -> bool:
    """Store a poll's position between two pages; everything before it is in the stream.

    False: the source was removed.
    """
    return _update_unless_removed(connection, source, {"cursor": json.dumps(cursor)})


def record_poll(
    connection: Connection,
    source: Source,
    *,
    next_poll_us: int,
    cursor: Mapping[str, Any] | None,
    polled_us: int | None = None,
    failures: int = 0,
    last_error: str | None = None,
) -> bool:
    """Store a source's state after a poll. `polled_us` None: the poll failed, the time of the last success stays.

    False when the source was removed meanwhile: nothing is written then.
    """
    values: dict[str, Any] = {
        "next_poll_us": next_poll_us,
        "cursor": None if cursor is None else json.dumps(cursor),
        "failures": failures,
        "last_error": last_error,
    }
    if polled_us is not None:
        values["polled_us"] = polled_us
    return _update_unless_removed(connection, source, values)


def wake_pollers(connection: Connection, tenant_id: int, platform: str, now_us: int) -> int:
    """Make the tenant's pollers of a platform due now; returns how many there are.

    One that backs off after failures is left alone.
    """
    mine = (
        (sources.c.tenant_id == tenant_id)
        & (sources.c.platform == platform)
        & sources.c.url.is_not(None)
        & sources.c.removed_us.is_(None)
        & (sources.c.failures == 0)
    )
    sooner = or_(sources.c.next_poll_us.is_(None), sources.c.next_poll_us > now_us)
    woken = connection.execute(update(sources).where(mine, sooner).values(next_poll_us=now_us)).rowcount
    if woken:
        timers.at_latest(connection, tenant_id, "poll", now_us)
    return woken


def _update_unless_removed(connection: Connection, source: Source, values: Mapping[str, Any]) -> bool:
    """Write these columns; False, and nothing is written, if the source was removed."""
    mine = (sources.c.id == source.id) & sources.c.removed_us.is_(None)
    return connection.execute(update(sources).where(mine).values(values)).rowcount > 0


def _statement() -> Select[Any]:
    return (
        select(sources, tenants.c.name.label("tenant"))
        .join(tenants, tenants.c.id == sources.c.tenant_id)
        .where(sources.c.removed_us.is_(None))
    )


def _source(row: Row[Any]) -> Source:
    return Source(
        id=row.id,
        tenant_id=row.tenant_id,
        tenant=row.tenant,
        platform=row.platform,
        url=row.url,
        secret=row.secret,
        previous_secret=row.previous_secret,
        previous_until_us=row.previous_until_us,
        mapping=None if row.mapping is None else json.loads(row.mapping),
        created_us=row.created_us,
        cursor=None if row.cursor is None else json.loads(row.cursor),
        next_poll_us=row.next_poll_us,
        polled_us=row.polled_us,
        failures=row.failures,
        last_error=row.last_error,
    )


def _is_poller(platform: str, url: str | None) -> bool:
    return platform in registry.POLLED and url is not None


def _check_url(platform: str, url: str | None) -> None:
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


def _check_secret(platform: str, url: str | None, secret: str | None, mapping: Mapping[str, Any] | None) -> None:
    if secret is None:
        if _is_poller(platform, url) or not registry.may_be_unsigned(platform):
            raise Refused(
                f"{platform} requires a secret",
                command_hint=": give it with --secret-file FILE, or - for standard input",
            )
        return
    try:
        if _is_poller(platform, url):
            registry.check_token(platform, secret)
        else:
            registry.check(platform, secret, mapping)
    except ValueError as error:
        raise Refused(f"{platform}: {error}") from None
    if not secret or not secret.isprintable() or secret != secret.strip() or len(secret) > MAX_SECRET_CHARACTERS:
        raise Refused(
            f"invalid secret: it must have 1 to {MAX_SECRET_CHARACTERS} printable characters and no space at either end"
        )


def _audit(
    connection: Connection,
    tenant_id: int,
    action: str,
    identifier: str,
    detail: Mapping[str, Any],
    now_us: int,
    actor: str,
) -> None:
    # Only the end of the id: readers of the trail must not be able to post.
    audit_log.enter(
        connection,
        tenant_id,
        actor=actor,
        action=action,
        subject=f"source:…{identifier[-6:]}",
        now_us=now_us,
        detail=detail,
    )
