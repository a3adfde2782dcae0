"""Details of a cluster for the audit's page: who complained about what, and when. PURE.

Plain values, bounded in size, in the platform's own ids; service/charts draws them and page.py writes them out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np

from service.charts.burst import Burst, burst_of
from service.charts.lockstep import Lockstep, by_target, lockstep_of, most
from service.charts.lockstep import PlottedComplaint as Filing
from service.model import moment
from service.moderation.cluster_state import ClusterState, Membership
from service.moderation.outcomes import JudgedComplaint, Judgement, tally
from workers.audit.history import ComplaintHistory
from workers.detection.arrays import Ints
from workers.detection.window import UNKNOWN_MS

TARGET_LINES = 200  # of a cluster's table of targets

Judged = Literal["upheld", "rejected"] | None


@dataclass(frozen=True, slots=True)
class GivenFields:
    """An optional part of a complaint: how often the platform gave it, and what cannot be seen where it did not."""

    what: str
    share: float  # of all complaints, 0..1
    unseen: str


@dataclass(frozen=True, slots=True)
class RowsRead:
    """The rows of complaints, and what was left out of them."""

    rows: int
    rejected: int
    duplicates: int  # the id of an earlier complaint
    repeats: int  # the same reporter about the same target again
    too_late: int  # after the time that the audit ends at


@dataclass(frozen=True, slots=True)
class ColumnRead:
    """What one column of a file was taken for."""

    file: str
    column: str
    read_as: str
    why: str


@dataclass(frozen=True, slots=True)
class AuditScope:
    """The data that was audited."""

    files: tuple[str, ...]  # names without folders
    outcome_files: tuple[str, ...]
    rows: RowsRead
    columns: tuple[ColumnRead, ...]
    remarks: tuple[str, ...]  # what reading the files showed, with their names
    reporters: int
    targets: int
    judged_targets: int  # targets with a verdict by a person
    windows: int
    window_seconds: int
    step_seconds: int
    as_of: datetime | None
    threshold: int  # complaints at which a platform removes, the policy's default
    fields: tuple[GivenFields, ...]


@dataclass(frozen=True, slots=True)
class TargetLine:
    """One target of a cluster."""

    number: int  # 1 is the one that the members complained about first
    id: str
    complaints: int  # distinct reporters, raw
    by_members: int
    first_at: datetime  # of the first member's complaint
    spread_seconds: float  # from the first to the last member's complaint
    judged: Judged  # what people decided; None: not judged


@dataclass(frozen=True, slots=True)
class Scene:
    """The details of one cluster."""

    lockstep: Lockstep
    burst: Burst
    targets: tuple[TargetLine, ...]
    targets_left_out: int
    unjudged: int  # of all its targets


def given_fields(history: ComplaintHistory) -> tuple[GivenFields, ...]:
    """How often each optional part of a complaint was given."""
    c, total = history.complaints, max(len(history.complaints), 1)
    return (
        GivenFields(
            "context (thread, article) of the target",
            float((c.context != 0).sum()) / total,
            "readers of one popular article are harder to distinguish from a group",
        ),
        GivenFields(
            "author of the target",
            float((c.author != 0).sum()) / total,
            "a group that follows one author is not recognised by it",
        ),
        GivenFields(
            "age of the reporter's account",
            float((c.created_ms != UNKNOWN_MS).sum()) / total,
            "a crowd of fresh accounts is not recognised",
        ),
        GivenFields(
            "fingerprint of device or network",
            float((c.fingerprint != 0).sum()) / total,
            "accounts that share a device or network are not recognised",
        ),
        GivenFields("text of five words or more", len(c.texts) / total, "copied wording is not recognised"),
    )


def scenes_of(
    states: Sequence[ClusterState], history: ComplaintHistory, outcomes: Mapping[int, Sequence[Judgement]]
) -> dict[str, Scene]:
    """The scene of every cluster that still has complaints; merged ones are seen through their survivor."""
    totals = history.totals
    order = np.argsort(history.complaints.target, kind="stable")  # stable: by time within a target
    sorted_targets = history.complaints.target[order]
    scenes = {}
    for state in states:
        counted = [m for m in state.counted if m.target in state.author_by_target]
        if state.disposition == "merged" or not counted:
            continue
        targets = sorted({m.target for m in counted})
        first, last = np.searchsorted(sorted_targets, targets), np.searchsorted(sorted_targets, targets, "right")
        rows_by_target = {t: order[a:b] for t, a, b in zip(targets, first.tolist(), last.tolist(), strict=True)}
        scenes[state.id] = _scene(state, counted, rows_by_target, totals, history, outcomes)
    return scenes


def _scene(
    state: ClusterState,
    counted: Sequence[Membership],
    rows_by_target: Mapping[int, Ints],
    totals: Mapping[int, int],
    history: ComplaintHistory,
    outcomes: Mapping[int, Sequence[Judgement]],
) -> Scene:
    on_target = by_target(counted, history.target_ids)
    number = {target: n for n, target in enumerate(on_target, 1)}
    verdicts = {target: judged_as(mine, outcomes) for target, mine in on_target.items()}
    weight = Counter(m.target for m in state.discounted)
    listed = [
        TargetLine(
            number[t],
            history.target_ids[t],
            totals[t],
            weight[t],
            moment(on_target[t][0].time_us),
            (on_target[t][-1].time_us - on_target[t][0].time_us) / 1e6,
            verdicts[t],
        )
        for t in most(list(on_target), weight, TARGET_LINES)
    ]
    return Scene(
        lockstep=lockstep_of(counted, history.reporter_ids, history.target_ids),
        burst=_burst(state, counted, rows_by_target, history),
        targets=tuple(listed),
        targets_left_out=len(on_target) - len(listed),
        unjudged=sum(v is None for v in verdicts.values()),
    )


def judged_as(mine: Sequence[Filing], outcomes: Mapping[int, Sequence[Judgement]]) -> Judged:
    """The verdict as the score takes it: of people alone, and about complaints filed before it."""
    verdicts = tally([JudgedComplaint(m.seq, m.target, m.time_us) for m in mine], outcomes)
    return "upheld" if verdicts.upheld else ("rejected" if verdicts.rejected else None)


def _burst(
    state: ClusterState, counted: Sequence[Membership], rows_by_target: Mapping[int, Ints], history: ComplaintHistory
) -> Burst:
    rows = np.concatenate(list(rows_by_target.values()))
    everyone = history.complaints.time_ms[rows] * 1000
    theirs = everyone[
        ~np.isin(history.complaints.reporter[rows], np.fromiter(state.members, np.int64, len(state.members)))
    ]
    return burst_of(
        np.array([m.time_us for m in counted], np.int64),
        theirs,
        next((e.usual for e in state.evidence if e.signal == "burst"), None),
    )
