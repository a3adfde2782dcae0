"""One tenant's settings: pseudonyms, texts, retention, rate. A tenant without a row has the defaults.

Every change makes an audit entry. A running service applies it within seconds: settings are cached no longer than keys.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any

from sqlalchemy import Connection, insert, select, update

from service.errors import Refused
from service.storage.accounts import audit_log
from service.storage.accounts.policy_overrides import policy_of
from service.storage.sql import timers
from service.storage.sql.engine import lock_tenant
from service.storage.sql.schema import tenant_settings

DAY_SECONDS = 86_400
RETENTION_WORK = "retain"
MAX_RETENTION_DAYS = 36_500
MAX_RATE = 1e9


@dataclass(frozen=True, slots=True)
class TenantSettings:
    """The settings of one tenant."""

    pseudonyms: bool = False  # ids of reporters are replaced before they are stored anywhere
    keep_text: bool = False  # reporters' texts are kept, not only their signatures
    retention_days: int | None = None  # since receipt, by wall clock; None: kept indefinitely
    rate_per_second: float | None = None  # items that the tenant may send; None: unlimited
    # the tenant's own secret, encrypted; None: not made yet (service/storage/privacy/privacy_filters.py)
    sealed_key: str | None = field(default=None, repr=False)


def settings_of(connection: Connection, tenant_id: int) -> TenantSettings:
    """The tenant's current settings."""
    row = connection.execute(select(tenant_settings).where(tenant_settings.c.tenant_id == tenant_id)).mappings().first()
    return TenantSettings() if row is None else from_row(row)


def from_row(row: Any) -> TenantSettings:
    """The settings in a row of the table (or of a join with it: null where there is none)."""
    return TenantSettings(
        bool(row["pseudonyms"]),
        bool(row["keep_text"]),
        row["retention_days"],
        row["rate_per_second"],
        row["pseudonym_key"],
    )


def change_settings(
    connection: Connection, tenant_id: int, *, actor: str, now_us: int, **changes: Any
) -> TenantSettings:
    """Change the named settings, record the change in the audit trail, and return all settings.

    Raises Refused for a value out of bounds (nothing is written then), TypeError for an unknown setting.
    """
    unknown = changes.keys() - {f.name for f in fields(TenantSettings)} | changes.keys() & {"sealed_key"}
    if unknown:
        raise TypeError(f"unknown setting: {', '.join(sorted(unknown))}")
    lock_tenant(connection, tenant_id)
    _check(connection, tenant_id, changes)
    before = settings_of(connection, tenant_id)
    different = {name: value for name, value in changes.items() if getattr(before, name) != value}
    if not different:
        return before
    write_columns(connection, tenant_id, **different)
    if "retention_days" in different:
        timers.at_latest(connection, tenant_id, RETENTION_WORK, now_us)
    detail = {name: {"before": getattr(before, name), "after": value} for name, value in different.items()}
    audit_log.enter(
        connection, tenant_id, actor=actor, action="settings", subject="tenant", now_us=now_us, detail=detail
    )
    return settings_of(connection, tenant_id)


def write_columns(connection: Connection, tenant_id: int, **values: Any) -> None:
    """Write columns of the tenant's row, creating it if needed.

    In a transaction that has locked the tenant (`lock_tenant`).
    """
    row = tenant_settings.c.tenant_id == tenant_id
    if connection.execute(update(tenant_settings).where(row).values(**values)).rowcount == 0:
        connection.execute(insert(tenant_settings).values(tenant_id=tenant_id, **values))


def _check(connection: Connection, tenant_id: int, changes: dict[str, Any]) -> None:
    days = changes.get("retention_days")
    if days is not None:
        window_seconds = policy_of(connection, tenant_id).window_seconds
        least = math.ceil(window_seconds / DAY_SECONDS)
        if not least <= days <= MAX_RETENTION_DAYS:
            raise Refused(
                f"a retention of {days} days is outside {least}..{MAX_RETENTION_DAYS}: detection compares the"
                f" complaints of the last {window_seconds / DAY_SECONDS:g} days with each other, and would miss groups"
                " whose earlier complaints had been deleted",
                command_hint="; `off` keeps complaints indefinitely",
            )
    rate = changes.get("rate_per_second")
    if rate is not None and not 0 < rate <= MAX_RATE:
        raise Refused(
            f"invalid rate of {rate:g} items a second: it must be above 0 and at most {MAX_RATE:g}",
            command_hint="; `off` means unlimited",
        )
