"""Sessions of the console, and the lock-out after wrong passwords.

A session is 32 random bytes in a cookie. Only their SHA-256 is stored, so a copy of the database lets nobody in. It
ends 12 h after the last request, 7 days after sign-in, at sign-out, and with the account.

Attempts to sign in are counted before the password is checked (parallel attempts gain nothing), for each account and
for each address. After FREE_ATTEMPTS of them in a row, each further one doubles a wait, up to LONGEST_WAIT_SECONDS:
long enough against guessing, short enough that nobody can keep a moderator out for a day.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from service.storage.accounts import audit_log
from service.storage.accounts.sign_in_rules import factor_due
from service.storage.accounts.users import NO_PASSWORD, Role
from service.storage.sql.engine import insert_rows
from service.storage.sql.schema import sessions, sign_in_addresses, tenants, users

IDLE_SECONDS = 12 * 3_600
ABSOLUTE_SECONDS = 7 * 86_400
TOUCH_SECONDS = 300  # how old `seen_us` may get before a request updates it: the precision of the idle time-out
FREE_ATTEMPTS = 5  # of an account; an address, which may be a whole newsroom's, has four times as many
FREE_ATTEMPTS_OF_ADDRESS = 20
FIRST_WAIT_SECONDS = 30
LONGEST_WAIT_SECONDS = 900
FORGET_SECONDS = 86_400  # an address without attempts for this long starts again from zero
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A valid session and its user."""

    hash: str
    user_id: int
    name: str
    tenant_id: int
    tenant: str
    role: Role
    csrf: str
    preferences: dict[str, Any]
    flash: str | None
    seen_us: int
    one_time: bool  # the password must be changed first
    via: str = "password"  # or "sso": opened by an identity provider
    factor_due: bool = False  # the tenant requires a second factor, and the person has none yet


@dataclass(frozen=True, slots=True)
class SignInAttempt:
    """An attempt to sign in, already counted: `password_hash` to compare with (None: no such user), `user_id`
    with it.
    """

    verdict: Literal["try", "locked", "address-locked"]
    wait_seconds: int = 0  # of an address that is locked
    user_id: int | None = None
    password_hash: str | None = None
    locks_until_us: int | None = None  # one attempt too many: the account is locked unless the password is right


