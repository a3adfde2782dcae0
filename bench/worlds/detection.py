"""Today's detector on a world. The only module of this package that knows the service and its workers.

What comes back is in the world's own terms: which accounts weigh less than one in an independent count, and what the
counts of the targets are then.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

from bench.remembered_sweeps import Sweeps
from bench.worlds.score import Cluster, Found
from bench.worlds.world import World
from service.intake.items import COMPLAINT, OUTCOME, read_line
from service.model import Complaint, Outcome
from service.moderation.assessment import ClusterPart, independent_count, summarise
from service.moderation.cluster_discounts import parts_by_target
from service.moderation.cluster_state import ClusterState
from service.policy import DEFAULT_POLICY
from service.storage.complaints.feed import FeedOutcome
from workers.audit.history import Collector, ComplaintHistory, outcomes_by_target


class Auditor:
    """Audits one world's complaints, with these outcomes or those: every window is swept once and remembered."""

    def __init__(self) -> None:
        self._sweeps = Sweeps()

    def audit(self, world: World) -> Found:
        """Audit the world with the default policy, one window of the policy's length a day.

        Raises ValueError when the service refuses a document of the world.
        """
        history, outcomes = _read(world)
        return _found(history, self._sweeps.audited(history, outcomes).clusters)


def _read(world: World) -> tuple[ComplaintHistory, dict[int, list[FeedOutcome]]]:
    now = datetime.now(UTC)
    collector = Collector(DEFAULT_POLICY.text_min_words)
    for number, document in enumerate(world.complaints, 1):
        complaint = read_line(json.dumps(document).encode(), COMPLAINT, now, number)
        if not isinstance(complaint, Complaint):
            raise ValueError(f"complaint {document['id']} was refused: {complaint}")
        collector.add(complaint)
    decisions: list[Outcome] = []
    for number, document in enumerate(world.outcomes, 1):
        outcome = read_line(json.dumps(document).encode(), OUTCOME, now, number)
        if not isinstance(outcome, Outcome):
            raise ValueError(f"outcome {document['id']} was refused: {outcome}")
        decisions.append(outcome)
    history, rows = collector.history()
    return history, outcomes_by_target(decisions, rows)


def _found(history: ComplaintHistory, states: Sequence[ClusterState]) -> Found:
    flagged: set[str] = set()
    clusters: list[Cluster] = []
    parts: dict[int, list[ClusterPart]] = defaultdict(list)
    for state in states:
        weighing: set[int] = set()
        for target, part in parts_by_target(state).items():
            if state.disposition != "merged":
                parts[target].append(part)
            if part.discount_probability > 0:
                weighing.update(part.reporters)
        if weighing:
            names = frozenset(history.reporter_ids[reporter] for reporter in weighing)
            clusters.append(Cluster(names, state.probability, state.unfounded_probability))
            flagged |= names
    raw: dict[str, int] = defaultdict(int)
    for target in history.complaints.target.tolist():
        raw[history.target_ids[target]] += 1
    independent = {name: float(count) for name, count in raw.items()}
    for target, mine in parts.items():
        name = history.target_ids[target]
        independent[name] = independent_count(raw[name], summarise(mine).discount)
    return Found(frozenset(flagged), tuple(clusters), dict(raw), independent)
