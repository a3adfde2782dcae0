"""Detection over a history, window by window, with one identity for a group that is seen again. PURE."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from service.model import Evidence
from service.moderation.cluster_scoring import rescore_all
from service.moderation.cluster_state import ClusterState
from service.moderation.reconciliation import Recomputation, reconcile
from service.moderation.usual import usual_of
from service.policy import Policy
from service.storage.complaints.feed import FeedOutcome
from workers.audit.history import ComplaintHistory
from workers.audit.outcomes import OutcomesByTarget
from workers.audit.records import Records
from workers.audit.verdict_changes import VerdictsOverTime
from workers.audit.window_sweeps import Sweeps, sweeps_here
from workers.detection.arrays import Ints
from workers.detection.groups import Group
from workers.detection.target_traits import shared_traits_of
from workers.group_adapter import found_group

ALWAYS_US = 2**62  # later than any decision
UNLIMITED = 2**62  # no quota in an audit: a report does not flood a queue


@dataclass(frozen=True, slots=True)
class AuditResult:
    """The clusters of a history, and what the windows counted on the way."""

    clusters: list[ClusterState]
    windows: int
    counters: Mapping[str, int]


class _KnownBy(Mapping[int, Sequence[FeedOutcome]]):
    """The outcomes known at a given time: a view, since most targets are never looked up."""

    def __init__(self, outcomes: Mapping[int, Sequence[FeedOutcome]], now_us: int) -> None:
        self._outcomes, self._now_us = outcomes, now_us

    def __getitem__(self, target: int) -> Sequence[FeedOutcome]:
        return [o for o in self._outcomes[target] if o.decided_us <= self._now_us]

    def __iter__(self) -> Iterator[int]:
        return iter(self._outcomes)

    def __len__(self) -> int:
        return len(self._outcomes)


def window_ends(first_ms: int, last_ms: int, window_ms: int, step_ms: int) -> Iterator[int]:
    """Ends of the windows: the first complaint + window, then every step, the last at the latest complaint."""
    end = first_ms + window_ms
    while end < last_ms:
        yield end
        end += step_ms
    yield last_ms


def audit(
    history: ComplaintHistory,
    outcomes: Mapping[int, Sequence[FeedOutcome]],
    policy: Policy,
    step_seconds: int,
    progress: Callable[[int, int], None],
    sweeps: Sweeps = sweeps_here,
) -> AuditResult:
    """All clusters of the history. `progress` is called with (windows done, windows in all)."""
    policy = replace(policy, flags_per_day=UNLIMITED)
    time = history.complaints.time_ms
    states: dict[str, ClusterState] = {}
    counters: Counter[str] = Counter()
    numbers = count(1)
    traits: dict[frozenset[int], tuple[Evidence, ...]] = {}  # by target set, of the last window's groups
    if not len(time):
        return AuditResult([], 0, counters)
    outcomes = OutcomesByTarget.of(outcomes)
    records, verdicts = Records(history, outcomes), VerdictsOverTime(outcomes)
    window_ms = policy.window_seconds * 1000
    ends = list(window_ends(int(time[0]), int(time[-1]), window_ms, step_seconds * 1000))
    rows = [(int(np.searchsorted(time, end - window_ms)), int(np.searchsorted(time, end, "right"))) for end in ends]
    # Where nothing happened for longer than a window, the window has no clusters.
    swept = sweeps(policy, history, [(first, last) for first, last in rows if first < last])
    for done, (end, (first, last)) in enumerate(zip(ends, rows, strict=True), 1):
        if first == last:
            progress(done, len(ends))
            continue
        counted, groups = next(swept)
        counters.update(counted)
        traits = traits_by_targets(history, history.complaints.target[first:last], groups, traits)
        known = _KnownBy(outcomes, end * 1000)
        usual = usual_of(verdicts.until(end * 1000), states.values(), policy.prior_unfounded)
        with_traits = (replace(g, evidence=g.evidence + traits[g.targets]) for g in groups)
        listed = history.listed_between(end - window_ms, end)
        found = [
            found_group(
                records.recorded(g, known, end * 1000, policy.flag_score, usual.upheld_of_all),
                listed=listed,
                policy=policy,
            )
            for g in with_traits
        ]
        states.update(
            reconcile(
                states,
                Recomputation(found, known, (end - window_ms) * 1000, end * 1000, complete=True, usual=usual),
                policy,
                lambda: f"k{next(numbers)}",
            )
        )
        progress(done, len(ends))
    usual = usual_of(verdicts.until(ALWAYS_US), states.values(), policy.prior_unfounded)
    final = rescore_all(states.values(), outcomes, int(time[-1]) * 1000, policy, usual)
    return AuditResult(list(final.values()), len(ends), counters)


def traits_by_targets(
    history: ComplaintHistory,
    window_targets: Ints,
    groups: Sequence[Group],
    known: Mapping[frozenset[int], tuple[Evidence, ...]],
) -> dict[frozenset[int], tuple[Evidence, ...]]:
    """What each group's targets have in common, by its targets, against `window_targets` (of each complaint of the
    window).

    Those of `known`, the last window's, stay: a group that kept its targets is not measured again.
    """
    traits = {g.targets: known[g.targets] for g in groups if g.targets in known}
    new = {g.targets for g in groups} - traits.keys()
    if new:
        usual = history.traits.usual(np.unique(window_targets))
        traits.update({targets: shared_traits_of(targets, history.traits, usual) for targets in new})
    return traits
