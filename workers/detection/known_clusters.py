"""The clusters that count for as long as they are kept, by member: whose return is looked for in a tick.

A window forgets what has left it; the stored clusters do not. `workers/cluster_updates.py` keeps this index true, and
`returned_members.py` asks it about the reporters of a tick, so that a tick does not walk through thousands of clusters.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownCluster:
    """A stored cluster on several targets that takes something off the count of its members' complaints."""

    members: frozenset[int]  # the caller's keys, without those whom a moderator excluded
    first_ms: int  # of its first complaint, milliseconds since 1970


class KnownClusters:
    """Known clusters by id, and their ids by member."""

    def __init__(self) -> None:
        self.by_id: dict[str, KnownCluster] = {}
        self._ids: dict[int, tuple[str, ...]] = {}  # by member; tuples, since most members are in one cluster
        self._changed: set[str] = set()
        self._touched: set[int] = set()

    def keep(self, identity: str, cluster: KnownCluster) -> None:
        """Take the cluster over as it is now."""
        known = self.by_id.get(identity)
        if known == cluster:
            return
        before = known.members if known is not None else frozenset[int]()
        self._leave(identity, before - cluster.members)
        self._touched |= cluster.members - before
        for member in cluster.members - before:
            self._ids[member] = (*self._ids.get(member, ()), identity)
        self.by_id[identity] = cluster
        self._changed.add(identity)

    def drop(self, identity: str) -> None:
        """Forget a cluster that no longer counts; an unknown id is ignored."""
        known = self.by_id.pop(identity, None)
        if known is not None:
            self._leave(identity, known.members)
            self._changed.add(identity)

    def ids_of(self, reporter: int) -> tuple[str, ...]:
        """The clusters that this reporter (a key) is a member of."""
        return self._ids.get(reporter, ())

    def members(self) -> Set[int]:
        """The members of all of them."""
        return self._ids.keys()

    def take_touched(self) -> set[int]:
        """Who has come into or left a cluster since the last call."""
        touched, self._touched = self._touched, set()
        return touched

    def take_changed(self) -> set[str]:
        """The ids that were kept or dropped since the last call."""
        changed, self._changed = self._changed, set()
        return changed

    def _leave(self, identity: str, members: Set[int]) -> None:
        self._touched |= members
        for member in members:
            left = tuple(i for i in self._ids[member] if i != identity)
            if left:
                self._ids[member] = left
            else:
                del self._ids[member]
