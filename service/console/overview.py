"""The tenant's last day or week: complaints, coordinated ones, open cases, and how often moderators agreed with the
detector.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from typing import Any

from fastapi import APIRouter, Request
from markupsafe import Markup
from scipy.stats import beta
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

from service.api.answers import Pipeline
from service.api.api_context import api_context
from service.api.pipeline import pipeline_of
from service.charts.columns import StackedColumn, column_chart
from service.console.csv_files import Cell, csv_response
from service.console.person import Person
from service.console.rendering import render
from service.console.shares import download
from service.console.sign_in import Viewer
from service.console.targets import assessment_of, standings_of
from service.errors import StoreUnavailable
from service.model import microseconds, moment
from service.storage.accounts.policy_overrides import policy_of
from service.storage.cases import overview, restorations
from service.storage.cases.case_decisions import verdicts_of
from service.storage.cases.overview import Period, Slot
from service.storage.complaints import complaint_counts
from service.storage.complaints.archive_reader import ingest_state_of
from service.storage.complaints.progress import TenantProgress, read_progress
from service.storage.detection import patrol_proposals
from service.storage.redis_store import stream

router = APIRouter()
PERIODS = {"day": "Last 24 hours", "week": "Last 7 days"}
_TOGETHER = {"day": 2, "week": 12}  # slots of ten minutes in one column
PARTS = ("in flagged groups", "other complaints")
CLASSES = ("part-1", "part-rest")


@dataclass(frozen=True, slots=True)
class Bar:
    """One column of the chart, as a row of its table."""

    start_us: int
    complaints: int
    coordinated: int
    minutes: int

    @property
    def per_minute(self) -> float:
        """Complaints a minute."""
        return self.complaints / self.minutes


@dataclass(frozen=True, slots=True)
class Precision:
    """How many decided cases moderators found coordinated, with the 90 % interval of the share."""

    coordinated: int
    decided: int
    low: float
    high: float


def bars_of(slots: Sequence[Slot], together: int) -> list[Bar]:
    """Merge `together` neighbouring slots into one bar."""
    minutes = together * complaint_counts.SLOT_US // 60_000_000
    parts = [slots[start : start + together] for start in range(0, len(slots), together)]
    return [
        Bar(part[0].start_us, sum(s.complaints for s in part), sum(s.coordinated for s in part), minutes)
        for part in parts
    ]


def precision_of(coordinated: int, decided: int) -> Precision | None:
    """The share with its Jeffreys interval; None while nothing is decided (unknown, not 0)."""
    if not decided:
        return None
    a, b = coordinated + 0.5, decided - coordinated + 0.5
    return Precision(
        coordinated,
        decided,
        float(beta.ppf(0.05, a, b)) if coordinated else 0.0,
        float(beta.ppf(0.95, a, b)) if coordinated < decided else 1.0,
    )


@router.get("/overview")
async def show_overview(request: Request, person: Viewer, period: str = "day") -> Response:
    """The page; every chart has a table beside it."""
    _check(period)
    found = await run_in_threadpool(_read, request, person, period)
    standings = (
        await standings_of(request, person, [one.target_id for one in found["attacked"]]) if found["attacked"] else None
    )
    found["assessments"] = [
        assessment_of(one.target_id, standings, place, found["threshold"])
        for place, one in enumerate(found["attacked"])
    ]
    found["pipeline"] = await _pipeline(request, person, found.pop("progress"))
    return await run_in_threadpool(
        lambda: render(request, person, "overview.html", period=period, periods=PERIODS, **found)
    )


@router.get("/overview.csv", dependencies=download)
def download_overview(request: Request, person: Viewer, period: str = "day") -> Response:
    """The chart's figures as CSV, by ten minutes."""
    _check(period)
    api = api_context(request)

    def rows() -> Iterator[tuple[Cell, ...]]:
        with api.engine.connect() as connection:
            chosen = _period(request, person, ingest_state_of(connection, person.tenant_id).watermark_us, period)
            slots = overview.read_slots(connection, person.tenant_id, chosen)
        for slot in slots:
            yield moment(slot.start_us), slot.complaints, slot.coordinated

    return csv_response(f"complaints-{period}-{person.tenant}", ("From", "Complaints", "In flagged groups"), rows)


