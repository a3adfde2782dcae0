"""Parts of the OpenAPI document that FastAPI cannot find on its own: bodies, parameters, answers, examples."""

from __future__ import annotations

from typing import Any

from service.api.answers import Problem
from service.api.questions import LONGEST_WAIT_MS, MOST
from service.fields import ID_CHARACTERS, ID_PATTERN
from service.model import Complaint, Outcome

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
        "context_title": "The new tram line",
        "context_url": "https://news.example/articles/3",
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
ACCEPTED_EXAMPLE: dict[str, Any] = {
    "accepted": 1,
    "rejected": [{"line": 2, "id": "c-1030", "detail": "'id' is required", "pointer": "/target/id"}],
    "rejected_count": 1,
    "position": 41_207,
}
ACCEPTED_ITEMS_EXAMPLE: dict[str, Any] = {
    **ACCEPTED_EXAMPLE,
    "notes": [
        {
            "line": 1,
            "id": "c-1029",
            "detail": "unknown: 1970-01-01T00:00:00+00:00 is before 1971",
            "pointer": "/reporter/account_created_at",
        }
    ],
    "notes_count": 1,
}
ASSESSMENT_EXAMPLE = {
    "target_id": "comment/5",
    "complaints": 12,
    "trusted_notices": 1,
    "unseen": 0,
    "independent_complaints": 4.172851,
    "coordinated_probability": 0.8342,
    "recommendation": "hold",
    "retry_after_ms": None,
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
    "detail": "no valid complaints (1 refused); the first: /target/id: 'id' is required",
    "errors": [{"id": "c-1030", "detail": "'id' is required", "pointer": "/target/id"}],
    "rejected_count": 1,
}
ID_PARAMETER = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The id as one percent-encoded segment: comment/5 becomes comment%2F5.",
    "schema": {"type": "string", "minLength": 1, "maxLength": ID_CHARACTERS, "pattern": ID_PATTERN},
    "example": "comment%2F5",
}
THRESHOLD_DESCRIPTION = (
    "Number of complaints at which the platform would remove the target. Default: the tenant's own threshold, 8 unless"
    " it was changed."
)
AFTER_DESCRIPTION = (
    "A `position` that a POST answered: the answer is to contain everything up to it. `pending` tells whether it does."
)
WAIT_DESCRIPTION = "How many milliseconds to wait at most until everything up to the position is analysed. Default: 0."


def _whole(name: str, description: str, low: int, high: int, example: int) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": {"type": "integer", "minimum": low, "maximum": high},
        "example": example,
    }


THRESHOLD_PARAMETER = _whole("threshold", THRESHOLD_DESCRIPTION, 1, MOST, 8)
AFTER_PARAMETER = _whole("after", AFTER_DESCRIPTION, 0, MOST, ACCEPTED_EXAMPLE["position"])
WAIT_PARAMETER = _whole("wait", WAIT_DESCRIPTION, 0, LONGEST_WAIT_MS, 1_000)
COUNTED_PARAMETER = _whole(
    "counted",
    "Complaints about the target by the platform's own count, where some have not been posted yet. What it exceeds the"
    " service's count by is treated as complaints that are not analysed yet.",
    0,
    MOST,
    9,
)
QUESTION_PARAMETERS = [THRESHOLD_PARAMETER, AFTER_PARAMETER, WAIT_PARAMETER, COUNTED_PARAMETER]
ASSESS_PARAMETER = {
    "name": "assess",
    "in": "query",
    "required": False,
    "description": (
        "`true`: answer with an assessment of each target as well, as GET /v1/targets/{id} would with `after`. At most"
        " 20 items; the key needs the scope `read` too."
    ),
    "schema": {"type": "boolean", "default": False},
}


def _items(name: str, example: dict[str, Any]) -> dict[str, Any]:
    one = {"$ref": f"#/components/schemas/{name}"}
    line = '{"id": "...", ...}\n'
    return {
        "required": True,
        "description": (
            f"One {name.lower()}, an array of at most 1,000, or NDJSON of at most 10,000 lines; gzip is accepted."
        ),
        "content": {
            "application/json": {
                "schema": {"anyOf": [one, {"type": "array", "items": one, "minItems": 1, "maxItems": 1_000}]},
                "examples": {
                    "one": {"summary": "one object", "value": example},
                    "array": {"summary": "an array", "value": [example]},
                },
            },
            "application/x-ndjson": {
                "schema": {"type": "string", "description": f"One object per line, at most 10,000 lines: {line}"}
            },
        },
    }


COMPLAINT_BODY = _items("Complaint", COMPLAINT_EXAMPLE)
OUTCOME_BODY = _items("Outcome", OUTCOME_EXAMPLE)
ASSESS_BODY = {
    "required": True,
    "description": "The targets, and the threshold to compare their counts with.",
    "content": {
        "application/json": {
            "schema": {"$ref": "#/components/schemas/AssessRequest"},
            "example": {"target_ids": ["comment/5", "comment/6"], "threshold": 8, "after": 41_207, "wait": 1_000},
        }
    },
}
# Schemas that no route's signature names.
EXTRA_MODELS = (Complaint, Outcome)

_DESCRIPTION_BY_STATUS = {
    400: "The body cannot be parsed, is empty, or is not valid gzip; or the cursor is not valid for this list.",
    401: "No valid key.",
    403: "The key does not have the required scope.",
    404: "Not found, or it belongs to another tenant.",
    408: "The body arrived too slowly.",
    409: "The cluster has changed since it was read, or was merged into another one.",
    413: "The body has too many bytes or items; nothing was stored.",
    414: "Path and query are too long.",
    415: "The content type or content encoding is not supported.",
    422: "A field or parameter is not valid or not known; `errors` lists which.",
    429: "Over the rate limit, or too many items are waiting; see Retry-After and RateLimit.",
    431: "The header has too many fields or is too long.",
    503: "The store is unavailable or being rebuilt; nothing was acknowledged. Try again after Retry-After.",
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's `responses` for these statuses, as problem+json."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {
            "description": _DESCRIPTION_BY_STATUS[status],
            "model": Problem,
            "content": {
                "application/problem+json": {"schema": schema, "example": {**PROBLEM_EXAMPLE, "status": status}}
            },
        }
        for status in statuses
    }


def answers(example: Any, status: int, description: str, *also: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's `responses`: the success with an example, and the failures with these statuses (`also`)."""
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


ADMIN_SCOPE = described("admin")
# Instead of a key, where a request may be signed.
SIGNED: dict[str, list[str]] = {"signature": [], "source": []}


def accepted(example: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's `responses` of a route that stores items, with an example of its receipt."""
    return answers(
        example,
        202,
        "Stored safely; `position` is that of the batch's last item.",
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


ACCEPTED = accepted(ACCEPTED_EXAMPLE)
