"""Browsers in which somebody signed in before, each known to one account ("device cookies", after OWASP).

A device is 32 random bytes in a cookie; only their SHA-256 is stored. It lets nobody in. It says that attempts to sign
in from here are not a stranger's: they are counted for this device alone, so that attempts from elsewhere keep nobody
out. A stolen one gives the few attempts of one device, at one account. It is forgotten DAYS after its last
sign-in, as the oldest of more than MOST, and when a session that was begun with it is ended from another one; a new
password leaves it, or else an attack under way would keep out exactly those whom an administrator helps.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from service.storage.accounts import sign_in_throttle
from service.storage.accounts.sign_in_throttle import OF_ONE, Counted
from service.storage.sql.schema import sign_in_devices, tenants, users

DAYS = 180
MOST = 20  # of an account
_LONGEST_TOKEN = 128
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """An attempt from a known device: `counted` already, or None while the device has to wait."""

    hash: str
    user_id: int
    password_hash: str
    counted: Counted | None


def charge(connection: Connection, tenant: str, name: str, token: str | None, now_us: int) -> KnownDevice | None:
    """Count an attempt for the device; None if the account does not know it (or has been disabled)."""
    if not token or len(token) > _LONGEST_TOKEN:
        return None
    d = sign_in_devices.c
    query = (
        select(d.hash, d.user_id, users.c.password_hash, d.failures, d.tried_us, d.locked_until_us)
        .join(users, users.c.id == d.user_id)
        .join(tenants, tenants.c.id == users.c.tenant_id)
        .where(
            d.hash == _hash(token),
            d.seen_us > now_us - DAYS * 86_400 * _SECOND,
            tenants.c.name == tenant,
            users.c.name == name,
            users.c.disabled_us.is_(None),
        )
        .with_for_update(of=sign_in_devices)
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    if sign_in_throttle.is_locked(row.locked_until_us, now_us):
        return KnownDevice(row.hash, row.user_id, row.password_hash, None)
    # A device that nobody has tried to sign in from for a day starts again from zero, like any other count.
    fresh = row.tried_us is None or row.tried_us < now_us - sign_in_throttle.FORGET_SECONDS * _SECOND
    counted = sign_in_throttle.count(0 if fresh else row.failures, None, now_us, OF_ONE)
    connection.execute(
        update(sign_in_devices)
        .where(d.hash == row.hash)
        .values(failures=counted.failures, tried_us=now_us, locked_until_us=counted.locked_until_us)
    )
    return KnownDevice(row.hash, row.user_id, row.password_hash, counted)


def remember(connection: Connection, user_id: int, token: str | None, now_us: int) -> tuple[str, str]:
    """The password was right: the device's token for its cookie, a new one unless `token` is known, and its hash."""
    d = sign_in_devices.c
    if token and len(token) <= _LONGEST_TOKEN:
        mine = (d.hash == _hash(token)) & (d.user_id == user_id) & (d.seen_us > now_us - DAYS * 86_400 * _SECOND)
        known = update(sign_in_devices).where(mine).values(seen_us=now_us, failures=0, locked_until_us=None)
        if connection.execute(known).rowcount:
            return token, _hash(token)
    made = secrets.token_urlsafe(32)
    connection.execute(insert(sign_in_devices).values(hash=_hash(made), user_id=user_id, seen_us=now_us))
    latest = select(d.hash).where(d.user_id == user_id).order_by(d.seen_us.desc(), d.hash).limit(MOST)
    connection.execute(
        delete(sign_in_devices).where(d.user_id == user_id, d.hash != _hash(made), d.hash.not_in(latest))
    )
    return made, _hash(made)


def forget(connection: Connection, user_id: int, hashes: list[str]) -> None:
    """The account knows these devices no longer."""
    d = sign_in_devices.c
    connection.execute(delete(sign_in_devices).where(d.user_id == user_id, d.hash.in_(hashes)))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
