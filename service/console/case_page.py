"""What the case page shows, put together from the archive: one read of everything, each part bounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Connection

from service.charts.lockstep import most
from service.console.case_answers import CaseAnswers, case_answers
from service.console.chart_data import (
    Raster,
    SharedTrait,
    SignalBar,
    TimeLine,
    aims_of,
    in_span,
    raster_of,
    signals_of,
    time_line_of,
)
from service.console.decision_form import Typed, shared_letters
from service.console.formatting import web_address
from service.console.text_groups import TextGroup, text_groups, written_of
from service.errors import Refused
from service.model import DecisionRequest, JsonObject, microseconds, moment
from service.moderation.cluster_state import Membership
from service.moderation.decision_preview import Effect, sentence
from service.moderation.rescoring import Rescored, rescore_without
from service.moderation.signals.outcomes import OUTCOMES
from service.moderation.signals.signal import MemberComplaint
from service.storage.cases.case_files import (
    OTHERS_SHOWN,
    CaseFile,
    ReporterRow,
    TargetRow,
    archived,
    elsewhere_of,
    others_on,
    reporters_of,
    states_on,
    tallies_of,
    targets_of,
)
from service.storage.cases.case_history import CaseHistoryItem, history_of
from service.storage.cases.decision_preview import effects_of_choices
from service.storage.cases.related_cases import Related, related_to
from service.storage.sql.hashing import key_of

REPORTERS_SHOWN, ALL_REPORTERS = 150, 2_000
COMPLAINTS_PER_PAGE = 25
TEXTS_READ = 5_000  # complaints whose words are grouped, the earliest
GROUPS_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What the tables are narrowed to, as the address says it."""

    reporter: str | None = None
    target: str | None = None
    text: str | None = None  # name of a group of texts
    since: datetime | None = None
    until: datetime | None = None
    page: int = 1

    @property
    def anything(self) -> bool:
        """Whether any table is narrowed."""
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


@dataclass(frozen=True, slots=True)
class CaseReporter:
    """A row of the reporters' table."""

    row: ReporterRow
    number: int  # of its row in the raster
    letter: str | None  # of a fingerprint that several share
    age_seconds: float | None  # of the account at its first complaint here; None: not told


@dataclass(frozen=True, slots=True)
class CaseTarget:
    """A row of the targets' table."""

    row: TargetRow
    number: int  # of its column in the raster
    first: bool  # judging it would settle the case soonest
    link: str | None  # its address, where that is one of the web
    excerpt: str | None


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
    total: int  # that fit what the tables are narrowed to
    page: int
    pages: int
    groups: tuple[TextGroup, ...]
    groups_left_out: int
    unread: int  # complaints whose words were not grouped
    textless: bool  # nothing that was written is kept


@dataclass(frozen=True, slots=True)
class Effects:
    """What the choices would do, in words."""

    by_verdict: Mapping[str, str]
    chosen: str | None  # of what is typed by now, exclusions included
    refused: str | None  # why it could not be decided so
    rescored: Rescored | None  # without those who are ticked


@dataclass(frozen=True, slots=True)
class CasePage:
    """Everything on the page but its pictures' data."""

    raster: Raster
    glance: CaseAnswers
    signals: list[SignalBar]
    strongest: float  # the largest share of the score, for the bars
    aims: list[SharedTrait]
    reporters: list[CaseReporter]
    reporters_left_out: int
    targets: list[CaseTarget]
    lines: ComplaintLines
    related: list[Related]
    history: list[CaseHistoryItem]


def case_page(
    connection: Connection, tenant_id: int, file: CaseFile, narrowed: Narrowed, *, all_reporters: bool, now: datetime
) -> CasePage:
    """The page's content."""
    raster = picture_of(file)
    signals = signals_of(file.cluster.evidence)
    rows, left_out = reporter_rows(
        connection, tenant_id, file, raster, ALL_REPORTERS if all_reporters else REPORTERS_SHOWN
    )
    targets = target_rows(connection, tenant_id, file, raster)
    return CasePage(
        raster=raster,
        glance=case_answers(file.cluster.evidence, signals, [t.row for t in targets], file.policy.default_threshold),
        signals=signals,
        strongest=max((s.share for s in signals), default=1.0) or 1.0,
        aims=aims_of(file.cluster.evidence),
        reporters=rows,
        reporters_left_out=left_out,
        targets=targets,
        lines=complaint_lines(connection, tenant_id, file, narrowed, raster),
        related=related_to(connection, tenant_id, file, now=now),
        history=history_of(connection, tenant_id, file.cluster.id),
    )


