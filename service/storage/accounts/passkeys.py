"""Passkeys (WebAuthn) as second factors: an authenticator's public key and how often it has signed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from service.errors import Refused
from service.storage.accounts import audit_log
from service.storage.accounts.users import User, hold_user
from service.storage.sql.schema import passkeys

MOST_PASSKEYS = 10
MOST_CHARACTERS_OF_A_LABEL = 80


@dataclass(frozen=True, slots=True)
class Passkey:
    """One passkey."""

    id: str
    label: str
    credential: bytes
    public_key: bytes
    sign_count: int
    created_us: int
    used_us: int | None


def list_passkeys(connection: Connection, user_id: int) -> list[Passkey]:
    """The account's passkeys, oldest first."""
    rows = connection.execute(
        select(passkeys).where(passkeys.c.user_id == user_id).order_by(passkeys.c.created_us, passkeys.c.id)
    )
    return [
        Passkey(row.id, row.label, row.credential, row.public_key, row.sign_count, row.created_us, row.used_us)
        for row in rows
    ]


def add_passkey(
    connection: Connection,
    user: User,
    label: str,
    *,
    credential: bytes,
    public_key: bytes,
    sign_count: int,
    now_us: int,
) -> None:
    """Store a verified passkey. Raises Refused for too many, or for one that is registered already."""
    hold_user(connection, user.id)
    if len(list_passkeys(connection, user.id)) >= MOST_PASSKEYS:
        raise Refused(f"an account can have {MOST_PASSKEYS} passkeys: remove one first")
    number = passkey_id(credential)
    if connection.scalar(select(passkeys.c.id).where(passkeys.c.id == number)) is not None:
        raise Refused("this passkey is registered already")
    name = "".join(c for c in label if c.isprintable()).strip()[:MOST_CHARACTERS_OF_A_LABEL] or "Passkey"
    connection.execute(
        insert(passkeys).values(
            id=number,
            user_id=user.id,
            credential=credential,
            public_key=public_key,
            sign_count=sign_count,
            label=name,
            created_us=now_us,
        )
    )
    _enter(connection, user, "factor-added", now_us)


def note_use(connection: Connection, passkey: Passkey, sign_count: int, now_us: int) -> bool:
    """Store the new count; False if another use was faster, or the passkey is gone."""
    c = passkeys.c
    done = connection.execute(
        update(passkeys)
        .where(c.id == passkey.id, c.sign_count == passkey.sign_count)
        .values(sign_count=sign_count, used_us=now_us)
    )
    return done.rowcount == 1


def remove_passkey(connection: Connection, user: User, id: str, *, now_us: int) -> None:
    """Remove one of the account's passkeys."""
    if connection.execute(delete(passkeys).where(passkeys.c.id == id, passkeys.c.user_id == user.id)).rowcount:
        _enter(connection, user, "factor-removed", now_us)


def passkey_id(credential: bytes) -> str:
    """The id under which a credential is stored."""
    return hashlib.sha256(credential).hexdigest()


def _enter(connection: Connection, user: User, action: str, now_us: int) -> None:
    audit_log.enter(
        connection,
        user.tenant_id,
        actor=user.name,
        action=action,
        subject=f"user:{user.name}",
        now_us=now_us,
        detail={"kind": "passkey"},
    )
