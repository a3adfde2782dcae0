"""What a reader wants to see of a cluster beyond its figures: who complained about what, when, and beside whom. PURE.

Plain values, bounded in size, in the platform's own ids; pictures.py draws them and page.py writes them out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
from scipy.stats import poisson

from service.model import moment
from service.moderation.lineage import ClusterState, Membership
from service.moderation.outcomes import Filed, Judgement, tally
from workers.audit.history import History
from workers.detection.window import UNKNOWN_MS, Ints

ROWS, COLUMNS = 120, 80  # of a lockstep picture: more cells than that nobody reads, and the report has them all
TARGET_LINES = 200  # of a cluster's table of targets
BURST_HOURS = 48  # the densest day, with half a day before and after it
HOURS_BEFORE = 12
HOUR_US, DAY_US = 3_600_000_000, 86_400_000_000
USUAL_SHARE = 0.995  # so many ordinary hours stay at or below the band

Judged = Literal["upheld", "rejected"] | None


@dataclass(frozen=True, slots=True)
class Told:
    """An optional part of a complaint: how often the platform told it, and what nobody can see where it did not."""

    what: str
    share: float  # of all complaints, 0..1
    unseen: str


@dataclass(frozen=True, slots=True)
class Scope:
    """What was looked at."""

    files: tuple[str, ...]  # names without folders
    outcome_files: tuple[str, ...]
    reporters: int
    targets: int
    judged_targets: int  # targets with a verdict by a person
    windows: int
    window_seconds: int
    step_seconds: int
    as_of: datetime | None
    threshold: int  # complaints at which a platform removes, the policy's default
    told: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """One complaint in the lockstep picture."""

    row: int
    column: int
    lag_seconds: float  # after the first complaint of any member about the target


@dataclass(frozen=True, slots=True)
class Column:
    """One target of the lockstep picture."""

    number: int  # as in Scene.targets
    first_at: datetime  # of the first member's complaint


@dataclass(frozen=True, slots=True)
class Lockstep:
    """Rows are reporters by their first complaint in the cluster, columns targets by theirs, cells the complaints.

    Where there are more than ROWS or COLUMNS, those with the most complaints in the cluster are kept.
    """

    reporters: tuple[str, ...]
    columns: tuple[Column, ...]
    cells: tuple[Cell, ...]  # by row, then column
    reporters_left_out: int
    targets_left_out: int


@dataclass(frozen=True, slots=True)
class Burst:
    """Complaints a clock hour (UTC) on the cluster's targets around its densest 24 hours."""

    start: datetime  # of the first hour
    members: tuple[int, ...]
    others: tuple[int, ...]
    usual_per_hour: float  # complaints of others on these targets
    usual_high: int  # USUAL_SHARE of ordinary hours have at most so many


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
    """Everything to see of one cluster."""

    lockstep: Lockstep
    burst: Burst
    targets: tuple[TargetLine, ...]
    targets_left_out: int
    unjudged: int  # of all its targets


def told_parts(history: History) -> tuple[Told, ...]:
    """How often the optional parts of a complaint were told."""
    c, total = history.complaints, max(len(history.complaints), 1)
    return (
        Told("context (thread, article) of the target", float((c.context != 0).sum()) / total, "readers of one popular article cannot be told from a group as well as they could be"),
        Told("author of the target", float((c.author != 0).sum()) / total, "whether a group follows one author stays unknown"),
        Told("age of the reporter's account", float((c.created_ms != UNKNOWN_MS).sum()) / total, "a crowd of fresh accounts is not recognised"),
        Told("fingerprint of device or network", float((c.fingerprint != 0).sum()) / total, "accounts that share a device or network are not recognised"),
        Told("text of five words or more", len(c.texts) / total, "copied wording is not recognised"),
    )


def scenes_of(states: Sequence[ClusterState], history: History, outcomes: Mapping[int, Sequence[Judgement]]) -> dict[str, Scene]:
    """The scene of every cluster that still has complaints; merged ones are seen through their survivor."""
    order = np.argsort(history.complaints.target, kind="stable")  # stable: by time within a target
    sorted_targets = history.complaints.target[order]
    scenes = {}
    for state in states:
        counted = [m for m in state.counted if m.target in state.author_by_target]
        if state.disposition == "merged" or not counted:
            continue
        wanted = sorted({m.target for m in counted})
        first, last = np.searchsorted(sorted_targets, wanted), np.searchsorted(sorted_targets, wanted, "right")
        rows_by_target = {t: order[a:b] for t, a, b in zip(wanted, first.tolist(), last.tolist(), strict=True)}
        scenes[state.id] = _scene(state, counted, rows_by_target, history, outcomes)
    return scenes


