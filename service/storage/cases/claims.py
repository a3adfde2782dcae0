"""Claims: who works on a case. A claim informs others, but does not keep them from deciding."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from service.model import microseconds, moment
from service.storage.accounts import audit_log
from service.storage.sql.engine import lock_tenant
from service.storage.sql.parts import IDS_AT_ONCE, parts
from service.storage.sql.schema import claims, clusters


@dataclass(frozen=True, slots=True)
class Claim:
    """A case and who works on it."""

    by: str
    at: datetime


def claims_of(connection: Connection, tenant_id: int, cluster_ids: Collection[str]) -> dict[str, Claim]:
    """Who works on which of these cases; unclaimed ones are left out."""
    ids = sorted(set(cluster_ids))
    found: dict[str, Claim] = {}
    for some in parts(ids, IDS_AT_ONCE):
        mine = sa.select(claims).where(claims.c.tenant_id == tenant_id, claims.c.cluster_id.in_(some))
        found.update({row.cluster_id: Claim(row.by, moment(row.at_us)) for row in connection.execute(mine)})
    return found


def claim(connection: Connection, tenant_id: int, cluster_ids: Collection[str], *, by: str, now: datetime) -> list[str]:
    """Claim the cases, even if someone else has; returns the ids of those that changed hands, in the given order.

    Part of the caller's writing transaction. Skips other tenants' clusters and cases that `by` has already claimed.
    """
    lock_tenant(connection, tenant_id)
    wanted = [one for one in dict.fromkeys(cluster_ids) if len(one) <= 40]
    known: set[str] = set()
    for some in parts(wanted, IDS_AT_ONCE):
        mine = sa.select(clusters.c.id).where(clusters.c.tenant_id == tenant_id, clusters.c.id.in_(some))
        known.update(connection.scalars(mine))
    held = claims_of(connection, tenant_id, known)
    taken = [one for one in wanted if one in known and (one not in held or held[one].by != by)]
    for one in taken:
        values = {"by": by, "at_us": microseconds(now)}
        if (
            connection.execute(
                sa.update(claims).where(claims.c.cluster_id == one, claims.c.tenant_id == tenant_id).values(values)
            ).rowcount
            == 0
        ):
            connection.execute(sa.insert(claims).values(cluster_id=one, tenant_id=tenant_id, **values))
        _note(
            connection,
            tenant_id,
            one,
            by=by,
            action="claim",
            now=now,
            detail={"from": held[one].by} if one in held else {},
        )
    return taken


def unclaim(
    connection: Connection, tenant_id: int, cluster_ids: Collection[str], *, by: str, now: datetime
) -> list[str]:
    """Release these cases, no matter who claimed them; the ids of those that were claimed, in the order given."""
    lock_tenant(connection, tenant_id)
    held = claims_of(connection, tenant_id, cluster_ids)
    given = [one for one in dict.fromkeys(cluster_ids) if one in held]
    for one in given:
        connection.execute(sa.delete(claims).where(claims.c.cluster_id == one, claims.c.tenant_id == tenant_id))
        _note(connection, tenant_id, one, by=by, action="unclaim", now=now, detail={"from": held[one].by})
    return given


def _note(
    connection: Connection,
    tenant_id: int,
    cluster_id: str,
    *,
    by: str,
    action: str,
    now: datetime,
    detail: dict[str, str],
) -> None:
    audit_log.enter(
        connection,
        tenant_id,
        actor=by,
        action=action,
        subject=f"cluster:{cluster_id}",
        now_us=microseconds(now),
        detail=detail,
    )
