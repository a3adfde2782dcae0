"""Webhooks of platforms over HTTP: the native signature is verified over the raw bytes, then the payload is read and
stored.

A sender that cannot sign learns nothing: an unknown path, another tenant's, one of another platform, a deleted one and
a wrong signature all get the same 401, after the same kind of work. Refusals are counted and logged by platform and
reason, never with the body or the path.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import Field
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from service.api.answers import Accepted
from service.api.api_context import ApiContext, api_context, metrics_sink
from service.api.body import media_type, read_body
from service.api.openapi_parts import ACCEPTED_EXAMPLE, answers
from service.api.problems import Invalid
from service.api.submissions import accepted_response, new_batch, store
from service.api.tenant_start import with_tenant_initialised
from service.api.webhook_auth import Sender, check_plain, verified
from service.errors import StoreUnavailable, TooMany
from service.intake.documents import MAX_LINES, Submission, UnreadableDocument, value_of
from service.intake.json_bounds import MAX_VALUES_OF_PAYLOAD
from service.model import RejectedItem, microseconds
from service.platforms import registry
from service.platforms.field_map import BadMapping
from service.platforms.payload import Payload, Unusable
from service.platforms.signatures import Standard, event_id
from service.storage.accounts.tenants import KeyRecord
from service.storage.redis_store import recent_deliveries, stream, webhook_dedup
from service.storage.sql.engine import write
from service.storage.webhooks.sources import Source, wake_pollers

router = APIRouter(tags=["accept"])
log = logging.getLogger(__name__)


class WebhookAccepted(Accepted):
    """The receipt for a platform's webhook."""

    repeated: bool = Field(False, description="True: this event was already stored; nothing was done.")
    notes: list[str] = Field(
        default_factory=list, description="What was left out, and why, for people; empty: nothing was."
    )


EXAMPLE = {**ACCEPTED_EXAMPLE, "rejected": [], "rejected_count": 0, "repeated": False, "notes": []}
_OPENAPI: dict[str, Any] = {
    "security": [],
    "parameters": [
        {
            "name": "platform",
            "in": "path",
            "required": True,
            "description": "Name of a platform that posts.",
            "schema": {"type": "string", "enum": list(registry.POSTING)},
            "example": "discourse",
        },
        {
            "name": "source",
            "in": "path",
            "required": True,
            "description": "Id of the source, hard to guess; `brigadewatch sources add` prints the path.",
            "schema": {"type": "string"},
            "example": "src_5f0c0d6f",
        },
    ],
    "requestBody": {
        "required": True,
        "description": "The platform's own payload.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "description": "The platform's own payload, with its own signature (docs/integrations).",
                },
                "examples": {"discourse": {"summary": "Discourse's ping", "value": {"ping": "OK"}}},
            }
        },
    },
}


@router.post(
    "/v1/webhooks/{platform}/{source}",
    status_code=202,
    response_model=WebhookAccepted,
    summary="Receive a platform's webhook",
    openapi_extra=_OPENAPI,
    responses=answers(
        EXAMPLE,
        202,
        "Stored, already known, or without any complaint or outcome.",
        400,
        401,
        404,
        408,
        413,
        415,
        422,
        429,
        503,
    ),
)
async def post_webhook(request: Request) -> Response:
    """The platform's own payload, verified by its own signature over the raw bytes, is mapped to complaints and
    outcomes.

    202 only after they are stored safely. Coral's webhook only makes the service poll Coral (`position` 0). A repeated
    delivery changes nothing. 401 without a valid signature, even if the path does not exist.
    """
    api, platform = api_context(request), request.path_params["platform"]
    if platform not in registry.POSTING:
        raise HTTPException(
            404, f"{platform[:80]!r} is not a platform that posts; known: {', '.join(registry.POSTING)}"
        )
    media_type(request, "application/json")
    check_plain(request)
    with api.bodies.reserve() as hold:
        body = await read_body(request, limit=api.settings.max_body_bytes, hold=hold)
        sender = await verified(request, platform, request.path_params["source"], body)
        api.rates.admit(sender.key)
        return await _receive(request, api, sender, body)


