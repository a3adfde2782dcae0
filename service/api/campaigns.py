"""Campaigns over HTTP: clusters that continue one another over months, and what people say about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool

from service.api.api_context import api_context
from service.api.auth import Moderating, Reading
from service.api.json_body import model_body
from service.api.openapi_parts import answers
from service.api.pages import Cursor, Limit, ListOf, link_next, requested_page
from service.api.problems import Invalid
from service.errors import NotFound, Refused
from service.fields import Id
from service.model import Disposition, Frozen, RejectedItem, Status
from service.moderation.campaigns import Relation
from service.storage.accounts.tenants import KeyRecord, name_of_key
from service.storage.cases import campaign_reads
from service.storage.cases.campaign_reads import CampaignFile
from service.storage.cases.campaign_statements import LONGEST_NOTE, MOST_OTHERS, declare
from service.storage.sql.cursors import Page
from service.storage.sql.engine import write

router = APIRouter(tags=["campaigns"])
_LIST, _SORT = "campaigns", "-last_at"
_EXAMPLE_ITEM: dict[str, Any] = {
    "id": "cp1f0e9d8c7b6a5948",
    "cluster_count": 2,
    "formed_at": "2021-12-23T15:00:00Z",
    "changed_at": "2021-12-23T15:00:00Z",
    "first_at": "2021-06-02T18:04:11Z",
    "last_at": "2021-12-23T14:02:11Z",
    "ended_at": None,
    "merged_into": None,
}


class CampaignItem(BaseModel):
    """Clusters that continue one another over months: the same accounts, as far as chance does not explain it."""

    id: str = Field(description="The campaign's id; it stays the same while clusters come and go.")
    cluster_count: int = Field(description="Number of its clusters.")
    formed_at: datetime = Field(description="When it was first found.")
    changed_at: datetime = Field(description="When a cluster last came or went.")
    first_at: datetime = Field(description="Time of the earliest complaint in its clusters.")
    last_at: datetime = Field(description="Time of the latest complaint in its clusters.")
    ended_at: datetime | None = Field(
        description="When it ceased to be one, because fewer than two clusters belong to it. Null: it is one."
    )
    merged_into: str | None = Field(
        description="Id of the campaign that most of its clusters belong to since it ended. Null: none."
    )


class CampaignCluster(BaseModel):
    """A cluster of a campaign."""

    id: str = Field(description="The cluster's id, for `GET /v1/clusters/{id}`.")
    summary: str = Field(description="One sentence for people.")
    disposition: Disposition = Field(description="As of the cluster.")
    status: Status = Field(description="As of the cluster.")
    verdict: str | None = Field(description="The decision in force: `coordinated`. Null: none.")
    reporter_count: int = Field(description="Number of member accounts.")
    target_count: int = Field(description="Number of targets.")
    first_at: datetime = Field(description="Time of its earliest complaint.")
    last_at: datetime = Field(description="Time of its latest complaint.")


class CampaignReporter(BaseModel):
    """An account of a campaign."""

    id: str = Field(description="Id of the account (a pseudonym if the tenant uses them).")
    clusters: int = Field(description="How many of the campaign's clusters it is a member of.")


class AttackedAuthor(BaseModel):
    """An author whose content a campaign complained about."""

    id: str = Field(description="The author's id.")
    clusters: int = Field(description="How many of the campaign's clusters complained about their content.")
    targets: int = Field(description="How many of their targets.")


class WeekOfCampaign(BaseModel):
    """One week of a campaign's time line. Weeks without complaints are left out."""

    start: datetime = Field(description="Monday, 0:00 UTC.")
    complaints: int = Field(description="The members' complaints that are kept and were not withdrawn.")
    clusters: dict[str, int] = Field(description="The same by cluster.")


class LinkOfClusters(BaseModel):
    """Two clusters of a campaign that share more members than chance explains."""

    first: str = Field(description="Id of the cluster that began earlier.")
    second: str = Field(description="Id of the other.")
    common: int = Field(description="Members in common, good patrols aside.")
    first_size: int = Field(description="Members of the first, good patrols aside.")
    second_size: int = Field(description="Members of the second, good patrols aside.")
    expected: float = Field(
        description="Members in common by chance, given in how many other groups each account is found."
    )
    p_value: float = Field(description="Upper bound on the probability of such members in common by chance.")
    proven: bool = Field(
        description="Whether it passes the false-discovery bound over all pairs. If not, it only supports other links."
    )


