"""Console users: each has one tenant and one role. Every change is recorded in the audit trail.

Functions over a Connection. Passwords arrive hashed (storage/accounts/passwords.py), since hashing is slow and no
transaction should wait for it. Disabling a user or changing the password ends all sessions at once.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from sqlalchemy import Connection, Row, Select, delete, insert, select, update

from service.errors import NotFound, Refused
from service.storage.accounts import audit_log, sign_in_throttle
from service.storage.sql.engine import lock_tenant
from service.storage.sql.schema import one_time_links, sessions, tenants, user_identities, users

Role = Literal["viewer", "moderator", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)  # each may do everything that those before it may
MOST_CHARACTERS = 128  # of a name
NO_PASSWORD = ""  # in place of a hash: the account signs in elsewhere, or by a one-time link


@dataclass(frozen=True, slots=True)
class User:
    """One user's account."""

    id: int
    tenant_id: int
    name: str
    role: Role
    created_us: int
    disabled_us: int | None
    locked_until_us: int | None
    one_time: bool = False  # someone else set the password; it must be changed at the first sign-in


def checked_name(name: str) -> str:
    """The name as it is stored (NFKC, trimmed). Raises Refused for an invalid name."""
    text = unicodedata.normalize("NFKC", name).strip()
    if not 1 <= len(text) <= MOST_CHARACTERS:
        raise Refused(f"a name must have 1 to {MOST_CHARACTERS} characters; this one has {len(text)}")
    if any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in text):
        raise Refused("a name must not contain control or invisible characters")
    return text


def create_user(
    connection: Connection,
    tenant_id: int,
    name: str,
    role: Role,
    password_hash: str,
    *,
    actor: str,
    now_us: int,
    one_time: bool = False,
) -> User:
    """Create an account; `one_time`: the password must be changed at the first sign-in.

    Raises Refused for a name that is taken (by a disabled account too) or unfit.
    """
    name = checked_name(name)
    lock_tenant(connection, tenant_id)
    if connection.scalar(select(users.c.id).where(users.c.tenant_id == tenant_id, users.c.name == name)) is not None:
        raise Refused(f"a user called {name!r} already exists: set a new password or enable the account again")
    made = connection.execute(
        insert(users).values(
            tenant_id=tenant_id, name=name, role=role, password_hash=password_hash, created_us=now_us, one_time=one_time
        )
    ).inserted_primary_key
    assert made is not None
    audit_log.enter(
        connection,
        tenant_id,
        actor=actor,
        action="user-created",
        subject=f"user:{name}",
        now_us=now_us,
        detail={"role": role},
    )
    return User(int(made[0]), tenant_id, name, role, now_us, None, None, one_time)


def list_users(connection: Connection, tenant_id: int) -> list[User]:
    """All accounts of the tenant by name, the disabled ones included."""
    return [
        _user(row) for row in connection.execute(_users().where(users.c.tenant_id == tenant_id).order_by(users.c.name))
    ]


def find_user(connection: Connection, tenant_id: int, name: str) -> User:
    """The account of that name. Raises NotFound."""
    row = connection.execute(
        _users().where(users.c.tenant_id == tenant_id, users.c.name == unicodedata.normalize("NFKC", name).strip())
    ).first()
    if row is None:
        raise NotFound(f"no user is called {name!r}")
    return _user(row)


def read_user(connection: Connection, tenant_id: int, user_id: int) -> User:
    """The tenant's account with this id. Raises NotFound."""
    row = connection.execute(_users().where(users.c.tenant_id == tenant_id, users.c.id == user_id)).first()
    if row is None:
        raise NotFound("no such user")
    return _user(row)


def hold_user(connection: Connection, user_id: int) -> None:
    """Lock the account until this writing transaction ends. Everybody locks in one order, so that nobody waits in a
    circle: counts of attempts, the tenant, its provider, the account, and only then what belongs to the account.
    """
    connection.execute(select(users.c.id).where(users.c.id == user_id).with_for_update())


@dataclass(frozen=True, slots=True)
class SignInFacts:
    """What decides how an account may sign in."""

    tenant_id: int
    tenant: str
    name: str
    role: Role
    password_hash: str = field(repr=False)  # NO_PASSWORD: with a provider, or by a link


def sign_in_facts(connection: Connection, user_id: int) -> SignInFacts | None:
    """Of an account that is not disabled; its row is locked in a writing transaction."""
    u = users.c
    query = select(u.tenant_id, tenants.c.name.label("tenant"), u.name, u.role, u.password_hash)
    row = connection.execute(
        query.join(tenants, tenants.c.id == u.tenant_id)
        .where(u.id == user_id, u.disabled_us.is_(None))
        .with_for_update(of=users)
    ).first()
    return None if row is None else SignInFacts(*row)


