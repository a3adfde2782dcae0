"""The question before a removal: how many people complained about this independently?"""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field
from pydantic_core import to_json

from service.api.auth import authenticate
from service.api.json_body import model_body
from service.api.namespaces import NAMESPACE_PARAMETER, requested_id, requested_namespace
from service.api.openapi_parts import (
    AFTER_DESCRIPTION,
    ASSESS_BODY,
    ASSESSMENT_EXAMPLE,
    ID_PARAMETER,
    QUESTION_PARAMETERS,
    THRESHOLD_DESCRIPTION,
    WAIT_DESCRIPTION,
    answers,
    described,
)
from service.api.questions import LONGEST_WAIT_MS, MOST, Question, answers_to, question_of
from service.fields import Id, Whole
from service.intake.namespaces import prefixed
from service.model import Frozen
from service.moderation.target_assessment import Assessment

router = APIRouter(tags=["targets"])
_FRESHNESS = {"as_of", "retry_after_ms"}  # move with every call; what they vouch for does not
MAX_QUESTION_BYTES = 1024 * 1024  # 500 ids of 128 characters, every one escaped, fit
_MAX_VALUES = 1_000


class AssessRequest(Frozen):
    """The targets to assess, and the removal threshold."""

    target_ids: Annotated[list[Id], Field(min_length=1, max_length=500)] = Field(
        description="The targets' ids, 1 to 500; repeats are allowed."
    )
    threshold: Annotated[int, Field(ge=1, le=MOST), Whole] | None = Field(None, description=THRESHOLD_DESCRIPTION)
    after: Annotated[int, Field(ge=0, le=MOST), Whole] | None = Field(None, description=AFTER_DESCRIPTION)
    wait: Annotated[int, Field(ge=0, le=LONGEST_WAIT_MS), Whole] | None = Field(None, description=WAIT_DESCRIPTION)


class Assessments(Frozen):
    """One assessment per requested id, in the same order."""

    items: list[Assessment] = Field(description="The assessments, in the order of `target_ids`.")


@router.get(
    "/v1/targets/{id}",
    response_model=Assessment,
    summary="Assess a target before a removal",
    openapi_extra=described("read", parameters=[ID_PARAMETER, *QUESTION_PARAMETERS, NAMESPACE_PARAMETER]),
    responses={
        **answers(ASSESSMENT_EXAMPLE, 200, "The assessment; zeros for an unknown target.", 401, 403, 422, 503),
        304: {"description": "The answer with this ETag is still current."},
    },
)
async def get_target(request: Request) -> Response:
    """How many people complained about the target independently, and a recommendation. `wait`: only complaints that are
    not analysed yet carry it over the threshold. `hold`: only a coordinated group does. `review`: enough people
    complained on their own, but a flagged group is among them. `none`: decide as usual.

    Answered from Redis alone, even while the analysis lags behind (`pending`, `as_of`) or the database is unavailable.
    With `after`, the `position` that a POST answered, and `wait` the answer comes as soon as everything up to there is
    analysed, at most `wait` milliseconds later. The ETag covers the whole answer except `as_of` and `retry_after_ms`; a
    repeated request with If-None-Match gets 304 without a body.
    """
    key = await authenticate(request, "read")
    (answer,) = await answers_to(request, key, [requested_id(request)], question_of(request, key))
    serializer = answer.__pydantic_serializer__
    headers = {"ETag": entity_tag(serializer.to_json(answer, exclude=_FRESHNESS)), "Cache-Control": "private, no-cache"}
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(serializer.to_json(answer), headers=headers, media_type="application/json")


@router.post(
    "/v1/targets/assess",
    response_model=Assessments,
    summary="Assess several targets before a removal",
    openapi_extra=described("read", body=ASSESS_BODY, parameters=[NAMESPACE_PARAMETER]),
    responses=answers(
        {"items": [ASSESSMENT_EXAMPLE]},
        200,
        "One assessment per requested id, in the same order, repeats included.",
        400,
        401,
        403,
        413,
        415,
        422,
        503,
    ),
)
async def assess_targets(request: Request) -> Response:
    """The same as GET /v1/targets/{id} for up to 500 targets at once, without ETag."""
    key = await authenticate(request, "read")
    namespace = requested_namespace(request)
    requested = await model_body(request, AssessRequest, "body", max_bytes=MAX_QUESTION_BYTES, max_values=_MAX_VALUES)
    question = Question(
        key.default_threshold if requested.threshold is None else requested.threshold,
        requested.after,
        requested.wait or 0,
        may_wait=requested.after is not None or requested.wait is not None,
    )
    target_ids = [prefixed(namespace, target_id) for target_id in requested.target_ids]
    items = await answers_to(request, key, target_ids, question)
    return Response(to_json({"items": items}), media_type="application/json")


def entity_tag(answer: bytes) -> str:
    """A strong ETag of the answer."""
    return f'"{blake2b(answer, digest_size=12).hexdigest()}"'


def is_known(request: Request, tag: str) -> bool:
    """Whether If-None-Match names the tag; compared weakly, as RFC 9110 asks."""
    named = ",".join(request.headers.getlist("if-none-match"))
    return bool(named) and any(
        one in (tag, "*") for one in (part.strip().removeprefix("W/") for part in named.split(","))
    )
