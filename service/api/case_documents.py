"""Examples for the cluster routes in the OpenAPI document, and reading a decision's body."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from service.api.json_body import model_body
from service.model import DecisionRequest
from service.moderation.outcomes import VerdictTally
from service.moderation.score import judge
from service.moderation.signals.registry import evidence_of
from service.moderation.signals.signal import GroupFacts, Measurement
from service.moderation.summary import summarise
from service.moderation.usual import Usual
from service.policy import DEFAULT_POLICY

# Scored and worded by the code that does so for real groups, so that the example cannot fall behind it.
_MEASURED = {
    "base": Measurement(1.0, 1.0),
    "lockstep": Measurement(0.875, 0.0),
    "devotion": Measurement(1.0, 0.3),
    "group": Measurement(3.13, 0.0),
    "span": Measurement(1.0, 0.3),
    "pace": Measurement(172.0, 7_273.0),
    "pairs": Measurement(0.0, 1.0, 1.0),
    "fresh_accounts": Measurement(0.0, 0.0024, 1.0, 0, 3),
    "shared_fingerprints": Measurement(0.0, 0.05, 1.0, 0, 3),
    "near_duplicate_texts": Measurement(0.0, 0.05),
    "one_author": Measurement(0.25, 0.5, None, 1, 4),
    "burst": Measurement(3.0, 0.12, 0.026, 3, 3),
}
_COMPLAINTS_BY_MEMBER = [4, 4, 3]
_NO_VERDICTS = VerdictTally(upheld=0, rejected=0, unjudged=4)
_STRUCTURAL = evidence_of(_MEASURED, GroupFacts("repeat", 3, 4, "given"), DEFAULT_POLICY.weights)
_VERDICT = judge(
    _STRUCTURAL, _NO_VERDICTS, 4, usual=Usual(unfounded=0.71, known=3), flag_score=DEFAULT_POLICY.flag_score
)
_PLACES = 3  # of a computed figure, for those who read the example

CLUSTER_ITEM: dict[str, Any] = {
    "id": "k-5d0f4a1c9be2",
    "kind": "repeat",
    "disposition": _VERDICT.disposition,
    "status": "open",
    "coordination_score": round(_VERDICT.coordination, _PLACES),
    "score": round(_VERDICT.score, _PLACES),
    "probability": round(_VERDICT.probability, _PLACES),
    "unfounded_probability": round(_VERDICT.unfounded_probability, _PLACES),
    "settle_with": ["comment/812"],
    "first_at": "2021-12-14T18:04:11Z",
    "last_at": "2021-12-23T14:02:11Z",
    "reporter_count": 3,
    "tags": ["sports"],
    "target_count": 4,
    "summary": summarise(3, 4, _COMPLAINTS_BY_MEMBER, _STRUCTURAL, _NO_VERDICTS),
    "evidence": [{**e.model_dump(), "contribution": round(e.contribution, _PLACES)} for e in _VERDICT.evidence],
    "policy_version": "2026.12",
    "version": 3,
    "merged_into": None,
    "split_from": None,
    "earlier": None,
    "revoked_at": None,
    "revoked_because": None,
    "campaign": None,
}
CLUSTER = {
    **CLUSTER_ITEM,
    "reporters": ["r-12", "r-31", "r-77"],
    "targets": ["comment/812", "comment/905", "comment/931", "comment/977"],
}
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
            name: CLUSTER_ITEM[name]
            for name in ("id", "kind", "disposition", "status", "probability", "first_at", "last_at")
        }
    ],
}


async def decision_body(request: Request) -> DecisionRequest:
    """The body of a decision, read within bounds (see `model_body` for what it raises)."""
    return await model_body(request, DecisionRequest, "a decision")
