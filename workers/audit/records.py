"""Members' records in a history: judged complaints about other targets than a group's, known at a moment. PURE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from service.moderation.outcomes import JudgedComplaint, Judgement
from service.moderation.score import coordination
from service.moderation.signals.record import record_evidence
from workers.audit.history import ComplaintHistory
from workers.audit.outcomes import OutcomesByTarget
from workers.detection.groups import Group


class Records:
    """The complaints of a history that outcomes are about, by reporter."""

    def __init__(self, history: ComplaintHistory, outcomes: OutcomesByTarget) -> None:
        c = history.complaints
        rows = np.flatnonzero(np.isin(c.target, outcomes.target))
        rows = rows[np.argsort(c.reporter[rows], kind="stable")]
        self._history, self._rows, self._reporters = history, rows, c.reporter[rows]

    def recorded(
        self,
        group: Group,
        outcomes: Mapping[int, Sequence[Judgement]],
        now_us: int,
        flag_score: float,
        usual_upheld: float,
    ) -> Group:
        """Append members' records to the group's evidence, if it is coordinated without them and there are any."""
        if not len(self._rows) or coordination(group.evidence) <= flag_score:
            return group
        evidence = record_evidence(
            {r: self._until(r, now_us) for r in group.reporters},
            group.targets,
            outcomes,
            self._history.totals,
            now_us,
            usual_upheld,
        )
        return group if evidence is None else replace(group, evidence=(*group.evidence, evidence))

    def _until(self, reporter: int, now_us: int) -> list[JudgedComplaint]:
        c = self._history.complaints
        first, last = np.searchsorted(self._reporters, [reporter, reporter + 1]).tolist()
        rows = self._rows[first:last]
        rows = rows[c.time_ms[rows] * 1000 <= now_us]
        return [
            JudgedComplaint(seq, target, time * 1000)
            for seq, target, time in zip(
                c.seq[rows].tolist(), c.target[rows].tolist(), c.time_ms[rows].tolist(), strict=True
            )
        ]