def picture_of(file: CaseFile) -> Raster:
    """The case's raster."""
    return raster_of(file.filed, file.state.members, file.reporter_ids, file.target_ids)


def line_of(connection: Connection, tenant_id: int, file: CaseFile) -> TimeLine:
    """The case's time line."""
    others = others_on(connection, tenant_id, file)
    return time_line_of(file.filed, file.state.members, [at for at, _ in others], file.cluster.evidence, OTHERS_SHOWN)


def reporter_rows(
    connection: Connection, tenant_id: int, file: CaseFile, raster: Raster, limit: int
) -> tuple[list[CaseReporter], int]:
    """The reporters in the raster's order; where there are more than `limit`, those with most complaints, and how many
    are left out.
    """
    count: dict[int, int] = {}
    for m in file.filed:
        count[m.reporter] = count.get(m.reporter, 0) + 1
    everybody = [
        *raster.reporters,
        *sorted((k for k in file.reporter_ids if k not in count), key=lambda k: file.reporter_ids[k]),
    ]
    number = {key: n for n, key in enumerate(everybody, 1)}
    keys = most(everybody, {key: count.get(key, 0) for key in everybody}, limit)
    rows = reporters_of(connection, tenant_id, file, keys)
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
    ], len(everybody) - len(keys)


def target_rows(connection: Connection, tenant_id: int, file: CaseFile, raster: Raster) -> list[CaseTarget]:
    """The targets in the raster's order."""
    number = {key: n for n, key in enumerate(raster.targets, 1)}
    rows = targets_of(connection, tenant_id, file)
    for row in rows:
        number.setdefault(row.key, len(number) + 1)
    settle = set(file.cluster.settle_with)
    return sorted(
        (
            CaseTarget(
                row, number[row.key], row.id in settle, web_address(row.content.get("url")), row.content.get("excerpt")
            )
            for row in rows
        ),
        key=lambda target: target.number,
    )