def _scene(state: ClusterState, counted: Sequence[Membership], rows_by_target: Mapping[int, Ints], history: History, outcomes: Mapping[int, Sequence[Judgement]]) -> Scene:
    on_target: dict[int, list[Membership]] = defaultdict(list)
    for m in sorted(counted, key=lambda m: (m.time_us, m.seq)):
        on_target[m.target].append(m)
    in_time = sorted(on_target, key=lambda t: (on_target[t][0].time_us, history.target_ids[t]))
    number = {target: n for n, target in enumerate(in_time, 1)}
    verdicts = {target: _judged(mine, outcomes) for target, mine in on_target.items()}
    weight = {target: len(mine) for target, mine in on_target.items()}
    listed = [
        TargetLine(
            number[t], history.target_ids[t], len(rows_by_target[t]), len(on_target[t]), moment(on_target[t][0].time_us),
            (on_target[t][-1].time_us - on_target[t][0].time_us) / 1e6, verdicts[t],
        )
        for t in _most(in_time, weight, TARGET_LINES)
    ]
    return Scene(
        lockstep=_lockstep(on_target, in_time, weight, number, history), burst=_burst(state, counted, rows_by_target, history), targets=tuple(listed),
        targets_left_out=len(in_time) - len(listed), unjudged=sum(v is None for v in verdicts.values()),
    )


def _most(ordered: Sequence[int], weight: Mapping[int, int], limit: int) -> list[int]:
    """The `limit` heaviest, in the order they came; ties go to the earlier."""
    if len(ordered) <= limit:
        return list(ordered)
    kept = set(sorted(ordered, key=lambda key: -weight[key])[:limit])
    return [key for key in ordered if key in kept]


def _judged(mine: Sequence[Membership], outcomes: Mapping[int, Sequence[Judgement]]) -> Judged:
    """The verdict as the score takes it: of people alone, and about complaints filed before it."""
    told = tally([Filed(m.seq, m.target, m.time_us) for m in mine], outcomes)
    return "upheld" if told.upheld else ("rejected" if told.rejected else None)


def _lockstep(on_target: Mapping[int, Sequence[Membership]], in_time: Sequence[int], weight: Mapping[int, int], number: Mapping[int, int], history: History) -> Lockstep:
    first: dict[int, int] = {}
    count: Counter[int] = Counter()
    for mine in on_target.values():
        for m in mine:
            first[m.reporter] = min(m.time_us, first.get(m.reporter, m.time_us))
            count[m.reporter] += 1
    people = sorted(first, key=lambda r: (first[r], history.reporter_ids[r]))
    rows, columns = _most(people, count, ROWS), _most(in_time, weight, COLUMNS)
    row_of = {reporter: k for k, reporter in enumerate(rows)}
    cells = [
        Cell(row_of[m.reporter], column, (m.time_us - on_target[target][0].time_us) / 1e6)
        for column, target in enumerate(columns) for m in on_target[target] if m.reporter in row_of
    ]
    return Lockstep(
        reporters=tuple(history.reporter_ids[r] for r in rows), columns=tuple(Column(number[t], moment(on_target[t][0].time_us)) for t in columns),
        cells=tuple(sorted(cells, key=lambda c: (c.row, c.column))), reporters_left_out=len(people) - len(rows), targets_left_out=len(in_time) - len(columns),
    )


def _burst(state: ClusterState, counted: Sequence[Membership], rows_by_target: Mapping[int, Ints], history: History) -> Burst:
    mine = np.sort(np.array([m.time_us for m in counted], np.int64))
    densest = int(np.argmax(np.searchsorted(mine, mine + DAY_US) - np.arange(len(mine))))  # the first of equals
    start = (int(mine[densest]) // HOUR_US - HOURS_BEFORE) * HOUR_US
    rows = np.concatenate(list(rows_by_target.values()))
    everyone = history.complaints.time_ms[rows] * 1000
    theirs = everyone[~np.isin(history.complaints.reporter[rows], np.fromiter(state.members, np.int64, len(state.members)))]
    usual = next((e.usual for e in state.evidence if e.signal == "burst"), None)
    if usual is None:  # as workers.detection.evidence.burst has it, over the whole history
        usual = (len(theirs) + 1) / max(1.0, float(everyone.max() - everyone.min()) / HOUR_US)
    return Burst(moment(start), _hourly(mine, start), _hourly(theirs, start), usual, int(poisson.ppf(USUAL_SHARE, usual)))


def _hourly(times_us: Ints, start_us: int) -> tuple[int, ...]:
    hour = (times_us - start_us) // HOUR_US
    return tuple(np.bincount(hour[(hour >= 0) & (hour < BURST_HOURS)], minlength=BURST_HOURS).tolist())
