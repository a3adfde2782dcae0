"""Organisations' identity providers (OpenID Connect): one a tenant, and one for every tenant without its own.

A change is in the audit trail of each tenant that it affects, and ends the sessions that were opened through the
provider as it was: roles are read at sign-in, so that a narrower rule takes effect at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, delete, insert, select, update

from service.errors import Refused
from service.storage.accounts import audit_log
from service.storage.accounts.role_rules import RoleRule, rules_as_json, rules_from_json, text_of_rules
from service.storage.sql.engine import lock_tenant
from service.storage.sql.schema import identity_providers, sessions, tenants, users

ALL_TENANTS = 0
DEFAULT_SCOPES, DEFAULT_NAME_CLAIM, DEFAULT_ROLE_CLAIM = "openid profile email", "preferred_username", "roles"
DEFAULT_SESSION_HOURS, MOST_SESSION_HOURS = 12, 168
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """A provider and what is asked of it; `tenant_id` 0: for every tenant without its own."""

    tenant_id: int
    issuer: str
    client_id: str
    roles: tuple[RoleRule, ...]
    client_secret: str | None = field(default=None, repr=False)  # sealed; None: a public client
    label: str = "your organisation"
    scopes: str = DEFAULT_SCOPES
    name_claim: str = DEFAULT_NAME_CLAIM
    role_claim: str = DEFAULT_ROLE_CLAIM
    session_hours: int = DEFAULT_SESSION_HOURS  # at the longest, until roles are read again
    link_by_email: bool = False  # an account whose name is the person's verified mail address becomes theirs
    second_factor: bool = False  # people who have a second factor here are asked for it after the provider

    @property
    def for_all(self) -> bool:
        """Whether it serves every tenant without its own."""
        return self.tenant_id == ALL_TENANTS


# What people enter and read as it is stored: neither the secret nor the roles.
PLAIN_FIELDS = (
    "issuer",
    "client_id",
    "label",
    "scopes",
    "name_claim",
    "role_claim",
    "session_hours",
    "link_by_email",
    "second_factor",
)


def provider_for(connection: Connection, tenant_id: int) -> IdentityProvider | None:
    """The provider that the tenant's people sign in with: its own, or the one for all."""
    return read_provider(connection, tenant_id) or read_provider(connection, ALL_TENANTS)


def held_provider_for(connection: Connection, tenant_id: int) -> IdentityProvider | None:
    """The same, as it stays until this writing transaction ends: who opens a session by it is not too late."""
    lock_tenant(connection, tenant_id)
    return read_provider(connection, tenant_id, hold=True) or read_provider(connection, ALL_TENANTS, hold=True)


def read_provider(connection: Connection, tenant_id: int, *, hold: bool = False) -> IdentityProvider | None:
    """The provider stored for exactly this tenant (0: for all); `hold`: it stays until the transaction ends."""
    query = select(identity_providers).where(identity_providers.c.tenant_id == tenant_id)
    row = connection.execute(query.with_for_update(read=True) if hold else query).first()
    return None if row is None else _provider(row)


@dataclass(frozen=True, slots=True)
class SsoChoice:
    """What the sign-in page offers: a provider by its label, or (None) a field for the tenant first."""

    label: str | None


def sso_choice(connection: Connection, tenant: str | None) -> SsoChoice | None:
    """What to offer on a page of this tenant (None: of several); None if nobody signs in with a provider."""
    if tenant is None:
        found = connection.scalar(select(identity_providers.c.tenant_id).limit(1))
        return None if found is None else SsoChoice(None)
    number = connection.scalar(select(tenants.c.id).where(tenants.c.name == tenant))
    provider = None if number is None else provider_for(connection, number)
    return None if provider is None else SsoChoice(provider.label)


def tenant_number(connection: Connection, tenant: str) -> int | None:
    """The tenant's number; None if there is no such tenant."""
    return connection.scalar(select(tenants.c.id).where(tenants.c.name == tenant))