async def _receive(request: Request, api: ApiContext, sender: Sender, body: bytes) -> Response:
    source, key = sender.source, sender.key
    now, batch = api.now(), await new_batch(request, key)
    try:
        async with api.parse_turns.of(source.tenant_id):
            delivery = await run_in_threadpool(read_payload, source, body, now, batch)
    except BadMapping as error:
        await _note(request, source, now, "unusable", notes=[f"the field map is not valid: {error}"])
        log.error("the field map of the source …%s is not valid: %s", source.id[-6:], error)
        await api.rates.charge(key, _price(body))
        raise StoreUnavailable(
            "the field map of this source is not valid by the rules of this version: nothing was stored, and posts are"
            " accepted again once an administrator has connected the platform with another one"
        ) from None
    except (Unusable, UnreadableDocument, TooMany) as error:
        log.warning("a verified webhook of %s cannot be used: %s", source.platform, type(error).__name__)
        await _note(request, source, now, "unusable", notes=[str(error)])
        await api.rates.charge(key, _price(body))
        if isinstance(error, Unusable):
            raise Invalid(str(error), [RejectedItem(detail=str(error), pointer="")]) from None
        raise
    delivery.notes += batch.notes.sentences()
    for note in delivery.notes:
        log.info("%s: %s", source.platform, note)
    if delivery.wakes:
        await _note(request, source, now, "taken", notes=["the platform is polled for what is new"])
        return _woken(api.engine, source, microseconds(now))
    mark = webhook_dedup.digest(source.id, _event(request, source, delivery, body))
    if await webhook_dedup.is_known(api.redis, key.tenant, mark):
        await _note(request, source, now, "repeated", notes=delivery.notes)
        await api.rates.charge(key, _price(body))
        return await _nothing_taken(request, key, delivery.notes, repeated=True)
    if batch.lines:
        receipt = await store(request, key, batch)
        answer = accepted_response({**receipt, "repeated": False, "notes": delivery.notes})
    elif batch.rejected_count:
        await _note(request, source, now, "unusable", batch, delivery.notes)
        metrics_sink(request).rejected(key.tenant, batch.rejected_count)
        await api.rates.charge(key, max(batch.rejected_count, _price(body)))
        raise Invalid(
            f"no valid items ({batch.rejected_count} refused); the first: {batch.rejected[0].pointer.lstrip('/')}:"
            f" {batch.rejected[0].detail}",
            batch.rejected,
            batch.rejected_count,
        )
    else:
        await api.rates.charge(key, _price(body))
        answer = await _nothing_taken(request, key, delivery.notes, repeated=False)
    await _note(request, source, now, "taken" if batch.lines else "empty", batch, delivery.notes)
    # Items that were refused may be valid when they come again: a clock may have been wrong.
    if batch.lines and not batch.rejected_count:
        await webhook_dedup.remember(api.redis, key.tenant, mark)
    return answer


async def _note(
    request: Request,
    source: Source,
    now: datetime,
    result: str,
    batch: Submission | None = None,
    notes: Sequence[str] = (),
) -> None:
    """Count what became of a webhook, and keep it for the administrator who looks at the connection."""
    metrics_sink(request).webhook(source.platform, result)
    noted = recent_deliveries.arrival_of(microseconds(now), result, batch or Submission(), notes)
    await recent_deliveries.note(api_context(request).redis, source.tenant, source.id, noted)


def read_payload(source: Source, body: bytes, now: datetime, batch: Submission) -> Payload:
    """What was posted, its items in the batch: all of the work that a sender chooses.

    Raises BadMapping, Unusable, UnreadableDocument and TooMany.
    """
    registry.check_mapping(source.platform, source.mapping)
    delivery = registry.read(source.platform, value_of(body, MAX_VALUES_OF_PAYLOAD), now, source.mapping)
    # Payloads are cumulative: with a smaller bound a post with many reports could never be received again.
    if len(delivery.items) > MAX_LINES:
        raise TooMany(f"payload has more than {MAX_LINES} items, which is the most that is accepted at once")
    for number, item in enumerate((item.under(source.namespace) for item in delivery.items), 1):
        batch.add(item.read(now, batch.privacy_filter, number), item.noun)
    return delivery


def _price(body: bytes) -> int:
    """What a post without one new, valid item costs, in items: by its size, or it would be read for nothing."""
    return 1 + len(body) // 1024


def _event(request: Request, source: Source, delivery: Payload, body: bytes) -> bytes:
    """What identifies this event: its own id if the signature covers it, otherwise the whole body."""
    if isinstance(registry.scheme_of(source.platform, source.mapping), Standard):
        # As a dictionary, like the signature's check: of a header that is sent twice, both take the same one.
        return event_id(dict(request.headers)).encode("latin-1", "replace")
    return body if delivery.key is None else delivery.key.encode("utf-8", "surrogatepass")


async def _nothing_taken(request: Request, key: KeyRecord, notes: list[str], *, repeated: bool) -> Response:
    position, _ = await with_tenant_initialised(
        request, key, lambda: stream.position_and_oldest(api_context(request).redis, key.tenant)
    )
    answer = WebhookAccepted(
        accepted=0, rejected=[], rejected_count=0, position=position, repeated=repeated, notes=notes
    )
    return Response(answer.model_dump_json(), 202, media_type="application/json")


def _woken(engine: Engine, source: Source, now_us: int) -> Response:
    """The answer to a webhook that only wakes the pollers. They are woken after the answer, since SQL may keep a writer
    waiting.

    Redis is not needed: Coral gives an endpoint up after ten failures in a row, and nothing has to be stored.
    """
    answer = WebhookAccepted(
        accepted=0, rejected=[], rejected_count=0, position=0, notes=["the platform will be polled for new flags"]
    )
    return Response(
        answer.model_dump_json(),
        202,
        media_type="application/json",
        background=BackgroundTask(_wake, engine, source, now_us),
    )


def _wake(engine: Engine, source: Source, now_us: int) -> None:
    try:
        with write(engine) as connection:
            wake_pollers(connection, source.tenant_id, source.platform, now_us)
    except SQLAlchemyError as error:  # they run at their usual time
        log.warning("the pollers of %s could not be woken: %s", source.platform, error)
