"""What a moderator should know about a target on an appeal, over HTTP."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from service.api.api_context import api_context
from service.api.auth import authenticate
from service.api.openapi_parts import ASSESSMENT_EXAMPLE, ID_PARAMETER, THRESHOLD_PARAMETER, answers, described
from service.api.raw_path import segment
from service.api.targets import asked_threshold, standings_of
from service.model import Action, Assessment, DecidedBy, Decision, Disposition, Kind, Status, Verdict
from service.moderation.assessment import assess
from service.moderation.brief import AutomatedDecision, Dossier, SourceType, fragment, not_known, sentences
from service.moderation.restorations import RestorationState
from service.policy import Policy
from service.storage.accounts.policy_overrides import policy_of
from service.storage.cases.brief_reads import read_dossier

router = APIRouter(tags=["targets"])
_FRAGMENT: dict[str, Any] = {
    "restriction": "removed",
    "decided_at": "2021-12-23T14:05:00Z",
    "decided_by": "automatic",
    "source_type": "SOURCE_TYPE_OTHER_NOTIFICATION",
    "automated_detection": "No",
    "automated_decision": "AUTOMATED_DECISION_FULLY",
    "notices_of_illegal_content": 0,
    "complaints": 12,
    "independent_complaints": 4.333333,
    "discounted_complaints": 7.666667,
    "threshold": 8,
    "crossed_by_complaints": True,
    "crossed_by_independent": False,
    "policy_version": "2026.11",
    "decision_facts": (
        "12 people complained; counted independently 4.3. 7.7 were discounted as coordinated. Removed automatically on"
        " 2021-12-23 14:05 UTC."
    ),
}
BRIEF_EXAMPLE: dict[str, Any] = {
    "target_id": "comment/5",
    "policy_version": "2026.11",
    "text": [
        (
            "12 people complained about this target. A group that complains together counts as one voice: that leaves"
            " 4.3 independent complaints."
        ),
        (
            "At a threshold of 8 only coordinated complaints carry it over. We recommend not to remove it by its count,"
            " and to look at it."
        ),
    ],
    "assessment": ASSESSMENT_EXAMPLE,
    "complaints": {
        "standing": 12,
        "repeats": 1,
        "withdrawn": 0,
        "machine": 0,
        "illegal_content_notices": 0,
        "trusted": 0,
        "first_at": "2021-12-23T13:58:00Z",
        "last_at": "2021-12-23T14:02:11Z",
        "reasons": {"abuse": 11, "spam": 1},
    },
    "clusters": [
        {
            "id": "k-5d0f4a1c9be2",
            "kind": "repeat",
            "disposition": "flagged",
            "status": "open",
            "summary": "9 accounts complained about the same 31 targets; not reviewed yet.",
            "verdict": None,
            "complaints": 9,
            "probability": 0.97,
            "unfounded_probability": 0.86,
            "independent_without": 12.0,
            "crossed_without": True,
            "decisions": [],
        }
    ],
    "outcomes": [
        {
            "id": "o-1",
            "decided_at": "2021-12-23T14:05:00Z",
            "received_at": "2021-12-23T14:05:01Z",
            "verdict": None,
            "action": "removed",
            "decided_by": "automatic",
            "complaint_id": None,
        }
    ],
    "restoration": {
        "state": "open",
        "complaints": 12,
        "independent_complaints": 4.333333,
        "threshold": 8,
        "removed_at": "2021-12-23T14:05:00Z",
        "removed_by": "automatic",
    },
    "statement_of_reasons": _FRAGMENT,
    "not_known": ["Whether the complaints are right: no person's verdict was received."],
}


class BriefComplaints(BaseModel):
    """The complaints about the target, by what became of them."""

    standing: int = Field(description="one a reporter")
    repeats: int = Field(description="later ones of the same reporters")
    withdrawn: int
    machine: int = Field(description="sent by another server or a filter")
    illegal_content_notices: int = Field(description="of the standing")
    trusted: int = Field(description="of the standing: by trusted flaggers")
    first_at: datetime | None
    last_at: datetime | None
    reasons: dict[str, int] = Field(description="the most frequent reasons of the standing")


class BriefCluster(BaseModel):
    """A cluster on the target."""

    id: str
    kind: Kind
    disposition: Disposition
    status: Status
    summary: str
    verdict: str | None = Field(description="a person's, that stands")
    complaints: int = Field(description="its standing complaints about this target")
    probability: float | None = Field(description="of coordination")
    unfounded_probability: float | None
    independent_without: float | None = Field(description="the independent count had it not been found")
    crossed_without: bool | None = Field(description="whether that reaches the threshold")
    decisions: list[Decision] = Field(description="all of them, oldest first")


class BriefOutcome(BaseModel):
    """What the platform decided."""

    id: str
    decided_at: datetime
    received_at: datetime
    verdict: Verdict | None
    action: Action | None
    decided_by: DecidedBy
    complaint_id: str | None


class BriefRestoration(BaseModel):
    """What its count was made of when it was removed, and what became of that."""

    state: RestorationState
    complaints: int
    independent_complaints: float
    threshold: int
    removed_at: datetime
    removed_by: str


class StatementFragment(BaseModel):
    """For a statement of reasons (DSA Art. 17), in the words of the Commission's transparency database where it has
    some. Have a lawyer look at it.
    """

    restriction: str | None = Field(description="removed, or null where no removal stands")
    decided_at: datetime | None
    decided_by: DecidedBy | None
    source_type: SourceType | None = Field(description="by the complaints that were told; null without any")
    automated_detection: str | None = Field(
        description=(
            "Yes where a filter or another server reported, No where people alone did; a platform's own filters are not"
            " seen here"
        )
    )
    automated_decision: AutomatedDecision | None
    notices_of_illegal_content: int
    complaints: int
    independent_complaints: float
    discounted_complaints: float
    threshold: int
    crossed_by_complaints: bool
    crossed_by_independent: bool
    policy_version: str
    decision_facts: str


class Brief(BaseModel):
    """What a moderator should know."""

    target_id: str
    policy_version: str
    text: list[str] = Field(description="plain sentences, the most important first")
    assessment: Assessment
    complaints: BriefComplaints
    clusters: list[BriefCluster]
    outcomes: list[BriefOutcome] = Field(description="in the order of their decisions; the latest 200")
    restoration: BriefRestoration | None
    statement_of_reasons: StatementFragment
    not_known: list[str]


@router.get(
    "/v1/targets/{id}/brief",
    response_model=Brief,
    summary="What should be known on an appeal?",
    openapi_extra=described("read", parameters=[ID_PARAMETER, THRESHOLD_PARAMETER]),
    responses=answers(BRIEF_EXAMPLE, 200, "the brief; zeros for a target never seen", 401, 403, 422, 503),
)
async def get_brief(request: Request) -> Brief:
    """How many complained, how many independently, which groups, what was decided by whom and what automatically, and
    what is not known.

    In plain words, and as a fragment for a statement of reasons.
    """
    key = await authenticate(request, "read")
    target_id, threshold, api = segment(request, "id"), asked_threshold(request, key), api_context(request)
    standings = await standings_of(request, key, [target_id])
    standing = standings.targets[0]
    assessment = assess(
        target_id,
        standing.complaints,
        standing.summary,
        threshold=threshold,
        as_of=standings.as_of,
        pending=standings.pending,
    )

    def read() -> tuple[Dossier, Policy]:
        with api.engine.connect() as connection:
            return read_dossier(connection, key.tenant_id, target_id, now=api.now()), policy_of(
                connection, key.tenant_id
            )

    dossier, policy = await run_in_threadpool(read)
    return _brief(assessment, dossier, threshold, policy.version)


def _brief(assessment: Assessment, dossier: Dossier, threshold: int, policy_version: str) -> Brief:
    shares = {share.id: share for share in assessment.clusters}
    clusters = []
    for group in dossier.groups:
        part, without = shares.get(group.id), assessment.without_clusters.get(group.id)
        clusters.append(
            BriefCluster(
                id=group.id,
                kind=group.kind,
                disposition=group.disposition,
                status=group.status,
                summary=group.summary,
                verdict=group.verdict,
                complaints=part.complaints if part else 0,
                probability=part.probability if part else None,
                unfounded_probability=part.unfounded_probability if part else None,
                independent_without=without,
                crossed_without=None if without is None else without >= threshold,
                decisions=list(group.decisions),
            )
        )
    figures = {name: value for name, value in asdict(dossier.figures).items() if name != "trusted_notices"}
    return Brief(
        target_id=assessment.target_id,
        policy_version=policy_version,
        text=sentences(assessment, dossier, threshold),
        assessment=assessment,
        complaints=BriefComplaints(**figures),
        clusters=clusters,
        outcomes=[BriefOutcome(**asdict(outcome)) for outcome in dossier.outcomes],
        restoration=None if dossier.restoration is None else BriefRestoration(**asdict(dossier.restoration)),
        statement_of_reasons=StatementFragment(**asdict(fragment(assessment, dossier, threshold, policy_version))),
        not_known=not_known(assessment, dossier),
    )
