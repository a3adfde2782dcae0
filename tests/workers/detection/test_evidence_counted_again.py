"""The evidence of a group that the detector found, counted again from the group's complaints alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from math import log10
from statistics import median

import pytest
from worlds import Row, columns, draw_town

from service.model import Evidence
from service.moderation.outcomes import VerdictTally
from service.moderation.rescoring import RescoredSignal, rescore_without
from service.moderation.signals.signal import MemberComplaint
from service.policy import DEFAULT_POLICY
from workers.detection.detector import Detector
from workers.detection.groups import Group

NOBODY_RULED = VerdictTally(0, 0, 0)


def found_in(rows: Sequence[Row]) -> tuple[Group, dict[str, Evidence]]:
    """The one group in the rows, and its evidence by signal."""
    [group] = Detector.sweep(DEFAULT_POLICY, columns(rows))[1]
    return group, {e.signal: e for e in group.evidence}


def without(rows: Sequence[Row], group: Group, left_out: Collection[int]) -> dict[str, RescoredSignal]:
    """The group's signals without some members, from what a reader of the archive sees of it."""
    theirs = [row for row in rows if row.reporter in group.reporters]
    complaints = [
        MemberComplaint(row.reporter, row.target, row.time_ms * 1000, f"x{row.context}", f"a{row.author}")
        for row in theirs
        if row.target in group.targets
    ]
    elsewhere = Counter(row.reporter for row in theirs if row.target not in group.targets)
    verdicts = (NOBODY_RULED, NOBODY_RULED)
    found = rescore_without(group.evidence, complaints, left_out, elsewhere, verdicts, "repeat", DEFAULT_POLICY)
    return {row.signal: row for row in found.rows}


def median_gap(rows: Iterable[Row]) -> float:
    """Seconds between complaints that follow each other on a target."""
    ordered = sorted((row.target, row.time_ms) for row in rows)
    return median((b - a) / 1000 for (here, a), (there, b) in pairwise(ordered) if here == there)


@pytest.mark.parametrize("seed", range(3))
def test_the_pace_of_a_found_group_is_counted_again_from_its_complaints(seed: int) -> None:
    rows = draw_town(seed).rows
    group, evidence = found_in(rows)
    theirs = [row for row in rows if row.reporter in group.reporters and row.target in group.targets]
    assert evidence["pace"].value == pytest.approx(median_gap(theirs))
    assert evidence["pace"].usual == pytest.approx(median_gap(rows))
    out = set(sorted(group.reporters)[:5])
    again = without(rows, group, out)["pace"]
    assert again.measured and again.before == evidence["pace"]
    assert again.after.usual == evidence["pace"].usual
    assert again.after.value == pytest.approx(median_gap(row for row in theirs if row.reporter not in out))
    assert again.after.value > evidence["pace"].value, "fewer people are further apart"
    powers = min(2, log10(again.after.usual / again.after.value))
    assert again.after.contribution == pytest.approx(DEFAULT_POLICY.weights.pace * powers)


@pytest.mark.parametrize("seed", range(3))
def test_without_nobody_every_signal_is_what_the_detector_measured(seed: int) -> None:
    rows = draw_town(seed).rows
    group, evidence = found_in(rows)
    again = without(rows, group, ())
    assert {"lockstep", "devotion", "span", "pace"} <= {name for name, row in again.items() if row.measured}
    for name, stored in evidence.items():
        assert again[name].after.value == pytest.approx(stored.value), name
        assert again[name].after.usual == stored.usual, name
        assert again[name].after.contribution == pytest.approx(stored.contribution), name
