"""The Operations page, for admins of one tenant: workers, queues, stream, dead letters, sweeps, deliveries and polled
platforms.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

from service.api.answers import Pipeline
from service.api.api_context import api_context
from service.api.pipeline import pipeline_of
from service.console.lists import address, cursor_behind, place_of
from service.console.person import Person
from service.console.rendering import flash, render, see_other
from service.console.retention_waiting import retention_waiting
from service.console.sign_in import Admin
from service.errors import StoreUnavailable
from service.model import microseconds, moment
from service.moderation.phrases import plural
from service.ops.clocks import Clocks
from service.ops.workers import Machinery, read_machinery
from service.storage.accounts import audit_log
from service.storage.accounts.mail_preferences import mail_state
from service.storage.complaints import dead_letters
from service.storage.complaints.archive_reader import analysis_state_of
from service.storage.complaints.progress import TenantProgress, read_progress
from service.storage.detection import admin_status
from service.storage.sql.engine import server_now_us, write

router = APIRouter()
NAME, SORT = "dead-letters", "-id"
LETTERS = 20  # a page
MOST_AT_ONCE = 500
JOB_TEXTS = {
    "ingest": "archive items",
    "restore": "refill Redis from the database",
    "selfcheck": "daily self-check",
    "deliver": "send webhooks",
    "mail": "send e-mail",
    "place": "put cases into queues",
    "poll": "poll platforms",
    "retain": "delete expired data",
    "erase": "erase a person's data",
    "dry_run": "dry run of thresholds",
    "campaigns": "find campaigns",
    "daily_files": "write daily files",
    "import": "import of a file",
    "detect": "re-evaluate cases",
    "sweep": "check the whole period again",
}
QUEUE_TEXTS = {
    "ingest": "Store items",
    "detect": "Find groups",
    "sweep": "Check the whole period",
    "deliver": "Send webhooks",
    "chores": "Everything else",
}
PROCESS_TEXTS = {
    "api": "Web server",
    "clock": "Clock",
    **{f"worker-{queue}": f"Worker: {text.lower()}" for queue, text in QUEUE_TEXTS.items()},
}


@router.get("/ops")
async def show_operations(request: Request, person: Admin, cursor: str = "") -> Response:
    """Everything on one page."""
    after = place_of(cursor, NAME, admin_status.DEAD_KEY_TYPES, SORT, {})
    found = await run_in_threadpool(_read, request, person, after)
    now = api_context(request).now()
    try:
        machinery: Machinery | None = await read_machinery(api_context(request).redis, person.tenant, now)
    except StoreUnavailable:
        machinery = None
    pipeline = _pipeline(found.pop("progress"), machinery, microseconds(now))
    return await run_in_threadpool(
        lambda: render(
            request,
            person,
            "ops.html",
            machinery=machinery,
            apart_seconds=_apart_seconds(found.pop("database_us"), machinery, microseconds(now)),
            pipeline=pipeline,
            missing=machinery.missing(now) if machinery else [],
            works=JOB_TEXTS,
            queues=QUEUE_TEXTS,
            processes=PROCESS_TEXTS,
            mail_server=api_context(request).settings.smtp is not None,
            size=size,
            first_url="/console/ops#dead" if cursor else None,
            **found,
        )
    )


@router.post("/ops/dead-letters")
async def handle_dead_letters(
    request: Request,
    person: Admin,
    action: Annotated[Literal["resend", "drop"], Form()],
    sure: Annotated[str, Form()] = "",
    letter: Annotated[list[str], Form()] = [],  # noqa: B006  (FastAPI copies it)
) -> Response:
    """Retry the selected items, or delete them permanently after a confirmation."""
    api = api_context(request)
    ids = sorted({int(one) for one in letter if one.isdecimal() and len(one) <= 18})
    if len(ids) > MOST_AT_ONCE:
        raise HTTPException(422, f"{len(ids):,} are too many at once; the limit is {MOST_AT_ONCE}")
    if not ids:
        await run_in_threadpool(lambda: flash(request, person, "Nothing selected. Nothing was changed.", "info"))
        return see_other(request, "/console/ops#dead")
    if action == "resend":
        done = len(
            await dead_letters.send_again(
                api.engine, api.redis, person.tenant, person.tenant_id, microseconds(api.now()), ids
            )
        )
    elif not sure:
        return await run_in_threadpool(lambda: render(request, person, "drop.html", ids=ids))
    else:
        done = await run_in_threadpool(dead_letters.drop, api.engine, person.tenant_id, ids)
    await run_in_threadpool(_note, request, person, action, ids, done)
    return see_other(request, "/console/ops#dead")


def size(count: int | None) -> str:
    """Bytes in MB or GB; a dash for None."""
    if count is None:
        return "–"
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"


def _note(request: Request, person: Person, action: str, ids: list[int], done: int) -> None:
    api = api_context(request)
    if done:
        with write(api.engine) as connection:
            audit_log.enter(
                connection,
                person.tenant_id,
                actor=person.name,
                action=f"dead letters {'sent again' if action == 'resend' else 'dropped'}",
                subject="dead letters",
                now_us=microseconds(api.now()),
                detail={"count": done, "ids": ids},
            )
    text = "queued for retry" if action == "resend" else "deleted permanently"
    flash(
        request,
        person,
        f"{plural(done, 'dead letter')} {text}."
        if done
        else "These items are no longer dead letters. Nothing was changed.",
        "good" if done else "info",
    )


def _read(request: Request, person: Person, after: tuple[Any, ...] | None) -> dict[str, Any]:
    api, tenant_id = api_context(request), person.tenant_id
    with api.engine.connect() as connection:
        letters, behind = admin_status.list_dead(connection, tenant_id, after=after, limit=LETTERS)
        analysis = analysis_state_of(connection, tenant_id)
        found: dict[str, Any] = {
            "letters": letters,
            "progress": read_progress(connection, tenant_id),
            "sweeps": admin_status.read_sweeps(connection, tenant_id),
            "troubled": admin_status.read_troubled(connection, tenant_id),
            "subscribers": admin_status.read_subscribers(connection, tenant_id),
            "pollers": admin_status.read_pollers(connection, tenant_id),
            "mail": mail_state(connection, tenant_id),
            "timers": admin_status.read_timers(connection, tenant_id),
            "retention_waits": retention_waiting(connection, tenant_id),
            "database_us": server_now_us(connection),
        }
    next_cursor = cursor_behind(behind, NAME, SORT, {})
    found["next_url"] = None if next_cursor is None else address("/console/ops", cursor=next_cursor) + "#dead"
    found["letter_times"] = {one.id: moment(one.dead_us) for one in letters}
    found["policy_version"] = analysis.policy_version
    return found


def _apart_seconds(database_us: int | None, machinery: Machinery | None, host_us: int) -> float | None:
    """By how much the clocks differ; None: not more than they may."""
    others = {"redis": machinery.redis_us if machinery else None, "database": database_us}
    clocks = Clocks({"host": host_us, **{name: us for name, us in others.items() if us is not None}})
    return None if clocks.agree else clocks.apart_seconds


def _pipeline(progress: TenantProgress, machinery: Machinery | None, now_us: int) -> Pipeline | None:
    if machinery is None or machinery.position is None:
        return None
    oldest_us = None if machinery.stream_oldest is None else microseconds(machinery.stream_oldest)
    return pipeline_of(progress, machinery.position, oldest_us, now_us)
