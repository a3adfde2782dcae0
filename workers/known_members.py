"""The members of groups whose complaints are discounted, as Redis knows them: their complaints about a target make the
answer to the question before a removal provisional before any tick (service/storage/redis_store/unseen.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Set

from redis import Redis
from sqlalchemy import Connection

from service.moderation.cluster_discounts import discounts_members
from service.moderation.cluster_state import ClusterState
from service.storage.cases import clusters
from service.storage.detection import allow_list
from service.storage.redis_store.unseen import change_known_members, replace_known_members


class KnownMembers:
    """Those of one tenant, kept current as its clusters change. Reporters are keys.

    Without the tenant's secret, whose key may be missing, none are published.
    """

    def __init__(self, tenant: str, secret: bytes | None) -> None:
        self._tenant, self._secret = tenant, secret
        self._of_cluster: dict[str, frozenset[int]] = {}
        self._clusters_of: Counter[int] = Counter()  # by reporter; 0: no longer

    def update(self, changed: Iterable[ClusterState], allowed: Set[int]) -> tuple[set[int], set[int]]:
        """Take over clusters as they are now; returns who has become a known member, and who is none any more."""
        touched: dict[int, bool] = {}  # whether they were known before
        for cluster in changed:
            before, now = (
                self._of_cluster.get(cluster.id, frozenset()),
                (cluster.members if discounts_members(cluster) else frozenset[int]()) - allowed,
            )
            for reporters, step in ((now - before, 1), (before - now, -1)):
                for reporter in reporters:
                    touched.setdefault(reporter, self._clusters_of[reporter] > 0)
                    self._clusters_of[reporter] += step
            self._of_cluster[cluster.id] = now
        known = {reporter for reporter in touched if self._clusters_of[reporter] > 0}
        return {r for r in known if not touched[r]}, {r for r, was in touched.items() if was and r not in known}

    def publish(self, redis: Redis, changed: Iterable[ClusterState], allowed: Set[int]) -> None:
        """Write to Redis what the change of these clusters means for their members."""
        added, removed = self.update(changed, allowed)
        if self._secret is not None and (added or removed):
            change_known_members(redis, self._tenant, self._secret, added, removed)

    def publish_all(self, redis: Redis, every: Iterable[ClusterState], allowed: Set[int]) -> None:
        """Write all of them again; `every` are all the clusters there are."""
        self._of_cluster.clear()
        self._clusters_of.clear()
        known, _ = self.update(every, allowed)
        if self._secret is not None:
            replace_known_members(redis, self._tenant, self._secret, known)


def write_known_members(connection: Connection, redis: Redis, tenant: str, number: int, secret: bytes | None) -> None:
    """Write a tenant's known members to Redis, from SQL."""
    every = clusters.load(connection, number).values()
    KnownMembers(tenant, secret).publish_all(redis, every, allow_list.keys_of(connection, number))
