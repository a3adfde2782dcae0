"""Which tags cases have. Reads only; changes are in tags.py. A merged case's tags are its survivor's too."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy import Connection

from service.storage.cases.merged_cases import merged_families
from service.storage.sql.parts import IDS_AT_ONCE, parts
from service.storage.sql.schema import case_tags, clusters


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
    c, ids = case_tags.c, sorted(set(cluster_ids))
    survivor_of = merged_families(connection, tenant_id, ids)
    for some in parts(survivor_of, IDS_AT_ONCE):
        mine = c.tenant_id == tenant_id, c.cluster_id.in_(some), c.removed_us.is_(None)
        for cluster_id, tag in connection.execute(sa.select(c.cluster_id, c.tag).where(*mine)):
            of: str | None = cluster_id
            while of is not None and tag not in found.setdefault(of, set()):
                found[of].add(tag)
                of = survivor_of[of]
    return {one: sorted(found[one], key=str.casefold) for one in ids if one in found}


def tagged(tenant_id: int, tag: str) -> sa.Select[tuple[str]]:
    """The ids of the cases that have the tag, themselves or through a case merged into them."""
    c = case_tags.c
    own = sa.select(c.cluster_id).where(c.tenant_id == tenant_id, c.tag == tag, c.removed_us.is_(None))
    base = own.cte("tagged", recursive=True)
    survivors = sa.select(clusters.c.merged_into).where(
        clusters.c.id == base.c.cluster_id, clusters.c.tenant_id == tenant_id, clusters.c.merged_into.is_not(None)
    )
    return sa.select(base.union(survivors).c.cluster_id)
