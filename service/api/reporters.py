"""Reporters over HTTP: what is known of one."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool

from service.api.api_context import api_context
from service.api.auth import require
from service.api.case_documents import REPORTER, told
from service.api.clusters import Now, Reading, TenantFilter
from service.intake.privacy_filter import PrivacyFilter
from service.model import Disposition, Kind, Status, microseconds
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenants import KeyRecord, name_of_key
from service.storage.complaints.reporters import read_reporter
from service.storage.privacy import erasures
from service.storage.sql.engine import write

router = APIRouter(tags=["reporters"])
Administering = Annotated[KeyRecord, Depends(require("admin"))]


class ReporterCluster(BaseModel):
    """A cluster that the reporter is a member of."""

    id: str
    kind: Kind
    disposition: Disposition
    status: Status
    probability: float = Field(description="of coordination")
    first_at: datetime
    last_at: datetime


class ReporterReputation(BaseModel):
    """How likely a complaint of the reporter is right, by what people decided about earlier ones."""

    mean: float = Field(ge=0, le=1, description="0.5 where nothing weighs in either direction")
    low: float = Field(ge=0, le=1, description="lower end of the 90 % credible interval")
    high: float = Field(ge=0, le=1, description="upper end of it")
    weight: float = Field(
        ge=0,
        description=(
            "decided complaints that it rests on: halved every 180 days; an upheld one is shared among all who"
            " complained about the target"
        ),
    )
    upheld: int = Field(description="decided complaints that were found right, each once")
    rejected: int = Field(description="and wrong")


class ReporterHistory(BaseModel):
    """Who complains: how much, how people judged it, with whom."""

    id: str
    first_at: datetime = Field(description="earliest complaint")
    last_at: datetime = Field(description="latest complaint")
    complaints: int = Field(description="all that are archived; the next four add up to it")
    standing: int = Field(description="counted: the earliest on each target that was not withdrawn")
    repeats: int = Field(description="later ones on a target already complained about")
    withdrawn: int
    machine: int = Field(description="sent by another server or a filter: in no count, in no cluster")
    targets: int
    upheld: int = Field(description="standing complaints that a person or an appeal found right")
    rejected: int = Field(description="standing complaints that a person or an appeal found wrong")
    reputation: ReporterReputation | None = Field(
        None, description="null while nobody has judged any of the complaints"
    )
    cluster_count: int
    clusters: list[ReporterCluster] = Field(description="the latest 100")


@router.get(
    "/v1/reporters/{id}",
    response_model=ReporterHistory,
    summary="What is known of a reporter?",
    responses=told(REPORTER, 404),
)
def get_reporter(request: Request, key: Reading, id: str, now: Now, privacy_filter: TenantFilter) -> ReporterHistory:
    """History, how the complaints were judged, clusters. 404 for one that never complained to this tenant."""
    with api_context(request).engine.connect() as connection:
        history = read_reporter(connection, key.tenant_id, privacy_filter.reporter(id), now=now)
    counts = {name: value for name, value in asdict(history).items() if name != "judged"}
    return ReporterHistory(**counts, upheld=history.judged.upheld, rejected=history.judged.rejected)


class ErasureAsked(BaseModel):
    """The erasure is under way."""

    job: str = Field(description="the audit trail says under this name when it is done")


@router.delete(
    "/v1/reporters/{id}",
    status_code=202,
    response_model=ErasureAsked,
    summary="Forget a reporter",
    openapi_extra={"x-scope": "admin"},
    responses=told({"job": "erasure_5d0f4a1c9be2e77a01c3d9f4"}, 422, success=202),
)
async def erase_reporter(request: Request, key: Administering, id: str, now: Now) -> ErasureAsked:
    """Replaces the id everywhere by one random token, deletes texts, fingerprint and account age, and refuses whatever
    is sent under the id from now on.

    Structure and counts stay: assessments answer as before. 202 also for one that is erased already or never
    complained. Done within seconds to minutes: the files that held the id are written anew (docs/privacy.md).
    """
    api = api_context(request)
    privacy_filter = await api.privacy_filters.of(key.tenant_id)
    job = await run_in_threadpool(_ask, api.engine, SecretBox(api.settings), key, privacy_filter, id, now)
    api.privacy_filters.forget(key.tenant_id)
    return ErasureAsked(job=job)


def _ask(
    engine: Engine, box: SecretBox, key: KeyRecord, privacy_filter: PrivacyFilter, reporter_id: str, now: datetime
) -> str:
    with write(engine) as connection:
        return erasures.ask(
            connection,
            key.tenant_id,
            privacy_filter,
            box,
            reporter_id,
            actor=name_of_key(connection, key.id),
            now_us=microseconds(now),
        )
