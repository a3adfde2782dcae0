"""Complaints, outcomes and withdrawals over HTTP: read, checked, and stored before they are acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool

from service import logs
from service.api.answers import Accepted
from service.api.api_context import api_context, metrics_sink
from service.api.auth import authenticate
from service.api.body import media_type, read_body
from service.api.openapi_parts import ACCEPTED, COMPLAINT_BODY, ID_PARAMETER, OUTCOME_BODY, SIGNED, described
from service.api.problems import Invalid, rejected_json
from service.api.raw_path import segment
from service.api.webhook_auth import check_plain, is_signed, signed_by
from service.intake.documents import Form, Submission, read_document
from service.intake.items import COMPLAINT, OUTCOME, Noun, withdrawal
from service.model import microseconds
from service.storage.accounts.tenants import KeyRecord
from service.storage.complaints.archive_reader import never_archived
from service.storage.redis_store import stream
from service.storage.redis_store.stream import PositionAbsent

router = APIRouter(tags=["accept"])
_FORMS: dict[str, Form] = {"application/json": "json", "application/x-ndjson": "ndjson"}
T = TypeVar("T")


@router.post(
    "/v1/complaints",
    status_code=202,
    response_model=Accepted,
    summary="Post complaints",
    openapi_extra={**described("ingest", body=COMPLAINT_BODY), "security": [{"key": []}, SIGNED]},
    responses=ACCEPTED,
)
async def post_complaints(request: Request) -> Response:
    """One object, an array (at most 1,000 items) or NDJSON (at most 10,000 lines); at most 8 MiB after decompression.
    gzip is accepted.

    202 only after the batch is stored safely. Items that are refused are listed, and the others are stored. The `id`
    makes a complaint idempotent: after 429, 503 or a lost answer send the same batch again.

    Instead of a key: a Standard Webhooks signature (webhook-id, webhook-timestamp, webhook-signature) by a source of
    the platform `generic`, named in `webhook-source`.
    """
    return await _accept(request, COMPLAINT)


@router.post(
    "/v1/outcomes",
    status_code=202,
    response_model=Accepted,
    summary="Post outcomes",
    openapi_extra={**described("ingest", body=OUTCOME_BODY), "security": [{"key": []}, SIGNED]},
    responses=ACCEPTED,
)
async def post_outcomes(request: Request) -> Response:
    """What the platform decided about targets, in the same formats and limits as complaints.

    The service learns only from decisions by a person or on appeal; automatic ones say what has been removed.
    """
    return await _accept(request, OUTCOME)


@router.delete(
    "/v1/complaints/{id}",
    status_code=202,
    response_model=Accepted,
    summary="Withdraw a complaint",
    openapi_extra=described("ingest", parameters=[ID_PARAMETER]),
    responses=ACCEPTED,
)
async def withdraw_complaint(request: Request) -> Response:
    """The complaint no longer counts. The withdrawal may arrive before it; a withdrawn id stays withdrawn."""
    key = await authenticate(request, "ingest")
    api = api_context(request)
    api.rates.admit(key)
    line = withdrawal(segment(request, "id"))
    return await append(request, key, [line], Submission())


async def with_tenant_initialised(request: Request, key: KeyRecord, read: Callable[[], Awaitable[T]]) -> T:
    """The result of `read()`; a new tenant's counter is made first. Raises PositionAbsent while Redis is rebuilt."""
    try:
        return await read()
    except PositionAbsent:
        api = api_context(request)
        if not await run_in_threadpool(_is_new, api.engine, key.tenant_id):
            raise
        await stream.begin(api.redis, key.tenant, microseconds(api.now()))
        return await read()


def _is_new(engine: Engine, tenant_id: int) -> bool:
    with engine.connect() as connection:
        return never_archived(connection, tenant_id)


async def _accept(request: Request, noun: Noun) -> Response:
    api = api_context(request)
    signed = is_signed(request)
    if signed:
        check_plain(request)
    else:
        key = await authenticate(request, "ingest")
        api.rates.admit(key)
    form = _FORMS[media_type(request, *_FORMS)]
    with api.bodies.reserve() as hold:
        body = await read_body(request, limit=api.settings.max_body_bytes, hold=hold)
        if signed:
            key = await signed_by(request, body)
            api.rates.admit(key)
        batch = Submission(await api.privacy_filters.of(key.tenant_id))
        first = True
        for _ in read_document(body, noun, form, api.now(), batch):
            if not first:  # a single item needs one slice, and no turn of the loop
                await asyncio.sleep(0)
            first = False
        del body
        if batch.rejected_count:
            metrics_sink(request).rejected(key.tenant, batch.rejected_count)
        if not batch.lines:
            await api.rates.charge(key, max(1, batch.rejected_count))
            raise Invalid(_nothing_valid(noun, batch), batch.rejected, batch.rejected_count)
        return await append(request, key, batch.lines, batch)


async def append(request: Request, key: KeyRecord, lines: list[bytes], batch: Submission, **members: Any) -> Response:
    """Append the lines to the stream, count them, and answer 202; `members` are added to the answer."""
    api = api_context(request)
    n, joined = len(lines), b"\n".join(lines)
    if n > 1_000:
        await asyncio.sleep(0)  # so that joining and sending are two slices
    position = await with_tenant_initialised(request, key, lambda: api.writer.append(key.tenant, n, joined))
    await api.rates.charge(key, n + batch.rejected_count)
    metrics_sink(request).accepted(key.tenant, n)
    logs.note(accepted=n, rejected=batch.rejected_count, position=position)
    answer: dict[str, Any] = {
        "accepted": n,
        "rejected": [rejected_json(item) for item in batch.rejected],
        "rejected_count": batch.rejected_count,
        "position": position,
        **members,
    }
    return Response(to_json(answer), 202, media_type="application/json")


def _nothing_valid(noun: Noun, batch: Submission) -> str:
    if not batch.rejected_count:
        return f"the body contains no {noun.plural}"
    first = batch.rejected[0]
    return (
        f"no valid {noun.plural} ({batch.rejected_count} refused); the first:"
        f" {first.pointer.lstrip('/') or 'the item'}: {first.detail}"
    )
