"""What OpenAPI says about the routes that read their requests themselves: bodies, parameters, answers, examples."""

from __future__ import annotations

from typing import Any

from service.model import ID_PATTERN, Complaint, Outcome, Problem

COMPLAINT_EXAMPLE: dict[str, Any] = {
    "id": "c-1029",
    "occurred_at": "2021-12-23T14:02:11Z",
    "reporter": {
        "id": "r-77",
        "account_created_at": "2021-12-20T09:00:00Z",
        "fingerprint": "hmac:5f1c",
        "trusted": False,
    },
    "target": {
        "id": "comment/5",
        "kind": "comment",
        "author_id": "a-9",
        "context_id": "article-3",
        "excerpt": "I disagree.",
        "attributes": {"is_reply": False},
    },
    "reason": "abuse",
    "text": "insults other readers",
    "notice_type": "terms",
}
OUTCOME_EXAMPLE: dict[str, Any] = {
    "id": "o-1",
    "target_id": "comment/5",
    "decided_at": "2021-12-24T08:30:00Z",
    "verdict": "rejected",
    "action": "kept",
    "decided_by": "person",
}
ACCEPTED_EXAMPLE = {
    "accepted": 1,
    "rejected": [{"line": 2, "id": "c-1030", "detail": "'id' is required", "pointer": "/target/id"}],
    "rejected_count": 1,
    "position": 41_207,
}
ASSESSMENT_EXAMPLE = {
    "target_id": "comment/5",
    "complaints": 12,
    "independent_complaints": 4.333333,
    "coordinated_probability": 0.83,
    "recommendation": "hold",
    "clusters": [{"id": "k-5d0f4a1c9be2", "complaints": 9, "probability": 0.97, "unfounded_probability": 0.86}],
    "without_clusters": {"k-5d0f4a1c9be2": 12.0},
    "as_of": "2021-12-23T14:03:00Z",
    "pending": False,
}
PIPELINE_EXAMPLE = {
    "accepted": 41_207,
    "archived": 41_207,
    "duplicates": 12,
    "conflicting": 0,
    "late": 3,
    "analysed": 41_192,
    "pending": 0,
    "dead_letters": 0,
    "analysed_position": 41_207,
    "swept_position": 40_961,
    "lag_seconds": 0.0,
    "watermark": "2021-12-23T14:02:11Z",
}
PROBLEM_EXAMPLE = {
    "type": "about:blank",
    "title": "Unprocessable Content",
    "status": 422,
    "detail": "none of 1 complaints is valid; the first: /target/id: 'id' is required",
    "errors": [{"id": "c-1030", "detail": "'id' is required", "pointer": "/target/id"}],
    "rejected_count": 1,
}
ID_PARAMETER = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "one percent-encoded segment: comment/5 is comment%2F5",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": ID_PATTERN},
    "example": "comment%2F5",
}
THRESHOLD_PARAMETER = {
    "name": "threshold",
    "in": "query",
    "required": False,
    "description": (
        "complaints at which the platform would remove; without it the tenant's own, 8 unless told otherwise"
    ),
    "schema": {"type": "integer", "minimum": 1, "maximum": 10**15},
    "example": 8,
}


def _items(name: str, example: dict[str, Any]) -> dict[str, Any]:
    one = {"$ref": f"#/components/schemas/{name}"}
    line = '{"id": "...", ...}\n'
    return {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"anyOf": [one, {"type": "array", "items": one, "minItems": 1, "maxItems": 1_000}]},
                "examples": {
                    "one": {"summary": "one object", "value": example},
                    "array": {"summary": "an array", "value": [example]},
                },
            },
            "application/x-ndjson": {
                "schema": {"type": "string", "description": f"one object a line, at most 10,000 lines: {line}"}
            },
        },
    }


COMPLAINT_BODY = _items("Complaint", COMPLAINT_EXAMPLE)
OUTCOME_BODY = _items("Outcome", OUTCOME_EXAMPLE)
ASSESS_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"$ref": "#/components/schemas/AssessRequest"},
            "example": {"target_ids": ["comment/5", "comment/6"], "threshold": 8},
        }
    },
}
# Schemas that no route's signature names.
EXTRA_MODELS = (Complaint, Outcome, Problem)

_SAID = {
    400: "unparsable, empty, or bad gzip",
    401: "no valid key",
    403: "the key lacks the scope",
    404: "nothing there",
    408: "the body came too slowly",
    413: "too many bytes or items; nothing was taken",
    414: "path and query are too long",
    415: "another content type or encoding",
    431: "the fields of the head are too many or too long",
    422: "nothing valid; `errors` points at what is wrong",
    429: "over the rate, or too much waits; Retry-After and RateLimit say when",
    503: "the store does not answer or is being rebuilt; nothing was acknowledged; Retry-After",
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's `responses` for these statuses, as problem+json."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {
            "description": _SAID[status],
            "content": {
                "application/problem+json": {"schema": schema, "example": {**PROBLEM_EXAMPLE, "status": status}}
            },
        }
        for status in statuses
    }


def answers(example: Any, status: int, description: str, *also: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's `responses`: an example of the success, and what may go wrong."""
    return {
        status: {"description": description, "content": {"application/json": {"example": example}}},
        **refusals(*also),
    }


def described(
    scope: str, *, body: dict[str, Any] | None = None, parameters: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """OpenAPI's extras of a route: its scope, body and parameters."""
    extra: dict[str, Any] = {"x-scope": scope}
    if body is not None:
        extra["requestBody"] = body
    if parameters is not None:
        extra["parameters"] = parameters
    return extra


SIGNED: dict[str, list[str]] = {"signature": [], "source": []}  # instead of a key, where a post may be signed


ACCEPTED = answers(
    ACCEPTED_EXAMPLE,
    202,
    "taken; `position` is that of the call's last item",
    400,
    401,
    403,
    408,
    413,
    415,
    422,
    429,
    503,
)
