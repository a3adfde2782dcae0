"""Lists of the console as CSV whose pages are elsewhere: each file has the rows of its page, with the same filters and
in the same order, from the first page to the last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy import Connection
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.case_charts import case_raster
from service.console.case_tables import (
    ALL_REPORTERS,
    CaseReporter,
    ReporterOrder,
    reporter_rows,
    target_rows,
    texts_read,
)
from service.console.charts import file_of
from service.console.csv_files import Cell, csv_response
from service.console.formatting import web_address
from service.console.history_text import entry_of
from service.console.lists import AT_ONCE, every_page
from service.console.queue import TenantFilter, queue_filter_of
from service.console.queue_filters import VALUE_TEXTS, read_query
from service.console.reporters import list_with_accuracy
from service.console.search import find_everything, state_of
from service.console.shares import download
from service.console.sign_in import Viewer
from service.console.targets import read_attacked
from service.moderation.reputation import Reputation
from service.moderation.track_record import TrackRecord
from service.storage.cases import case_queue
from service.storage.cases.case_history import CaseHistoryItem, history_of
from service.storage.cases.case_queue import QueueItem

router = APIRouter()
_ACCURACY = ("Upheld", "Rejected", "Accuracy", "Accuracy at least", "Accuracy at most")


@router.get("/clusters.csv", dependencies=download)
def download_queue(request: Request, person: Viewer, privacy_filter: TenantFilter) -> Response:
    """The cases of one view of the queue."""
    now, query = api_context(request).now(), read_query(request.query_params, person.preferences.zone)
    chosen = queue_filter_of(query, person.name, privacy_filter)

    def read(
        connection: Connection, after: tuple[Any, ...] | None
    ) -> tuple[Sequence[QueueItem], tuple[Any, ...] | None]:
        return case_queue.list_queue(
            connection,
            person.tenant_id,
            chosen,
            sort=query.sort,
            after=after,
            limit=AT_ONCE,
            now=now,
            pictures=False,
        )

    header = (
        "Case",
        "Status",
        "Finding",
        "Kind",
        "Coordination score",
        "Priority",
        "Accounts",
        "Targets",
        "First complaint",
        "Last complaint",
        "Found",
        "Claimed by",
        "Verdict",
        "Changed by",
        "Tags",
        "Summary",
    )
    items = every_page(api_context(request).engine, read)
    return csv_response(f"cases-{query.tab}-{person.tenant}", header, lambda: map(_case, items))


def _case(row: QueueItem) -> tuple[Cell, ...]:
    item = row.item
    return (
        item.id,
        item.status,
        VALUE_TEXTS.get(item.disposition, item.disposition),
        VALUE_TEXTS[item.kind],
        round(item.coordination_score, 2),
        round(item.score, 2),
        item.reporter_count,
        item.target_count,
        item.first_at,
        item.last_at,
        row.found_at,
        None if row.claim is None else row.claim.by,
        None if row.verdict is None else row.verdict.replace("_", " "),
        row.changed_by,
        "; ".join(item.tags),
        item.summary,
    )


@router.get("/search.csv", dependencies=download)
def download_found(request: Request, person: Viewer, privacy_filter: TenantFilter, q: str = "") -> Response:
    """What a search found: the account and the target of that ID, then the cases."""
    found = find_everything(request, person, privacy_filter, q)

    def rows() -> Iterator[tuple[Cell, ...]]:
        if found.account is not None:
            yield "account", found.account.id, None, "ID", found.account.last_at, None
        if found.target is not None:
            yield "target", found.text, None, "ID", None, found.target.excerpt
        for row, reasons in found.rows:
            yield "case", row.item.id, state_of(row), "; ".join(reasons), row.item.last_at, row.item.summary

    return csv_response("search", ("Kind", "ID", "State", "Found in", "Last complaint", "Words"), rows)


@router.get("/targets.csv", dependencies=download)
def download_targets(request: Request, person: Viewer) -> Response:
    """The targets of flagged groups that the page lists."""
    attacked, _ = read_attacked(request, person)
    header = ("Target", "Members who complained", "Latest complaint", "Case", "Cases")
    rows = [(one.target_id, one.reporters, one.last_at, one.cluster_id, one.clusters) for one in attacked]
    return csv_response(f"targets-{person.tenant}", header, lambda: rows)


@router.get("/reporters.csv", dependencies=download)
def download_reporters(request: Request, person: Viewer) -> Response:
    """The reporters to consider a warning for, each with what moderators found of their complaints."""
    found = every_page(
        api_context(request).engine,
        lambda connection, after: list_with_accuracy(connection, person.tenant_id, after=after, limit=AT_ONCE),
    )

    def rows() -> Iterator[tuple[Cell, ...]]:
        for one in found:
            suggestion, handled = one.suggested.suggestion, one.suggested.handled
            yield (
                one.suggested.reporter_id,
                suggestion.by_outcome,
                suggestion.reviewed,
                suggestion.by_decision,
                round(suggestion.share, 3),
                one.suggested.at,
                "to review" if handled is None else handled.choice,
                None if handled is None else handled.by,
                None if handled is None else handled.at,
                *_accuracy(one.judged, one.reputation),
            )

    header = (
        "Reporter",
        "Rejected in the period",
        "Reviewed in the period",
        "Not reviewed, in brigades",
        "Share",
        "Suggested",
        "Status",
        "By",
        "Recorded",
        *_ACCURACY,
    )
    return csv_response(f"reporters-{person.tenant}", header, rows)


@router.get("/clusters/{id}/reporters.csv", dependencies=download)
def download_members(request: Request, person: Viewer, id: str, order: ReporterOrder = "") -> Response:
    """The case's members and those who were excluded, with what moderators found of their complaints."""
    with api_context(request).engine.connect() as connection:
        file = file_of(request, person, id, connection)
        rows, left_out = reporter_rows(connection, person.tenant_id, file, case_raster(file), ALL_REPORTERS, order)
    header = (
        "Row",
        "Reporter",
        "Excluded",
        "Trusted",
        "Complaints in this case",
        "First complaint in this case",
        "Account created",
        "Complaints",
        *_ACCURACY,
    )
    told = [(f"Cut: {left_out:,} more reporters. The JSON export has all of them.",)] if left_out else []
    return csv_response(f"case-{id}-reporters", header, lambda: [*map(_member, rows), *told])