def complaint_lines(
    connection: Connection, tenant_id: int, file: CaseFile, narrowed: Narrowed, raster: Raster | None = None
) -> ComplaintLines:
    """One page of the complaints that fit, oldest first, and all groups of texts."""
    filed = file.filed
    read = archived(connection, tenant_id, [m.seq for m in filed[:TEXTS_READ]])
    known: dict[str, bytes | None] = {}
    groups = text_groups(
        [written_of(m.seq, m.reporter, read[m.seq][0], known) for m in filed[:TEXTS_READ] if m.seq in read],
        file.policy.text_jaccard,
    )
    group_of = {seq: g for g in groups for seq in g.seqs}
    fitting = [m for m in filed if _fits(m, file, narrowed, group_of)]
    pages = max(1, -(-len(fitting) // COMPLAINTS_PER_PAGE))
    page = min(max(1, narrowed.page), pages)
    shown = fitting[(page - 1) * COMPLAINTS_PER_PAGE : page * COMPLAINTS_PER_PAGE]
    missing = [m.seq for m in shown if m.seq not in read]
    contents = {**read, **archived(connection, tenant_id, missing)} if missing else read
    numbers = {key: n for n, key in enumerate((raster or picture_of(file)).targets, 1)}
    lines = tuple(_line(m, file, contents[m.seq], numbers.get(m.target, 0)) for m in shown if m.seq in contents)
    shared = [g for g in groups if len(g.seqs) > 1 and g.kind != "none"]
    return ComplaintLines(
        lines,
        len(fitting),
        page,
        pages,
        tuple(shared[:GROUPS_SHOWN]),
        max(0, len(shared) - GROUPS_SHOWN),
        max(0, len(filed) - TEXTS_READ),
        bool(read) and not any("text" in content for content, _, _ in read.values()),
    )


def _fits(m: Membership, file: CaseFile, narrowed: Narrowed, group_of: Mapping[int, TextGroup]) -> bool:
    return (
        (narrowed.reporter is None or file.reporter_ids[m.reporter] == narrowed.reporter)
        and (narrowed.target is None or file.target_ids[m.target] == narrowed.target)
        and (narrowed.text is None or (m.seq in group_of and group_of[m.seq].name == narrowed.text))
        and (
            (narrowed.since is None and narrowed.until is None)
            or in_span(moment(m.time_us), narrowed.since, narrowed.until)
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


def effects(connection: Connection, tenant_id: int, file: CaseFile, typed: Typed, *, now: datetime) -> Effects:
    """What the two verdicts would do, and what is typed by now; with ticks, the score of who is left."""
    version = file.cluster.version
    choices = ("coordinated", "not_coordinated")
    asked = [Typed(verdict=verdict).request(version, now) for verdict in choices]
    refused = chosen = None
    if file.cluster.disposition == "merged":
        return Effects({}, None, None, None)
    states = states_on(connection, tenant_id, file)
    told: Sequence[Effect]
    if typed.verdict:
        try:
            own = typed.request(version, now)
            told = effects_of_choices(
                connection,
                tenant_id,
                [file.cluster.id],
                [{file.cluster.id: one} for one in (*asked, own)],
                now=now,
                states=states,
            )
            chosen = sentence(told[2], own.verdict)
        except Refused as error:
            refused = str(error)
    if chosen is None:
        told = effects_of_choices(
            connection, tenant_id, [file.cluster.id], [{file.cluster.id: one} for one in asked], now=now, states=states
        )
    return Effects(
        {verdict: sentence(effect, verdict) for verdict, effect in zip(choices, told, strict=False)},
        chosen,
        refused,
        rescored_without(connection, tenant_id, file, typed.excluded),
    )


def told_before(
    connection: Connection, tenant_id: int, cluster_id: str, asked: DecisionRequest, *, now: datetime
) -> str:
    """What the decision will do, in one sentence. Raises NotFound and Refused."""
    return sentence(
        effects_of_choices(connection, tenant_id, [cluster_id], [{cluster_id: asked}], now=now)[0], asked.verdict
    )


def rescored_without(
    connection: Connection, tenant_id: int, file: CaseFile, excluded: Sequence[str]
) -> Rescored | None:
    """The estimate for those who are left; None where nobody of the group was ticked."""
    left_out = {key_of(name) for name in excluded} & file.state.members
    if not left_out:
        return None
    filed = [m for m in file.filed if m.reporter in file.state.members]
    contents = archived(connection, tenant_id, [m.seq for m in filed])
    known: dict[str, bytes | None] = {}
    long = [
        w
        for m in filed[:TEXTS_READ]
        if m.seq in contents
        for w in (written_of(m.seq, m.reporter, contents[m.seq][0], known),)
        if w.signature is not None
    ]
    wording = {seq: group.name for group in text_groups(long, file.policy.text_jaccard) for seq in group.seqs}
    said = [_said(m, contents[m.seq][0], wording.get(m.seq)) for m in filed if m.seq in contents]
    structural = [e for e in file.cluster.evidence if e.signal != OUTCOMES]
    return rescore_without(
        structural,
        said,
        left_out,
        elsewhere_of(connection, tenant_id, file),
        tallies_of(connection, tenant_id, file, left_out),
        file.cluster.kind,
        file.policy,
    )


def _said(m: Membership, content: JsonObject, wording: str | None) -> MemberComplaint:
    reporter, target = content["reporter"], content["target"]
    created = reporter.get("account_created_at")
    return MemberComplaint(
        m.reporter,
        m.target,
        m.time_us,
        target.get("context_id"),
        target.get("author_id"),
        None if created is None else _us(created),
        reporter.get("fingerprint"),
        wording,
    )


def _us(text: str) -> int:
    return microseconds(datetime.fromisoformat(text))
