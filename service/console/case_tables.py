"""The tables on the case page: reporters, targets and complaints, each bounded and optionally filtered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import Depends, Query
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection

from service.charts.lockstep import most
from service.console.case_charts import case_raster
from service.console.case_contexts import CaseContext, CaseContexts, contexts_of, described_targets
from service.console.chart_data import Raster, in_span
from service.console.decision_form import shared_letters
from service.console.text_groups import TextGroup, complaint_text, text_groups
from service.fields import ID_CHARACTERS, Time
from service.model import JsonObject, moment
from service.moderation.cluster_state import Membership
from service.storage.cases.case_files import (
    CaseFile,
    ReporterRow,
    TargetRow,
    complaints_by_seq,
    reporters_of,
    targets_of,
)
from service.storage.complaints.target_content import UNKNOWN, TargetWords, described_as

REPORTERS_SHOWN, ALL_REPORTERS = 150, 2_000
COMPLAINTS_PER_PAGE = 25
TEXTS_READ = 5_000  # the earliest complaints, whose texts are grouped
GROUPS_SHOWN = 12
_TIME: TypeAdapter[datetime] = TypeAdapter(Time)
# by seq: content as stored, receipt in microseconds, and whether withdrawn
ReadComplaints = dict[int, tuple[JsonObject, int, bool]]
ReporterOrder = Literal["", "least", "most", "reviewed"]  # "": as in the raster


def _accuracy(row: ReporterRow, sign: int) -> tuple[bool, float]:
    """By the share of complaints that are justified; those of whom none was judged come last either way."""
    return row.reputation is None, 0.0 if row.reputation is None else sign * row.reputation.mean


_ORDERS: Mapping[str, Callable[[ReporterRow], tuple[bool, float]]] = {
    "least": lambda row: _accuracy(row, 1),
    "most": lambda row: _accuracy(row, -1),
    "reviewed": lambda row: (False, -(row.judged.upheld + row.judged.rejected)),
}


@dataclass(frozen=True, slots=True)
class TableFilter:
    """The filter on the case page's tables, as in the URL."""

    reporter: str | None = None
    target: str | None = None
    text: str | None = None  # name of a group of texts
    since: datetime | None = None
    until: datetime | None = None
    page: int = 1

    @property
    def anything(self) -> bool:
        """Whether anything is filtered."""
        return any(value is not None for value in (self.reporter, self.target, self.text, self.since, self.until))

    def query(self, **changes: Any) -> str:
        """The address's parameters, with changes; None drops one."""
        values = {
            "reporter": self.reporter,
            "target": self.target,
            "text": self.text,
            "since": self.since,
            "until": self.until,
            "page": self.page if self.page > 1 else None,
            **changes,
        }
        return urlencode(
            [
                (name, value.isoformat() if isinstance(value, datetime) else value)
                for name, value in values.items()
                if value is not None
            ]
        )


