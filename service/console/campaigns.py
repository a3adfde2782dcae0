"""Campaigns: cases that continue one another over months. The list, one campaign, and saying what belongs together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta, tzinfo
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query, Request
from markupsafe import Markup
from pydantic_core import to_json
from sqlalchemy import Connection
from starlette.responses import Response

from service.api.api_context import api_context
from service.api.campaigns import document_of
from service.charts.columns import LONGEST, Mark, StackedColumn, column_chart
from service.console.csv_files import csv_cell, csv_response, file_name
from service.console.formatting import clock, sentence
from service.console.lists import AT_ONCE, PAGE, address, cursor_behind, every_page, place_of
from service.console.person import Person
from service.console.rendering import flash, render, see_other, segment
from service.console.shares import download
from service.console.sign_in import Moderator, Viewer
from service.errors import NotFound, Refused
from service.moderation.campaigns import Relation
from service.moderation.decisions import is_right_together, verdict_words
from service.moderation.phrases import plural
from service.storage.cases import campaign_reads
from service.storage.cases.campaign_groups import campaigns_of
from service.storage.cases.campaign_reads import CampaignDecision, CampaignFile, Rest, rests_of
from service.storage.cases.campaign_statements import (
    LONGEST_NOTE,
    MOST_OTHERS,
    CampaignChange,
    clusters_of,
    declare,
    preview,
)
from service.storage.sql.engine import write

router = APIRouter()
_LIST, _SORT = "console-campaigns", "-last_at"
_CASES_IN_MATRIX = 20
_PEOPLE_SHOWN = 100
_LETTERS = {"coordinated": "C", "not_coordinated": "N", "escalated": "E", "snoozed": "S"}
_LIST_HEADER = ("campaign", "cases", "first_complaint", "last_complaint", "found", "changed")
_MEMBER_HEADER = ("account", "cases_of_campaign")


@dataclass(frozen=True, slots=True)
class WeeksChart:
    """The time line by week."""

    svg: Markup
    rows: list[tuple[Any, int, int]]  # start of the week, complaints, cases
    rests: list[Rest]


@router.get("/campaigns")
def list_campaigns(request: Request, person: Viewer, cursor: str = "") -> Response:
    """All campaigns, the latest complaint first."""
    after = place_of(cursor, _LIST, campaign_reads.SORT_KEY_TYPES, _SORT, {})
    with api_context(request).engine.connect() as connection:
        found, behind = campaign_reads.list_campaigns(connection, person.tenant_id, after=after, limit=PAGE)
    following = cursor_behind(behind, _LIST, _SORT, {})
    return render(
        request,
        person,
        "campaigns.html",
        campaigns=found,
        next_url=None if following is None else address("/console/campaigns", cursor=following),
        first_url="/console/campaigns" if cursor else None,
    )


@router.get("/campaigns.csv", dependencies=download)
def download_campaigns(request: Request, person: Viewer) -> Response:
    """The list as CSV."""
    found = every_page(
        api_context(request).engine,
        lambda connection, after: campaign_reads.list_campaigns(
            connection, person.tenant_id, after=after, limit=AT_ONCE
        ),
    )
    rows = ((c.id, c.cluster_count, *map(csv_cell, (c.first_at, c.last_at, c.formed_at, c.changed_at))) for c in found)
    return csv_response("campaigns", _LIST_HEADER, lambda: rows)


@router.get("/campaigns/change")
def show_change(
    request: Request,
    person: Viewer,
    case: Annotated[str, Query(max_length=40)] = "",
    other: Annotated[str, Query(max_length=40)] = "",
    relation: Relation = "together",
    pair: bool = False,
) -> Response:
    """What saying so would change; nothing is recorded. `other`: a campaign, or a case, which stands for its whole
    campaign unless only the `pair` is meant.
    """
    case, other = case.strip(), other.strip()
    return _change_page(request, person, case, other, relation, others=[other] if pair else None)


@router.post("/campaigns/change")
def change(
    request: Request,
    person: Moderator,
    case: Annotated[str, Form(max_length=40)],
    relation: Annotated[Relation, Form()],
    others: Annotated[list[str], Form(max_length=MOST_OTHERS)],
    other: Annotated[str, Form(max_length=40)] = "",
    note: Annotated[str, Form()] = "",
) -> Response:
    """Record it."""
    api = api_context(request)
    try:
        with write(api.engine) as connection:
            changes = declare(
                connection,
                person.tenant_id,
                case,
                others,
                relation,
                note=note.strip() or None,
                by=person.name,
                now=api.now(),
            )
            campaign = campaigns_of(connection, person.tenant_id, [case]).get(case)
    except NotFound:
        raise
    except Refused as refused:
        message = str(refused)
        return _change_page(request, person, case, other, relation, others, note=note, error=message, status=422)
    flash(request, person, " ".join(_sentence(one) for one in changes) or "Recorded: nothing changed by it.")
    there = f"/console/campaigns/{segment(campaign)}" if campaign else f"/console/clusters/{segment(case)}"
    return see_other(request, there)


@router.get("/campaigns/{id}")
def show_campaign(request: Request, person: Viewer, id: str) -> Response:
    """One campaign."""
    file = _file(request, person, id)
    shown = file.cases[-_CASES_IN_MATRIX:]
    return render(
        request,
        person,
        "campaign.html",
        file=file,
        campaign=file.campaign,
        chart=_chart(file, person.preferences.zone),
        matrix=shown,
        left_out=len(file.cases) - len(shown),
        members=file.members[:_PEOPLE_SHOWN],
        authors=file.authors[:_PEOPLE_SHOWN],
        trimmed=any(case.trimmed for case in file.cases),
        decision_text=_decision_text,
    )


@router.get("/campaigns/{id}/export.json", dependencies=download)
def export_json(request: Request, person: Viewer, id: str) -> Response:
    """The campaign as GET /v1/campaigns/{id} returns it."""
    body = to_json(document_of(_file(request, person, id)))
    headers = {
        "Content-Disposition": f'attachment; filename="{file_name(f"campaign-{id}")}.json"',
        "Cache-Control": "no-store",
    }
    return Response(body, media_type="application/json", headers=headers)


@router.get("/campaigns/{id}/export.csv", dependencies=download)
def export_csv(request: Request, person: Viewer, id: str) -> Response:
    """Its accounts, and in how many of its cases each is."""
    file = _file(request, person, id)
    return csv_response(f"campaign-{id}", _MEMBER_HEADER, lambda: ((m.id, m.clusters) for m in file.members))


def _file(request: Request, person: Person, campaign_id: str) -> CampaignFile:
    api = api_context(request)
    with api.engine.connect() as connection:
        return campaign_reads.read_campaign(connection, person.tenant_id, campaign_id, now=api.now())


def _change_page(
    request: Request,
    person: Person,
    case: str,
    other: str,
    relation: Relation,
    others: list[str] | None = None,
    *,
    note: str = "",
    error: str | None = None,
    status: Literal[200, 422] = 200,
) -> Response:
    changes: list[CampaignChange] = []
    with api_context(request).engine.connect() as connection:
        try:
            others = others or _cases_of(connection, person.tenant_id, case, other)
            changes = preview(connection, person.tenant_id, case, others, relation)
        except NotFound:
            raise
        except Refused as refused:
            error = error or str(refused)
    return render(
        request,
        person,
        "campaign_change.html",
        case=case,
        other=other,
        others=others or [],
        relation=relation,
        changes=[(one, _sentence(one)) for one in changes],
        note=note,
        longest=LONGEST_NOTE,
        error=None if error is None else sentence(error),
        status=status,
    )


def _cases_of(connection: Connection, tenant_id: int, case: str, other: str) -> list[str]:
    """The cases that `other` stands for, without `case`. Raises NotFound."""
    try:
        found = clusters_of(connection, tenant_id, other)
    except NotFound:
        campaign = campaigns_of(connection, tenant_id, [other]).get(other)
        found = [other] if campaign is None else clusters_of(connection, tenant_id, campaign)
    return [one for one in found if one != case][:MOST_OTHERS]


def _sentence(change: CampaignChange) -> str:
    """What happens to one campaign."""
    came, went = sorted(change.after - change.before), sorted(change.before - change.after)
    if not change.before:
        return f"{', '.join(came)} become one campaign."
    if not change.after:
        return f"Campaign {change.campaign_id} ends: fewer than two cases would be left."
    parts = [f"{', '.join(came)} joins" if came else "", f"{', '.join(went)} leaves" if went else ""]
    size = f"{len(change.before)} → {plural(len(change.after), 'case')}"
    return f"Campaign {change.campaign_id}: {' and '.join(part for part in parts if part)} ({size})."


def _chart(file: CampaignFile, zone: tzinfo) -> WeeksChart | None:
    if not file.weeks:
        return None
    week = timedelta(weeks=1)
    first, last = file.weeks[0].start, file.weeks[-1].start
    first = max(min(first, last - 11 * week), last - (LONGEST - 1) * week)
    by_start = {one.start: one for one in file.weeks}
    columns = []
    for number in range((last - first) // week + 1):
        start = first + number * week
        found = by_start.get(start)
        complaints, cases = (found.complaints, len(found.by_cluster)) if found else (0, 0)
        title = f"week from {start:%d %b %Y}: {plural(complaints, 'complaint')} in {plural(cases, 'case')}"
        columns.append(StackedColumn(start, (complaints,), title))
    total = sum(one.complaints for one in file.weeks)
    description = f"{plural(total, 'complaint')} by week, from {first:%d %b %Y} to the week of {last:%d %b %Y}"
    marks = [
        Mark(one.at, _letter(one), f"{one.cluster_id}: {_decision_text(one)}, {clock(one.at)}")
        for one in file.decisions
    ]
    svg = column_chart(
        columns, week, "weeks", description, parts=("part-0",), marks=marks, unit="complaints", zone=zone
    )
    rows = [(one.start, one.complaints, len(one.by_cluster)) for one in file.weeks]
    return WeeksChart(svg, rows, rests_of(file.weeks))


def _letter(made: CampaignDecision) -> str:
    if made.is_undo:
        return "U"
    return "R" if is_right_together(made.verdict, made.reason_code) else _LETTERS[made.verdict]


def _decision_text(made: CampaignDecision) -> str:
    """A decision as the page words it."""
    words = verdict_words(made.verdict, made.reason_code)
    if made.reverses is None:
        return words
    return f"undid {made.reverses}" if made.is_undo else f"undid {made.reverses}: {words}"
