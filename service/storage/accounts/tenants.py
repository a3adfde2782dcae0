"""Tenants and their API keys. Only hashes of keys are stored."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, text, update

from service.errors import NotFound, Refused, UnknownTenant
from service.policy import DEFAULT_POLICY
from service.storage.accounts import audit_log
from service.storage.accounts.policy_overrides import policy_of
from service.storage.accounts.tenant_settings import TenantSettings, from_row
from service.storage.sql.engine import write
from service.storage.sql.schema import analysis_state, api_keys, ingest_state, tenant_settings, tenants

SCOPES = ("ingest", "read", "moderate", "forget", "admin")
KEY_PREFIX = "bw_"
MAX_TENANT_ID = (1 << 22) - 1  # a row key is tenant << 40 | seq, in 63 bits
_KEY = re.compile(KEY_PREFIX + r"[A-Za-z0-9_-]{43}\Z")
_NAME = re.compile(r"[a-z0-9-]{1,40}\Z")


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A valid key: its tenant and what it may do."""

    id: int
    tenant_id: int
    tenant: str
    scopes: frozenset[str]
    settings: TenantSettings = field(default_factory=TenantSettings)  # as they were when the key was looked up
    default_threshold: int = DEFAULT_POLICY.default_threshold  # of the tenant, for requests that name none


def create_tenant(engine: Engine, name: str, now_us: int) -> int:
    """Create a tenant and return its id. Raises Refused for a name that is taken or not [a-z0-9-]{1,40}."""
    if not _NAME.match(name):
        raise Refused(f"{name!r} is not a valid tenant name: use 1 to 40 of a-z, 0-9 and -")
    with write(engine) as connection:
        made = _insert_tenant(connection, name, now_us)
        if made is None:
            raise Refused(
                f"the tenant {name} already exists; to make keys for it: brigadewatch keys create --tenant {name}"
                " --scope ..."
            )
        return made


def ensure_tenant(engine: Engine, name: str, now_us: int) -> int:
    """The tenant's id, creating the tenant if needed. Raises Refused for a name that is not [a-z0-9-]{1,40}."""
    try:
        return tenant_id(engine, name)
    except UnknownTenant:
        if not _NAME.match(name):
            raise Refused(f"{name!r} is not a valid tenant name: use 1 to 40 of a-z, 0-9 and -") from None
    with write(engine) as connection:
        made = _insert_tenant(connection, name, now_us)
        return (
            made
            if made is not None
            else int(connection.execute(select(tenants.c.id).where(tenants.c.name == name)).scalar_one())
        )


def _insert_tenant(connection: Connection, name: str, now_us: int) -> int | None:
    """The new tenant's id; None if another process created it first."""
    statement = text(
        "INSERT INTO tenants (name, created_us) VALUES (:name, :now) ON CONFLICT (name) DO NOTHING RETURNING id"
    )
    number: int | None = connection.scalar(statement, {"name": name, "now": now_us})
    if number is None:
        return None
    if number > MAX_TENANT_ID:
        raise Refused(
            f"tenant number {number} exceeds {MAX_TENANT_ID}, the most that one database holds: use a second database"
        )
    connection.execute(insert(ingest_state).values(tenant_id=number))
    connection.execute(insert(analysis_state).values(tenant_id=number))
    return number


def tenant_id(engine: Engine, name: str) -> int:
    """The tenant's number. Raises UnknownTenant."""
    with engine.connect() as connection:
        found = connection.scalar(select(tenants.c.id).where(tenants.c.name == name))
    if found is None:
        raise UnknownTenant(f"no tenant is called {name!r}; create it with: brigadewatch tenants create {name}")
    return int(found)


def list_tenants(engine: Engine) -> dict[str, int]:
    """Tenant numbers by name, in order of creation."""
    with engine.connect() as connection:
        return {
            name: number
            for number, name in connection.execute(select(tenants.c.id, tenants.c.name).order_by(tenants.c.id))
        }


def create_key(engine: Engine, tenant: str, scopes: Iterable[str], name: str, now_us: int) -> str:
    """Create a key for the tenant. It is returned only once: only its hash is stored.

    Raises UnknownTenant, and Refused for an unknown scope, or for none.
    """
    number = tenant_id(engine, tenant)
    with write(engine) as connection:
        _, key = make_key(connection, number, scopes, name, by="cli", now_us=now_us)
    return key


