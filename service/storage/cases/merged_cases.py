"""Cases, and those that were merged into them directly or along a chain."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy import Connection

from service.storage.sql import schema
from service.storage.sql.parts import IDS_AT_ONCE, parts


def merged_families(connection: Connection, tenant_id: int, ids: Iterable[str]) -> dict[str, str | None]:
    """These cases and all that were merged into them, each with the one of them that it was merged into."""
    c = schema.clusters.c
    family: dict[str, str | None] = dict.fromkeys(ids)
    newest = list(family)
    while newest:
        found: dict[str, str | None] = {}
        for some in parts(newest, IDS_AT_ONCE):
            merged = sa.select(c.id, c.merged_into).where(c.tenant_id == tenant_id, c.merged_into.in_(some))
            found |= {row.id: row.merged_into for row in connection.execute(merged)}
        newest = [one for one in found if one not in family]
        family |= found
    return family


def merged_family(connection: Connection, tenant_id: int, cluster_id: str) -> list[str]:
    """The cluster and all that were merged into it."""
    return list(merged_families(connection, tenant_id, [cluster_id]))
