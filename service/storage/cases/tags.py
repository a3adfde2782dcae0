"""Tags: a tenant's own words on its cases. Equal words, whatever their case, are one tag, spelled as it was first.

Rows of removed tags stay for the history, which erasure rewrites with them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from service.model import microseconds, moment
from service.moderation.decisions import Unfit
from service.storage.accounts import audit_log
from service.storage.cases.cases import cluster_row
from service.storage.cases.merged_cases import merged_family
from service.storage.cases.queues import plan_placing
from service.storage.cases.tag_reads import tags_in_use, tags_of
from service.storage.sql.engine import lock_tenant
from service.storage.sql.parts import IDS_AT_ONCE
from service.storage.sql.schema import case_tags

LONGEST = 40  # characters
MOST_OF_CASE = 20
MOST_OF_TENANT = 500  # different ones in use
_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


@dataclass(frozen=True, slots=True)
class TagChange:
    """A tag that was added to a case, or removed from it."""

    at: datetime
    by: str
    tag: str
    removed: bool


def checked_tag(text: str) -> str:
    """The tag as it is stored: NFC, single spaces. Raises Unfit."""
    tag = " ".join(unicodedata.normalize("NFC", text).split())
    if not 1 <= len(tag) <= LONGEST:
        raise Unfit(f"a tag must have 1 to {LONGEST} characters; this one has {len(tag)}", pointer="/tag")
    if "," in tag or any(unicodedata.category(character) in _INVISIBLE for character in tag):
        raise Unfit("a tag must not contain commas or invisible characters", pointer="/tag")
    return tag


def add_tag(connection: Connection, tenant_id: int, cluster_id: str, text: str, *, by: str, now: datetime) -> str:
    """Put a tag on the case, in the caller's writing transaction, and return it as it is spelled.

    One that the case has is left as it is. Raises NotFound, and Unfit for an unsuitable tag or one too many.
    """
    cluster_row(connection, tenant_id, cluster_id)
    tag = checked_tag(text)
    lock_tenant(connection, tenant_id)
    known = tags_in_use(connection, tenant_id)
    spelled = next((one for one in known if one.casefold() == tag.casefold()), None)
    if spelled is None and len(known) >= MOST_OF_TENANT:
        raise Unfit(f"there are {MOST_OF_TENANT} different tags already: use one of them", pointer="/tag")
    tag = spelled or tag
    mine = tags_of(connection, tenant_id, [cluster_id]).get(cluster_id, [])
    if tag in mine:
        return tag
    if len(mine) >= MOST_OF_CASE:
        raise Unfit(f"a case has at most {MOST_OF_CASE} tags: remove one first", pointer="/tag")
    values = {"tenant_id": tenant_id, "cluster_id": cluster_id, "tag": tag, "by": by, "at_us": microseconds(now)}
    connection.execute(sa.insert(case_tags).values(values))
    _changed(connection, tenant_id, cluster_id, "tag added", by, now)
    return tag


def remove_tag(connection: Connection, tenant_id: int, cluster_id: str, tag: str, *, by: str, now: datetime) -> bool:
    """Take the tag from the case and from those merged into it; whether one of them had it. Raises NotFound."""
    cluster_row(connection, tenant_id, cluster_id)
    lock_tenant(connection, tenant_id)
    c = case_tags.c
    removed = connection.execute(
        sa.update(case_tags)
        .where(
            c.tenant_id == tenant_id,
            c.cluster_id.in_(merged_family(connection, tenant_id, cluster_id)),
            c.tag == tag,
            c.removed_us.is_(None),
        )
        .values(removed_by=by, removed_us=microseconds(now))
    ).rowcount
    if removed:
        _changed(connection, tenant_id, cluster_id, "tag removed", by, now)
    return bool(removed)


def tag_changes(connection: Connection, tenant_id: int, family: Collection[str], at_most: int) -> list[TagChange]:
    """What was added to these cases and removed from them, the latest rows."""
    c = case_tags.c
    rows = connection.execute(
        sa.select(case_tags)
        .where(c.tenant_id == tenant_id, c.cluster_id.in_(list(family)[:IDS_AT_ONCE]))
        .order_by(c.id.desc())
        .limit(at_most)
    ).all()
    changes = [TagChange(moment(row.at_us), row.by, row.tag, removed=False) for row in rows]
    return changes + [
        TagChange(moment(row.removed_us), row.removed_by, row.tag, removed=True)
        for row in rows
        if row.removed_us is not None
    ]


def _changed(connection: Connection, tenant_id: int, cluster_id: str, action: str, by: str, now: datetime) -> None:
    plan_placing(connection, tenant_id, microseconds(now))
    # Not the tag itself: it may name a person, and stands in its own row, where erasure finds it.
    audit_log.enter(
        connection, tenant_id, actor=by, action=action, subject=f"cluster:{cluster_id}", now_us=microseconds(now)
    )
