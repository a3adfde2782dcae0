"""Today's detector on a world. Only this module, standing.py and live_worker.py know the service and its workers.

What comes back is in the world's own terms: which accounts weigh less than one in an independent count, and what the
counts of the targets are then; or every group that the detector measures, before any threshold.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from statistics import median

import numpy as np

from bench.remembered_sweeps import Sweeps
from bench.worlds.score import Cluster, Found
from bench.worlds.world import World
from service.intake.items import COMPLAINT, OUTCOME, read_line
from service.model import Complaint, Outcome
from service.moderation.assessment import ClusterPart, independent_count, summarise
from service.moderation.cluster_discounts import parts_by_target
from service.moderation.cluster_state import ClusterState
from service.moderation.outcomes import JudgedComplaint, tally
from service.moderation.score import judge
from service.moderation.track_record import verdict_on
from service.moderation.usual import Verdicts, usual_of
from service.policy import DEFAULT_POLICY
from service.storage.complaints.feed import FeedOutcome
from workers.audit.history import Collector, ComplaintHistory
from workers.audit.outcomes import outcomes_by_target
from workers.audit.records import Records
from workers.audit.windows import window_ends
from workers.detection.groups import Group

DAY_MS = 86_400_000
DAYS_APART = 3  # of windows that are looked at one by one: a day later, mostly the same groups stand there again
OutcomesByTarget = Mapping[int, Sequence[FeedOutcome]]


@dataclass(frozen=True, slots=True)
class Measured:
    """One signal of a group, as the service measured it."""

    value: float
    usual: float
    p_value: float | None
    contribution: float  # log-odds, with today's weights


@dataclass(frozen=True, slots=True)
class MemberRecord:
    """Verdicts on a member's complaints about targets that are not the group's, known by a day.

    The shared ones give all complaints about a target one unit together, whatever the verdict.
    """

    upheld: int
    rejected: int
    upheld_shared: float
    rejected_shared: float


@dataclass(frozen=True, slots=True)
class JudgedTarget:
    """A target of a group that a person has decided by a day."""

    upheld: bool
    by_members: int  # complaints filed before the decision
    complaints: int  # by anybody, by that day


@dataclass(frozen=True, slots=True)
class Candidate:
    """A group of one window, before any threshold, with all that is known on the day on which the window ends."""

    day: float  # since the first complaint
    kind: str  # repeat or one_shot
    accounts: frozenset[str]
    targets: frozenset[str]
    complaints: int  # of the accounts about the targets
    probability: float  # of coordination, with today's weights
    unfounded_probability: float  # the same, with outcomes and records
    disposition: str  # today's
    signals: Mapping[str, Measured]
    judged: tuple[JudgedTarget, ...]
    upheld: int  # targets, as the service counts verdicts
    rejected: int
    records: tuple[MemberRecord, ...]  # of members that have any
    member_gap_seconds: float | None  # median time from one member to the next on a target
    tenant_upheld: int  # targets of the whole tenant with a verdict by that day
    tenant_rejected: int


class Auditor:
    """Looks at one world's complaints, with these outcomes or those: every window is swept once and remembered."""

    def __init__(self) -> None:
        self._sweeps = Sweeps()

    def candidates(self, world: World, days_apart: int = DAYS_APART) -> Iterator[Candidate]:
        """Every group in windows `days_apart`, with the outcomes known by the end of each.

        Raises ValueError when the service refuses a document of the world.
        """
        history, outcomes = read(world)
        records, time = Records(history, outcomes), history.complaints.time_ms
        length = DEFAULT_POLICY.window_seconds * 1000
        for end in window_ends(int(time[0]), int(time[-1]), length, days_apart * DAY_MS):
            first, last = int(np.searchsorted(time, end - length)), int(np.searchsorted(time, end, "right"))
            if first < last:
                _, groups = self._sweeps.sweep(DEFAULT_POLICY, history.between(first, last))
                day = _Day(history, records, end, known_by(outcomes, end * 1000))
                yield from (day.candidate(group) for group in groups)

    def audit(self, world: World) -> Found:
        """Audit the world with the default policy, one window of the policy's length a day.

        Raises ValueError when the service refuses a document of the world.
        """
        history, outcomes = read(world)
        return _found(history, self._sweeps.audited(history, outcomes).clusters)


def known_by(outcomes: OutcomesByTarget, now_us: int) -> dict[int, list[FeedOutcome]]:
    """The outcomes decided by `now_us`, by target; targets without any are left out."""
    known = {target: [o for o in several if o.decided_us <= now_us] for target, several in outcomes.items()}
    return {target: several for target, several in known.items() if several}


