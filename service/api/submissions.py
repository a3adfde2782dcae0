"""Complaints, outcomes and withdrawals over HTTP: read, checked, and stored before they are acknowledged."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic_core import from_json, to_json
from starlette.exceptions import HTTPException

from service import logs
from service.api.answers import Accepted, AcceptedComplaints, AcceptedItems
from service.api.api_context import api_context, metrics_sink
from service.api.auth import authenticate
from service.api.body import media_type, read_body
from service.api.namespaces import NAMESPACE_PARAMETER, invalid_namespace, requested_id, requested_namespace
from service.api.openapi_parts import (
    ACCEPTED,
    ACCEPTED_ITEMS_EXAMPLE,
    ASSESS_PARAMETER,
    ASSESSMENT_EXAMPLE,
    COMPLAINT_BODY,
    ID_PARAMETER,
    OUTCOME_BODY,
    SIGNED,
    THRESHOLD_PARAMETER,
    WAIT_PARAMETER,
    accepted,
    described,
)
from service.api.problems import Invalid, item_json
from service.api.questions import LONGEST_WAIT_MS, Question, answers_to, requested_threshold, whole_parameter
from service.api.tenant_start import with_tenant_initialised
from service.api.webhook_auth import Sender, check_plain, is_signed, signed_by
from service.intake.documents import Form, Submission, read_document
from service.intake.items import COMPLAINT, OUTCOME, Noun, withdrawal
from service.model import RejectedItem, microseconds
from service.moderation.target_assessment import Assessment
from service.storage.accounts.tenants import KeyRecord
from service.storage.redis_store import recent_deliveries
from service.storage.redis_store.unseen import marker

router = APIRouter(tags=["accept"])
log = logging.getLogger(__name__)
MOST_ASSESSED = 20  # complaints of a post with assess=true
_OF_A_QUESTION = ("threshold", "wait")
_PARAMETERS = [ASSESS_PARAMETER, THRESHOLD_PARAMETER, WAIT_PARAMETER, NAMESPACE_PARAMETER]
_FORMS: dict[str, Form] = {"application/json": "json", "application/x-ndjson": "ndjson"}


@router.post(
    "/v1/complaints",
    status_code=202,
    response_model=AcceptedComplaints,
    summary="Post complaints",
    openapi_extra={
        **described("ingest", body=COMPLAINT_BODY, parameters=_PARAMETERS),
        "security": [{"key": []}, SIGNED],
    },
    responses=accepted({**ACCEPTED_ITEMS_EXAMPLE, "assessments": [ASSESSMENT_EXAMPLE]}),
)
async def post_complaints(request: Request) -> Response:
    """One object, an array (at most 1,000 items) or NDJSON (at most 10,000 lines); at most 8 MiB after decompression.
    gzip is accepted.

    202 only after the batch is stored safely. Items that are refused are listed, and the others are stored. The `id`
    makes a complaint idempotent: after 429, 503 or a lost answer send the same batch again. An optional field that
    cannot be used never refuses its complaint: it is unknown, or cut, and `notes` says so.

    With `assess=true` the answer says as well whether their targets may be removed, in the same round trip: the service
    waits up to `wait` milliseconds until the complaints are analysed.

    Instead of a key: a Standard Webhooks signature (webhook-id, webhook-timestamp, webhook-signature, or Svix's names
    of the three) by a source of the platform `generic`, named in `webhook-source`. Its ids are under that
    source's namespace.
    """
    return await _accept(request, COMPLAINT)


@router.post(
    "/v1/outcomes",
    status_code=202,
    response_model=AcceptedItems,
    summary="Post outcomes",
    openapi_extra={
        **described("ingest", body=OUTCOME_BODY, parameters=[NAMESPACE_PARAMETER]),
        "security": [{"key": []}, SIGNED],
    },
    responses=accepted({**ACCEPTED_ITEMS_EXAMPLE, "notes": [], "notes_count": 0}),
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
    openapi_extra=described("ingest", parameters=[ID_PARAMETER, NAMESPACE_PARAMETER]),
    responses=ACCEPTED,
)
async def withdraw_complaint(request: Request) -> Response:
    """The complaint no longer counts, even if it is sent again. The withdrawal may arrive before it.

    A complaint of another reporter, or about another target, under the same id is another one, and counts.
    """
    key = await authenticate(request, "ingest")
    api = api_context(request)
    api.rates.admit(key)
    batch = Submission(lines=[withdrawal(requested_id(request))])
    return accepted_response(await store(request, key, batch))


async def _accept(request: Request, noun: Noun) -> Response:
    api = api_context(request)
    signed, sender = is_signed(request), None
    if signed:
        check_plain(request)
        question = None
        if not request.query_params.keys().isdisjoint(("assess", *_OF_A_QUESTION)):
            raise HTTPException(
                403,
                "assess, threshold and wait are for posts with a key that has the scopes ingest and read: a signature"
                " does not allow reading",
            )
    else:
        key, namespace = await authenticate(request, "ingest"), requested_namespace(request)
        question = await _question(request, key) if noun is COMPLAINT else None
        api.rates.admit(key)
    form = _FORMS[media_type(request, *_FORMS)]
    with api.bodies.reserve() as hold:
        body = await read_body(request, limit=api.settings.max_body_bytes, hold=hold)
        if signed:
            sender = await signed_by(request, body)
            key, namespace = sender.key, sender.source.namespace
            api.rates.admit(key)
            if "namespace" in request.query_params:
                raise invalid_namespace(
                    "namespace is for posts with a key: a signed post has the namespace of the source that signs it"
                )
        batch = await new_batch(request, key, namespace)
        first = True
        for _ in read_document(body, noun, form, api.now(), batch):
            if not first:  # a single item needs one slice, and no turn of the loop
                await asyncio.sleep(0)
            first = False
        del body
        if question is not None and len(batch.lines) + batch.rejected_count > MOST_ASSESSED:
            raise _invalid(
                f"{len(batch.lines) + batch.rejected_count} complaints with assess=true; at most {MOST_ASSESSED} are"
                " accepted: post fewer, or ask with POST /v1/targets/assess afterwards; nothing was stored",
                "",
            )
        if batch.rejected_count:
            metrics_sink(request).rejected(key.tenant, batch.rejected_count)
        if not batch.lines:
            if sender is not None:
                await _note_signed(request, sender, batch, "unusable")
            await api.rates.charge(key, max(1, batch.rejected_count))
            raise Invalid(_nothing_valid(noun, batch), batch.rejected, batch.rejected_count)
        receipt = await store(request, key, batch)
    if sender is not None:
        await _note_signed(request, sender, batch, "taken")
    receipt |= {"notes": [item_json(note) for note in batch.notes.listed], "notes_count": batch.notes.count}
    if question is not None:
        receipt["assessments"] = await _assessments(request, key, batch.lines, receipt["position"], question)
    return accepted_response(receipt)


def accepted_response(receipt: dict[str, Any]) -> Response:
    """The 202 with this receipt."""
    return Response(to_json(receipt), 202, media_type="application/json")


async def _note_signed(request: Request, sender: Sender, batch: Submission, result: str) -> None:
    """Keep what became of a signed post, for the administrator who looks at the connection."""
    api, source = api_context(request), sender.source
    notes = [f"signed post to {request.url.path}", *batch.notes.sentences()]
    noted = recent_deliveries.arrival_of(microseconds(api.now()), result, batch, notes)
    await recent_deliveries.note(api.redis, source.tenant, source.id, noted)


async def new_batch(request: Request, key: KeyRecord, namespace: str | None = None) -> Submission:
    """An empty batch under the tenant's rules; `namespace` of all ids in the document."""
    privacy_filter = await api_context(request).privacy_filters.of(key.tenant_id)
    return Submission(privacy_filter, marker=marker(privacy_filter.key), namespace=namespace)