def set_password(
    connection: Connection,
    user: User,
    password_hash: str,
    *,
    actor: str,
    now_us: int,
    one_time: bool = False,
    but_session: str | None = None,
) -> None:
    """Set another password; ends every wait of the account, its one-time links and all sessions of the user, except
    the one given. An account that signed in with a provider signs in with the password from now on.

    `one_time`: it must be changed at the first sign-in.
    """
    connection.execute(
        update(users)
        .where(users.c.id == user.id)
        .values(password_hash=password_hash, failures=0, locked_until_us=None, one_time=one_time)
    )
    sign_in_throttle.lift(connection, user.tenant_id, user.name)
    # An account signs in with a password or with a provider, never with both (identities.py); links end too.
    connection.execute(delete(user_identities).where(user_identities.c.user_id == user.id))
    end_access(connection, user.id, but_session=but_session)
    audit_log.enter(
        connection, user.tenant_id, actor=actor, action="user-password", subject=f"user:{user.name}", now_us=now_us
    )


def set_role(
    connection: Connection, user: User, role: Role, *, actor: str, now_us: int, last_admin_too: bool = False
) -> None:
    """Change the role, from the next request on.

    Raises Refused if no admin would be left (unless `last_admin_too`).
    """
    if role == user.role:
        return
    if user.role == "admin" and not last_admin_too:
        _refuse_the_last_admin(connection, user)
    connection.execute(update(users).where(users.c.id == user.id).values(role=role))
    audit_log.enter(
        connection,
        user.tenant_id,
        actor=actor,
        action="user-role",
        subject=f"user:{user.name}",
        now_us=now_us,
        detail={"before": user.role, "after": role},
    )


def disable_user(connection: Connection, user: User, *, actor: str, now_us: int, last_admin_too: bool = False) -> None:
    """Disable the account; its sessions and one-time links end.

    Raises Refused if no admin would be left (unless `last_admin_too`).
    """
    if user.disabled_us is not None:
        return
    if user.role == "admin" and not last_admin_too:
        _refuse_the_last_admin(connection, user)
    connection.execute(update(users).where(users.c.id == user.id).values(disabled_us=now_us))
    end_access(connection, user.id)
    audit_log.enter(
        connection, user.tenant_id, actor=actor, action="user-disabled", subject=f"user:{user.name}", now_us=now_us
    )


def enable_user(connection: Connection, user: User, *, actor: str, now_us: int) -> None:
    """Enable the account again."""
    if user.disabled_us is None:
        return
    connection.execute(
        update(users).where(users.c.id == user.id).values(disabled_us=None, failures=0, locked_until_us=None)
    )
    sign_in_throttle.lift(connection, user.tenant_id, user.name)
    audit_log.enter(
        connection, user.tenant_id, actor=actor, action="user-enabled", subject=f"user:{user.name}", now_us=now_us
    )


def end_access(connection: Connection, user_id: int, *, but_session: str | None = None) -> None:
    """The account's sessions, except the one given (its hash), and its one-time links end."""
    connection.execute(delete(sessions).where(sessions.c.user_id == user_id, sessions.c.hash != (but_session or "")))
    connection.execute(delete(one_time_links).where(one_time_links.c.user_id == user_id))


def set_preferences(connection: Connection, user_id: int, **changed: Any) -> None:
    """Store preferences (theme, keys) as JSON values by name; others stay unchanged."""
    stored = connection.scalar(select(users.c.preferences).where(users.c.id == user_id).with_for_update())
    connection.execute(
        update(users)
        .where(users.c.id == user_id)
        .values(preferences=json.dumps({**json.loads(stored or "{}"), **changed}, sort_keys=True))
    )


def tenant_names(connection: Connection) -> list[str]:
    """Tenants with a user who can sign in: at most two names, enough to tell whether there is only one."""
    named = (
        select(tenants.c.name)
        .where(tenants.c.id.in_(select(users.c.tenant_id).where(users.c.disabled_us.is_(None))))
        .order_by(tenants.c.name)
        .limit(2)
    )
    return list(connection.scalars(named))


def _users() -> Select[Any]:
    c = users.c
    return select(c.id, c.tenant_id, c.name, c.role, c.created_us, c.disabled_us, c.locked_until_us, c.one_time)


def _user(row: Row[Any]) -> User:
    return User(
        row.id,
        row.tenant_id,
        row.name,
        row.role,
        row.created_us,
        row.disabled_us,
        row.locked_until_us,
        bool(row.one_time),
    )


def _refuse_the_last_admin(connection: Connection, user: User) -> None:
    lock_tenant(connection, user.tenant_id)  # in case two admins demote each other
    others = select(users.c.id).where(
        users.c.tenant_id == user.tenant_id,
        users.c.role == "admin",
        users.c.disabled_us.is_(None),
        users.c.id != user.id,
    )
    if user.disabled_us is None and connection.scalar(others.limit(1)) is None:
        raise Refused(f"{user.name} is the only admin: make another user admin first")
