"""Does `unfounded_probability` mean what it says?

Every coordinated group of a window, as it is kept, against what it is. PURE but for the patch.

The audit runs as it does, with all outcomes, with those of every third target, with none; every third window its
clusters are read as a moderator would have seen them on that day. Dishonest is a group of which at least half of the
accounts belong to one campaign; every other one is honest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from unittest import mock

from detection_calibration import DAYS_APART
from detection_runs import Read, Sweeps, audited

from service.moderation.cluster_state import ClusterState
from service.moderation.reconciliation import Recomputation, reconcile
from service.moderation.signals.outcomes import OUTCOMES
from service.policy import Policy
from service.storage.complaints.feed import FeedOutcome
from workers.audit import windows


@dataclass(frozen=True, slots=True)
class Told:
    """One cluster on one day."""

    world: str
    label: str  # the campaign, the honest kind (n2, n5, ...) or org, that most of its accounts belong to
    dishonest: bool
    unfounded: float  # with the default prior
    disposition: str
    judged: bool  # whether any of its targets was


def thinned(outcomes: Mapping[int, Sequence[FeedOutcome]], known: str) -> dict[int, Sequence[FeedOutcome]]:
    """All of the outcomes, those of every third target, or none."""
    return {
        target: found for target, found in outcomes.items() if known == "all" or (known == "third" and target % 3 == 0)
    }


def told(world: str, here: Read, sweeps: Sweeps, truth: Mapping[str, Any], known: str) -> list[Told]:
    """Every coordinated cluster of windows DAYS_APART days apart."""
    seen: list[Told] = []
    number = 0

    def watching(
        states: Mapping[str, ClusterState],
        found: Recomputation,
        policy: Policy,
        new_id: Callable[[], str],
        *more: Any,
        **named: Any,
    ) -> dict[str, ClusterState]:
        nonlocal number
        changed = reconcile(states, found, policy, new_id, *more, **named)
        if number % DAYS_APART == 0:
            now = {**states, **changed}
            seen.extend(
                _told(world, s, here.history.reporter_ids, truth)
                for s in now.values()
                if s.disposition not in ("merged", "revoked") and s.last_us >= found.since_us
            )
        number += 1
        return changed

    with mock.patch.object(windows, "reconcile", watching):
        audited(here, sweeps, outcomes=thinned(here.outcomes, known))
    return seen


def _told(world: str, state: ClusterState, reporter_ids: Mapping[int, str], truth: Mapping[str, Any]) -> Told:
    campaign, named = truth["campaign_of_reporter"], truth["hard_negative_of_reporter"]
    labels: Counter[str] = Counter()
    for key in sorted(state.members):
        reporter = reporter_ids[key]
        labels[campaign.get(reporter) or named.get(reporter, "org")] += 1
    label, count = labels.most_common(1)[0]
    dishonest = label in set(campaign.values()) and 2 * count >= len(state.members)
    judged = any(e.signal == OUTCOMES and e.contribution for e in state.evidence)
    return Told(world, label, dishonest, state.unfounded_probability, state.disposition, judged)
