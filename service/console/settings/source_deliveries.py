"""A connection's last deliveries, and a payload that is tried without being stored."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from service.api.api_context import ApiContext, api_context
from service.api.webhooks import read_payload
from service.console.formatting import sentence
from service.console.settings.frame import now_us, page
from service.console.settings.sources import SECTION, source_at
from service.console.sign_in import Admin
from service.errors import BrigadewatchError, StoreUnavailable
from service.intake.documents import Submission, UnreadableDocument
from service.model import moment
from service.platforms.field_map import BadMapping
from service.platforms.payload import Unusable
from service.storage.redis_store.recent_deliveries import MOST, recent
from service.storage.webhooks.sources import Source

router = APIRouter(prefix="/sources")
MAX_PAYLOAD_CHARACTERS = 500_000
MOST_SHOWN = 20  # items and refusals of a payload
KINDS = {b"c": "Complaint", b"o": "Outcome", b"w": "Withdrawal"}
RESULTS = {
    "taken": ("stored", "good", "✓"),
    "ok": ("polled", "good", "✓"),
    "empty": ("nothing in it", "plain", "·"),
    "repeated": ("sent before", "plain", "·"),
    "unusable": ("could not be used", "bad", "!"),
    "missing": ("signature missing", "bad", "!"),
    "malformed": ("signature malformed", "bad", "!"),
    "wrong": ("wrong signature", "bad", "!"),
    "stale": ("signed too long ago", "bad", "!"),
    "unverifiable": ("signature cannot be verified here", "bad", "!"),
    "waiting": ("not stored yet", "warn", "!"),
    "failed": ("failed", "bad", "!"),
    "unreachable": ("no answer", "bad", "!"),
    "unauthorized": ("access denied", "bad", "!"),
    "limited": ("too many requests", "warn", "!"),
    "unreadable": ("answer not readable", "bad", "!"),
    "refused": ("failed", "bad", "!"),
}


@router.get("/{handle}/deliveries")
async def show_deliveries(request: Request, person: Admin, handle: str) -> Response:
    """The last ten of the last 24 hours."""
    source = await run_in_threadpool(source_at, request, person, handle)
    return await _page(request, person, handle, source)


@router.post("/{handle}/try")
async def try_payload(
    request: Request,
    person: Admin,
    handle: str,
    payload: Annotated[str, Form(max_length=MAX_PAYLOAD_CHARACTERS)] = "",
) -> Response:
    """What a payload would become; nothing is stored."""
    source, api = await run_in_threadpool(source_at, request, person, handle), api_context(request)
    entered: dict[str, Any] = {"payload": payload, "tried": None}
    try:
        async with api.parse_turns.of(person.tenant_id):
            batch = Submission(await api.privacy_filters.of(person.tenant_id))
            read = await run_in_threadpool(read_payload, source, payload.strip().encode(), api.now(), batch)
    except (Unusable, UnreadableDocument, BadMapping, BrigadewatchError) as error:
        return await _page(request, person, handle, source, error=sentence(str(error)), **entered)
    entered["tried"] = {
        "count": len(batch.lines),
        "refused_count": batch.rejected_count,
        "items": [
            (KINDS[line[:1]], json.dumps(json.loads(line[1:]), indent=2, ensure_ascii=False))
            for line in batch.lines[:MOST_SHOWN]
        ],
        "refused": batch.rejected[:MOST_SHOWN],
        "notes": [*read.notes, *batch.notes.sentences()],
        "wakes": read.wakes,
    }
    return await _page(request, person, handle, source, **entered)


async def _page(
    request: Request, person: Admin, handle: str, source: Source, *, error: str | None = None, **entered: Any
) -> Response:
    listed, unavailable = await _listed(api_context(request), source, now_us(request))
    return await run_in_threadpool(
        page,
        request,
        person,
        SECTION,
        "source_deliveries.html",
        error=error,
        one={"handle": handle, "platform": source.platform, "posts": not source.polled, "most": MOST},
        deliveries=listed,
        unavailable=unavailable,
        max_payload=MAX_PAYLOAD_CHARACTERS,
        entered=entered or {"payload": "", "tried": None},
    )


async def _listed(api: ApiContext, source: Source, at_us: int) -> tuple[list[dict[str, Any]], bool]:
    """The deliveries, and whether Redis could not say."""
    try:
        found = await recent(api.redis, source.tenant, source.id, at_us)
    except StoreUnavailable:
        return [], True
    return [
        {
            "at": moment(one.at_us),
            "result": RESULTS.get(one.result, (one.result, "plain", "·")),
            "stored": one.stored,
            "refused": one.refused,
            "ids": one.ids,
            "more": max(0, one.stored - len(one.ids)),
            "pointers": one.pointers,
            "notes": one.notes,
        }
        for one in found
    ], False