async def store(request: Request, key: KeyRecord, batch: Submission) -> dict[str, Any]:
    """Append the batch's lines to the stream, count them, and return the receipt."""
    api = api_context(request)
    n, joined, marks = len(batch.lines), b"\n".join(batch.lines), b"".join(batch.marks)
    if n > 1_000:
        await asyncio.sleep(0)  # so that joining and sending are two slices
    position = await with_tenant_initialised(request, key, lambda: api.writer.append(key.tenant, n, joined, marks))
    await api.rates.charge(key, n + batch.rejected_count)
    metrics_sink(request).accepted(key.tenant, n)
    logs.note(accepted=n, rejected=batch.rejected_count, position=position)
    return {
        "accepted": n,
        "rejected": [item_json(item) for item in batch.rejected],
        "rejected_count": batch.rejected_count,
        "position": position,
    }


async def _question(request: Request, key: KeyRecord) -> Question | None:
    """What a post asks of its targets; None without assess=true.

    Raises Invalid, and HTTPException (403) where the key lacks the scope read.
    """
    query = request.query_params
    if query.get("assess", "false") not in ("true", "false"):
        raise _invalid(f"assess is {query['assess'][:40]!r}; expected true or false", "/assess")
    threshold, wait_ms = requested_threshold(request, key), whole_parameter(request, "wait", 0, LONGEST_WAIT_MS)
    if query.get("assess") == "true":
        await authenticate(request, "read")
        return Question(threshold, wait_ms=wait_ms or 0, may_wait=True)
    for name in _OF_A_QUESTION:
        if name in query:
            raise _invalid(f"{name} is for a post that asks: send assess=true with it, or leave it out", f"/{name}")
    return None


def _invalid(detail: str, pointer: str) -> Invalid:
    return Invalid(detail, [RejectedItem(detail=detail, pointer=pointer)])


async def _assessments(
    request: Request, key: KeyRecord, lines: list[bytes], position: int, question: Question
) -> list[Assessment] | None:
    """The assessments of the complaints' targets. None if that fails: the complaints are stored all the same."""
    targets = list(dict.fromkeys(from_json(line[1:])["target"]["id"] for line in lines))
    try:
        return await answers_to(request, key, targets, replace(question, after=position))
    except Exception:
        log.warning("complaints are stored, but their targets could not be assessed", exc_info=True)
        return None


def _nothing_valid(noun: Noun, batch: Submission) -> str:
    if not batch.rejected_count:
        return f"the body contains no {noun.plural}"
    first = batch.rejected[0]
    return (
        f"no valid {noun.plural} ({batch.rejected_count} refused); the first:"
        f" {first.pointer.lstrip('/') or 'the item'}: {first.detail}"
    )
