"""Frequent, manifestly unfounded notices (DSA Art. 23): a person marks notices, and records what the platform did."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Request
from sqlalchemy import Connection
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.csv_files import Cell, csv_response
from service.console.lists import AT_ONCE, PAGE, address, cursor_behind, every_page, place_of
from service.console.misuse_words import BUTTONS, GRAVITY, INTENTION, SUSPENSIONS
from service.console.person import Person
from service.console.queue import TenantFilter
from service.console.rendering import flash, render, see_other, segment
from service.console.shares import download
from service.console.sign_in import Moderator, Viewer
from service.errors import Refused
from service.fields import is_storable
from service.model import microseconds
from service.moderation.misuse import (
    FEWEST,
    MisuseFacts,
    Notice,
    Standing,
    Step,
    StepTaken,
    check,
    facts_of,
    letter,
    said_in,
    standing_of,
)
from service.moderation.phrases import plural
from service.storage.accounts.policy_overrides import policy_of
from service.storage.cases import misuse
from service.storage.complaints.reporters import read_reporter
from service.storage.sql.engine import lock_tenant, write

router = APIRouter()
NAME, SORT = "misuse", "-at"
_CSV_HEADER = (
    "Reporter",
    "Step",
    "Time",
    "Until",
    "By",
    "Manifestly unfounded notices",
    "Notices",
    "Within days",
    "Gravity",
    "Intention",
)
_RECORDED: dict[Step, str] = {
    "warned": "Recorded: you have warned this reporter.",
    "suspended": "Recorded: your platform does not process this reporter’s notices for now.",
    "restored": "Recorded: your platform processes this reporter’s notices again.",
}


@router.get("/misuse")
def list_misuse(request: Request, person: Viewer, cursor: str = "") -> Response:
    """All recorded steps, and how many suspensions began in each half-year (Art. 24(1)(b))."""
    after = place_of(cursor, NAME, misuse.KEY_TYPES_BY_SORT, SORT, {})
    with api_context(request).engine.connect() as connection:
        steps, behind = misuse.list_steps(connection, person.tenant_id, after=after, limit=PAGE)
        halves = misuse.suspensions_by_half_year(connection, person.tenant_id)
    next_cursor = cursor_behind(behind, NAME, SORT, {})
    return render(
        request,
        person,
        "misuse_list.html",
        steps=steps,
        halves=halves,
        next_url=None if next_cursor is None else address("/console/misuse", cursor=next_cursor),
        first_url="/console/misuse" if cursor else None,
    )


@router.get("/misuse.csv", dependencies=download)
def download_misuse(request: Request, person: Viewer) -> Response:
    """All recorded steps as CSV."""
    found = every_page(
        api_context(request).engine,
        lambda connection, after: misuse.list_steps(connection, person.tenant_id, after=after, limit=AT_ONCE),
    )
    return csv_response("misuse", _CSV_HEADER, lambda: map(_csv_row, found))


@router.get("/reporters/{id}/misuse")
def show_misuse(request: Request, person: Viewer, privacy_filter: TenantFilter, id: str) -> Response:
    """One reporter's notices, the marks on them, and the steps taken; 404 for one that never complained here."""
    return _page(request, person, privacy_filter.reporter(id))


@router.post("/reporters/{id}/misuse/marks")
def set_marks(
    request: Request,
    person: Moderator,
    privacy_filter: TenantFilter,
    id: str,
    was: Annotated[list[str], Form(max_length=misuse.NOTICES_AT_MOST)] = [],  # noqa: B006  (FastAPI copies it)
    manifest: Annotated[list[str], Form(max_length=misuse.NOTICES_AT_MOST)] = [],  # noqa: B006
) -> Response:
    """Mark the notices that were ticked as manifestly unfounded, and unmark those that were no longer; `was`: those
    that were marked when the page was made. What others marked since stays.
    """
    api, stored = api_context(request), privacy_filter.reporter(id)
    now = api.now()
    with write(api.engine) as connection:
        lock_tenant(connection, person.tenant_id)
        days = _days(connection, person)
        notices = misuse.notices_of(connection, person.tenant_id, stored, since=now - timedelta(days=days))
        marked = {notice.id for notice in notices if notice.manifest}
        wanted = (marked | set(manifest) - set(was)) - (set(was) - set(manifest))
        changed = misuse.mark(
            connection, person.tenant_id, stored, notices, wanted, by=person.name, now_us=microseconds(now)
        )
    flash(request, person, f"{plural(changed, 'mark')} changed." if changed else "Nothing changed.")
    return see_other(request, _address(stored))


