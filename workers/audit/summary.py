"""The audit in a few figures, for a person who decides: how sure it is, and what removal by count meant. PURE."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from service.model import JsonObject
from service.moderation.cluster_state import ClusterState
from workers.audit.history import ComplaintHistory

THRESHOLDS = (5, 8, 10, 20)  # complaints at which platforms remove


def summary_of(
    states: Sequence[ClusterState],
    history: ComplaintHistory,
    discounted: Iterable[Mapping[str, float]],
    judged: Collection[int],
) -> JsonObject:
    """Figures about the flagged groups, and about all targets at several thresholds.

    `discounted` has the two counts of the targets where they differ, `judged` the targets that people ruled on.
    """
    flagged = [s for s in states if s.disposition == "flagged"]
    targets = {t for s in flagged for t in s.author_by_target}
    return {
        "flagged": {
            "groups": len(flagged),
            "accounts": len({r for s in flagged for r in s.members}),
            "targets": len(targets),
            "targets_reviewed": int(np.isin(list(targets), np.fromiter(judged, np.int64, len(judged))).sum()),
            "probability": _range(s.probability for s in flagged),
            "unfounded_probability": _range(s.unfounded_probability for s in flagged),
        },
        "thresholds": _thresholds(history, discounted),
    }


def _range(values: Iterable[float]) -> list[float] | None:
    """The smallest and the largest."""
    found = sorted(values)
    return [found[0], found[-1]] if found else None


def _thresholds(history: ComplaintHistory, discounted: Iterable[Mapping[str, float]]) -> list[JsonObject]:
    counts = history.totals.counts
    differing = [(row["complaints"], row["independent_complaints"]) for row in discounted]
    rows = []
    for threshold in THRESHOLDS:
        reached = int((counts >= threshold).sum())
        through_groups = sum(raw >= threshold > independent for raw, independent in differing)
        rows.append(
            {
                "threshold": threshold,
                "targets_by_complaints": reached,
                "targets_by_independent_complaints": reached - through_groups,
            }
        )
    return rows
