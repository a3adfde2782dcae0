"""Trusted flaggers (DSA Art. 22): the registry, and for each flagger what became of their notices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Form, Request
from sqlalchemy import Connection
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.csv_files import Cell, csv_cell, csv_response
from service.console.formatting import sentence
from service.console.person import Person
from service.console.queue import TenantFilter
from service.console.rendering import flash, see_other
from service.console.settings.frame import now_us, page
from service.console.shares import download
from service.console.sign_in import Admin
from service.errors import NotFound, Refused
from service.intake.privacy_filter import PrivacyFilter
from service.model import moment
from service.moderation.flagger_figures import figures_of, letter, yearly
from service.moderation.trusted_flaggers import FlaggerTerm, area_of, time_us_of
from service.storage.accounts import flagger_registry as registry
from service.storage.complaints.reporters import read_reporter
from service.storage.complaints.trusted_notices import notices_by
from service.storage.sql.engine import write

HERE = "/console/settings/flaggers"
SECTION = "flaggers"
router = APIRouter(prefix="/flaggers")
_NOTICES_HEADER = ("id", "target", "at", "reason", "place", "verdict", "action", "first_decided_at")
_YEARS_HEADER = (
    "entity",
    "coordinator",
    "reporter",
    "year",
    "place",
    "reason",
    "notices",
    "upheld",
    "rejected",
    "undecided",
    "removed",
)
_FIELDS = ("reporter", "entity", "coordinator", "since", "until", "area", "note")
Text = Annotated[str, Form(max_length=4_000)]
Day = Annotated[str, Form(max_length=40)]


@router.get("")
def show_flaggers(request: Request, person: Admin, privacy_filter: TenantFilter) -> Response:
    """The registry, and a form for another entry."""
    return _list(request, person, privacy_filter, dict.fromkeys(_FIELDS, ""))


@router.post("/add")
def add(
    request: Request,
    person: Admin,
    privacy_filter: TenantFilter,
    reporter: Annotated[str, Form(max_length=400)] = "",
    entity: Text = "",
    coordinator: Text = "",
    since: Day = "",
    until: Day = "",
    area: Annotated[str, Form(max_length=40_000)] = "",
    note: Text = "",
) -> Response:
    """Enter a trusted flagger."""
    typed = {
        "reporter": reporter.strip(),
        "entity": entity,
        "coordinator": coordinator,
        "since": since,
        "until": until,
        "area": area,
        "note": note,
    }
    try:
        begin = time_us_of(since, "the beginning of the status")
        term = FlaggerTerm(begin, time_us_of(until, "its end") if until.strip() else None, area=area_of(area))
        with write(api_context(request).engine) as connection:
            registry.add_flagger(
                connection,
                person.tenant_id,
                privacy_filter.reporter(reporter.strip()),
                entity=entity,
                coordinator=coordinator,
                term=term,
                note=note.strip() or None,
                by=person.name,
                now_us=now_us(request),
            )
    except Refused as error:
        return _list(request, person, privacy_filter, typed, error=sentence(error))
    flash(request, person, f"{entity.strip()} is in the registry. Their notices will be treated by it within seconds.")
    return see_other(request, HERE)


@router.get("/yearly.csv", dependencies=download)
def download_years(request: Request, person: Admin) -> Response:
    """Notices of each flagger by year, area and reason (Art. 22(3))."""

    def rows() -> Iterator[tuple[Cell, ...]]:
        with api_context(request).engine.connect() as connection:
            entries = registry.list_entries(connection, person.tenant_id)
            latest = {one.reporter_id: one for one in reversed(entries) if one.removed_us is None}
            for reporter, entry in sorted(latest.items()):
                for year, place, reason, tally, removed in yearly(notices_by(connection, person.tenant_id, reporter)):
                    yield (
                        entry.entity,
                        entry.coordinator,
                        reporter,
                        year,
                        place,
                        reason,
                        tally.notices,
                        tally.upheld,
                        tally.rejected,
                        tally.undecided,
                        removed,
                    )

    return csv_response("trusted-flaggers", _YEARS_HEADER, rows)


@router.get("/{id}")
def show_flagger(request: Request, person: Admin, id: str) -> Response:
    """One flagger: their entries, and the pattern of their notices."""
    return _one(request, person, id)


@router.get("/{id}/notices.csv", dependencies=download)
def download_notices(request: Request, person: Admin, id: str) -> Response:
    """All their standing complaints, with what became of each."""
    with api_context(request).engine.connect() as connection:
        entry = registry.read_entry(connection, person.tenant_id, _number(id))
        found = notices_by(connection, person.tenant_id, entry.reporter_id)
    return csv_response(
        f"notices-{entry.entity}",
        _NOTICES_HEADER,
        lambda: (
            (n.id, n.target_id, csv_cell(n.at), n.reason, n.place, n.verdict, n.action, csv_cell(n.decided_at))
            for n in found
        ),
    )


@router.post("/{id}/end")
def end(request: Request, person: Admin, id: str, day: Day = "") -> Response:
    """Let the status end."""
    return _change(
        request,
        person,
        id,
        lambda connection, number: registry.end_flagger(
            connection,
            person.tenant_id,
            number,
            until_us=time_us_of(day, "the end of the status"),
            by=person.name,
            now_us=now_us(request),
        ),
        "The end of the status is recorded.",
    )


@router.post("/{id}/suspend")
def suspend(request: Request, person: Admin, id: str, day: Day = "") -> Response:
    """Record that the coordinator has suspended the status."""
    return _change(
        request,
        person,
        id,
        lambda connection, number: registry.suspend_flagger(
            connection,
            person.tenant_id,
            number,
            from_us=time_us_of(day, "the beginning of the suspension"),
            by=person.name,
            now_us=now_us(request),
        ),
        "The suspension is recorded: from that day on, their notices have no privilege.",
    )


@router.post("/{id}/reinstate")
def reinstate(request: Request, person: Admin, id: str, day: Day = "") -> Response:
    """Record that the suspension is over."""
    return _change(
        request,
        person,
        id,
        lambda connection, number: registry.reinstate_flagger(
            connection,
            person.tenant_id,
            number,
            from_us=time_us_of(day, "the end of the suspension"),
            by=person.name,
            now_us=now_us(request),
        ),
        "The end of the suspension is recorded: the status goes on in an entry of its own.",
    )


@router.post("/{id}/remove")
def remove(request: Request, person: Admin, id: str) -> Response:
    """Remove an entry that was a mistake."""
    return _change(
        request,
        person,
        id,
        lambda connection, number: registry.remove_flagger(
            connection, person.tenant_id, number, by=person.name, now_us=now_us(request)
        ),
        "The entry is removed: it counts as if it had never been made.",
    )


def _change(
    request: Request, person: Person, id: str, change: Callable[[Connection, int], object], done: str
) -> Response:
    try:
        with write(api_context(request).engine) as connection:
            change(connection, _number(id))
    except Refused as error:
        return _one(request, person, id, error=sentence(error))
    flash(request, person, done)
    return see_other(request, f"{HERE}/{_number(id)}")


def _list(
    request: Request, person: Person, privacy_filter: PrivacyFilter, typed: dict[str, str], *, error: str | None = None
) -> Response:
    with api_context(request).engine.connect() as connection:
        entries = registry.list_entries(connection, person.tenant_id)
    now = now_us(request)
    return page(
        request,
        person,
        SECTION,
        "flaggers.html",
        error=error,
        entries=[(entry, *_shown(entry, now)) for entry in entries],
        typed=typed,
        pseudonyms=privacy_filter.pseudonyms,
    )


def _one(request: Request, person: Person, id: str, *, error: str | None = None) -> Response:
    now = now_us(request)
    with api_context(request).engine.connect() as connection:
        entry = registry.read_entry(connection, person.tenant_id, _number(id))
        entries = registry.list_entries(connection, person.tenant_id, entry.reporter_id)
        notices = notices_by(connection, person.tenant_id, entry.reporter_id)
        try:
            known = read_reporter(connection, person.tenant_id, entry.reporter_id, now=api_context(request).now())
        except NotFound:
            known = None
    figures = figures_of(notices)
    draft = None
    if notices:
        first, last = (f"{at:%Y-%m-%d}" for at in (notices[-1].at, notices[0].at))
        cases = 0 if known is None else known.cluster_count
        draft = letter(entry.entity, entry.coordinator, figures, cases=cases, first=first, last=last)
    return page(
        request,
        person,
        SECTION,
        "one_flagger.html",
        error=error,
        entry=entry,
        standing=entry.status(now),
        entries=[(one, *_shown(one, now)) for one in entries],
        known=known,
        figures=figures,
        draft=draft,
        today=f"{moment(now):%Y-%m-%d}",
    )


def _shown(entry: registry.FlaggerEntry, now: int) -> tuple[str, str, str | None, str | None]:
    """Status, and the days of beginning, end and suspension."""
    term = entry.term
    until, suspended = (None if at is None else _day(at) for at in (term.until_us, term.suspended_us))
    return entry.status(now), _day(term.since_us), until, suspended


def _day(at_us: int) -> str:
    at: datetime = moment(at_us).astimezone(UTC)
    return f"{at:%Y-%m-%d}" if (at.hour, at.minute, at.second) == (0, 0, 0) else f"{at:%Y-%m-%d %H:%M} UTC"


def _number(id: str) -> int:
    if not (id.isascii() and id.isdigit() and len(id) <= 9):
        raise NotFound("no such entry in the registry of trusted flaggers")
    return int(id)
