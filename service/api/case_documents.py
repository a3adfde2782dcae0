"""Examples for the cluster routes in the OpenAPI document, and reading a decision's body."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from service.api.json_body import model_body
from service.model import DecisionRequest

CLUSTER_ITEM: dict[str, Any] = {
    "id": "k-5d0f4a1c9be2",
    "kind": "repeat",
    "disposition": "flagged",
    "status": "open",
    "score": 7.4,
    "probability": 0.97,
    "unfounded_probability": 0.81,
    "settle_with": ["comment/812"],
    "first_at": "2021-12-01T18:04:11Z",
    "last_at": "2021-12-23T14:02:11Z",
    "reporter_count": 3,
    "target_count": 2,
    "summary": (
        "3 accounts complained together about 2 targets of author a-9 within minutes of each other;"
        " acting together, not judged yet."
    ),
    "evidence": [
        {
            "signal": "lockstep",
            "value": 0.83,
            "usual": 0.05,
            "p_value": None,
            "contribution": 4.2,
            "text": "83 % of the members complain about each target",
        }
    ],
    "policy_version": "2026.12",
    "version": 3,
    "merged_into": None,
    "split_from": None,
    "earlier": None,
    "revoked_at": None,
    "revoked_because": None,
}
CLUSTER = {**CLUSTER_ITEM, "reporters": ["r-12", "r-31", "r-77"], "targets": ["comment/812", "comment/977"]}
COMPLAINT = {
    "complaint": {
        "id": "c-1029",
        "occurred_at": "2021-12-23T14:02:11Z",
        "reporter": {"id": "r-77"},
        "target": {"id": "comment/812", "author_id": "a-9", "context_id": "article-3"},
        "reason": "abuse",
    },
    "received_at": "2021-12-23T14:02:12Z",
    "withdrawn": False,
    "exempt": False,
}
DECISION: dict[str, Any] = {
    "id": "d-9f2c61a07be34d15",
    "cluster_id": "k-5d0f4a1c9be2",
    "at": "2021-12-24T09:00:00Z",
    "by": "desk",
    "verdict": "coordinated",
    "reason_code": "brigade",
    "note": None,
    "excluded_reporters": [],
    "snooze_until": None,
    "reverses": None,
    "version": 3,
}
NODE_LINK = {
    "directed": False,
    "multigraph": False,
    "graph": {"cluster": "k-5d0f4a1c9be2", "view": "bipartite", "truncated": {"nodes": 0, "edges": 0}},
    "nodes": [
        {
            "id": "target:comment/812",
            "kind": "target",
            "name": "comment/812",
            "complaints": 1,
            "first_at": "2021-12-23T14:02:11Z",
            "last_at": "2021-12-23T14:02:11Z",
        },
        {
            "id": "reporter:r-77",
            "kind": "reporter",
            "name": "r-77",
            "complaints": 1,
            "first_at": "2021-12-23T14:02:11Z",
            "last_at": "2021-12-23T14:02:11Z",
        },
    ],
    "edges": [
        {
            "source": "reporter:r-77",
            "target": "target:comment/812",
            "weight": 1,
            "first_at": "2021-12-23T14:02:11Z",
            "last_at": "2021-12-23T14:02:11Z",
        }
    ],
}
REPORTER = {
    "id": "r-77",
    "first_at": "2021-11-02T08:00:00Z",
    "last_at": "2021-12-23T14:02:11Z",
    "complaints": 41,
    "standing": 38,
    "repeats": 2,
    "withdrawn": 1,
    "machine": 0,
    "targets": 38,
    "upheld": 3,
    "rejected": 17,
    "cluster_count": 1,
    "reputation": {"mean": 0.159, "low": 0.042, "high": 0.324, "weight": 12.4, "upheld": 3, "rejected": 17},
    "clusters": [
        {
            "id": "k-5d0f4a1c9be2",
            "kind": "repeat",
            "disposition": "flagged",
            "status": "open",
            "probability": 0.97,
            "first_at": "2021-12-01T18:04:11Z",
            "last_at": "2021-12-23T14:02:11Z",
        }
    ],
}


async def decision_body(request: Request) -> DecisionRequest:
    """The body of a decision, read within bounds (see `model_body` for what it raises)."""
    return await model_body(request, DecisionRequest, "a decision")
