"""Calibration of `unfounded_probability`: every coordinated group of a window against what it really is.

PURE except for the patch. The audit runs unchanged, with all outcomes, with those of every third target, and with none;
in every third window its clusters are read as a moderator would have seen them on that day. A group is dishonest if at
least half of its accounts belong to one campaign; every other group is honest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from unittest import mock

from detection_calibration import DAYS_APART
from detection_runs import Read, audited
from remembered_sweeps import Sweeps

from service.moderation.cluster_state import ClusterState
from service.moderation.reconciliation import Recomputation, reconcile
from service.moderation.score import usual_in
from service.moderation.signals.outcomes import OUTCOMES
from service.policy import Policy
from service.storage.complaints.feed import FeedOutcome
from workers.audit import windows


@dataclass(frozen=True, slots=True)
class ClusterForecast:
    """One cluster on one day."""

    world: str
    label: str  # the campaign, the honest kind (n2, n5, ...) or org, that most of its accounts belong to
    dishonest: bool
    unfounded: float
    prior: float  # that `unfounded` started from, as measured in the tenant
    disposition: str
    judged: bool  # whether any of its targets was


def thinned(outcomes: Mapping[int, Sequence[FeedOutcome]], known: str) -> dict[int, Sequence[FeedOutcome]]:
    """All of the outcomes, those of every third target, or none."""
    return {
        target: found for target, found in outcomes.items() if known == "all" or (known == "third" and target % 3 == 0)
    }


def forecasts(world: str, here: Read, sweeps: Sweeps, truth: Mapping[str, Any], known: str) -> list[ClusterForecast]:
    """Every coordinated cluster of windows DAYS_APART days apart."""
    seen: list[ClusterForecast] = []
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
                _forecast(world, s, here.history.reporter_ids, truth)
                for s in now.values()
                if s.disposition not in ("merged", "revoked") and s.last_us >= found.since_us
            )
        number += 1
        return changed

    with mock.patch.object(windows, "reconcile", watching):
        audited(here, sweeps, outcomes=thinned(here.outcomes, known))
    return seen


def _forecast(
    world: str, state: ClusterState, reporter_ids: Mapping[int, str], truth: Mapping[str, Any]
) -> ClusterForecast:
    campaign, named = truth["campaign_of_reporter"], truth["hard_negative_of_reporter"]
    labels: Counter[str] = Counter()
    for key in sorted(state.members):
        reporter = reporter_ids[key]
        labels[campaign.get(reporter) or named.get(reporter, "org")] += 1
    label, count = labels.most_common(1)[0]
    dishonest = label in set(campaign.values()) and 2 * count >= len(state.members)
    judged = any(e.signal == OUTCOMES and e.contribution for e in state.evidence)
    prior = usual_in(state.evidence).unfounded
    return ClusterForecast(world, label, dishonest, state.unfounded_probability, prior, state.disposition, judged)