class CampaignStatement(BaseModel):
    """What a person said about two clusters. It outweighs the measure until somebody says the opposite."""

    cluster_id: str = Field(description="Id of one cluster.")
    other_id: str = Field(description="Id of the other.")
    relation: Relation = Field(description="`together`: they are one campaign. `apart`: they are not.")
    at: datetime = Field(description="When it was said.")
    by: str = Field(description="Name of the key or the user.")
    note: str | None = Field(description="Why. Null: no reason was given.")


class CampaignVerdict(BaseModel):
    """A decision on a cluster of a campaign."""

    id: str = Field(description="The decision's id.")
    cluster_id: str = Field(description="The cluster.")
    at: datetime = Field(description="When it was decided.")
    by: str = Field(description="Name of the key or the user that decided.")
    verdict: str = Field(description="What was decided.")
    reason_code: str = Field(description="Why.")
    reverses: str | None = Field(description="Id of the decision that it reverses. Null: none.")


class CampaignDocument(CampaignItem):
    """A campaign with its clusters, accounts, attacked authors, decisions and time line."""

    clusters: list[CampaignCluster] = Field(description="Its clusters, by the time of their first complaint.")
    reporter_count: int = Field(description="Number of different member accounts.")
    reporters: list[CampaignReporter] = Field(description="Those in most clusters first, 1,000 at most.")
    author_count: int = Field(description="Number of different authors of its targets, where authors are known.")
    authors: list[AttackedAuthor] = Field(description="Those hit by most clusters first, 1,000 at most.")
    weeks: list[WeekOfCampaign] = Field(description="The time line by week.")
    links: list[LinkOfClusters] = Field(description="Why its clusters belong together, the strongest first.")
    statements: list[CampaignStatement] = Field(description="What people said about its clusters, the latest first.")
    decisions: list[CampaignVerdict] = Field(description="Decisions on its clusters, the latest first, 200 at most.")


class CampaignStatementRequest(Frozen):
    """That a cluster is one campaign with each of the others, or is not."""

    relation: Relation = Field(
        description="`together`: they are one campaign. `apart`: they are not. Saying the opposite undoes it."
    )
    cluster_id: Id = Field(description="Id of the cluster.")
    other_ids: Annotated[list[Id], Field(min_length=1, max_length=MOST_OTHERS)] = Field(
        description="Ids of the other clusters: of all clusters of a campaign to join it or to leave it."
    )
    note: Annotated[str, StringConstraints(max_length=LONGEST_NOTE)] | None = Field(
        None, description="Why, for colleagues. Null: no reason."
    )


class ChangedCampaign(BaseModel):
    """A campaign that a statement changed."""

    id: str = Field(description="Its id.")
    before: list[str] = Field(description="Ids of its clusters before. Empty: it is new.")
    after: list[str] = Field(description="Ids of its clusters now. Empty: it has ended.")


class StatementResult(BaseModel):
    """What a statement changed at once."""

    changed: list[ChangedCampaign] = Field(description="Campaigns whose clusters changed. Empty: none did.")


_EXAMPLE: dict[str, Any] = {
    **_EXAMPLE_ITEM,
    "clusters": [],
    "reporter_count": 31,
    "reporters": [{"id": "r-77", "clusters": 2}],
    "author_count": 1,
    "authors": [{"id": "a-5", "clusters": 2, "targets": 9}],
    "weeks": [{"start": "2021-12-20T00:00:00Z", "complaints": 41, "clusters": {"k-5d0f4a1c9be2": 41}}],
    "links": [
        {
            "first": "k-1b2c3d4e5f60",
            "second": "k-5d0f4a1c9be2",
            "common": 17,
            "first_size": 24,
            "second_size": 24,
            "expected": 0.3,
            "p_value": 2.1e-14,
            "proven": True,
        }
    ],
    "statements": [],
    "decisions": [],
}
_RESULT: dict[str, Any] = {
    "changed": [{"id": _EXAMPLE_ITEM["id"], "before": ["k-1", "k-2"], "after": ["k-1", "k-2", "k-3"]}]
}


