"""Members of known clusters who return after its complaints have left the window."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from worlds import DAY, MINUTE, START_MS, Row, columns, draw_town

from service.policy import DEFAULT_POLICY
from workers.detection.detector import Detector
from workers.detection.groups import Group
from workers.detection.known_clusters import KnownCluster, KnownClusters

POLICY = DEFAULT_POLICY
TOWN = draw_town(4, brigades=0).rows  # eight days
GANG = range(900_000, 900_060)
OLD = KnownCluster(frozenset(GANG), START_MS - 15 * 86_400_000)


def known(**clusters: KnownCluster) -> KnownClusters:
    index = KnownClusters()
    for identity, cluster in clusters.items():
        index.keep(identity, cluster)
    return index


def on(target: int, people: Iterable[int], at: float = 8 * DAY, lag: float = 0.05) -> list[Row]:
    return [Row(0, who, target, at + lag * k, 70_000 + target) for k, who in enumerate(people)]


class Live:
    """A detector that has seen the town, and the groups of returned members after each tick."""

    def __init__(self, index: KnownClusters) -> None:
        self.detector, self._seq = Detector(POLICY, index), 0
        self.ticks(TOWN)

    def ticks(self, rows: Sequence[Row]) -> list[Group]:
        numbered = [replace(row, seq=self._seq + k) for k, row in enumerate(rows, 1)]
        self._seq += len(rows)
        return [g for g in self.detector.tick(columns(numbered)) if g.continues is not None]


def test_fourteen_of_sixty_are_known_on_their_first_target() -> None:
    live = Live(known(k1=OLD))
    (group,) = live.ticks(on(60_000, GANG[:14]))
    assert (group.continues, group.kind, group.evidence) == ("k1", "repeat", ())
    assert (group.reporters, group.targets) == (frozenset(GANG[:14]), frozenset([60_000]))
    assert len(group.seq) == 14


def test_a_whole_window_is_looked_through_target_by_target(monkeypatch: pytest.MonkeyPatch) -> None:
    live = Live(known(k1=OLD))
    live.ticks(on(60_000, GANG[:14]))
    monkeypatch.setattr("workers.detection.returned_members.AT_ONCE", 1)
    (group,) = (g for g in live.detector.regroup() if g.continues is not None)
    assert (group.continues, group.reporters) == ("k1", frozenset(GANG[:14]))


@pytest.mark.parametrize(("people", "found"), [(3, True), (2, False)])
def test_it_takes_as_many_as_the_smallest_group_has(people: int, found: bool) -> None:
    assert bool(Live(known(k1=OLD)).ticks(on(60_000, GANG[:people]))) == found


def test_of_many_who_are_active_it_takes_a_tenth() -> None:
    live = Live(known(k1=OLD))
    live.ticks([r for k, who in enumerate(GANG) for r in on(61_000 + k, [who], 7 * DAY + k)])
    assert live.ticks(on(60_000, GANG[:5])) == []
    (group,) = live.ticks(on(60_000, GANG[5:7], 8 * DAY + MINUTE))
    assert len(group.seq) == 7, "those who had come before are with them"


def test_strangers_and_those_who_are_there_alone_are_not_taken_along() -> None:
    live = Live(known(k1=OLD))
    rows = [*on(60_000, GANG[:4]), *on(60_000, range(5_000, 5_010), 8 * DAY + 1), *on(60_001, [GANG[20]], 8 * DAY + 2)]
    (group,) = live.ticks(rows)
    assert (group.reporters, group.targets) == (frozenset(GANG[:4]), frozenset([60_000]))


def test_where_everybody_is_a_few_members_are_there_by_chance() -> None:
    live = Live(known(k1=OLD))
    elsewhere = [r for k in range(120) for r in on(62_000 + k, [GANG[k % 3]], 7 * DAY + k)]
    crowd = on(60_000, range(5_000, 5_060))
    assert live.ticks([*elsewhere, *crowd, *on(60_000, GANG[:3], 8 * DAY + 10)]) == []


def test_an_unchanged_group_is_the_same_object_and_grows_when_more_come() -> None:
    live = Live(known(k1=OLD))
    (first,) = live.ticks(on(60_000, GANG[:4]))
    (same,) = live.ticks(on(60_500, [5_000], 8 * DAY + 1))
    assert same is first
    (grown,) = live.ticks(on(60_000, GANG[4:6], 8 * DAY + 2))
    assert len(grown.seq) == 6


def test_a_cluster_that_lies_in_the_window_as_a_whole_is_no_lead() -> None:
    recent = replace(OLD, first_ms=START_MS + 7 * 86_400_000)
    assert Live(known(k1=recent)).ticks(on(60_000, GANG[:14])) == []


def test_a_cluster_that_no_longer_counts_is_none_either_and_a_new_one_is_at_once() -> None:
    index = known(k1=OLD)
    live = Live(index)
    assert live.ticks(on(60_000, GANG[:14]))
    index.drop("k1")
    assert live.ticks(on(60_500, [5_000], 8 * DAY + 1)) == []
    index.keep("k2", OLD)
    (group,) = live.ticks(on(60_500, [5_001], 8 * DAY + 2))
    assert group.continues == "k2", "though none of them is in the tick"


def test_after_a_sweep_all_are_looked_at_again() -> None:
    live = Live(known(k1=OLD))
    (before,) = live.ticks(on(60_000, GANG[:14]))
    live.detector.adopt(Detector.sweep(POLICY, columns([]))[0].fitted(), 0)
    (after,) = [g for g in live.detector.regroup() if g.continues is not None]
    assert (after.continues, after.seq.tolist()) == ("k1", before.seq.tolist())


def test_what_another_group_of_the_window_continues_is_left_to_it() -> None:
    """Fourteen in step on five targets are a group of this window: it says which targets are the cluster's."""
    live = Live(known(k1=OLD))
    for k in range(4):
        assert live.ticks(on(60_000 + k, GANG[:14], 8 * DAY + k * MINUTE))
    assert live.ticks(on(60_004, GANG[:14], 8 * DAY + 4 * MINUTE)) == []
    (group,) = live.ticks(on(60_005, GANG[20:30], 8 * DAY + 5 * MINUTE))
    assert (group.reporters, group.targets) == (frozenset(GANG[20:30]), frozenset([60_005])), "others of them"