def begin_attempt(connection: Connection, tenant: str, name: str, address: str, now_us: int) -> SignInAttempt:
    """Count an attempt and return whether the password may be checked. Part of a writing transaction."""
    wait_us = _count_address(connection, address, now_us)
    if wait_us > 0:
        return SignInAttempt("address-locked", wait_seconds=-(-wait_us // _SECOND))
    c = users.c
    query = select(c.id, c.tenant_id, c.password_hash, c.failures, c.locked_until_us).join(
        tenants, tenants.c.id == c.tenant_id
    )
    row = connection.execute(
        query.where(tenants.c.name == tenant, c.name == name, c.disabled_us.is_(None)).with_for_update(of=users)
    ).first()
    if row is None:
        return SignInAttempt("try")
    if row.locked_until_us is not None and row.locked_until_us > now_us:
        return SignInAttempt("locked")
    failures = row.failures + 1
    locked_until_us = now_us + _wait_us(failures, FREE_ATTEMPTS) if failures >= FREE_ATTEMPTS else None
    connection.execute(update(users).where(c.id == row.id).values(failures=failures, locked_until_us=locked_until_us))
    # Without a password the same work is done as for an unknown name, so that time does not tell them apart.
    known = row.password_hash if row.password_hash != NO_PASSWORD else None
    return SignInAttempt("try", user_id=row.id, password_hash=known, locks_until_us=locked_until_us)


def note_failure(connection: Connection, attempt: SignInAttempt, address: str, now_us: int) -> None:
    """Record a wrong password; if that locks the account, add an audit entry."""
    user = connection.execute(
        select(users.c.tenant_id, users.c.name, users.c.failures).where(users.c.id == attempt.user_id)
    ).first()
    if user is not None and attempt.locks_until_us is not None:
        detail = {
            "attempts": user.failures,
            "seconds": (attempt.locks_until_us - now_us) // _SECOND,
            "address": address,
        }
        audit_log.enter(
            connection,
            user.tenant_id,
            actor="sign-in",
            action="user-locked",
            subject=f"user:{user.name}",
            now_us=now_us,
            detail=detail,
        )


def note_success(connection: Connection, attempt: SignInAttempt, address: str) -> None:
    """Reset the count of failures after a right password."""
    # first, in the same order as counting an attempt
    connection.execute(delete(sign_in_addresses).where(sign_in_addresses.c.address == address))
    connection.execute(update(users).where(users.c.id == attempt.user_id).values(failures=0, locked_until_us=None))


def open_session(
    connection: Connection,
    user_id: int,
    password_hash: str,
    address: str,
    now_us: int,
    *,
    new_password_hash: str | None = None,
) -> str | None:
    """Start a session after the password of `password_hash` was right, and return its token; None if the account was
    disabled in the meantime or has another password.
    """
    # The address first, in the same order as counting an attempt. The account is locked against being disabled, or
    # given another password, until the session is stored.
    connection.execute(delete(sign_in_addresses).where(sign_in_addresses.c.address == address))
    query = select(users.c.tenant_id, users.c.name).where(
        users.c.id == user_id, users.c.disabled_us.is_(None), users.c.password_hash == password_hash
    )
    user = connection.execute(query.with_for_update()).first()
    if user is None:
        return None
    rehashed = {} if new_password_hash is None else {"password_hash": new_password_hash}
    connection.execute(update(users).where(users.c.id == user_id).values(failures=0, locked_until_us=None, **rehashed))
    return start_session(connection, user.tenant_id, user_id, user.name, address, now_us)


def start_session(
    connection: Connection,
    tenant_id: int,
    user_id: int,
    name: str,
    address: str,
    now_us: int,
    *,
    seconds: int = ABSOLUTE_SECONDS,
    via: Literal["password", "sso"] = "password",
    provider_session: str | None = None,
    id_token_secret: str | None = None,
) -> str:
    """Store a session of somebody who has proven who they are, of at most `seconds`, and return its token.

    In a transaction that has locked the account. `provider_session` and `id_token_secret` (sealed) are what the
    provider knows it by.
    """
    connection.execute(delete(sessions).where(sessions.c.expires_us <= now_us))
    token = secrets.token_urlsafe(32)
    connection.execute(
        insert(sessions).values(
            hash=hash_of(token),
            user_id=user_id,
            csrf=secrets.token_urlsafe(32),
            created_us=now_us,
            seen_us=now_us,
            expires_us=now_us + min(seconds, ABSOLUTE_SECONDS) * _SECOND,
            via=via,
            provider_session=provider_session,
            id_token_secret=id_token_secret,
        )
    )
    audit_log.enter(
        connection,
        tenant_id,
        actor=name,
        action="sign-in",
        subject=f"user:{name}",
        now_us=now_us,
        detail={"address": address, **({} if via == "password" else {"via": via})},
    )
    return token


def read_session(connection: Connection, token: str, now_us: int) -> SessionRow | None:
    """The session of this token; None if it ended or never existed."""
    s, u = sessions.c, users.c
    query = (
        select(
            s.hash,
            s.user_id,
            u.name,
            u.tenant_id,
            tenants.c.name.label("tenant"),
            u.role,
            s.csrf,
            u.preferences,
            s.flash,
            s.seen_us,
            u.one_time,
            s.via,
            factor_due(s.via, u.id, u.tenant_id).label("factor_due"),
        )
        .join(users, u.id == s.user_id)
        .join(tenants, tenants.c.id == u.tenant_id)
        .where(s.hash == hash_of(token), u.disabled_us.is_(None), _not_expired(now_us))
    )
    row = connection.execute(query).first()
    return (
        None
        if row is None
        else SessionRow(
            *row[:7],
            preferences=json.loads(row.preferences),
            flash=row.flash,
            seen_us=row.seen_us,
            one_time=bool(row.one_time),
            via=row.via,
            factor_due=bool(row.factor_due),
        )
    )


def id_token_of(connection: Connection, session_hash: str) -> str | None:
    """The sealed ID token that a provider opened the session with."""
    return connection.scalar(select(sessions.c.id_token_secret).where(sessions.c.hash == session_hash))


def alive(connection: Connection, hashes: Collection[str], now_us: int) -> set[str]:
    """Those of the sessions (by the hash of their token) that are still valid."""
    s = sessions.c
    open_ones = (s.hash.in_(sorted(hashes)), users.c.disabled_us.is_(None), _not_expired(now_us))
    return set(connection.scalars(select(s.hash).join(users, users.c.id == s.user_id).where(*open_ones)))


def touch(connection: Connection, session_hash: str, now_us: int) -> None:
    """Record activity in the session."""
    connection.execute(update(sessions).where(sessions.c.hash == session_hash).values(seen_us=now_us))


def set_flash(connection: Connection, session_hash: str, text: str | None) -> None:
    """Set the message that the session's next page shows once; None clears it."""
    connection.execute(update(sessions).where(sessions.c.hash == session_hash).values(flash=text))


def close_sessions(connection: Connection, session: SessionRow, now_us: int, *, everywhere: bool) -> int:
    """Sign out of this session, or all of the person's; returns how many ended."""
    which = sessions.c.user_id == session.user_id if everywhere else sessions.c.hash == session.hash
    ended = connection.execute(delete(sessions).where(which)).rowcount
    detail = {"everywhere": everywhere, "sessions": ended}
    audit_log.enter(
        connection,
        session.tenant_id,
        actor=session.name,
        action="sign-out",
        subject=f"user:{session.name}",
        now_us=now_us,
        detail=detail,
    )
    return ended


def drop_session(connection: Connection, token: str) -> None:
    """End the session of this token, if there is one: signing in again leaves none behind."""
    connection.execute(delete(sessions).where(sessions.c.hash == hash_of(token)))


def count_sessions(connection: Connection, user_id: int, now_us: int) -> int:
    """Number of the person's open sessions."""
    open_ones = (sessions.c.user_id == user_id, _not_expired(now_us))
    return int(connection.scalar(select(func.count()).select_from(sessions).where(*open_ones)) or 0)


def hash_of(token: str) -> str:
    """The stored form of a session's token."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _not_expired(now_us: int) -> ColumnElement[bool]:
    """Of a row of `sessions`: neither too old nor idle for too long."""
    return (sessions.c.expires_us > now_us) & (sessions.c.seen_us > now_us - IDLE_SECONDS * _SECOND)


def _count_address(connection: Connection, address: str, now_us: int) -> int:
    """Microseconds that the address must wait; 0: the attempt is allowed and counted."""
    c = sign_in_addresses.c
    connection.execute(delete(sign_in_addresses).where(c.seen_us < now_us - FORGET_SECONDS * _SECOND))
    # Created or locked in one statement, so that two simultaneous first attempts count as two and the row cannot be
    # deleted in between, on either database.
    known = "ON CONFLICT (address) DO UPDATE SET failures = sign_in_addresses.failures"
    insert_rows(connection, sign_in_addresses, ("address", "failures", "seen_us"), [(address, 0, now_us)], known)
    row = connection.execute(select(c.failures, c.locked_until_us).where(c.address == address)).one()
    if row.locked_until_us is not None and row.locked_until_us > now_us:
        return int(row.locked_until_us - now_us)
    failures = row.failures + 1
    locked_until_us = (
        now_us + _wait_us(failures, FREE_ATTEMPTS_OF_ADDRESS) if failures >= FREE_ATTEMPTS_OF_ADDRESS else None
    )
    connection.execute(
        update(sign_in_addresses)
        .where(c.address == address)
        .values(failures=failures, seen_us=now_us, locked_until_us=locked_until_us)
    )
    return 0


def _wait_us(failures: int, free: int) -> int:
    doublings = min(failures - free, 16)
    return int(min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2**doublings) * _SECOND)
