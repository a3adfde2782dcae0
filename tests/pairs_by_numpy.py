"""The pairs of a window by numpy: what every engine has to find, to the last bit."""

from __future__ import annotations

import numpy as np

from service.policy import Policy
from workers.detection import pairs
from workers.detection.detector import Detector
from workers.detection.swept_pairs import SweptPairs
from workers.detection.window import Complaints


def by_numpy(policy: Policy, batch: Complaints) -> Detector:
    """A detector that has compared the pairs of the window."""
    detector = Detector(policy)
    detector._sweep_pairs(detector.window.append(batch))
    return detector


def assert_same(policy: Policy, batch: Complaints, found: SweptPairs) -> None:
    """Compare m, candidates, what the cap cuts, the affinity, edges and p."""
    expected = by_numpy(policy, batch)
    keys, find = expected.window.reporters.keys, expected.window.reporters.find
    assert (found.pairs_met, found.joined, found.cut) == tuple(
        expected.counters[name] for name in ("pairs_met", "joined", "cut")
    )
    assert found.affinity == expected.affinity
    numbers = pairs.pair_keys(find(found.first), find(found.second))
    order = np.argsort(numbers)
    assert numbers[order].tolist() == expected.edges.keys.tolist()
    assert found.p[order].tolist() == expected.edges.p.tolist()
    assert set(keys[expected.edges.keys >> pairs.PAIR_BITS].tolist()) <= set(batch.reporter.tolist())
