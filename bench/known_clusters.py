"""What stored clusters cost a tick: thousands of them, which count and have left the window.

    .venv/bin/python bench/known_clusters.py [--clusters 5000] [--members 30] [--quick]

A window of 60,000 complaints is ticked (50 ticks of 100) without known clusters, with clusters whose members are not in
the window, and with clusters whose members are drawn from its reporters, so that each tick touches hundreds of them.
Then the rules that match groups with clusters (service/moderation/reconciliation.py) are run as such a tick runs them,
with one new group: once with no cluster, once with all, each with 8 targets and every member on half of them. CPU time.
"""

from __future__ import annotations

import time

import numpy as np
from analysis import loaded
from figures import parser_of, print_machine, show
from world_files import DEMO, add_options, columns, part, world

from service.model import Evidence
from service.moderation.cluster_state import ClusterState, Membership
from service.moderation.reconciliation import Recomputation, reconcile
from service.moderation.usual import Usual
from service.policy import DEFAULT_POLICY
from workers.detection.detector import Detector
from workers.detection.known_clusters import KnownCluster, KnownClusters
from workers.detection.returned_members import ReturnedMembers
from workers.detection.window import Complaints
from workers.group_adapter import AdaptedGroup

TICKS, SIZE, TARGETS = 50, 100, 8
NEW, DAY_US = 1 << 50, 86_400_000_000


def index_of(members: np.ndarray[tuple[int, int], np.dtype[np.int64]]) -> KnownClusters:
    """Clusters of these members (one row each) that began long ago."""
    index = KnownClusters()
    for number, row in enumerate(members.tolist()):
        index.keep(f"k{number}", KnownCluster(frozenset(row), 0))
    return index


def per_tick(c: Complaints, known: KnownClusters) -> tuple[float, float]:
    """CPU ms a tick; and of the tick that looks at all of them, as after a sweep."""
    begin = len(c.seq) - TICKS * SIZE
    live: Detector = loaded(c, begin)
    live.grouping.returned = ReturnedMembers(DEFAULT_POLICY, live.window, known)
    known.take_changed()
    before = time.process_time()
    live.grouping.returned.update(np.empty(0, np.int32), np.empty(0, np.int32), [], whole=True)
    whole = time.process_time() - before
    before = time.process_time()
    for first in range(begin, len(c.seq), SIZE):
        live.tick(part(c, first, first + SIZE))
    return (time.process_time() - before) / TICKS * 1e3, whole * 1e3


def stored(number: int, members: list[int]) -> ClusterState:
    """A flagged cluster."""
    kept = {}
    for k in range(TARGETS):
        for j, member in enumerate(members):
            if (j + k) % 2:
                seq = (number * TARGETS + k) * len(members) + j
                kept[seq] = Membership(seq, member, NEW + number * TARGETS + k, k * DAY_US, False)
    evidence = (Evidence(signal="lockstep", value=1, usual=0, p_value=None, contribution=4, text=""),)
    return ClusterState(
        f"k{number}", "repeat", "flagged", "open", frozenset(members), frozenset(), kept,
        {NEW + number * TARGETS + k: 0 for k in range(TARGETS)}, evidence, 4.0, 0.98, 0.5, (), "",
        DEFAULT_POLICY.version, 1, 0,
    )  # fmt: skip


def matching(states: dict[str, ClusterState], people: list[int]) -> float:
    """CPU ms of matching one new group with the clusters."""
    now = 60 * DAY_US
    there = tuple(Membership(NEW + k, who, 7, now, False) for k, who in enumerate(people))
    group = AdaptedGroup("repeat", frozenset(people), there, next(iter(states.values())).evidence, {7: 0, 8: 0})
    last_us = {s.id: s.last_us for s in states.values()}  # as a worker keeps them
    found = Recomputation([group], {}, now - 14 * DAY_US, now, complete=False, usual=Usual(), last_us=last_us)
    before = time.process_time()
    for _ in range(10):
        reconcile(states, found, DEFAULT_POLICY, lambda: "new")
    return (time.process_time() - before) / 10 * 1e3


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--clusters", type=int, default=5_000)
    parser.add_argument("--members", type=int, default=30)
    add_options(parser)
    chosen = parser.parse_args()
    print_machine()
    c = columns(world(DEMO if chosen.quick else "window60k", chosen))
    rng, shape = np.random.default_rng(1), (chosen.clusters, chosen.members)
    inside = rng.choice(np.unique(c.reporter[-60_000:]), shape)
    outside = rng.integers(NEW, 2**62, shape)
    for name, index in (
        ("no known clusters", KnownClusters()),
        (f"{chosen.clusters:,} of strangers", index_of(outside)),
        (f"{chosen.clusters:,} of people in the window", index_of(inside)),
    ):
        tick, whole = per_tick(c, index)
        show(f"{name}: ms CPU a tick of {SIZE}", tick, digits=2, quick=chosen.quick)
        show(f"{name}: ms CPU to look at all of them", whole, digits=2, quick=chosen.quick)
    states = {s.id: s for s in (stored(number, row) for number, row in enumerate(outside.tolist()))}
    one = dict(list(states.items())[:1])
    show(
        "matching one group with one cluster, ms CPU",
        matching(one, outside[0, :14].tolist()),
        digits=2,
        quick=chosen.quick,
    )
    show(
        f"matching one group with {chosen.clusters:,} clusters, ms CPU",
        matching(states, outside[0, :14].tolist()),
        digits=2,
        quick=chosen.quick,
    )


if __name__ == "__main__":
    main()
