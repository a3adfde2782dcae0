"""Lists of the settings and of Operations as CSV, with the rows and the order of their pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.csv_files import Cell, csv_response
from service.console.lists import AT_ONCE, every_page
from service.console.settings.frame import now_us
from service.console.settings.import_texts import STATES
from service.console.settings.source_deliveries import RESULTS
from service.console.settings.sources import source_at
from service.console.shares import download
from service.console.sign_in import Admin
from service.model import moment
from service.storage.accounts import users
from service.storage.complaints import imports
from service.storage.complaints.dead_letters import DeadLetter
from service.storage.detection import admin_status, allow_list
from service.storage.redis_store.recent_deliveries import recent
from service.storage.webhooks import deliveries
from service.storage.webhooks.deliveries import DeliveryRecord

router = APIRouter()


@router.get("/settings/people.csv", dependencies=download)
def download_people(request: Request, person: Admin) -> Response:
    """The accounts of the tenant: who may do what."""
    with api_context(request).engine.connect() as connection:
        found = users.list_users(connection, person.tenant_id)
    header = ("Name", "Role", "Created", "Disabled", "One-time password not used yet")
    rows = [(one.name, one.role, moment(one.created_us), _time(one.disabled_us), one.one_time) for one in found]
    return csv_response(f"people-{person.tenant}", header, lambda: rows)


@router.get("/settings/patrols.csv", dependencies=download)
def download_patrols(request: Request, person: Admin) -> Response:
    """The good patrols."""
    with api_context(request).engine.connect() as connection:
        found = allow_list.list_allowed(connection, person.tenant_id)
    rows = [(one.reporter_id, moment(one.at_us), one.by, one.note) for one in found]
    return csv_response(f"good-patrols-{person.tenant}", ("Reporter", "Since", "By", "Reason"), lambda: rows)


@router.get("/settings/import.csv", dependencies=download)
def download_imports(request: Request, person: Admin) -> Response:
    """The files that were uploaded, as the page lists them."""
    with api_context(request).engine.connect() as connection:
        found = imports.listed(connection, person.tenant_id)
    header = ("File", "Status", "Uploaded", "By", "Bytes", "Items sent", "Ended", "Error")
    rows = [
        (
            one.name,
            STATES[one.state][0],
            moment(one.at_us),
            one.by,
            one.size,
            one.sent,
            _time(one.done_us),
            one.error,
        )
        for one in found
    ]
    return csv_response(f"imports-{person.tenant}", header, lambda: rows)


@router.get("/settings/subscriptions/{id}/deliveries.csv", dependencies=download)
def download_deliveries(
    request: Request, person: Admin, id: str, state: Annotated[str, Query(max_length=20)] = ""
) -> Response:
    """The log of a subscription."""
    chosen = state if state in deliveries.STATES else None

    def read(
        connection: Connection, after: tuple[Any, ...] | None
    ) -> tuple[Sequence[DeliveryRecord], tuple[Any, ...] | None]:
        return deliveries.list_page(connection, person.tenant_id, id, state=chosen, after=after, limit=AT_ONCE)

    with api_context(request).engine.connect() as connection:  # NotFound before the file begins
        deliveries.list_page(connection, person.tenant_id, id, state=chosen, after=None, limit=1)
    found = every_page(api_context(request).engine, read)
    header = (
        "Event",
        "Status",
        "Created",
        "Next attempt",
        "Attempts",
        "Last response",
        "Last attempt",
        "Seconds",
        "Delivery",
    )
    return csv_response("deliveries", header, lambda: map(_delivery, found))


def _delivery(one: DeliveryRecord) -> tuple[Cell, ...]:
    last = one.attempts[-1] if one.attempts else None
    return (
        one.type,
        one.state,
        moment(one.created_us),
        _time(one.next_us),
        len(one.attempts),
        None if last is None else last.status or last.error,
        None if last is None else moment(last.at_us),
        None if last is None else round(last.seconds, 3),
        one.id,
    )


@router.get("/settings/sources/{handle}/deliveries.csv", dependencies=download)
async def download_arrivals(request: Request, person: Admin, handle: str) -> Response:
    """The last deliveries of a connected platform."""
    source = await run_in_threadpool(source_at, request, person, handle)
    found = await recent(api_context(request).redis, source.tenant, source.id, now_us(request))
    rows = [
        (
            moment(one.at_us),
            RESULTS.get(one.result, (one.result,))[0],
            one.stored,
            one.refused,
            "; ".join(one.ids),
            "; ".join(one.pointers),
            "; ".join(one.notes),
        )
        for one in found
    ]
    header = ("Time", "Result", "Stored", "Refused", "First items", "Refused fields", "Notes")
    return csv_response(f"deliveries-{source.platform}", header, lambda: rows)


@router.get("/ops/dead-letters.csv", dependencies=download)
def download_dead_letters(request: Request, person: Admin) -> Response:
    """The items that could not be stored."""
    found = every_page(
        api_context(request).engine,
        lambda connection, after: admin_status.list_dead(connection, person.tenant_id, after=after, limit=AT_ONCE),
    )
    header = ("Number", "Failed", "Received", "Position", "Retried", "Error", "Item (cut where long)")
    return csv_response(f"dead-letters-{person.tenant}", header, lambda: map(_letter, found))


def _letter(one: DeadLetter) -> tuple[Cell, ...]:
    return (
        one.id,
        moment(one.dead_us),
        moment(one.received_us),
        one.position,
        _time(one.resent_us),
        one.error,
        one.line,
    )


@router.get("/ops/failing-deliveries.csv", dependencies=download)
def download_failing(request: Request, person: Admin) -> Response:
    """Webhook deliveries that failed at least once and did not arrive, as the page lists them."""
    with api_context(request).engine.connect() as connection:
        found = admin_status.read_troubled(connection, person.tenant_id)
    header = ("Event", "Delivery", "Subscription", "Created", "Status", "Attempts", "Next attempt", "Response")
    rows = [
        (
            one.type,
            one.id,
            one.subscription_id,
            one.created_at,
            "given up" if one.state == "failed" else "retrying",
            one.attempts,
            one.next_at,
            one.status or one.error,
        )
        for one in found
    ]
    return csv_response(f"failing-deliveries-{person.tenant}", header, lambda: rows)


def _time(us: int | None) -> Cell:
    return None if us is None else moment(us)
