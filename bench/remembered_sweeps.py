"""The audit of one world, many times: every window is swept once and remembered, since outcomes change no sweep."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from service.policy import DEFAULT_POLICY, Policy
from service.storage.complaints.feed import FeedOutcome
from workers.audit import windows
from workers.audit.history import ComplaintHistory
from workers.audit.window_sweeps import Rows, Swept
from workers.detection.detector import Detector
from workers.detection.groups import Group
from workers.detection.window import Complaints

STEP_SECONDS = 86_400


@dataclass(slots=True)
class Sweeps:
    """The sweeps of an audit: sweeps every window once and gives it back from then on."""

    change: Callable[[Group], Group | None] = lambda group: group  # what an ablation of the score makes of a group
    found: dict[tuple[int, int], tuple[Counter[str], list[Group]]] = field(default_factory=dict)
    seconds: float = 0.0  # CPU

    def sweep(self, policy: Policy, batch: Complaints) -> Swept:
        """Detector.sweep, remembered by the window's first and last complaint."""
        key = int(batch.seq[0]), int(batch.seq[-1])
        if key not in self.found:
            before = time.process_time()
            detector, groups = Detector.sweep(policy, batch)
            self.seconds += time.process_time() - before
            self.found[key] = detector.counters, groups
        counters, groups = self.found[key]
        return counters, [g for g in map(self.change, groups) if g is not None]

    def audited(self, history: ComplaintHistory, outcomes: Mapping[int, Sequence[FeedOutcome]]) -> windows.AuditResult:
        """The service's own `audit` over these sweeps, with the default policy, one window of its length a day."""
        return windows.audit(history, outcomes, DEFAULT_POLICY, STEP_SECONDS, lambda done, total: None, self._windows)

    def _windows(self, policy: Policy, history: ComplaintHistory, rows: Sequence[Rows]) -> Iterator[Swept]:
        for first, last in rows:
            yield self.sweep(policy, history.between(first, last))

    def changed(self, change: Callable[[Group], Group | None]) -> Sweeps:
        """The same windows with every group changed; None drops it."""
        return Sweeps(change, self.found)