def test_a_group_outlives_that_the_columns_of_the_window_are_compacted() -> None:
    live = Live(known(k1=OLD))
    others = [r for k in range(5) for r in on(61_000 + k, GANG[20:26], 8 * DAY + 60 + k)]
    (first,) = live.ticks([*on(60_000, GANG[:4]), *others])
    assert len(first.seq) == 4, "the others are a group of this window"
    rows = live.detector.window.size
    live.ticks([replace(r, target=r.target + 100_000, at=r.at + 13.8 * DAY) for r in TOWN])
    assert live.detector.window.size < rows + len(TOWN), "compacted"
    none = np.empty(0, np.int32)
    (after,) = live.detector.grouping.returned.update(none, none, [], whole=False)  # that group has dissolved
    assert len(after.seq) == 4 + 30 and set(first.seq.tolist()) < set(after.seq.tolist())


def test_the_index_knows_members_of_several_clusters_and_forgets_who_left() -> None:
    index = known(k1=KnownCluster(frozenset([1, 2, 3]), 0), k2=KnownCluster(frozenset([3, 4]), 0))
    assert (index.ids_of(1), index.ids_of(3), index.ids_of(9)) == (("k1",), ("k1", "k2"), ())
    assert index.take_changed() == {"k1", "k2"} and index.take_changed() == set()
    index.keep("k1", KnownCluster(frozenset([1, 5]), 0))
    index.drop("k2")
    index.drop("k3")
    assert [index.ids_of(who) for who in (1, 2, 3, 4, 5)] == [("k1",), (), (), (), ("k1",)]
    assert index.take_changed() == {"k1", "k2"}