def table_filter(
    reporter: Annotated[str, Query(max_length=ID_CHARACTERS)] = "",
    target: Annotated[str, Query(max_length=ID_CHARACTERS)] = "",
    text: Annotated[str, Query(max_length=16)] = "",
    since: Annotated[str, Query(max_length=40)] = "",
    until: Annotated[str, Query(max_length=40)] = "",
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> TableFilter:
    """The table filter in the query string; empty fields and invalid times are ignored."""
    return TableFilter(reporter or None, target or None, text or None, _time(since), _time(until), page)


def _time(text: str) -> datetime | None:
    try:
        return _TIME.validate_python(text)
    except ValidationError:
        return None


Filtered = Annotated[TableFilter, Depends(table_filter)]


@dataclass(frozen=True, slots=True)
class CaseReporter:
    """A row of the reporters' table."""

    row: ReporterRow
    number: int  # of its row in the raster
    letter: str | None  # of a fingerprint that several share
    age_seconds: float | None  # of the account at its first complaint here; None: unknown


@dataclass(frozen=True, slots=True)
class CaseTarget:
    """A row of the targets' table."""

    row: TargetRow
    number: int  # of its column in the raster
    first: bool  # judging it would settle the case soonest
    words: TargetWords
    context: CaseContext | None


@dataclass(frozen=True, slots=True)
class ComplaintLine:
    """A row of the complaints' table."""

    at: datetime
    received_at: datetime
    reporter: str
    target: str
    target_number: int
    excluded: bool
    exempt: bool
    withdrawn: bool
    reason: str | None
    text: str | None
    notice: bool  # of illegal content


@dataclass(frozen=True, slots=True)
class ComplaintLines:
    """One page of complaints, and the groups of what was written."""

    lines: tuple[ComplaintLine, ...]
    total: int  # complaints that match the filter
    page: int
    pages: int
    groups: tuple[TextGroup, ...]
    groups_left_out: int
    unread: int  # complaints whose texts were not compared
    textless: bool  # texts are not stored


def reporter_rows(
    connection: Connection, tenant_id: int, file: CaseFile, raster: Raster, limit: int, order: ReporterOrder = ""
) -> tuple[list[CaseReporter], int]:
    """The reporters in the raster's order; where there are more than `limit`, those with most complaints, and how many
    are left out. Another `order` chooses who is shown, too: the first `limit` of all that are read (ALL_REPORTERS).
    """
    count: dict[int, int] = {}
    for m in file.filed:
        count[m.reporter] = count.get(m.reporter, 0) + 1
    reporters = [
        *raster.reporters,
        *sorted((k for k in file.reporter_ids if k not in count), key=lambda k: file.reporter_ids[k]),
    ]
    number = {key: n for n, key in enumerate(reporters, 1)}
    keys = most(reporters, {key: count.get(key, 0) for key in reporters}, ALL_REPORTERS if order else limit)
    rows = reporters_of(connection, tenant_id, file, keys)
    if order:
        rows = sorted(rows, key=_ORDERS[order])[:limit]
    letters = shared_letters([row.fingerprint for row in rows])
    return [
        CaseReporter(
            row,
            number[row.key],
            letter,
            None
            if row.account_created_at is None or row.first_at is None
            else max(0.0, (row.first_at - row.account_created_at).total_seconds()),
        )
        for row, letter in zip(rows, letters, strict=True)
    ], len(reporters) - len(rows)


def texts_read(connection: Connection, tenant_id: int, file: CaseFile) -> ReadComplaints:
    """The complaints of the case, by seq, whose texts are read: up to TEXTS_READ, the earliest."""
    return complaints_by_seq(connection, tenant_id, [m.seq for m in file.filed[:TEXTS_READ]])


def target_rows(
    connection: Connection, tenant_id: int, file: CaseFile, raster: Raster, read: ReadComplaints
) -> tuple[list[CaseTarget], CaseContexts]:
    """The targets in the raster's order, and the articles and threads that they are in, as the complaints in `read`
    describe them.
    """
    number = {key: n for n, key in enumerate(raster.targets, 1)}
    rows = targets_of(connection, tenant_id, file)
    for row in rows:
        number.setdefault(row.key, len(number) + 1)
    settle = set(file.cluster.settle_with)
    # The rows' own complaints first: beyond TEXTS_READ they are all that is known of a target.
    said = [(row.key, TargetWords.of(row.content)) for row in rows if row.content]
    # Most complaints describe a target alike: each description once, at its latest place.
    described = [(m.target, described_as(read[m.seq][0]["target"])) for m in file.filed if m.seq in read]
    said += [(key, TargetWords(*words)) for key, words in reversed(dict.fromkeys(reversed(described)))]
    words, contexts = described_targets(said), contexts_of(said)
    targets = [
        CaseTarget(row, number[row.key], row.id in settle, words.get(row.key, UNKNOWN), contexts.by_target.get(row.key))
        for row in rows
    ]
    return sorted(targets, key=lambda target: target.number), contexts


def complaint_lines(
    connection: Connection,
    tenant_id: int,
    file: CaseFile,
    table_filter: TableFilter,
    read: ReadComplaints,
    raster: Raster | None = None,
) -> ComplaintLines:
    """One page of the complaints that fit, oldest first, and all groups of texts; `read`: of `texts_read`."""
    filed = file.filed
    signatures: dict[str, bytes | None] = {}
    groups = text_groups(
        [complaint_text(m.seq, m.reporter, read[m.seq][0], signatures) for m in filed[:TEXTS_READ] if m.seq in read],
        file.policy.text_jaccard,
    )
    group_of = {seq: g for g in groups for seq in g.seqs}
    matching = [m for m in filed if _matches(m, file, table_filter, group_of)]
    pages = max(1, -(-len(matching) // COMPLAINTS_PER_PAGE))
    page = min(max(1, table_filter.page), pages)
    shown = matching[(page - 1) * COMPLAINTS_PER_PAGE : page * COMPLAINTS_PER_PAGE]
    missing = [m.seq for m in shown if m.seq not in read]
    contents = {**read, **complaints_by_seq(connection, tenant_id, missing)} if missing else read
    numbers = {key: n for n, key in enumerate((raster or case_raster(file)).targets, 1)}
    lines = tuple(_line(m, file, contents[m.seq], numbers.get(m.target, 0)) for m in shown if m.seq in contents)
    shared = [g for g in groups if len(g.seqs) > 1 and g.kind != "none"]
    return ComplaintLines(
        lines,
        len(matching),
        page,
        pages,
        tuple(shared[:GROUPS_SHOWN]),
        max(0, len(shared) - GROUPS_SHOWN),
        max(0, len(filed) - TEXTS_READ),
        bool(read) and not any("text" in content for content, _, _ in read.values()),
    )


def _matches(m: Membership, file: CaseFile, table_filter: TableFilter, group_of: Mapping[int, TextGroup]) -> bool:
    return (
        (table_filter.reporter is None or file.reporter_ids[m.reporter] == table_filter.reporter)
        and (table_filter.target is None or file.target_ids[m.target] == table_filter.target)
        and (table_filter.text is None or (m.seq in group_of and group_of[m.seq].name == table_filter.text))
        and (
            (table_filter.since is None and table_filter.until is None)
            or in_span(moment(m.time_us), table_filter.since, table_filter.until)
        )
    )


def _line(m: Membership, file: CaseFile, stored: tuple[JsonObject, int, bool], number: int) -> ComplaintLine:
    content, received_us, withdrawn = stored
    return ComplaintLine(
        at=moment(m.time_us),
        received_at=moment(received_us),
        reporter=file.reporter_ids[m.reporter],
        target=file.target_ids[m.target],
        target_number=number,
        excluded=m.reporter in file.state.excluded,
        exempt=m.exempt,
        withdrawn=withdrawn,
        reason=content.get("reason"),
        text=content.get("text"),
        notice=content.get("notice_type") == "illegal_content",
    )