class _Day:
    """What is known at the end of one window."""

    def __init__(
        self, history: ComplaintHistory, records: Records, end_ms: int, known: dict[int, list[FeedOutcome]]
    ) -> None:
        self._history, self._records, self._end_ms, self._known = history, records, end_ms, known
        c = history.complaints
        until = int(np.searchsorted(c.time_ms, end_ms, "right"))
        targets, counts = np.unique(c.target[:until], return_counts=True)
        self._crowds = dict(zip(targets.tolist(), counts.tolist(), strict=True))
        rows = np.flatnonzero(np.isin(c.target[:until], np.fromiter(known, np.int64, len(known))))
        self._judged: dict[int, list[JudgedComplaint]] = defaultdict(list)  # by reporter
        columns = (c.reporter[rows], c.seq[rows], c.target[rows], c.time_ms[rows])
        for reporter, seq, target, time_ms in zip(*(column.tolist() for column in columns), strict=True):
            self._judged[reporter].append(JudgedComplaint(seq, target, time_ms * 1000))
        verdicts = Verdicts(chain.from_iterable(known.values())).by_target
        self._upheld, self._rejected = sum(verdicts.values()), len(verdicts) - sum(verdicts.values())
        self._usual = usual_of(verdicts, (), DEFAULT_POLICY.prior_unfounded)

    def candidate(self, group: Group) -> Candidate:
        """The group with the signals, records and outcomes of this day."""
        everything = self._records.recorded(
            group, self._known, self._end_ms * 1000, float("-inf"), self._usual.upheld_of_all
        )
        filed = [
            JudgedComplaint(seq, target, time_ms * 1000)
            for seq, target, time_ms in zip(
                group.seq.tolist(), group.target.tolist(), group.time_ms.tolist(), strict=True
            )
        ]
        reviewed = tally(filed, self._known)
        verdict = judge(
            everything.evidence,
            reviewed,
            len(group.targets),
            usual=self._usual,
            flag_score=DEFAULT_POLICY.flag_score,
        )
        return Candidate(
            (self._end_ms - int(self._history.complaints.time_ms[0])) / DAY_MS,
            group.kind,
            frozenset(self._history.reporter_ids[r] for r in group.reporters),
            frozenset(self._history.target_ids[t] for t in group.targets),
            len(group.seq),
            verdict.probability,
            verdict.unfounded_probability,
            verdict.disposition,
            {e.signal: Measured(e.value, e.usual, e.p_value, e.contribution) for e in verdict.evidence},
            tuple(self._judged_targets(filed)),
            reviewed.upheld,
            reviewed.rejected,
            tuple(self._member_records(group)),
            _member_gap(group),
            self._upheld,
            self._rejected,
        )

    def _judged_targets(self, filed: Sequence[JudgedComplaint]) -> Iterator[JudgedTarget]:
        by_target: dict[int, list[str]] = defaultdict(list)
        for complaint in filed:
            verdict = verdict_on(complaint, self._known.get(complaint.target, ()))
            if verdict is not None:
                by_target[complaint.target].append(verdict)
        for target, verdicts in by_target.items():
            upheld = 2 * verdicts.count("upheld") >= len(verdicts)
            yield JudgedTarget(upheld, len(verdicts), self._crowds[target])

    def _member_records(self, group: Group) -> Iterator[MemberRecord]:
        for reporter in sorted(group.reporters):
            elsewhere = [c for c in self._judged.get(reporter, ()) if c.target not in group.targets]
            verdicts = [(verdict_on(c, self._known[c.target]), self._crowds[c.target]) for c in elsewhere]
            upheld = [crowd for verdict, crowd in verdicts if verdict == "upheld"]
            rejected = [crowd for verdict, crowd in verdicts if verdict == "rejected"]
            if upheld or rejected:
                yield MemberRecord(
                    len(upheld), len(rejected), sum(1 / crowd for crowd in upheld), sum(1 / crowd for crowd in rejected)
                )


def _member_gap(group: Group) -> float | None:
    """The median time in seconds from one member's complaint to the next member's on the same target."""
    order = np.lexsort((group.time_ms, group.target))
    target, time_ms = group.target[order], group.time_ms[order]
    gaps = np.diff(time_ms)[target[1:] == target[:-1]]
    return float(median(gaps.tolist())) / 1000 if len(gaps) else None


def read(world: World) -> tuple[ComplaintHistory, dict[int, list[FeedOutcome]]]:
    """The world as an audit reads it: complaints in columns, outcomes by target.

    Raises ValueError when the service refuses a document of the world.
    """
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
