"""The members of groups whose complaints are discounted, as Redis knows them: their complaints about a target make the
answer to the question before a removal provisional before any tick (service/storage/redis_store/unseen.py).

Whom an administrator trusts is not among them. Without the tenant's secret, whose key may be missing, none are written.
"""

from __future__ import annotations

from collections.abc import Set

from redis import Redis
from sqlalchemy import Connection

from service.moderation.cluster_discounts import discounts_members
from service.storage.cases import clusters
from service.storage.detection import allow_list
from service.storage.redis_store.unseen import change_known_members, replace_known_members
from workers.tenant_analyzer import TenantAnalyzer


def publish_known_members(redis: Redis, analyzer: TenantAnalyzer) -> None:
    """Write those who have become known members since the last call, or are none any more."""
    known, allowed = analyzer.clusters.known, analyzer.clusters.allowed or frozenset()
    touched = known.take_touched()
    now = {reporter for reporter in touched if known.ids_of(reporter)} - allowed
    if analyzer.secret is not None and touched:
        change_known_members(redis, analyzer.tenant, analyzer.secret, now, touched - now)


def publish_all_known_members(redis: Redis, analyzer: TenantAnalyzer) -> None:
    """Write all of them again."""
    analyzer.clusters.known.take_touched()
    members = analyzer.clusters.known.members() - (analyzer.clusters.allowed or frozenset())
    _replace(redis, analyzer.tenant, analyzer.secret, members)


def write_known_members(connection: Connection, redis: Redis, tenant: str, number: int, secret: bytes | None) -> None:
    """Write a tenant's known members from SQL."""
    stored = clusters.load(connection, number).values()
    members = frozenset[int]().union(*(cluster.members for cluster in stored if discounts_members(cluster)))
    _replace(redis, tenant, secret, members - allow_list.keys_of(connection, number))


def _replace(redis: Redis, tenant: str, secret: bytes | None, members: Set[int]) -> None:
    if secret is not None:
        replace_known_members(redis, tenant, secret, members)