def save_provider(
    connection: Connection, provider: IdentityProvider, *, actor: str, now_us: int, but_session: str | None = None
) -> None:
    """Store it in place of the tenant's earlier one; ends the sessions opened through that one, except `but_session`.

    Raises Refused for a value out of bounds.
    """
    _check(provider)
    _lock(connection, provider.tenant_id)
    before = read_provider(connection, provider.tenant_id)
    values: dict[str, Any] = {
        **{name: getattr(provider, name) for name in PLAIN_FIELDS},
        "client_secret": provider.client_secret,
        "roles": rules_as_json(provider.roles),
        "changed_us": now_us,
    }
    row = identity_providers.c.tenant_id == provider.tenant_id
    if before is None:
        connection.execute(insert(identity_providers).values(tenant_id=provider.tenant_id, **values))
    else:
        connection.execute(update(identity_providers).where(row).values(**values))
    detail = {
        "issuer": provider.issuer,
        "client": provider.client_id,
        "role_claim": provider.role_claim,
        "roles": text_of_rules(provider.roles),
        "hours": provider.session_hours,
        "link_by_email": provider.link_by_email,
        "second_factor": provider.second_factor,
    }
    _conclude(connection, provider.tenant_id, "sso-changed", detail, actor, now_us, but_session)


def remove_provider(
    connection: Connection, tenant_id: int, *, actor: str, now_us: int, but_session: str | None = None
) -> None:
    """Remove it; ends the sessions opened through it, except `but_session`. Its accounts stay, without a way in."""
    _lock(connection, tenant_id)
    if connection.execute(delete(identity_providers).where(identity_providers.c.tenant_id == tenant_id)).rowcount:
        _conclude(connection, tenant_id, "sso-removed", {}, actor, now_us, but_session)


def checked_issuer(issuer: str) -> str:
    """The issuer, if it may be one: https, or http on this machine. Raises Refused."""
    try:
        parts = urlsplit(issuer)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if (
        not is_safe_url(issuer)
        or parts.username is not None
        or parts.query
        or parts.fragment
        or len(issuer) > 512
        or not (issuer.isascii() and issuer.isprintable())
    ):
        raise Refused(
            f"the issuer {issuer[:80]!r} is not valid: copy it from your provider; it begins with https:// and has no"
            " query, like https://login.example.org/realms/news"
        )
    return issuer


def is_safe_url(url: str) -> bool:
    """Whether secrets and browsers may be sent there: https, or http on this machine (for tests)."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK))


def _check(provider: IdentityProvider) -> None:
    checked_issuer(provider.issuer)
    for name, text, most in (
        ("client ID", provider.client_id, 256),
        ("label", provider.label, 80),
        ("name claim", provider.name_claim, 200),
        ("role claim", provider.role_claim, 200),
        ("scopes", provider.scopes, 400),
    ):
        if not 1 <= len(text) <= most or not text.isprintable():
            raise Refused(f"the {name} has {len(text)} characters; it must have 1 to {most} printable ones")
    if "openid" not in provider.scopes.split():
        raise Refused(f"the scopes {provider.scopes!r} lack `openid`, without which there is no ID token")
    if not 1 <= provider.session_hours <= MOST_SESSION_HOURS:
        raise Refused(f"a session of {provider.session_hours} hours is outside 1..{MOST_SESSION_HOURS}")


def _conclude(
    connection: Connection,
    tenant_id: int,
    action: str,
    detail: dict[str, Any],
    actor: str,
    now_us: int,
    but_session: str | None,
) -> None:
    """An audit entry for each tenant it serves, and the end of their sessions."""
    c = tenants.c
    own = select(identity_providers.c.tenant_id)
    served = select(c.id).where(c.id.not_in(own) if tenant_id == ALL_TENANTS else c.id == tenant_id).order_by(c.id)
    for number in connection.scalars(served).all():
        audit_log.enter(connection, number, actor=actor, action=action, subject="tenant", now_us=now_us, detail=detail)
        connection.execute(
            delete(sessions).where(
                sessions.c.via == "sso",
                sessions.c.user_id.in_(select(users.c.id).where(users.c.tenant_id == number)),
                sessions.c.hash != (but_session or ""),
            )
        )


def _lock(connection: Connection, tenant_id: int) -> None:
    if tenant_id != ALL_TENANTS:
        lock_tenant(connection, tenant_id)


def _provider(row: Any) -> IdentityProvider:
    return IdentityProvider(
        tenant_id=row.tenant_id,
        client_secret=row.client_secret,
        roles=rules_from_json(row.roles),
        **{name: getattr(row, name) for name in PLAIN_FIELDS},
    )
