"""One reporter: history, reputation and groups; and warnings to consider. A person always decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request
from markupsafe import Markup
from sqlalchemy import Connection
from starlette.responses import Response

from service.api.api_context import api_context
from service.charts.interval import interval
from service.console.csv_files import csv_response
from service.console.formatting import percent
from service.console.lists import AT_ONCE, PAGE, address, cursor_behind, every_page, place_of
from service.console.person import Person
from service.console.queue import TenantFilter
from service.console.rendering import flash, render, see_other, segment
from service.console.shares import download
from service.console.sign_in import Moderator, Viewer
from service.console.targets import CSV_HEADER, csv_row
from service.fields import ID_CHARACTERS
from service.model import microseconds
from service.moderation.reputation import Reputation
from service.moderation.track_record import TrackRecord
from service.moderation.warnings import letter
from service.storage.accounts.flagger_registry import list_entries
from service.storage.cases import cases, warnings
from service.storage.cases.case_files import earned_by
from service.storage.complaints import target_history
from service.storage.complaints.archive_reader import ingest_state_of
from service.storage.complaints.reporters import read_reporter
from service.storage.complaints.target_content import words_of
from service.storage.complaints.target_history import list_of_reporter
from service.storage.detection.allow_list import find_allowed
from service.storage.sql.engine import write
from service.storage.sql.hashing import key_of

router = APIRouter()
NAME, SORT = "reporter-complaints", "-occurred_at"
WARNINGS, WARNINGS_SORT = "warnings", "-at"
PATROLS = "/settings/patrols"  # the allow-list page, if this installation has it


@router.get("/reporters")
def find_reporter(request: Request, person: Viewer, id: str = "", cursor: str = "") -> Response:
    """A form to look up a reporter, and the suggested warnings."""
    if id.strip():
        return see_other(request, f"/console/reporters/{segment(id.strip()[:ID_CHARACTERS])}")
    after = place_of(cursor, WARNINGS, warnings.KEY_TYPES_BY_SORT, WARNINGS_SORT, {})
    with api_context(request).engine.connect() as connection:
        suggested, behind = list_with_accuracy(connection, person.tenant_id, after=after, limit=PAGE)
    next_cursor = cursor_behind(behind, WARNINGS, WARNINGS_SORT, {})
    return render(
        request,
        person,
        "find_reporter.html",
        suggested=suggested,
        next_url=None if next_cursor is None else address("/console/reporters", cursor=next_cursor),
        first_url="/console/reporters" if cursor else None,
    )


@dataclass(frozen=True, slots=True)
class SuggestedReporter:
    """A reporter to consider a warning for, with what moderators found of all their complaints."""

    suggested: warnings.Suggested
    judged: TrackRecord
    reputation: Reputation | None


def list_with_accuracy(
    connection: Connection, tenant_id: int, *, after: tuple[Any, ...] | None, limit: int
) -> tuple[list[SuggestedReporter], tuple[Any, ...] | None]:
    """Suggested warnings, newest first, each with the reporter's accuracy, and the key to go on from."""
    suggested, behind = warnings.list_suggested(connection, tenant_id, after=after, limit=limit)
    keys = [key_of(one.reporter_id) for one in suggested]
    earned = earned_by(connection, tenant_id, keys, ingest_state_of(connection, tenant_id).watermark_us or 0)
    return [
        SuggestedReporter(one, *earned.get(key, (TrackRecord(), None)))
        for one, key in zip(suggested, keys, strict=True)
    ], behind


@router.get("/reporters/{id}")
def show_reporter(
    request: Request, person: Viewer, privacy_filter: TenantFilter, id: str, cursor: str = ""
) -> Response:
    """One reporter; 404 for one that never complained to this tenant."""
    stored = privacy_filter.reporter(id)
    after = place_of(cursor, NAME, target_history.KEY_TYPES_BY_SORT, SORT, {"reporter": stored})
    return render(
        request,
        person,
        "reporter.html",
        first_url=f"/console/reporters/{segment(stored)}" if cursor else None,
        **_read(request, person, stored, after),
    )


@router.get("/reporters/{id}/complaints.csv", dependencies=download)
def download_complaints(request: Request, person: Viewer, privacy_filter: TenantFilter, id: str) -> Response:
    """Their complaints as CSV."""
    stored = privacy_filter.reporter(id)
    found = every_page(
        api_context(request).engine,
        lambda connection, after: list_of_reporter(connection, person.tenant_id, stored, after=after, limit=AT_ONCE),
    )
    return csv_response(f"complaints-of-{stored}", CSV_HEADER, lambda: map(csv_row, found))


@router.post("/reporters/{id}/warning")
def handle_warning(
    request: Request,
    person: Moderator,
    privacy_filter: TenantFilter,
    id: str,
    choice: Annotated[Literal["warned", "declined"], Form()],
) -> Response:
    """Record what the moderator did about the suggestion. Nothing is sent to anyone."""
    api, stored = api_context(request), privacy_filter.reporter(id)
    with write(api.engine) as connection:
        warnings.handle(connection, person.tenant_id, stored, choice, by=person.name, now_us=microseconds(api.now()))
    flash(
        request, person, "Recorded: you have warned this reporter." if choice == "warned" else "Recorded: no warning."
    )
    return see_other(request, f"/console/reporters/{segment(stored)}")


def _read(request: Request, person: Person, reporter_id: str, after: tuple[Any, ...] | None) -> dict[str, Any]:
    api = api_context(request)
    with api.engine.connect() as connection:
        history = read_reporter(connection, person.tenant_id, reporter_id, now=api.now())
        suggested = warnings.read_suggested(connection, person.tenant_id, reporter_id)
        complaints, behind = list_of_reporter(connection, person.tenant_id, reporter_id, after=after, limit=PAGE)
        words = words_of(connection, person.tenant_id, sorted({one.target_id for one in complaints}))
        summaries = cases.summaries_of(connection, person.tenant_id, [one.id for one in history.clusters])
        allowed = find_allowed(connection, person.tenant_id, reporter_id)
        entries = list_entries(connection, person.tenant_id, reporter_id)
    now_us = microseconds(api.now())
    next_cursor = cursor_behind(behind, NAME, SORT, {"reporter": reporter_id})
    patrols = (
        f"/console{PATROLS}?reporter={segment(reporter_id)}"
        if person.may("admin") and PATROLS in request.app.state.routed
        else None
    )
    return {
        "history": history,
        "summaries": summaries,
        "picture": None if history.reputation is None else picture(history.reputation),
        "suggested": suggested,
        "letter": None if suggested is None else letter(suggested.suggestion),
        "complaints": complaints,
        "words": words,
        "allowed": allowed,
        "flagger": next(((one, status) for one in entries if (status := one.status(now_us)) != "removed"), None),
        "patrols_url": patrols,
        "lasting": (history.last_at - history.first_at).total_seconds(),
        "next_url": (
            None if next_cursor is None else address(f"/console/reporters/{segment(reporter_id)}", cursor=next_cursor)
        ),
    }


def picture(reputation: Reputation) -> Markup:
    """The reputation with its interval, as a chart."""
    title = (
        f"Estimated share of this reporter’s justified complaints: {percent(reputation.mean)}, 90 % interval"
        f" {percent(reputation.low)} to {percent(reputation.high)}"
    )
    return interval(
        reputation.mean,
        min(reputation.low, reputation.mean),
        max(reputation.high, reputation.mean),
        "reputation",
        title,
    )
