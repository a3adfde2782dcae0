"""A small history and a cluster in it, for the tests of the audit's page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cluster_states import cluster_state

from service.model import Complaint, Reporter, Target, microseconds
from service.moderation.cluster_state import ClusterState, Membership
from service.storage.complaints.feed import FeedOutcome
from service.storage.sql.hashing import key_of
from workers.audit.history import Collector, ComplaintHistory

START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


def history_of(filed: Iterable[tuple[str, str, float]], **target: str) -> ComplaintHistory:
    """A history of (reporter, target, seconds after START); `target` are further fields of every target."""
    collector = Collector(5)
    for k, (reporter, about, seconds) in enumerate(filed):
        collector.add(
            Complaint(
                id=f"c{k}",
                occurred_at=START + timedelta(seconds=seconds),
                reporter=Reporter(id=reporter),
                target=Target(id=about, **target),
            )
        )
    return collector.history()[0]


def cluster_in(history: ComplaintHistory, members: Iterable[str], *, id: str = "k1", **changed: Any) -> ClusterState:
    """A cluster of `members` with all their complaints, and the targets of those."""
    people = frozenset(map(key_of, members))
    c = history.complaints
    memberships = [
        Membership(int(c.seq[k]), int(c.reporter[k]), int(c.target[k]), int(c.time_ms[k]) * 1000, False)
        for k in range(len(c))
        if int(c.reporter[k]) in people
    ]
    state = cluster_state(
        id,
        memberships,
        members=people,
        probability=0.97,
        unfounded_probability=0.9,
        summary="Some accounts complained about the same targets.",
    )
    return replace(state, **changed)


def outcome(
    target: str, verdict: str, *, decided_by: str = "person", after: float = 1e6, id: str = "o1"
) -> FeedOutcome:
    """An outcome about a whole target, `after` seconds after START."""
    return FeedOutcome(
        0, id, key_of(target), microseconds(START + timedelta(seconds=after)), verdict, None, decided_by, 0
    )