@router.post("/reporters/{id}/misuse/steps")
def record_step(
    request: Request,
    person: Moderator,
    privacy_filter: TenantFilter,
    id: str,
    step: Annotated[Step, Form()],
    suspend_for: Annotated[int, Form()] = 30,
    gravity: Annotated[str, Form()] = "",
    intention: Annotated[str, Form()] = "",
    seen: Annotated[int | None, Form(ge=0)] = None,
) -> Response:
    """Record a step that the platform took. Nothing is sent to anyone, and nothing is suspended here.

    `seen`: how many steps the form's page listed.
    """
    api, stored = api_context(request), privacy_filter.reporter(id)
    now = api.now()
    until = now + timedelta(days=suspend_for) if step == "suspended" and suspend_for in SUSPENSIONS else None
    try:
        if not is_storable(gravity + intention):
            raise Refused("the text must not contain a NUL character")
        with write(api.engine) as connection:
            lock_tenant(connection, person.tenant_id)
            days = _days(connection, person)
            steps = misuse.steps_of(connection, person.tenant_id, stored)
            later = steps[len(steps) if seen is None else seen :]
            repeated = said_in(later, step, by=person.name, gravity=gravity, intention=intention)
            if not repeated:
                notices = misuse.notices_of(connection, person.tenant_id, stored, since=now - timedelta(days=days))
                check(step, steps, notices, now=now, days=days, until=until, gravity=gravity, intention=intention)
                misuse.take(
                    connection,
                    person.tenant_id,
                    stored,
                    step,
                    facts_of(notices, now=now, days=days),
                    until=until,
                    gravity=gravity,
                    intention=intention,
                    by=person.name,
                    now_us=microseconds(now),
                )
    except Refused as refusal:
        return _page(request, person, stored, error=str(refusal), typed=(gravity, intention), status=422)
    flash(request, person, "Recorded once; it was sent twice." if repeated else _RECORDED[step])
    return see_other(request, _address(stored))


def _page(
    request: Request,
    person: Person,
    reporter_id: str,
    *,
    error: str | None = None,
    typed: tuple[str, str] = ("", ""),
    status: int = 200,
) -> Response:
    api = api_context(request)
    now = api.now()
    with api.engine.connect() as connection:
        read_reporter(connection, person.tenant_id, reporter_id, now=now)  # NotFound for one who never complained
        days = _days(connection, person)
        notices = misuse.notices_of(connection, person.tenant_id, reporter_id, since=now - timedelta(days=days))
        steps = misuse.steps_of(connection, person.tenant_id, reporter_id)
    facts, standing = facts_of(notices, now=now, days=days), standing_of(steps, now)
    return render(
        request,
        person,
        "misuse.html",
        reporter_id=reporter_id,
        notices=notices,
        steps=steps,
        facts=facts,
        standing=standing,
        possible={step: _refusal(step, steps, notices, now, days) for step in BUTTONS},
        letter=_letter(steps, standing, facts),
        suspensions=SUSPENSIONS,
        buttons=BUTTONS,
        labels={"gravity": GRAVITY, "intention": INTENTION},
        error=error,
        typed=typed,
        status=status,
    )


def _refusal(step: Step, steps: Sequence[StepTaken], notices: Sequence[Notice], now: datetime, days: int) -> str | None:
    """Why the step cannot follow now, whatever is typed; None if it can."""
    try:
        check(step, steps, notices, now=now, days=days, until=now + timedelta(days=7), gravity="typed")
    except Refused as refusal:
        return str(refusal)
    return None


def _letter(steps: Sequence[StepTaken], standing: Standing, facts: MisuseFacts) -> str | None:
    """The draft about the step that stands, or about a warning that may follow."""
    if standing in ("warned", "suspended"):
        last = steps[-1]
        then = MisuseFacts(last.manifest, last.notices, last.days)
        return letter(last.step, then, until=last.until, gravity=last.gravity, intention=last.intention)
    return letter("warned", facts, until=None) if facts.manifest >= FEWEST else None


def _days(connection: Connection, person: Person) -> int:
    """How far back notices count: the tenant's period of warnings."""
    return policy_of(connection, person.tenant_id).warn_period_seconds // 86_400


def _address(reporter_id: str) -> str:
    return f"/console/reporters/{segment(reporter_id)}/misuse"


def _csv_row(step: misuse.ListedStep) -> tuple[Cell, ...]:
    taken = step.taken
    return (
        step.reporter_id,
        taken.step,
        taken.at,
        taken.until,
        taken.by,
        taken.manifest,
        taken.notices,
        taken.days,
        taken.gravity,
        taken.intention,
    )
