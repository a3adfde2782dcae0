"""The members and targets of an audit's clusters as rows: for CSV files beside the page, and for notebooks. PURE."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from service.console.spreadsheet_text import without_formulas
from service.model import JsonObject, moment
from service.moderation.cluster_state import ClusterState, Membership
from service.moderation.outcomes import Judgement
from workers.audit.history import ComplaintHistory
from workers.audit.scenes import judged_as

Value = str | int | float | datetime | None


@dataclass(frozen=True, slots=True)
class AuditTable:
    """Rows with the names of their columns."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[Value, ...]]


_MEMBERS = ("cluster", "disposition", "reporter_id", "complaints", "first_at", "last_at")
_TARGETS = (
    "cluster",
    "disposition",
    "target_id",
    "complaints",
    "by_members",
    "independent_complaints",
    "first_at",
    "last_at",
    "verdict",
)


def members_of(states: Sequence[ClusterState], history: ComplaintHistory) -> AuditTable:
    """A row for each account of each cluster, busiest first."""
    rows: list[tuple[Value, ...]] = []
    for state in _standing(states):
        filed: dict[int, list[Membership]] = defaultdict(list)
        for complaint in _counted(state):
            filed[complaint.reporter].append(complaint)
        for reporter in sorted(state.members, key=lambda r: (-len(filed[r]), history.reporter_ids[r])):
            mine = filed[reporter]
            rows.append((state.id, state.disposition, history.reporter_ids[reporter], len(mine), *_ends(mine)))
    return AuditTable(_MEMBERS, rows)


def targets_of(
    states: Sequence[ClusterState],
    history: ComplaintHistory,
    outcomes: Mapping[int, Sequence[Judgement]],
    counts: Sequence[JsonObject],
) -> AuditTable:
    """A row for each target of each cluster; `counts` are the report's."""
    raw = history.totals
    independent = {row["id"]: row["independent_complaints"] for row in counts}
    rows: list[tuple[Value, ...]] = []
    for state in _standing(states):
        filed: dict[int, list[Membership]] = defaultdict(list)
        for complaint in _counted(state):
            filed[complaint.target].append(complaint)
        by_members = Counter(m.target for m in state.discounted)
        for target in sorted(state.author_by_target, key=lambda t: (-len(filed[t]), history.target_ids[t])):
            name, mine = history.target_ids[target], filed[target]
            own = independent.get(name, float(raw[target]))
            counted = (raw[target], by_members[target], own)
            rows.append((state.id, state.disposition, name, *counted, *_ends(mine), judged_as(mine, outcomes)))
    return AuditTable(_TARGETS, rows)


def csv_of(listing: AuditTable) -> str:
    """The rows as CSV; text that a spreadsheet would run as a formula gets an apostrophe before it."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(listing.columns)
    writer.writerows([_cell(value) for value in row] for row in listing.rows)
    return text.getvalue()


def _cell(value: Value) -> Value:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return without_formulas(value) if isinstance(value, str) else value


def _standing(states: Sequence[ClusterState]) -> list[ClusterState]:
    """As the report lists them, without those that are merged: their survivor has their complaints."""
    left = [s for s in states if s.disposition != "merged"]
    return sorted(left, key=lambda s: (s.disposition != "flagged", -s.score, s.id))


def _counted(state: ClusterState) -> list[Membership]:
    return [m for m in state.counted if m.target in state.author_by_target]


def _ends(filed: Sequence[Membership]) -> tuple[datetime | None, datetime | None]:
    times = [m.time_us for m in filed]
    return (moment(min(times)), moment(max(times))) if times else (None, None)
