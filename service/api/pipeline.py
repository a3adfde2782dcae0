"""How far the tenant's items have come, and whether this process is alive and ready."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool

from service import logs
from service.api.answers import Pipeline
from service.api.api_context import api_context
from service.api.auth import authenticate
from service.api.openapi_parts import PIPELINE_EXAMPLE, answers, described
from service.api.tenant_start import with_tenant_initialised
from service.errors import StoreUnavailable
from service.model import microseconds, moment
from service.storage.accounts.tenants import KeyRecord
from service.storage.complaints.progress import TenantProgress, read_progress
from service.storage.redis_store import stream
from service.storage.redis_store.stream import PositionAbsent

READY_SECONDS = 1.5  # that the database is given to answer
router = APIRouter(tags=["operations"])


class Health(BaseModel):
    """State of this process."""

    status: str = Field(description="`alive` or `ready`.")


@router.get(
    "/v1/pipeline",
    response_model=Pipeline,
    summary="Get the progress of the pipeline",
    openapi_extra=described("read"),
    responses=answers(PIPELINE_EXAMPLE, 200, "Counters of the key's tenant, in items.", 401, 403, 503),
)
async def get_pipeline(request: Request) -> Response:
    """How many items are accepted, archived and analysed. Once `analysed_position` (or `swept_position`) has reached
    the `position` that a POST answered, everything up to it is analysed (or swept).
    """
    key = await authenticate(request, "read")
    api = api_context(request)
    # SQL first: an item that is archived between the two readings counts as pending for once, never as lost.
    progress = await run_in_threadpool(_progress, api.engine, key)
    accepted, oldest_us = await with_tenant_initialised(
        request, key, lambda: stream.position_and_oldest(api.redis, key.tenant)
    )
    if accepted < progress.archived_position:
        raise PositionAbsent(
            f"the position counter of {key.tenant} is behind what is archived: it is being restored; try again"
        )
    answer = pipeline_of(progress, accepted, oldest_us, microseconds(api.now()))
    return Response(answer.model_dump_json(), media_type="application/json")


def pipeline_of(progress: TenantProgress, accepted: int, oldest_us: int | None, now_us: int) -> Pipeline:
    """The counters as the API answers them; `oldest_us` is the receipt of the stream's oldest entry."""
    # The stream may hold entries that are archived and only wait to be deleted: those are not pending.
    unarchived = max(0, accepted - progress.archived_position)
    pending = unarchived + progress.waiting_items + progress.resent
    since = [at for at in (progress.waiting_since_us, oldest_us if unarchived else None) if at is not None]
    lag_us = max(0, now_us - min(since)) if since and pending else 0
    return Pipeline(
        accepted=max(accepted, progress.archived_position),
        archived=progress.archived,
        duplicates=progress.duplicates,
        conflicting=progress.conflicting,
        late=progress.late,
        analysed=progress.analysed,
        pending=pending,
        dead_letters=progress.dead_letters,
        analysed_position=progress.analysed_position,
        swept_position=progress.swept_position,
        lag_seconds=lag_us / 1_000_000,
        watermark=None if progress.watermark_us is None else moment(progress.watermark_us),
    )


@router.get(
    "/healthz",
    response_model=Health,
    summary="Check that the process is alive",
    openapi_extra={"security": []},
    responses=answers({"status": "alive"}, 200, "The process is alive."),
)
async def healthz() -> Response:
    """This process answers. Redis and the database are not checked."""
    return Response(b'{"status":"alive"}', media_type="application/json")


@router.get(
    "/readyz",
    response_model=Health,
    summary="Check that the service is ready",
    openapi_extra={"security": []},
    responses=answers({"status": "ready"}, 200, "Redis and the database answer and take writes.", 503),
)
async def readyz(request: Request) -> Response:
    """Redis and the database answer, take writes and belong together. Only the operations port tells what is wrong.

    Answered within two seconds, also where one of them hangs.
    """
    api = api_context(request)
    # Anybody may ask: no request costs a store anything, and what is wrong is for operators.
    database, redis = await api.database_probe.wait_for_state(READY_SECONDS), api.redis_guard.state()
    if database != "ok" or redis != "ok":
        logs.note(database=database, redis=redis)
        raise StoreUnavailable(
            "not ready: Redis or the database does not answer, takes no writes, or does not belong to the other"
        )
    return Response(b'{"status":"ready"}', media_type="application/json")


def _progress(engine: Engine, key: KeyRecord) -> TenantProgress:
    with engine.connect() as connection:
        return read_progress(connection, key.tenant_id)
