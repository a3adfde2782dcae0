"""The windows of a dry run: day by day through the last seven, by the thresholds in force and by those proposed.

Both runs begin with nothing and go the same way as an audit (workers/audit/windows.py): the window as it was seven days
before the watermark, then day by day up to it, each a sweep, reconciled with the one before, with the tenant's quota,
allow-list and outcomes as far as they were decided by then. Where the policies differ only in how groups are judged,
the groups are found once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import count

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from service.moderation.cluster_state import ClusterState
from service.moderation.reconciliation import Recomputation, reconcile
from service.moderation.usual import VerdictsOverTime, usual_of
from service.moderation.what_if import targets_of
from service.policy import Policy
from service.storage.accounts.policy_overrides import policy_of
from service.storage.complaints.archive_reader import analysis_state_of, outcomes_after, outcomes_of, read_feed_window
from service.storage.complaints.feed import FeedOutcome
from service.storage.complaints.listed_complaints import listed_of
from service.storage.detection import allow_list, dry_runs
from service.storage.detection.dry_runs import DryRun
from workers.detection.detector import Detector
from workers.detection.groups import Group
from workers.feed_columns import columns_of, standing
from workers.group_adapter import found_group
from workers.record_evidence import RecordEvidence
from workers.shared_traits import SharedTraits

DAYS = 7
MOST_COMPLAINTS = 3_000_000  # read at once: about a gigabyte; with more, fewer days are looked at
SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
# What detection does not ask for in a sweep: two policies that differ in these alone find the same groups.
JUDGING = frozenset(
    {
        "flag_score",
        "prior_unfounded",
        "flags_per_day",
        "reopen_new_targets",
        "reopen_growth",
        "default_threshold",
        "warn_unfounded",
        "warn_share",
        "warn_period_seconds",
    }
)


@dataclass
class PolicyRun:
    """One of the two runs: by the thresholds in force, or by those proposed."""

    policy: Policy
    records: RecordEvidence
    states: dict[str, ClusterState] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))


@dataclass
class DryRunWindows:
    """A dry run under way: the windows of the days, each looked at by both policies."""

    number: int
    run: DryRun
    days: int
    rows: npt.NDArray[np.void]  # standing complaints of the span, in time order
    texts: dict[int, bytes]
    ends: Sequence[int]  # of the windows, microseconds
    watermark_us: int
    now: PolicyRun  # by the thresholds in force
    then: PolicyRun  # by those proposed
    traits: SharedTraits
    exempt: frozenset[int]  # the allow-list
    verdicts: VerdictsOverTime
    outcomes: dict[int, list[FeedOutcome]] = field(default_factory=dict)
    done: int = 0  # windows
    seconds: float = 0.0

    @classmethod
    def begin(cls, connection: Connection, number: int, run: DryRun) -> DryRunWindows:
        """Read the complaints of the days and of the window before them."""
        state, now = analysis_state_of(connection, number), policy_of(connection, number)
        then, watermark_us = run.policy, state.watermark_us or 0
        span_us = max(now.window_seconds, then.window_seconds) * SECOND_US
        days = next(
            (
                d
                for d in range(DAYS, 0, -1)
                if dry_runs.complaints_since(connection, number, watermark_us - span_us - d * DAY_US, state.cursor_seq)
                <= MOST_COMPLAINTS
            ),
            0,
        )
        since_us = watermark_us - span_us - days * DAY_US
        rows, texts = standing([row.batch for row in read_feed_window(connection, number, since_us, state.cursor_seq)])
        rows = rows[rows["time_us"] >= since_us]
        rows = rows[np.argsort(rows["time_us"], kind="stable")]
        ends = [watermark_us - back * DAY_US for back in range(days, -1, -1)] if len(rows) else []
        return cls(
            number,
            run,
            days,
            rows,
            texts,
            ends,
            watermark_us,
            PolicyRun(now, RecordEvidence(number, now.flag_score)),
            PolicyRun(then, RecordEvidence(number, then.flag_score)),
            SharedTraits(number),
            allow_list.keys_of(connection, number),
            VerdictsOverTime(outcomes_after(connection, number, 0)),
        )

    @property
    def finished(self) -> bool:
        """Whether all windows are looked at."""
        return self.done >= len(self.ends)

    @property
    def progress(self) -> float:
        """0..1."""
        return self.done / len(self.ends) if self.ends else 1.0

    def step(self, connection: Connection) -> None:
        """Look at the next window by both policies."""
        end_us = self.ends[self.done]
        groups = self._grouped(self.now.policy, end_us)
        self._take(connection, self.now, groups, end_us)
        if not _found_alike(self.now.policy, self.then.policy):
            groups = self._grouped(self.then.policy, end_us)
        self._take(connection, self.then, groups, end_us)
        self.done += 1

    def _grouped(self, policy: Policy, end_us: int) -> tuple[Detector, list[Group]] | None:
        first, last = np.searchsorted(
            self.rows["time_us"], [end_us - policy.window_seconds * SECOND_US, end_us + 1]
        ).tolist()
        return Detector.sweep(policy, columns_of(self.rows[first:last], self.texts)) if first < last else None

    def _take(
        self, connection: Connection, side: PolicyRun, found: tuple[Detector, list[Group]] | None, end_us: int
    ) -> None:
        """Reconcile the window's groups with the run's clusters, as a sweep's result is."""
        if found is None:
            return
        detector, groups = found
        with_traits = self.traits.aimed(connection, detector.window, groups)
        usual = usual_of(self.verdicts.until(end_us), side.states.values(), side.policy.prior_unfounded)
        complete = side.records.recorded(connection, with_traits, end_us, usual.upheld_of_all)
        since_us = end_us - side.policy.window_seconds * SECOND_US
        people = {reporter for group in groups for reporter in group.reporters}
        listed = listed_of(connection, self.number, people, since_us=since_us, until_us=end_us)
        fresh = [found_group(complete[g], self.exempt, listed, side.policy) for g in groups]
        self._know({t for f in fresh for t in f.author_by_target} | set(targets_of(side.states.values())), connection)
        recomputed = Recomputation(fresh, self._known_by(end_us), since_us, end_us, complete=True, usual=usual)
        side.states.update(reconcile(side.states, recomputed, side.policy, lambda: f"k{next(side.numbers)}"))

    def _know(self, targets: set[int], connection: Connection) -> None:
        unknown = targets - self.outcomes.keys()
        self.outcomes.update({t: [] for t in unknown} | outcomes_of(connection, self.number, unknown))

    def _known_by(self, now_us: int) -> Mapping[int, Sequence[FeedOutcome]]:
        return {t: [o for o in known if o.decided_us <= now_us] for t, known in self.outcomes.items() if known}


def _found_alike(one: Policy, other: Policy) -> bool:
    return all(getattr(one, f.name) == getattr(other, f.name) for f in fields(Policy) if f.name not in JUDGING)
