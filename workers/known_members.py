"""The members of groups whose complaints are discounted, as Redis knows them: their complaints about a target make the
answer to the question before a removal provisional before any tick (service/storage/redis_store/unseen.py).

Reporters on the allow-list are not among them. Without the tenant's secret, whose key may be missing, none are written.
"""

from __future__ import annotations

from collections.abc import Set

from redis import Redis
from sqlalchemy import Connection

from service.moderation.allowances import Exemptions
from service.moderation.cluster_discounts import discounts_members
from service.storage.cases import clusters
from service.storage.detection.exemptions import exemptions_of
from service.storage.redis_store.unseen import change_known_members, replace_known_members
from workers.tenant_analyzer import TenantAnalyzer


def publish_known_members(redis: Redis, analyzer: TenantAnalyzer) -> None:
    """Write those who have become known members since the last call, or are none any more."""
    known, exemptions = analyzer.clusters.known, analyzer.clusters.exemptions or Exemptions()
    touched = known.take_touched()
    now = {reporter for reporter in touched if known.ids_of(reporter)} - frozenset(exemptions.allowed)
    if analyzer.secret is not None and touched:
        change_known_members(
            redis, analyzer.tenant, analyzer.secret, now, touched - now, registered=exemptions.flaggers.terms
        )


def publish_all_known_members(redis: Redis, analyzer: TenantAnalyzer) -> None:
    """Write all of them again."""
    analyzer.clusters.known.take_touched()
    exemptions = analyzer.clusters.exemptions or Exemptions()
    _replace(redis, analyzer.tenant, analyzer.secret, analyzer.clusters.known.members(), exemptions)


def write_known_members(connection: Connection, redis: Redis, tenant: str, number: int, secret: bytes | None) -> None:
    """Write a tenant's known members from SQL."""
    stored = clusters.load(connection, number).values()
    members = frozenset[int]().union(*(cluster.members for cluster in stored if discounts_members(cluster)))
    _replace(redis, tenant, secret, members, exemptions_of(connection, number))


def _replace(redis: Redis, tenant: str, secret: bytes | None, members: Set[int], exemptions: Exemptions) -> None:
    if secret is not None:
        discounted = members - frozenset(exemptions.allowed)
        replace_known_members(redis, tenant, secret, discounted, registered=exemptions.flaggers.terms)
