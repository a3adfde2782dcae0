"""Links by which a person chooses a new password once, made for them by an admin or on the server.

The token is 32 random bytes, of which only the SHA-256 is stored. Making a link voids the password, the sessions and
earlier links; only using it changes factors, so that a link that is never used leaves them in place. A link ends early
when the password is set in another way, and when the account is disabled or connected to a provider.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from service.errors import Refused
from service.storage.accounts import audit_log, second_factors, users
from service.storage.accounts.sessions import hash_of
from service.storage.accounts.sign_in_rules import rules_of
from service.storage.accounts.users import NO_PASSWORD, User
from service.storage.sql import schema
from service.storage.sql.schema import one_time_links

LINK_SECONDS = 72 * 3_600
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class OneTimeLink:
    """A link that still works, and whose it is."""

    user: User
    tenant: str
    factors_too: bool


def make_link(connection: Connection, user: User, *, factors_too: bool, actor: str, now_us: int) -> str:
    """A link's token, valid for 72 h and one use; `factors_too`: it also removes second factors.

    Raises Refused where the account could not sign in with the password: using the link ends the other way in.
    """
    if not rules_of(connection, user.tenant_id).allows_password(user.role):
        raise Refused(
            f"passwords are for admins only, and {user.name} is {user.role}: a link would leave them no way to sign in;"
            " allow passwords for everybody first (Settings › Sign-in, or `brigadewatch sso rules`)"
        )
    users.hold_user(connection, user.id)
    users.end_access(connection, user.id)
    connection.execute(delete(one_time_links).where(one_time_links.c.expires_us <= now_us))
    u = schema.users.c
    voided = {"password_hash": NO_PASSWORD, "one_time": False, "failures": 0, "locked_until_us": None}
    connection.execute(update(schema.users).where(u.id == user.id).values(**voided))
    token = secrets.token_urlsafe(32)
    connection.execute(
        insert(one_time_links).values(
            hash=hash_of(token),
            user_id=user.id,
            factors_too=factors_too,
            expires_us=now_us + LINK_SECONDS * _SECOND,
        )
    )
    audit_log.enter(
        connection,
        user.tenant_id,
        actor=actor,
        action="user-reset-link",
        subject=f"user:{user.name}",
        now_us=now_us,
        detail={"second_factors": factors_too},
    )
    return token


def read_link(connection: Connection, token: str, now_us: int) -> OneTimeLink | None:
    """The link of this token; None if it was used, replaced, is too old, or its account is disabled."""
    o, u, t = one_time_links.c, schema.users.c, schema.tenants.c
    row = connection.execute(
        select(o.user_id, o.factors_too, u.tenant_id, t.name)
        .join(schema.users, u.id == o.user_id)
        .join(schema.tenants, t.id == u.tenant_id)
        .where(
            o.hash == hash_of(token),
            o.expires_us > now_us,
            o.expires_us <= now_us + 2 * LINK_SECONDS * _SECOND,  # or it was made when the wall clock was far ahead
            u.disabled_us.is_(None),
        )
    ).first()
    if row is None:
        return None
    return OneTimeLink(users.read_user(connection, row.tenant_id, row.user_id), row.name, bool(row.factors_too))


def use_link(connection: Connection, token: str, password_hash: str, *, now_us: int) -> OneTimeLink | None:
    """Set the password, and the account signs in with it from now on; None if the link no longer works."""
    link = read_link(connection, token, now_us)
    if link is None:
        return None
    users.hold_user(connection, link.user.id)
    used = delete(one_time_links).where(one_time_links.c.hash == hash_of(token))
    if connection.execute(used).rowcount != 1:  # used or replaced at the same moment
        return None
    if link.factors_too:
        second_factors.remove_all(connection, link.user, actor=link.user.name, now_us=now_us)
    users.set_password(connection, link.user, password_hash, actor=link.user.name, now_us=now_us)
    return link