def make_key(
    connection: Connection, number: int, scopes: Iterable[str], name: str, *, by: str, now_us: int
) -> tuple[int, str]:
    """Create a key in the caller's writing transaction and record it in the audit trail; returns its id and the key.

    Raises Refused like `create_key`.
    """
    wanted = list(dict.fromkeys(scopes))
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown or not wanted:
        raise Refused(f"{', '.join(unknown) or 'no scope'}: a key needs one or more of {', '.join(SCOPES)}")
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    row: dict[str, Any] = {
        "tenant_id": number,
        "hash": _hash(key),
        "name": name[:128],
        "scopes": " ".join(wanted),
        "created_us": now_us,
    }
    made = connection.execute(insert(api_keys).values(row)).inserted_primary_key
    assert made is not None
    audit_log.enter(
        connection,
        number,
        actor=by,
        action="key-created",
        subject=f"key:{made[0]}",
        now_us=now_us,
        detail={"name": row["name"], "scopes": wanted},
    )
    return int(made[0]), key


def is_key(text: str) -> bool:
    """Whether the text has the form of a key."""
    return _KEY.match(text) is not None


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key's public data: never the key itself."""

    id: int
    name: str
    scopes: tuple[str, ...]
    created_us: int
    revoked_us: int | None


def list_keys(connection: Connection, number: int) -> list[ListedKey]:
    """All keys of the tenant: those in use first, then newest first."""
    c = api_keys.c
    rows = connection.execute(
        select(c.id, c.name, c.scopes, c.created_us, c.revoked_us)
        .where(c.tenant_id == number)
        .order_by(c.revoked_us.is_not(None), c.created_us.desc(), c.id.desc())
    )
    return [ListedKey(row.id, row.name, tuple(row.scopes.split()), row.created_us, row.revoked_us) for row in rows]


def end_key(connection: Connection, number: int, key_id: int, *, by: str, now_us: int) -> None:
    """Revoke a key; processes that have it cached accept it for a few more seconds.

    Raises NotFound for an unknown or already revoked one.
    """
    c = api_keys.c
    if (
        connection.execute(
            update(api_keys)
            .where(c.id == key_id, c.tenant_id == number, c.revoked_us.is_(None))
            .values(revoked_us=now_us)
        ).rowcount
        != 1
    ):
        raise NotFound("no key in use has this id")
    audit_log.enter(connection, number, actor=by, action="key-revoked", subject=f"key:{key_id}", now_us=now_us)


def find_key(engine: Engine, key: str) -> KeyRecord | None:
    """Look up a key; None if it never existed or was revoked."""
    # Hashes are compared inside the index, so timing reveals something about the hash, not about the key.
    statement = (
        select(
            api_keys.c.id,
            api_keys.c.tenant_id,
            tenants.c.name,
            api_keys.c.scopes,
            tenant_settings.c.pseudonyms,
            tenant_settings.c.keep_text,
            tenant_settings.c.retention_days,
            tenant_settings.c.rate_per_second,
            tenant_settings.c.pseudonym_key,
        )
        .join(tenants, tenants.c.id == api_keys.c.tenant_id)
        .outerjoin(tenant_settings, tenant_settings.c.tenant_id == api_keys.c.tenant_id)
        .where(api_keys.c.hash == _hash(key), api_keys.c.revoked_us.is_(None))
    )
    with engine.connect() as connection:
        row = connection.execute(statement).mappings().first()
        if row is None:
            return None
        threshold = policy_of(connection, row["tenant_id"]).default_threshold
    return KeyRecord(
        row["id"], row["tenant_id"], row["name"], frozenset(row["scopes"].split()), from_row(row), threshold
    )


def revoke_key(engine: Engine, key_id: int, now_us: int) -> bool:
    """Revoke a key; False if it was revoked already or never existed."""
    with write(engine) as connection:
        done = connection.execute(
            update(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_us.is_(None)).values(revoked_us=now_us)
        )
        return done.rowcount > 0


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def name_of_key(connection: Connection, key_id: int) -> str:
    """The actor that this key stands for in logs: the API key's name, or key:<id> if it has none."""
    name = connection.scalar(select(api_keys.c.name).where(api_keys.c.id == key_id))
    return name or f"key:{key_id}"