@router.get(
    "/v1/campaigns",
    response_model=ListOf[CampaignItem],
    summary="List campaigns",
    responses=answers({"items": [_EXAMPLE_ITEM], "next_cursor": None}, 200, "One page.", 400, 422),
)
def list_campaigns(
    request: Request, response: Response, key: Reading, cursor: Cursor = None, limit: Limit = 50
) -> ListOf[CampaignItem]:
    """Campaigns by their latest complaint, the latest first, without those that have ended."""
    page, _ = requested_page(
        cursor,
        list_name=_LIST,
        key_types_by_sort=campaign_reads.SORT_KEY_TYPES,
        sort=None,
        default_sort=_SORT,
        filters={},
    )
    with api_context(request).engine.connect() as connection:
        found, after = campaign_reads.list_campaigns(
            connection, key.tenant_id, after=page.after if page else None, limit=limit
        )
    next_cursor = link_next(response, "/v1/campaigns", limit, Page(_LIST, _SORT, {}, ()), after)
    return ListOf(items=[CampaignItem(**asdict(one)) for one in found], next_cursor=next_cursor)


@router.get(
    "/v1/campaigns/{id}",
    response_model=CampaignDocument,
    summary="Get a campaign",
    responses=answers(_EXAMPLE, 200, "The campaign.", 404),
)
def read_campaign(request: Request, key: Reading, id: str) -> CampaignDocument:
    """The campaign: why its clusters belong together, who took part, who was hit, when, and what was decided."""
    api = api_context(request)
    with api.engine.connect() as connection:
        return document_of(campaign_reads.read_campaign(connection, key.tenant_id, id, now=api.now()))


async def _statement_body(request: Request, _key: Moderating) -> CampaignStatementRequest:
    return await model_body(request, CampaignStatementRequest, "a statement about campaigns")


@router.post(
    "/v1/campaigns/statements",
    status_code=201,
    response_model=StatementResult,
    summary="Join or split campaigns",
    responses=answers(_RESULT, 201, "What changed.", 404, 413, 415, 422),
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "Which clusters are one campaign, or are not.",
            "content": {
                "application/json": {
                    "schema": CampaignStatementRequest.model_json_schema(),
                    "examples": {
                        "join": {
                            "summary": "a cluster belongs to a campaign of two",
                            "value": {"relation": "together", "cluster_id": "k-3", "other_ids": ["k-1", "k-2"]},
                        },
                        "split": {
                            "summary": "it does not",
                            "value": {"relation": "apart", "cluster_id": "k-3", "other_ids": ["k-1", "k-2"]},
                        },
                    },
                }
            },
        }
    },
)
async def state(
    request: Request, key: Moderating, said: Annotated[CampaignStatementRequest, Depends(_statement_body)]
) -> StatementResult:
    """A person's word outweighs the measure, holds at once, and is kept until somebody says the opposite.

    Only clusters that are flagged, or decided as coordinated, can be together with others.
    """
    api = api_context(request)
    return await run_in_threadpool(_declare, api.engine, key, said, api.now())


def _declare(engine: Engine, key: KeyRecord, said: CampaignStatementRequest, now: datetime) -> StatementResult:
    try:
        with write(engine) as connection:
            changes = declare(
                connection,
                key.tenant_id,
                said.cluster_id,
                said.other_ids,
                said.relation,
                note=said.note,
                by=name_of_key(connection, key.id),
                now=now,
            )
    except NotFound:
        raise
    except Refused as refused:
        raise Invalid(str(refused), [RejectedItem(detail=str(refused), pointer="/other_ids")]) from None
    return StatementResult(
        changed=[
            ChangedCampaign(id=one.campaign_id, before=sorted(one.before), after=sorted(one.after)) for one in changes
        ]
    )


def document_of(file: CampaignFile) -> CampaignDocument:
    """The campaign as a document; the console exports the same."""
    return CampaignDocument(
        **asdict(file.campaign),
        clusters=_each(CampaignCluster, file.cases),
        reporter_count=file.member_count,
        reporters=_each(CampaignReporter, file.members),
        author_count=file.author_count,
        authors=_each(AttackedAuthor, file.authors),
        weeks=[
            WeekOfCampaign(start=week.start, complaints=week.complaints, clusters=dict(week.by_cluster))
            for week in file.weeks
        ],
        links=_each(LinkOfClusters, file.links),
        statements=_each(CampaignStatement, file.said),
        decisions=_each(CampaignVerdict, file.decisions),
    )


def _each(model: type[Any], found: Sequence[Any]) -> list[Any]:
    """Dataclasses as models that have the same fields, or properties, by name."""
    return [model(**{name: getattr(one, name) for name in model.model_fields}) for one in found]
