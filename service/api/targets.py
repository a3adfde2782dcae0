"""The question before a removal: how many people complained about this independently?"""

from __future__ import annotations

import re
import time
from hashlib import blake2b
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field, ValidationError
from pydantic_core import to_json

from service.api.api_context import api_context, metrics_sink
from service.api.auth import authenticate
from service.api.body import media_type, read_body
from service.api.openapi_parts import (
    ASSESS_BODY,
    ASSESSMENT_EXAMPLE,
    ID_PARAMETER,
    THRESHOLD_PARAMETER,
    answers,
    described,
)
from service.api.problems import Invalid
from service.api.raw_path import segment
from service.api.submissions import with_tenant_initialised
from service.intake.pointers import first_error
from service.model import Assessment, Frozen, Id, RejectedItem, Whole
from service.moderation.assessment import assess
from service.storage.accounts.tenants import KeyRecord
from service.storage.redis_store.assessments import Standings, read_targets

router = APIRouter(tags=["targets"])
_INTEGER = re.compile(r"0*[0-9]{1,16}\Z", re.ASCII)
MOST_THRESHOLD = 10**15
_FRESHNESS = {"as_of"}  # moves with every call; what it vouches for does not
MAX_QUESTION_BYTES = 1024 * 1024  # 500 ids of 128 characters, every one escaped, fit


class AssessRequest(Frozen):
    """Which targets, at which removal threshold."""

    target_ids: Annotated[list[Id], Field(min_length=1, max_length=500)]
    threshold: Annotated[int, Field(ge=1, le=MOST_THRESHOLD), Whole] | None = Field(
        None,
        description=(
            "complaints at which the platform would remove; without it the tenant's own, 8 unless told otherwise"
        ),
    )


class Assessments(Frozen):
    """One assessment per id asked, in that order."""

    items: list[Assessment]


@router.get(
    "/v1/targets/{id}",
    response_model=Assessment,
    summary="May this be removed?",
    openapi_extra=described("read", parameters=[ID_PARAMETER, THRESHOLD_PARAMETER]),
    responses={
        **answers(ASSESSMENT_EXAMPLE, 200, "the assessment; zeros for a target never seen", 401, 403, 422, 503),
        304: {"description": "what was answered still holds"},
    },
)
async def get_target(request: Request) -> Response:
    """`hold`: only a coordinated group carries it over the threshold. `review`: enough people complained on
    their own, but a flagged group is among them. `none`: nothing to say. `without_clusters` is the independent count
    had that cluster not been found: at the threshold or above, it is this cluster alone that the hold rests on.

    Answered from Redis alone, also while detection lags (`pending`, `as_of`) or the database is away. The ETag stands
    for all of the answer but `as_of`: with If-None-Match a question that is asked again costs no body.
    """
    started = time.perf_counter()
    key = await authenticate(request, "read")
    target_id, threshold = segment(request, "id"), asked_threshold(request, key)
    standings = await standings_of(request, key, [target_id])
    answer = assess(
        target_id,
        standings.targets[0].complaints,
        standings.targets[0].summary,
        threshold=threshold,
        as_of=standings.as_of,
        pending=standings.pending,
    )
    serializer = answer.__pydantic_serializer__
    headers = {"ETag": entity_tag(serializer.to_json(answer, exclude=_FRESHNESS)), "Cache-Control": "private, no-cache"}
    metrics_sink(request).assessed(time.perf_counter() - started)
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(serializer.to_json(answer), headers=headers, media_type="application/json")


@router.post(
    "/v1/targets/assess",
    response_model=Assessments,
    summary="May these be removed?",
    openapi_extra=described("read", body=ASSESS_BODY),
    responses=answers(
        {"items": [ASSESSMENT_EXAMPLE]},
        200,
        "one assessment per id asked, in that order, repeats included",
        401,
        403,
        413,
        415,
        422,
        503,
    ),
)
async def assess_targets(request: Request) -> Response:
    """The same for up to 500 targets at once."""
    started = time.perf_counter()
    key = await authenticate(request, "read")
    media_type(request, "application/json")
    with api_context(request).bodies.reserve() as hold:
        asked = _question(await read_body(request, limit=MAX_QUESTION_BYTES, hold=hold))
    standings = await standings_of(request, key, asked.target_ids)
    threshold = key.default_threshold if asked.threshold is None else asked.threshold
    items = [
        assess(
            target_id,
            standing.complaints,
            standing.summary,
            threshold=threshold,
            as_of=standings.as_of,
            pending=standings.pending,
        )
        for target_id, standing in zip(asked.target_ids, standings.targets, strict=True)
    ]
    metrics_sink(request).assessed(time.perf_counter() - started)
    return Response(to_json({"items": items}), media_type="application/json")


async def standings_of(request: Request, key: KeyRecord, target_ids: list[str]) -> Standings:
    """What Redis has about the targets. Raises StoreUnavailable or PositionAbsent while it has nothing to say."""
    api = api_context(request)
    return await with_tenant_initialised(request, key, lambda: read_targets(api.redis, key.tenant, target_ids))


def entity_tag(answer: bytes) -> str:
    """A strong ETag of what is answered."""
    return f'"{blake2b(answer, digest_size=12).hexdigest()}"'


def is_known(request: Request, tag: str) -> bool:
    """Whether If-None-Match names the tag; compared weakly, as RFC 9110 asks."""
    named = ",".join(request.headers.getlist("if-none-match"))
    return bool(named) and any(
        one in (tag, "*") for one in (part.strip().removeprefix("W/") for part in named.split(","))
    )


def asked_threshold(request: Request, key: KeyRecord) -> int:
    """The threshold that the call names, or the tenant's own. Raises Invalid for what is no integer from 1."""
    if not request.scope.get("query_string"):
        return key.default_threshold
    asked = request.query_params.getlist("threshold")
    if not asked:
        return key.default_threshold
    if len(asked) == 1 and _INTEGER.match(asked[0]) and 1 <= int(asked[0]) <= MOST_THRESHOLD:
        return int(asked[0])
    detail = f"threshold is {', '.join(asked)[:40]!r} and has to be one integer from 1 to {MOST_THRESHOLD}"
    raise Invalid(detail, [RejectedItem(detail=detail, pointer="/threshold")])


def _question(body: bytes) -> AssessRequest:
    try:
        return AssessRequest.model_validate_json(body)
    except ValidationError as error:
        detail, pointer = first_error(error)
        raise Invalid(f"{pointer or 'the body'}: {detail}", [RejectedItem(detail=detail, pointer=pointer)]) from None
