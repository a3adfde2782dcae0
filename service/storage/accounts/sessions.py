"""Sessions of the console, and the lock-out after wrong passwords.

A session is 32 random bytes in a cookie. Only their SHA-256 is stored, so a copy of the database lets nobody in. It
ends 12 h after the last request, 7 days after sign-in (sooner where a provider opened it), at sign-out, and with the
account.

Attempts to sign in are counted before the password is checked, so that parallel attempts gain nothing: how, and who
waits then, is in sign_in_throttle.py and sign_in_devices.py. A person has at most MOST_SESSIONS; a further one ends the
one that was not used for longest.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from service.storage.accounts import audit_log, sign_in_devices, sign_in_throttle
from service.storage.accounts.sign_in_rules import factor_due
from service.storage.accounts.sign_in_throttle import OF_ACCOUNT, Charge, is_locked
from service.storage.accounts.users import NO_PASSWORD, Role
from service.storage.sql.schema import sessions, tenants, users

IDLE_SECONDS = 12 * 3_600
ABSOLUTE_SECONDS = 7 * 86_400
TOUCH_SECONDS = 300  # how old `seen_us` may get before a request updates it: the precision of the idle time-out
MOST_SESSIONS = 10  # of a person: several browsers on several machines
SIGNED_IN = "signed in"  # instead of an address: a password tried in an open session
_SECOND = 1_000_000
Via = Literal["password", "sso"]  # what opened a session: a password, or an identity provider


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
    via: Via = "password"
    factor_due: bool = False  # the tenant requires a second factor, and the person has none yet


@dataclass(frozen=True, slots=True)
class SignInAttempt:
    """An attempt to sign in, already counted: `password_hash` to compare with (None: no such user, one without a
    password, or it has to wait), `user_id` with it.
    """

    verdict: Literal["try", "locked", "address-locked"]
    wait_seconds: int = 0  # of an address that is locked
    user_id: int | None = None
    password_hash: str | None = None
    locks_until_us: int | None = None  # one attempt too many: a wait begins unless the password is right
    locked: Literal["address", "account", "device"] = "address"  # whose wait that is
    failures: int = 0  # with this one, of the same
    device: str | None = None  # the hash of the device that the account knows
    charges: tuple[Charge, ...] = ()  # what a success takes back
    account_counted: bool = False  # it counts for the account too, which waits until then:
    account_locked_until_us: int | None = None


def begin_attempt(
    connection: Connection, tenant: str, name: str, address: str, now_us: int, *, device: str | None = None
) -> SignInAttempt:
    """Count an attempt and return whether the password may be checked. Part of a writing transaction.

    `device` is what the browser's cookie holds for this account.
    """
    known = sign_in_devices.charge(connection, tenant, name, device, now_us)
    if known is not None and known.counted is None:
        return SignInAttempt("locked", device=known.hash)
    if known is not None and known.counted is not None:
        return SignInAttempt(
            "try",
            user_id=known.user_id,
            password_hash=_comparable(known.password_hash),
            locks_until_us=known.counted.locked_until_us,
            locked="device",
            failures=known.counted.failures,
            device=known.hash,
        )
    wait_us, charges = sign_in_throttle.charge_address(connection, address, now_us)
    if wait_us > 0:
        return SignInAttempt("address-locked", wait_seconds=-(-wait_us // _SECOND))
    account = sign_in_throttle.account_digest(tenant, name)
    _, here = sign_in_throttle.charge_account(connection, address, account, now_us)
    if here is None:
        return SignInAttempt("locked")
    return _begin_with_account(connection, tenant, name, now_us, here, charges)


def begin_signed_in_attempt(connection: Connection, user_id: int, tenant: str, name: str, now_us: int) -> SignInAttempt:
    """Count a try of the person's own password in an open session, so that it cannot be guessed there.

    Attempts to sign in from elsewhere do not matter to it.
    """
    account = sign_in_throttle.account_digest(tenant, name)
    _, charge = sign_in_throttle.charge_account(connection, SIGNED_IN, account, now_us)
    if charge is None:
        return SignInAttempt("locked")
    password_hash = connection.scalar(select(users.c.password_hash).where(users.c.id == user_id))
    return SignInAttempt(
        "try",
        user_id=user_id,
        password_hash=_comparable(password_hash),
        locks_until_us=charge.locked_until_us,
        failures=charge.failures,
        charges=(charge,),
    )


def _begin_with_account(
    connection: Connection, tenant: str, name: str, now_us: int, here: Charge, charges: list[Charge]
) -> SignInAttempt:
    """The attempt of a browser that the account does not know, counted for all of those together."""
    c = users.c
    query = select(c.id, c.password_hash, c.failures, c.failed_us, c.locked_until_us).join(
        tenants, tenants.c.id == c.tenant_id
    )
    row = connection.execute(
        query.where(tenants.c.name == tenant, c.name == name, c.disabled_us.is_(None)).with_for_update(of=users)
    ).first()
    if row is None:
        return SignInAttempt("try")
    if is_locked(row.locked_until_us, now_us):
        return SignInAttempt("locked")
    counted = sign_in_throttle.count(row.failures, row.failed_us, now_us, OF_ACCOUNT)
    connection.execute(
        update(users)
        .where(c.id == row.id)
        .values(failures=counted.failures, failed_us=now_us, locked_until_us=counted.locked_until_us)
    )
    whole = counted.locked_until_us is not None
    return SignInAttempt(
        "try",
        user_id=row.id,
        password_hash=_comparable(row.password_hash),
        locks_until_us=counted.locked_until_us if whole else here.locked_until_us,
        locked="account" if whole else "address",
        failures=counted.failures if whole else here.failures,
        charges=(*charges, here),
        account_counted=True,
        account_locked_until_us=counted.locked_until_us,
    )


def _comparable(password_hash: str | None) -> str | None:
    """Without a password the same work is done as for an unknown name, so that time does not tell them apart."""
    return None if password_hash == NO_PASSWORD else password_hash


def note_failure(connection: Connection, attempt: SignInAttempt, address: str, now_us: int) -> None:
    """Record a wrong password; if a wait begins with it, add an audit entry."""
    user = connection.execute(select(users.c.tenant_id, users.c.name).where(users.c.id == attempt.user_id)).first()
    if user is not None and attempt.locks_until_us is not None:
        detail = {
            "attempts": attempt.failures,
            "seconds": (attempt.locks_until_us - now_us) // _SECOND,
            "address": address,
            "locked": attempt.locked,
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


def note_success(connection: Connection, attempt: SignInAttempt, *, once: bool = False) -> None:
    """Take the attempt back after a right password, and the second factor where there is one; what others tried still
    counts. `once`: the caller may bring the same attempt again, which changes nothing then.
    """
    # first, in the same order as counting
    if not sign_in_throttle.take_back(connection, attempt.charges, once=once) or not attempt.account_counted:
        return
    c = users.c
    connection.execute(update(users).where(c.id == attempt.user_id, c.failures > 0).values(failures=c.failures - 1))
    if attempt.account_locked_until_us is not None:
        mine = (c.id == attempt.user_id) & (c.locked_until_us == attempt.account_locked_until_us)
        connection.execute(update(users).where(mine).values(locked_until_us=None))


def open_session(
    connection: Connection,
    user_id: int,
    password_hash: str,
    address: str,
    now_us: int,
    *,
    new_password_hash: str | None = None,
    attempt: SignInAttempt | None = None,
    once: bool = False,
    browser: str = "",
) -> str | None:
    """Start a session after the password of `password_hash` was right, and return its token; None if the account was
    disabled in the meantime or has another password.

    `attempt` is taken back (`once`: see note_success); `browser` is what the person's list of sessions calls it.
    """
    # The attempt first, in the same order as counting it. The account is locked against being disabled, or given
    # another password, until the session is stored.
    if attempt is not None:
        note_success(connection, attempt, once=once)
    query = select(users.c.tenant_id, users.c.name).where(
        users.c.id == user_id, users.c.disabled_us.is_(None), users.c.password_hash == password_hash
    )
    user = connection.execute(query.with_for_update()).first()
    if user is None:
        return None
    if new_password_hash is not None:
        connection.execute(update(users).where(users.c.id == user_id).values(password_hash=new_password_hash))
    return start_session(connection, user.tenant_id, user_id, user.name, address, now_us, browser=browser)


def start_session(
    connection: Connection,
    tenant_id: int,
    user_id: int,
    name: str,
    address: str,
    now_us: int,
    *,
    browser: str = "",
    seconds: int = ABSOLUTE_SECONDS,
    via: Via = "password",
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
            address=address[:64],
            browser=browser[:40],
            expires_us=now_us + min(seconds, ABSOLUTE_SECONDS) * _SECOND,
            via=via,
            provider_session=provider_session,
            id_token_secret=id_token_secret,
        )
    )
    ended = _end_the_oldest(connection, user_id, hash_of(token))
    audit_log.enter(
        connection,
        tenant_id,
        actor=name,
        action="sign-in",
        subject=f"user:{name}",
        now_us=now_us,
        detail={
            "address": address,
            **({} if via == "password" else {"via": via}),
            **({"sessions_ended": ended} if ended else {}),
        },
    )
    return token


def remember_device(connection: Connection, user_id: int, session_token: str, device: str | None, now_us: int) -> str:
    """The account knows this browser from now on: the token for its cookie. `device` is what the cookie holds now."""
    token, device_hash = sign_in_devices.remember(connection, user_id, device, now_us)
    connection.execute(update(sessions).where(sessions.c.hash == hash_of(session_token)).values(device=device_hash))
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
        .where(s.hash == hash_of(token), u.disabled_us.is_(None), not_expired(now_us))
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
    open_ones = (s.hash.in_(sorted(hashes)), users.c.disabled_us.is_(None), not_expired(now_us))
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


def hash_of(token: str) -> str:
    """The stored form of a session's token."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def not_expired(now_us: int) -> ColumnElement[bool]:
    """Of a row of `sessions`: neither too old nor idle for too long, nor begun when the wall clock was far ahead."""
    s = sessions.c
    return (
        (s.expires_us > now_us)
        & (s.expires_us - now_us <= 2 * (s.expires_us - s.created_us))
        & (s.seen_us > now_us - IDLE_SECONDS * _SECOND)
    )


def _end_the_oldest(connection: Connection, user_id: int, new: str) -> int:
    """End the sessions above MOST_SESSIONS that were not used for longest; how many."""
    s = sessions.c
    kept = (
        select(s.hash)
        .where(s.user_id == user_id, s.hash != new)
        .order_by(s.seen_us.desc(), s.created_us.desc(), s.hash)
        .limit(MOST_SESSIONS - 1)
    )
    return connection.execute(delete(sessions).where(s.user_id == user_id, s.hash != new, s.hash.not_in(kept))).rowcount
