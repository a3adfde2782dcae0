"""Which tags cases have. Reads only; changes are in tags.py. A merged case's tags are its survivor's too."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy import Connection

from service.storage.sql.schema import case_tags, clusters

_AT_ONCE = 400


def tags_in_use(connection: Connection, tenant_id: int) -> list[str]:
    """The tenant's tags, sorted."""
    c = case_tags.c
    found = connection.scalars(sa.select(c.tag).where(c.tenant_id == tenant_id, c.removed_us.is_(None)).distinct())
    return sorted(found, key=str.casefold)


def find_tag(connection: Connection, tenant_id: int, text: str) -> str | None:
    """The tenant's tag that equals the text, as it is spelled; None if there is none."""
    wanted = " ".join(unicodedata.normalize("NFC", text).split()).casefold()
    return next((tag for tag in tags_in_use(connection, tenant_id) if tag.casefold() == wanted), None)


def tags_of(connection: Connection, tenant_id: int, cluster_ids: Collection[str]) -> dict[str, list[str]]:
    """The tags of each of these cases and of those merged into it, sorted; cases without tags are left out."""
    found: dict[str, set[str]] = {}
    ids = sorted(set(cluster_ids))
    for start in range(0, len(ids), _AT_ONCE):
        survivor_of = _survivors(connection, tenant_id, ids[start : start + _AT_ONCE])
        c, family = case_tags.c, list(survivor_of)
        for part in range(0, len(family), _AT_ONCE):
            mine = c.tenant_id == tenant_id, c.cluster_id.in_(family[part : part + _AT_ONCE]), c.removed_us.is_(None)
            for cluster_id, tag in connection.execute(sa.select(c.cluster_id, c.tag).where(*mine)):
                of: str | None = cluster_id
                while of is not None and tag not in found.setdefault(of, set()):
                    found[of].add(tag)
                    of = survivor_of[of]
    return {one: sorted(found[one], key=str.casefold) for one in ids if one in found}


def _survivors(connection: Connection, tenant_id: int, ids: Collection[str]) -> dict[str, str | None]:
    """These cases and all that were merged into them, each with the one of them that it was merged into."""
    family: dict[str, str | None] = dict.fromkeys(ids)
    newest = list(ids)
    while newest:
        merged = connection.execute(
            sa.select(clusters.c.id, clusters.c.merged_into).where(
                clusters.c.tenant_id == tenant_id, clusters.c.merged_into.in_(newest)
            )
        ).all()
        newest = [row.id for row in merged if family.get(row.id) is None]
        family |= {row.id: row.merged_into for row in merged}
    return family


def tagged(tenant_id: int, tag: str) -> sa.Select[tuple[str]]:
    """The ids of the cases that have the tag, themselves or through a case merged into them."""
    c = case_tags.c
    own = sa.select(c.cluster_id).where(c.tenant_id == tenant_id, c.tag == tag, c.removed_us.is_(None))
    base = own.cte("tagged", recursive=True)
    survivors = sa.select(clusters.c.merged_into).where(
        clusters.c.id == base.c.cluster_id, clusters.c.tenant_id == tenant_id, clusters.c.merged_into.is_not(None)
    )
    return sa.select(base.union(survivors).c.cluster_id)