def _member(reporter: CaseReporter) -> tuple[Cell, ...]:
    row = reporter.row
    return (
        reporter.number,
        row.id,
        row.excluded,
        row.trusted,
        row.here,
        row.first_at,
        row.account_created_at,
        row.complaints,
        *_accuracy(row.judged, row.reputation),
    )


def _accuracy(judged: TrackRecord, reputation: Reputation | None) -> tuple[Cell, ...]:
    if reputation is None:
        return judged.upheld, judged.rejected, "not judged yet", None, None
    return (
        judged.upheld,
        judged.rejected,
        round(reputation.mean, 3),
        round(reputation.low, 3),
        round(reputation.high, 3),
    )


@router.get("/clusters/{id}/targets.csv", dependencies=download)
def download_case_targets(request: Request, person: Viewer, id: str) -> Response:
    """The case's targets with their counts."""
    with api_context(request).engine.connect() as connection:
        file = file_of(request, person, id, connection)
        read = texts_read(connection, person.tenant_id, file)
        targets, _ = target_rows(connection, person.tenant_id, file, case_raster(file), read)
    header = (
        "Number",
        "Target",
        "Author",
        "Complaints",
        "By members",
        "Independent",
        "Advice",
        "Action",
        "Action by",
        "Reviewed",
        "First complaint",
        "Article or thread",
        "Link",
    )
    return csv_response(
        f"case-{id}-targets",
        header,
        lambda: (
            (
                one.number,
                one.row.id,
                one.words.author_id,
                one.row.complaints,
                one.row.here,
                round(one.row.independent, 2),
                one.row.recommendation,
                one.row.action,
                one.row.action_by,
                one.row.verdict,
                one.row.first_at,
                one.context.name if one.context else None,
                web_address(one.words.url),
            )
            for one in targets
        ),
    )


@router.get("/clusters/{id}/history.csv", dependencies=download)
def download_history(request: Request, person: Viewer, id: str) -> Response:
    """What happened to the case, newest first."""
    with api_context(request).engine.connect() as connection:
        entries = history_of(connection, person.tenant_id, id)
    return csv_response(f"case-{id}-history", _HISTORY, lambda: map(_entry, reversed(entries)))


@router.get("/clusters/{id}/notes.csv", dependencies=download)
def download_notes(request: Request, person: Viewer, id: str) -> Response:
    """The notes on the case, oldest first."""
    with api_context(request).engine.connect() as connection:
        notes = [entry for entry in history_of(connection, person.tenant_id, id) if entry.kind == "note"]
    return csv_response(f"case-{id}-notes", _HISTORY, lambda: map(_entry, notes))


_HISTORY = ("Time", "Who", "What", "Text", "Target", "Decision", "In force")


def _entry(entry: CaseHistoryItem) -> tuple[Cell, ...]:
    shown = entry_of(entry)
    return shown.at, shown.who, shown.what, shown.text, shown.target, shown.decision_id, shown.standing
