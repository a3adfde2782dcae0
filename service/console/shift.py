"""The shift report: what happened between two times and what waits, for the next shift. Each number is a link to
the list that it counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Request
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.csv_files import Cell, csv_response
from service.console.lists import AT_ONCE, PAGE, address, cursor_behind, every_page, place_of
from service.console.person import Person
from service.console.rendering import flash, render, see_other
from service.console.shares import download
from service.console.shift_words import (
    LIST,
    TITLES,
    ShiftLine,
    ShiftSection,
    report_text,
    row_words,
    section_of,
    settings_for,
)
from service.console.sign_in import Moderator, Viewer
from service.console.targets import assessment_of, standings_of
from service.errors import Refused
from service.model import microseconds
from service.storage.accounts.policy_overrides import policy_of
from service.storage.cases import handovers, shift_report
from service.storage.cases.shift_report import PARTS, Part, Shift, ShiftRow
from service.storage.sql.cursors import Key

router = APIRouter()
HERE, NAME, SORT = "/console/shift", "shift-rows", "at"
LONGEST = timedelta(days=31)
USUAL = timedelta(hours=8)
_RECENT = timedelta(days=7)  # an older handover does not begin a shift
Period = Literal["", "mine", "8h", "today"]


@dataclass(frozen=True, slots=True)
class ShiftTimes:
    """[since, until), and its two parameters in a URL."""

    since: datetime
    until: datetime

    @property
    def parameters(self) -> dict[str, str]:
        """The times to the microsecond, so that a list is of the same time as its number."""
        return {"since": self.since.isoformat(), "until": self.until.isoformat()}


def _times(request: Request, person: Viewer, period: Period = "", since: str = "", until: str = "") -> ShiftTimes:
    """The times in the query string. Without any: since the person's last handover, or eight hours."""
    now = api_context(request).now().astimezone(UTC)
    end = _time(until, "to", person) or now
    begin = _time(since, "from", person)
    if begin is None and period == "today":
        begin = now.astimezone(person.preferences.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    if begin is None and period in ("", "mine"):
        with api_context(request).engine.connect() as connection:
            mine = handovers.last_of(connection, person.tenant_id, person.name)
        begin = mine.at if mine is not None and now - _RECENT <= mine.at < end else None
    begin = (begin or end - USUAL).astimezone(UTC)
    if begin >= end:
        raise HTTPException(422, "“From” must be before “to”.")
    if end - begin > LONGEST:
        raise HTTPException(422, f"A shift has at most {LONGEST.days} days. Choose a later “from”.")
    return ShiftTimes(begin, end)


Times = Annotated[ShiftTimes, Depends(_times)]


def _time(text: str, name: str, person: Person) -> datetime | None:
    """A time with its offset, or one in the person's time zone; None for an empty field."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        if not 1971 <= at.year <= 9000:
            raise ValueError
    except ValueError:
        raise HTTPException(422, f"{name}: {text[:40]!r} is not a valid time; use the form 2026-11-22T14:00") from None
    return (at.replace(tzinfo=person.preferences.zone) if at.tzinfo is None else at).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class ShiftContent:
    """The report as it is shown."""

    times: ShiftTimes
    sections: list[ShiftSection]
    handed_over: list[handovers.Handover]  # the latest, newest first


@router.get("/shift")
async def show_shift(request: Request, person: Viewer, times: Times, period: Period = "") -> Response:
    """The report; it prints without its forms."""
    content = await _content(request, person, times)
    zone = person.preferences.zone
    return await run_in_threadpool(
        lambda: render(
            request,
            person,
            "shift.html",
            content=content,
            period=period,
            entered={
                name: at.astimezone(zone).strftime("%Y-%m-%dT%H:%M")
                for name, at in (("since", times.since), ("until", times.until))
            },
            text=report_text(content.sections, content.handed_over, times.since, times.until, zone),
            csv_url=address(f"{HERE}.csv", **times.parameters),
            longest=handovers.LONGEST,
        )
    )


@router.get("/shift.csv", dependencies=download)
async def download_shift(request: Request, person: Viewer, times: Times) -> Response:
    """The report's numbers as CSV, and the handovers."""
    content = await _content(request, person, times)

    def rows() -> Iterator[tuple[Cell, ...]]:
        for section in content.sections:
            for line in section.lines or (ShiftLine(section.note, 0, None, ""),):
                yield times.since, times.until, section.title, line.label, line.count, line.first_at
        for one in content.handed_over:
            yield times.since, times.until, "Handover", f"{one.by}: {one.text}", None, one.at

    return csv_response("shift", ("From", "To", "Section", "What", "Number", "Since"), rows)


@dataclass(frozen=True, slots=True)
class ChosenList:
    """Which list: a part, or one of its groups; empty: any."""

    part: Part | Literal["holds"]
    by: str | None = None
    what: str | None = None
    reason: str | None = None

    @property
    def parameters(self) -> dict[str, str]:
        """As in the URL."""
        named = {"part": self.part, "by": self.by, "what": self.what, "reason": self.reason}
        return {name: value for name, value in named.items() if value}


def _chosen(part: str, by: str = "", what: str = "", reason: str = "") -> ChosenList:
    known = next((one for one in TITLES if one == part), None)
    if known is None:
        raise HTTPException(422, f"part must be one of {', '.join(TITLES)}")
    return ChosenList(known, by or None, what or None, reason or None)


Chosen = Annotated[ChosenList, Depends(_chosen)]


@router.get("/shift/list")
async def show_list(request: Request, person: Viewer, times: Times, chosen: Chosen, cursor: str = "") -> Response:
    """What one number of the report counts."""
    filters = {**chosen.parameters, **times.parameters}
    after = place_of(cursor, NAME, shift_report.KEY_TYPES_BY_SORT, SORT, filters)
    rows: list[ShiftRow] = []
    behind: tuple[Key, ...] | None = None
    targets: list[str] | None = None
    if chosen.part == "holds":
        targets = (await _on_hold(request, person))[0]
    else:
        rows, behind = await run_in_threadpool(_rows, request, person, times, chosen, after)
    following = cursor_behind(behind, NAME, SORT, filters)
    return await run_in_threadpool(
        lambda: render(
            request,
            person,
            "shift_list.html",
            title=TITLES[chosen.part],
            times=times,
            rows=[(row, *row_words(chosen.part, row)) for row in rows],
            targets=targets,
            back=address(HERE, **times.parameters),
            csv_url=address(f"{HERE}/list.csv", **filters),
            next_url=None if following is None else address(LIST, **filters, cursor=following),
            first_url=address(LIST, **filters) if cursor else None,
        )
    )


@router.get("/shift/list.csv", dependencies=download)
async def download_list(request: Request, person: Viewer, times: Times, chosen: Chosen) -> Response:
    """The same list as CSV."""
    if chosen.part == "holds":
        targets = (await _on_hold(request, person))[0] or []
        return csv_response("shift-holds", ("Target",), lambda: [(one,) for one in targets])
    part = chosen.part
    shift = _shift(request, person, times)
    found = every_page(
        api_context(request).engine,
        lambda connection, after: _read_rows(connection, person, shift, chosen, after, AT_ONCE),
    )

    def cells(row: ShiftRow) -> tuple[Cell, ...]:
        who, what = row_words(part, row)
        return row.at, who, what, row.case, row.reporter, None if row.subject else row.text

    header = ("Time", "Who", "What", "Case", "Reporter", "Text")
    return csv_response(f"shift-{part}", header, lambda: map(cells, found))


@router.post("/shift/handover")
def hand_over(
    request: Request, person: Moderator, text: Annotated[str, Form()] = "", since: Annotated[str, Form()] = ""
) -> Response:
    """Leave a text for the next shift. The person's next report begins here; shown is the shift that ends, which began
    at `since`.
    """
    api, now = api_context(request), api_context(request).now().astimezone(UTC)
    begun = _time(since, "from", person)
    try:
        made = handovers.hand_over(api.engine, person.tenant_id, text, by=person.name, now=now)
    except Refused as refused:
        raise HTTPException(422, f"{refused} Nothing was saved.") from None
    flash(
        request, person, "Saved. The next shift sees it above its report." if made else "Saved once; it was sent twice."
    )
    if begun is None or not now - LONGEST <= begun < now:
        return see_other(request, HERE)
    return see_other(request, address(HERE, **ShiftTimes(begun, now).parameters))


async def _content(request: Request, person: Person, times: ShiftTimes) -> ShiftContent:
    held = await _on_hold(request, person)

    def read() -> ShiftContent:
        shift = _shift(request, person, times)
        with api_context(request).engine.connect() as connection:
            sections = [
                section_of(part, shift_report.groups_of(connection, person.tenant_id, part, shift), times.parameters)
                for part in PARTS
            ]
            return ShiftContent(
                times, [*sections, _holds(*held, times)], handovers.latest(connection, person.tenant_id)
            )

    return await run_in_threadpool(read)


def _holds(targets: list[str] | None, cut: bool, times: ShiftTimes) -> ShiftSection:
    section = section_of("holds", [], times.parameters)
    if targets is None:
        section.note = "unknown: Redis is not responding"
    elif targets:
        section.lines.append(ShiftLine("at the tenant’s removal threshold", len(targets), None, section.url))
    if cut:
        section.note = f"only the first {shift_report.MOST_TARGETS:,} targets were looked at"
    return section


async def _on_hold(request: Request, person: Person) -> tuple[list[str] | None, bool]:
    """The targets whose recommendation is `hold` now, and whether not all were looked at; None without Redis."""

    def candidates() -> tuple[list[str], bool, int]:
        with api_context(request).engine.connect() as connection:
            threshold = policy_of(connection, person.tenant_id).default_threshold
            return *shift_report.targets_to_look_at(connection, person.tenant_id, threshold), threshold

    targets, cut, threshold = await run_in_threadpool(candidates)
    if not targets:
        return [], False
    standings = await standings_of(request, person, targets)
    if standings is None:
        return None, False
    found = [assessment_of(target, standings, place, threshold) for place, target in enumerate(targets)]
    return [one.target_id for one in found if one is not None and one.recommendation == "hold"], cut


def _shift(request: Request, person: Person, times: ShiftTimes) -> Shift:
    return Shift(microseconds(times.since), microseconds(times.until), api_context(request).now(), settings_for(person))


def _rows(
    request: Request, person: Person, times: ShiftTimes, chosen: ChosenList, after: tuple[Key, ...] | None
) -> tuple[list[ShiftRow], tuple[Key, ...] | None]:
    with api_context(request).engine.connect() as connection:
        return _read_rows(connection, person, _shift(request, person, times), chosen, after, PAGE)


def _read_rows(
    connection: Connection,
    person: Person,
    shift: Shift,
    chosen: ChosenList,
    after: tuple[Key, ...] | None,
    limit: int,
) -> tuple[list[ShiftRow], tuple[Key, ...] | None]:
    assert chosen.part != "holds"
    return shift_report.list_rows(
        connection,
        person.tenant_id,
        chosen.part,
        shift,
        by=chosen.by,
        what=chosen.what,
        reason=chosen.reason,
        after=after,
        limit=limit,
    )
