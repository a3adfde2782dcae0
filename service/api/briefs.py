"""The brief over HTTP: what a moderator should know about a target on an appeal."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from service.api.api_context import api_context
from service.api.auth import authenticate
from service.api.namespaces import NAMESPACE_PARAMETER, requested_id
from service.api.openapi_parts import ASSESSMENT_EXAMPLE, ID_PARAMETER, THRESHOLD_PARAMETER, answers, described
from service.api.questions import Question, answers_to, requested_threshold
from service.model import Action, DecidedBy, Decision, Disposition, Kind, Status, Verdict
from service.moderation.brief import (
    AutomatedDecision,
    Dossier,
    Fragment,
    SourceType,
    fragment,
    not_known,
    sentences,
)
from service.moderation.restorations import RestorationState
from service.moderation.target_assessment import Assessment
from service.moderation.transparency_database import PLATFORM_ONLY, statement_of
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
    "independent_complaints": 4.172851,
    "discounted_complaints": 7.827149,
    "threshold": 8,
    "crossed_by_complaints": True,
    "crossed_by_independent": False,
    "policy_version": "2026.12",
    "decision_facts": (
        "12 people complained; the independent count is 4.2. 7.8 were discounted as coordinated. Removed automatically"
        " on 2021-12-23 14:05 UTC."
    ),
    "transparency_database": {
        "fields": {
            "decision_visibility": ["DECISION_VISIBILITY_CONTENT_REMOVED"],
            "application_date": "2021-12-23",
            "decision_facts": (
                "12 people complained; the independent count is 4.2. 7.8 were discounted as coordinated. Removed"
                " automatically on 2021-12-23 14:05 UTC."
            ),
            "source_type": "SOURCE_TYPE_OTHER_NOTIFICATION",
            "automated_detection": "No",
            "automated_decision": "AUTOMATED_DECISION_FULLY",
        },
        "platform_only": {"puid": PLATFORM_ONLY["puid"], "category": PLATFORM_ONLY["category"]},
    },
}
BRIEF_EXAMPLE: dict[str, Any] = {
    "target_id": "comment/5",
    "policy_version": "2026.12",
    "text": [
        (
            "12 people complained about this target. A group that complains together counts as one voice: that leaves"
            " 4.2 independent complaints."
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
        "trusted_notices": 0,
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
            "summary": "9 accounts complained about the same 31 targets; acting together, not judged yet.",
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
            "retracts": None,
        }
    ],
    "restoration": {
        "state": "open",
        "complaints": 12,
        "independent_complaints": 4.172851,
        "threshold": 8,
        "removed_at": "2021-12-23T14:05:00Z",
        "removed_by": "automatic",
    },
    "statement_of_reasons": _FRAGMENT,
    "not_known": ["Whether the complaints are right: no person's verdict was received."],
}


class BriefComplaints(BaseModel):
    """Counts of the complaints about the target."""

    standing: int = Field(description="Complaints that count: one per reporter.")
    repeats: int = Field(description="Further complaints by the same reporters.")
    withdrawn: int = Field(description="Complaints that were withdrawn.")
    machine: int = Field(description="Complaints sent by another server or a filter; they do not count.")
    illegal_content_notices: int = Field(description="Standing complaints that are notices of illegal content.")
    trusted: int = Field(
        description=(
            "Standing complaints by trusted flaggers. Where the tenant's registry names the reporter, it decides whose"
            " are, by area and time; otherwise `reporter.trusted` does."
        )
    )
    trusted_notices: int = Field(
        description=(
            "Those of them that are notices of illegal content in the flagger's area: they have priority (DSA Art. 22)."
        )
    )
    first_at: datetime | None = Field(description="Time of the earliest standing complaint. Null: there is none.")
    last_at: datetime | None = Field(description="Time of the latest standing complaint. Null: there is none.")
    reasons: dict[str, int] = Field(description="The most frequent reasons of standing complaints, with their counts.")


class BriefCluster(BaseModel):
    """A cluster whose members complained about the target."""

    id: str = Field(description="The cluster's id.")
    kind: Kind = Field(description="`repeat` or `one_shot`; see ClusterItem.")
    disposition: Disposition = Field(description="What became of the cluster; see ClusterItem.")
    status: Status = Field(description="Where it is in the moderators' queue; see ClusterItem.")
    summary: str = Field(description="One sentence for people: who did what, and why it is unusual.")
    verdict: str | None = Field(description="The verdict of a person that is in force. Null: none.")
    complaints: int = Field(description="Standing complaints about the target by its members.")
    probability: float | None = Field(
        description="Probability that it is coordinated, 0 to 1. Null: it is not in the current assessment."
    )
    unfounded_probability: float | None = Field(
        description="Probability that its complaints are unfounded, 0 to 1. Null: not in the current assessment."
    )
    independent_without: float | None = Field(
        description="Independent count if it had not been found. Null: not in the current assessment."
    )
    crossed_without: bool | None = Field(
        description="Whether that count reaches the threshold. Null: not in the current assessment."
    )
    decisions: list[Decision] = Field(description="All decisions on it, oldest first.")


class BriefOutcome(BaseModel):
    """A decision of the platform about the target."""

    id: str = Field(description="The outcome's id.")
    decided_at: datetime = Field(description="When it was decided.")
    received_at: datetime = Field(description="When the service received it.")
    verdict: Verdict | None = Field(description="`upheld` or `rejected`. Null: the complaints were not judged.")
    action: Action | None = Field(description="`removed`, `kept` or `restored`. Null: nothing was reported.")
    decided_by: DecidedBy = Field(description="`person`, `automatic` or `appeal`.")
    complaint_id: str | None = Field(description="The only complaint that was judged. Null: all of them.")
    retracts: str | None = Field(
        description="The id of the outcome that this one takes back: that one no longer counts. Null: none."
    )


class BriefRestoration(BaseModel):
    """A removal that rested on coordinated complaints: its counts then, and what became of it."""

    state: RestorationState = Field(description="`open`, `stands` or `restored`; see RestorationItem.")
    complaints: int = Field(description="Standing complaints when it was removed.")
    independent_complaints: float = Field(description="Independent count of those complaints, as known now.")
    threshold: int = Field(description="Number of complaints at which the tenant removes.")
    removed_at: datetime = Field(description="When it was removed.")
    removed_by: str = Field(description="`automatic`, `person` or `appeal`.")


class DatabaseFields(BaseModel):
    """The removal in the fields of the DSA Transparency Database (Art. 24(5) DSA), without personal data."""

    fields: dict[str, str | list[str]] = Field(
        description=(
            "What complaints and outcomes tell, under the database's names. For an account that was suspended, send"
            " `decision_account` in place of `decision_visibility`."
        )
    )
    platform_only: dict[str, str] = Field(
        description="The other required fields, which only the platform knows, each with what belongs there."
    )


class StatementFragment(BaseModel):
    """Facts for a statement of reasons (DSA Art. 17), with the terms of the Commission's transparency database where it
    has one. Have a lawyer check it.
    """

    restriction: str | None = Field(description="`removed`. Null: no removal is in force.")
    decided_at: datetime | None = Field(description="When the removal was decided. Null: no removal is in force.")
    decided_by: DecidedBy | None = Field(description="Who decided the removal. Null: no removal is in force.")
    source_type: SourceType | None = Field(
        description="Kind of notice, judging by the complaints received. Null: there are no complaints."
    )
    automated_detection: str | None = Field(
        description=(
            "`Yes` if a filter or another server reported the target, `No` if only people did. The platform's own"
            " filters are not visible here. Null: there are no complaints."
        )
    )
    automated_decision: AutomatedDecision | None = Field(
        description="Whether the removal was automatic. Null: no removal is in force."
    )
    notices_of_illegal_content: int = Field(description="Standing complaints that are notices of illegal content.")
    complaints: int = Field(description="Standing complaints.")
    independent_complaints: float = Field(description="Independent count of the standing complaints.")
    discounted_complaints: float = Field(description="Standing complaints minus the independent count.")
    threshold: int = Field(description="The threshold that the counts are compared with.")
    crossed_by_complaints: bool = Field(description="Whether the standing complaints reach the threshold.")
    crossed_by_independent: bool = Field(description="Whether the independent count reaches the threshold.")
    policy_version: str = Field(description="Version of the thresholds of detection.")
    decision_facts: str = Field(description="The facts of the decision in a few sentences.")
    transparency_database: DatabaseFields | None = Field(
        description="The same in the fields of the DSA Transparency Database. Null: no removal is in force."
    )


class Brief(BaseModel):
    """What a moderator should know about a target on an appeal."""

    target_id: str = Field(description="The target that was requested.")
    policy_version: str = Field(description="Version of the thresholds of detection.")
    text: list[str] = Field(description="Plain sentences, the most important first.")
    assessment: Assessment = Field(description="The assessment at the requested threshold.")
    complaints: BriefComplaints = Field(description="How many complaints there are about the target, by state.")
    clusters: list[BriefCluster] = Field(description="The clusters whose members complained about the target.")
    outcomes: list[BriefOutcome] = Field(description="The latest 200 decisions of the platform, oldest first.")
    restoration: BriefRestoration | None = Field(
        description="The removal that may have to be reversed. Null: there is none."
    )
    statement_of_reasons: StatementFragment = Field(description="Facts for a statement of reasons (DSA Art. 17).")
    not_known: list[str] = Field(description="What this brief cannot say, in plain sentences.")


@router.get(
    "/v1/targets/{id}/brief",
    response_model=Brief,
    summary="Get a target's brief for an appeal",
    openapi_extra=described("read", parameters=[ID_PARAMETER, THRESHOLD_PARAMETER, NAMESPACE_PARAMETER]),
    responses=answers(BRIEF_EXAMPLE, 200, "The brief; zeros for an unknown target.", 401, 403, 422, 503),
)
async def get_brief(request: Request) -> Brief:
    """How many people complained and how many independently, which groups are among them, what was decided by whom, and
    what is not known: in plain sentences, and as facts for a statement of reasons.
    """
    key = await authenticate(request, "read")
    target_id, threshold, api = requested_id(request), requested_threshold(request, key), api_context(request)
    (assessment,) = await answers_to(request, key, [target_id], Question(threshold))

    def read() -> tuple[Dossier, Policy]:
        with api.engine.connect() as connection:
            return read_dossier(connection, key.tenant_id, target_id, now=api.now()), policy_of(
                connection, key.tenant_id
            )

    dossier, policy = await run_in_threadpool(read)
    return _brief(assessment, dossier, threshold, policy.version)


def _statement(told: Fragment) -> StatementFragment:
    found = statement_of(told)
    return StatementFragment(
        **asdict(told), transparency_database=None if found is None else DatabaseFields(**asdict(found))
    )


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
    return Brief(
        target_id=assessment.target_id,
        policy_version=policy_version,
        text=sentences(assessment, dossier, threshold),
        assessment=assessment,
        complaints=BriefComplaints(**asdict(dossier.figures)),
        clusters=clusters,
        outcomes=[BriefOutcome(**asdict(outcome)) for outcome in dossier.outcomes],
        restoration=None if dossier.restoration is None else BriefRestoration(**asdict(dossier.restoration)),
        statement_of_reasons=_statement(fragment(assessment, dossier, threshold, policy_version)),
        not_known=not_known(assessment, dossier),
    )