def _check(period: str) -> None:
    if period not in PERIODS:
        raise HTTPException(422, f"period must be one of {', '.join(PERIODS)}")


def _period(request: Request, person: Person, watermark_us: int | None, name: str) -> Period:
    return overview.period_of(name, watermark_us, microseconds(api_context(request).now()))


def _read(request: Request, person: Person, name: str) -> dict[str, Any]:
    api = api_context(request)
    now_us, tenant_id = microseconds(api.now()), person.tenant_id
    with api.engine.connect() as connection:
        watermark_us = ingest_state_of(connection, tenant_id).watermark_us
        period = _period(request, person, watermark_us, name)
        slots = overview.read_slots(connection, tenant_id, period)
        cases = overview.read_cases(connection, tenant_id, end_us=period.end_us, now_us=now_us)
        speed = overview.read_time_to_decision(connection, tenant_id, now_us=now_us)
        attacked = overview.read_attacked(
            connection, tenant_id, since_us=period.end_us - overview.DAY_US, until_us=period.end_us
        )
        verdicts = verdicts_of(connection, tenant_id, [one.cluster_id for one in attacked])
        waiting = restorations.count_by_state(connection, tenant_id)
        proposed = len(patrol_proposals.waiting(connection, tenant_id)) if person.may("admin") else 0
        progress, threshold = read_progress(connection, tenant_id), policy_of(connection, tenant_id).default_threshold
    bars = bars_of(slots, _TOGETHER[name])
    complaints, coordinated = sum(bar.complaints for bar in bars), sum(bar.coordinated for bar in bars)
    return {
        "bars": bars,
        "picture": picture(bars, complaints, coordinated, PERIODS[name], person.preferences.zone),
        "complaints": complaints,
        "coordinated": coordinated,
        "end": moment(period.end_us),
        "live": period.live,
        "watermark": None if watermark_us is None else moment(watermark_us),
        "cases": cases,
        "longest_age": max((group.open + group.escalated for group in cases.ages), default=0),
        "speed": speed,
        "precision": precision_of(cases.coordinated, cases.decided),
        "attacked": attacked,
        "most_attacked": overview.TARGETS_SHOWN,
        "verdicts": verdicts,
        "restorations": waiting,
        "proposed": proposed,
        "progress": progress,
        "threshold": threshold,
        "names": PARTS,
        "classes": CLASSES,
        "minutes": int((period.end_us - period.start_us) / 60e6),
        "start_of": {bar.start_us: moment(bar.start_us) for bar in bars},
    }


def picture(bars: Sequence[Bar], complaints: int, coordinated: int, when: str, zone: tzinfo) -> Markup:
    """Complaints over the period, those in flagged groups below."""
    step = timedelta(minutes=bars[0].minutes)
    columns = [
        StackedColumn(start, (bar.coordinated, bar.complaints - bar.coordinated), _bar_title(bar, zone))
        for bar in bars
        for start in (moment(bar.start_us),)
    ]
    title = f"{when}: {complaints:,} complaints, {coordinated:,} of them in flagged groups"
    return column_chart(
        columns, step, "complaints", title, parts=CLASSES, unit=f"complaints in {bars[0].minutes} minutes", zone=zone
    )


def _bar_title(bar: Bar, zone: tzinfo) -> str:
    start, end = (moment(bar.start_us + us).astimezone(zone) for us in (0, bar.minutes * 60_000_000))
    return (
        f"{start:%d %b, %H:%M} to {end:%H:%M}: {bar.complaints:,} complaints ({bar.per_minute:.1f} per minute),"
        f" {bar.coordinated:,} in flagged groups"
    )


async def _pipeline(request: Request, person: Person, progress: TenantProgress) -> Pipeline | None:
    """The tenant's processing state; None while Redis is unavailable."""
    api = api_context(request)
    try:
        accepted, oldest_us = await stream.position_and_oldest(api.redis, person.tenant)
    except StoreUnavailable:
        return None
    return pipeline_of(progress, accepted, oldest_us, microseconds(api.now()))
