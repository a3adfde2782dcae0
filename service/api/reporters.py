"""Reporters over HTTP: the history of one, and erasing one."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool

from service.api.api_context import api_context
from service.api.auth import Forgetting, Reading
from service.api.case_documents import REPORTER
from service.api.clusters import Now, TenantFilter
from service.api.namespaces import NAMESPACE_PARAMETER, requested_namespace
from service.api.openapi_parts import answers, described
from service.intake.namespaces import prefixed
from service.intake.privacy_filter import PrivacyFilter
from service.model import Disposition, Kind, Status, microseconds
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenants import KeyRecord, name_of_key
from service.storage.complaints.reporters import read_reporter
from service.storage.privacy import erasures
from service.storage.sql.engine import write

router = APIRouter(tags=["reporters"])


class ReporterCluster(BaseModel):
    """A cluster that the reporter is a member of."""

    id: str = Field(description="The cluster's id.")
    kind: Kind = Field(description="`repeat` or `one_shot`; see ClusterItem.")
    disposition: Disposition = Field(description="What became of the cluster; see ClusterItem.")
    status: Status = Field(description="Where it is in the moderators' queue; see ClusterItem.")
    probability: float = Field(description="Probability that the cluster is coordinated, 0 to 1.")
    first_at: datetime = Field(description="Time of the cluster's earliest complaint.")
    last_at: datetime = Field(description="Time of the cluster's latest complaint.")


class ReporterReputation(BaseModel):
    """How likely a complaint by the reporter is right, given what people decided about earlier ones."""

    mean: float = Field(ge=0, le=1, description="Probability that a complaint is right; 0.5 without evidence.")
    low: float = Field(ge=0, le=1, description="Lower end of the 90 % credible interval.")
    high: float = Field(ge=0, le=1, description="Upper end of the 90 % credible interval.")
    weight: float = Field(
        ge=0,
        description=(
            "Number of decided complaints that it rests on. Their weight halves every 180 days; an upheld one is shared"
            " among everyone who complained about the target."
        ),
    )
    upheld: int = Field(description="Decided complaints that were right, each counted once.")
    rejected: int = Field(description="Decided complaints that were wrong, each counted once.")


class ReporterHistory(BaseModel):
    """A reporter's history: how many complaints, how people judged them, and with which groups."""

    id: str = Field(description="The reporter's id (a pseudonym if the tenant uses them).")
    first_at: datetime = Field(description="Time of the earliest complaint.")
    last_at: datetime = Field(description="Time of the latest complaint.")
    complaints: int = Field(description="All archived complaints: the sum of the next four.")
    standing: int = Field(description="Complaints that count: the earliest on each target, unless withdrawn.")
    repeats: int = Field(description="Later complaints about a target that the reporter already complained about.")
    withdrawn: int = Field(description="Complaints that were withdrawn.")
    machine: int = Field(description="Complaints sent by another server or a filter: in no count and no cluster.")
    targets: int = Field(description="Number of targets that the reporter complained about.")
    upheld: int = Field(description="Standing complaints that a person or an appeal found right.")
    rejected: int = Field(description="Standing complaints that a person or an appeal found wrong.")
    reputation: ReporterReputation | None = Field(
        None, description="How likely a complaint by the reporter is right. Null: none has been judged."
    )
    cluster_count: int = Field(description="Number of clusters that the reporter is a member of.")
    clusters: list[ReporterCluster] = Field(description="The latest 100 of these clusters.")


@router.get(
    "/v1/reporters/{id}",
    response_model=ReporterHistory,
    summary="Get a reporter's history",
    openapi_extra=described("read", parameters=[NAMESPACE_PARAMETER]),
    responses=answers(REPORTER, 200, "The reporter's history.", 404),
)
def get_reporter(request: Request, key: Reading, id: str, now: Now, privacy_filter: TenantFilter) -> ReporterHistory:
    """Counts, judgements and clusters of one reporter. 404 for an account that never complained to this tenant."""
    reporter_id = privacy_filter.reporter(_under(requested_namespace(request), id, privacy_filter))
    with api_context(request).engine.connect() as connection:
        history = read_reporter(connection, key.tenant_id, reporter_id, now=now)
    counts = {name: value for name, value in asdict(history).items() if name != "judged"}
    return ReporterHistory(**counts, upheld=history.judged.upheld, rejected=history.judged.rejected)


class ErasureAsked(BaseModel):
    """The erasure is in progress."""

    job: str = Field(description="Id of the erasure. The audit log has an entry with it when the erasure is complete.")


@router.delete(
    "/v1/reporters/{id}",
    status_code=202,
    response_model=ErasureAsked,
    summary="Erase a reporter",
    openapi_extra=described("forget", parameters=[NAMESPACE_PARAMETER]),
    responses=answers({"job": "erasure_5d0f4a1c9be2e77a01c3d9f4"}, 202, "The erasure is in progress.", 422),
)
async def erase_reporter(request: Request, key: Forgetting, id: str, now: Now) -> ErasureAsked:
    """Replace the reporter's id everywhere by one random token, delete texts, fingerprint and account age, and refuse
    all further complaints under the id.

    Counts and clusters stay, so assessments do not change. 202 also for an account that is already erased or never
    complained. Takes seconds to minutes, since files that contain the id are rewritten (docs/privacy.md).
    """
    api, namespace = api_context(request), requested_namespace(request)
    privacy_filter = await api.privacy_filters.of(key.tenant_id)
    reporter_id, box = _under(namespace, id, privacy_filter), SecretBox(api.settings)
    job = await run_in_threadpool(_request_erasure, api.engine, box, key, privacy_filter, reporter_id, now)
    api.privacy_filters.forget(key.tenant_id)
    return ErasureAsked(job=job)


def _under(namespace: str | None, reporter_id: str, privacy_filter: PrivacyFilter) -> str:
    """The id under the namespace; a pseudonym, which was made of such an id, as it is."""
    return reporter_id if privacy_filter.is_pseudonym(reporter_id) else prefixed(namespace, reporter_id)


def _request_erasure(
    engine: Engine, box: SecretBox, key: KeyRecord, privacy_filter: PrivacyFilter, reporter_id: str, now: datetime
) -> str:
    with write(engine) as connection:
        return erasures.request_erasure(
            connection,
            key.tenant_id,
            privacy_filter,
            box,
            reporter_id,
            actor=name_of_key(connection, key.id),
            now_us=microseconds(now),
        )
