"""Members' records of one tenant's groups, live: judged complaints about other targets, read from the archive.

Only of groups that are coordinated on their own, so that readers' crowds cost nothing; a member is read once between
two sweeps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from service.moderation.outcomes import JudgedComplaint
from service.moderation.score import coordination
from service.moderation.signals.record import record_evidence
from service.storage.complaints.archive_reader import judged_complaints_of, outcomes_of, totals_of
from service.storage.complaints.feed import FeedOutcome
from workers.detection.groups import Group


class RecordEvidence:
    """Members' records on other targets, kept until the next sweep."""

    def __init__(self, tenant_id: int, flag_score: float) -> None:
        self._tenant_id, self._flag_score = tenant_id, flag_score
        self._complaints: dict[int, list[JudgedComplaint]] = {}  # by reporter
        self._outcomes: dict[int, Sequence[FeedOutcome]] = {}
        self._crowds: dict[int, int] = {}

    def forget(self) -> None:
        """Forget all records, so that they are read again."""
        self._complaints.clear()
        self._outcomes.clear()
        self._crowds.clear()

    def recorded(
        self, connection: Connection, groups: Mapping[Group, Group], now_us: int, usual_upheld: float
    ) -> dict[Group, Group]:
        """The groups (values) with their members' records behind their evidence, where there are any."""
        coordinated = {key: group for key, group in groups.items() if coordination(group.evidence) > self._flag_score}
        self._read(
            connection,
            sorted(frozenset().union(*(g.reporters for g in coordinated.values())) - self._complaints.keys()),
        )
        recorded = dict(groups)
        for key, group in coordinated.items():
            evidence = record_evidence(
                {r: self._complaints[r] for r in group.reporters},
                group.targets,
                self._outcomes,
                self._crowds,
                now_us,
                usual_upheld,
            )
            if evidence is not None:
                recorded[key] = replace(group, evidence=(*group.evidence, evidence))
        return recorded

    def _read(self, connection: Connection, reporters: Sequence[int]) -> None:
        if not reporters:
            return
        self._complaints.update(
            {r: [] for r in reporters} | judged_complaints_of(connection, self._tenant_id, reporters)
        )
        targets = {c.target for r in reporters for c in self._complaints[r]} - self._outcomes.keys()
        self._outcomes.update(dict.fromkeys(targets, ()))
        self._outcomes.update(outcomes_of(connection, self._tenant_id, targets))
        self._crowds.update({t: max(1, n) for t, n in totals_of(connection, self._tenant_id, targets).items()})
