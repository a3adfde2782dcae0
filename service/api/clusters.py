"""Clusters over HTTP: the list, one case with its picture, complaints and log, and the moderator's decision."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal, cast, get_args

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool

from service.api.api_context import api_context
from service.api.auth import require
from service.api.case_documents import CLUSTER, CLUSTER_ITEM, COMPLAINT, DECISION, NODE_LINK, decision_body, told
from service.api.pages import Cursor, Limit, ListOf, link_next, page_asked, several
from service.api.problems import Invalid
from service.errors import InvalidCursor
from service.intake.privacy_filter import PrivacyFilter
from service.model import (
    Cluster,
    ClusterItem,
    Complaint,
    Decision,
    DecisionRequest,
    Disposition,
    Id,
    Kind,
    RejectedItem,
    Status,
    Time,
    microseconds,
)
from service.moderation.graphs import View, draw, graphml, node_link
from service.storage.accounts.tenants import KeyRecord, name_of_key
from service.storage.cases import case_decisions, cases
from service.storage.cases.cases import Sort
from service.storage.cases.cluster_filters import ClusterFilter, filter_of
from service.storage.redis_store import redis_keys
from service.storage.redis_store.stream import AsyncRedis
from service.storage.sql.cursors import Page
from service.storage.sql.engine import write

log = logging.getLogger(__name__)
router = APIRouter(tags=["clusters"])
_WAKE_SECONDS = 1.0  # the clock sees decisions in SQL as well, so a slow Redis must not keep a moderator waiting


def _now(request: Request) -> datetime:
    return api_context(request).now()


Reading = Annotated[KeyRecord, Depends(require("read"))]
Moderating = Annotated[KeyRecord, Depends(require("moderate"))]


async def _privacy_filter(request: Request, key: Reading) -> PrivacyFilter:
    return await api_context(request).privacy_filters.of(key.tenant_id)


TenantFilter = Annotated[
    PrivacyFilter, Depends(_privacy_filter)
]  # maps reporters' ids that a caller names to those that are stored
_Dispositions = Annotated[list[str], several(*get_args(Disposition))]
_Statuses = Annotated[list[str], several(*get_args(Status))]
Now = Annotated[datetime, Depends(_now)]  # what snoozes run out against and decisions are dated by


class ClusterComplaint(BaseModel):
    """A member's complaint on one of the cluster's targets."""

    complaint: Complaint
    received_at: datetime
    withdrawn: bool
    exempt: bool = Field(description="of a trusted reporter, or a notice of illegal content: shown, never discounted")


def _unfit(parameter: str, why: str) -> Invalid:
    return Invalid(f"{parameter}: {why}", [RejectedItem(detail=why, pointer=f"/{parameter}")])


async def cluster_filters(
    disposition: Annotated[
        _Dispositions | None,
        Query(
            description=(
                "flagged (default), reliable, revoked, merged, held_back; several separated by commas or repeated; any:"
                " all of them"
            )
        ),
    ] = None,
    status: Annotated[
        _Statuses | None,
        Query(
            description=(
                "open, escalated (default: these two), snoozed, decided; several separated by commas or repeated; any:"
                " all of them. A snooze that has run out counts as open"
            )
        ),
    ] = None,
    kind: Annotated[
        Kind | None, Query(description="repeat: the same accounts again and again; one_shot: one target, one time")
    ] = None,
    min_score: Annotated[float | None, Query(allow_inf_nan=False, description="log-odds")] = None,
    reporter: Annotated[Id | None, Query(description="a member's id; who is excluded is none")] = None,
    target: Annotated[Id | None, Query(description="id of one of its targets")] = None,
    author: Annotated[Id | None, Query(description="author of one of its targets")] = None,
    since: Annotated[Time | None, Query(description="[since, until) has to meet [first_at, last_at]")] = None,
    until: Annotated[Time | None, Query(description="see since")] = None,
) -> dict[str, str]:
    """The filters that the call names, in the form that cursors carry."""
    named: dict[str, str] = {}
    for name, values in (("disposition", disposition), ("status", status)):
        if values is not None:
            try:
                chosen = filter_of({**ClusterFilter().named(), name: ",".join(values)})
            except ValueError as error:
                raise _unfit(name, str(error)) from None
            named[name] = chosen.named()[name]
    texts = {
        "kind": kind,
        "min_score": None if min_score is None else repr(min_score),
        "reporter": reporter,
        "target": target,
        "author": author,
    }
    named |= {name: value for name, value in texts.items() if value is not None}
    if since is not None and until is not None and since >= until:
        raise _unfit("since", f"it is {since.isoformat()} and has to lie before until, {until.isoformat()}")
    return named | {
        name: str(microseconds(at)) for name, at in (("since_us", since), ("until_us", until)) if at is not None
    }


@router.get(
    "/v1/clusters",
    response_model=ListOf[ClusterItem],
    summary="Who complains together?",
    responses=told({"items": [CLUSTER_ITEM], "next_cursor": None}, 400, 422),
)
def list_clusters(
    request: Request,
    response: Response,
    key: Reading,
    now: Now,
    privacy_filter: TenantFilter,
    filters: Annotated[dict[str, str], Depends(cluster_filters)],
    sort: Annotated[Sort | None, Query(description="descending, ties by id; default -last_at")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ListOf[ClusterItem]:
    """Clusters without their id lists. Without filters: the flagged ones that are open or escalated."""
    if "reporter" in filters:
        filters = {**filters, "reporter": privacy_filter.reporter(filters["reporter"])}
    page, by = page_asked(
        cursor,
        list_name="clusters",
        key_types_by_sort=cases.SORT_KEY_TYPES,
        sort=sort,
        default_sort="-last_at",
        filters=filters,
    )
    chosen = _chosen(filters, page)
    known = cast(cases.Sort, by)  # page_asked lets only known sorts through
    after_key = page.after if page else None
    with api_context(request).engine.connect() as connection:
        items, after = cases.list_clusters(
            connection, key.tenant_id, chosen, sort=known, after=after_key, limit=limit, now=now
        )
    next_cursor = link_next(response, "/v1/clusters", limit, Page("clusters", by, chosen.named(), ()), after)
    return ListOf(items=items, next_cursor=next_cursor)


def _chosen(filters: Mapping[str, str], page: Page | None) -> ClusterFilter:
    if page is None:
        return filter_of({**ClusterFilter().named(), **filters})
    try:
        return filter_of(page.filters)
    except ValueError as error:
        raise InvalidCursor(f"the cursor was not made by this list: {error}") from None


@router.get("/v1/clusters/{id}", response_model=Cluster, summary="One cluster", responses=told(CLUSTER, 404))
def read_cluster(request: Request, key: Reading, id: str, now: Now) -> Cluster:
    """The cluster with its reporters and targets; one that was merged still answers, and names its survivor."""
    with api_context(request).engine.connect() as connection:
        return cases.read_cluster(connection, key.tenant_id, id, now=now)


@router.get(
    "/v1/clusters/{id}/graph",
    summary="The cluster as a graph",
    response_class=Response,
    responses={
        **told(NODE_LINK, 404, 422),
        200: {
            "description": "the picture",
            "content": {
                "application/json": {"example": NODE_LINK},
                "application/graphml+xml": {"schema": {"type": "string"}},
            },
        },
    },
)
def read_graph(
    request: Request,
    key: Reading,
    id: str,
    format: Annotated[Literal["node-link", "graphml"], Query()] = "node-link",
    view: Annotated[
        View,
        Query(
            description=(
                "bipartite: reporters and targets; co-report: reporters, joined by the number of targets they share"
            )
        ),
    ] = "bipartite",
    node_limit: Annotated[
        int, Query(ge=1, le=2000, description="the most connected are kept; `truncated` counts what was left out")
    ] = 500,
) -> Response:
    """Who complained about what, or who together with whom, for networkx (`node_link_graph(data, edges="edges")`),
    Gephi and the like.
    """
    with api_context(request).engine.connect() as connection:
        ties = cases.read_ties(connection, key.tenant_id, id)
    picture = draw(ties, view, node_limit=node_limit)
    if format == "graphml":
        return Response(graphml(picture, cluster=id, view=view), media_type="application/graphml+xml")
    return JSONResponse(node_link(picture, cluster=id, view=view))


@router.get(
    "/v1/clusters/{id}/complaints",
    response_model=ListOf[ClusterComplaint],
    summary="Its complaints",
    responses=told({"items": [COMPLAINT], "next_cursor": None}, 400, 404, 422),
)
def list_complaints(
    request: Request, response: Response, key: Reading, id: str, cursor: Cursor = None, limit: Limit = 50
) -> ListOf[ClusterComplaint]:
    """The members' complaints on the cluster's targets, oldest first, as they were accepted."""
    page, _ = page_asked(
        cursor,
        list_name="complaints",
        key_types_by_sort={"occurred_at": (int, int)},
        sort=None,
        default_sort="occurred_at",
        filters={"cluster": id},
    )
    with api_context(request).engine.connect() as connection:
        found, after = cases.list_complaints(
            connection, key.tenant_id, id, after=page.after if page else None, limit=limit
        )
    items = [
        ClusterComplaint(
            complaint=one.complaint, received_at=one.received_at, withdrawn=one.withdrawn, exempt=one.exempt
        )
        for one in found
    ]
    next_cursor = link_next(
        response, request.url.path, limit, Page("complaints", "occurred_at", {"cluster": id}, ()), after
    )
    return ListOf(items=items, next_cursor=next_cursor)


@router.get(
    "/v1/clusters/{id}/decisions",
    response_model=ListOf[Decision],
    summary="Its decision log",
    responses=told({"items": [DECISION], "next_cursor": None}, 400, 404, 422),
)
def list_decisions(
    request: Request, response: Response, key: Reading, id: str, cursor: Cursor = None, limit: Limit = 50
) -> ListOf[Decision]:
    """All decisions on it and on the clusters merged into it, oldest first. Nothing is ever removed from a log."""
    page, _ = page_asked(
        cursor,
        list_name="decisions",
        key_types_by_sort={"at": (int,)},
        sort=None,
        default_sort="at",
        filters={"cluster": id},
    )
    with api_context(request).engine.connect() as connection:
        items, after = case_decisions.list_decisions(
            connection, key.tenant_id, id, after=page.after if page else None, limit=limit
        )
    next_cursor = link_next(response, request.url.path, limit, Page("decisions", "at", {"cluster": id}, ()), after)
    return ListOf(items=items, next_cursor=next_cursor)


async def _requested(request: Request, _key: Moderating) -> DecisionRequest:
    # Depends on the key, so that nobody's body is read before their key.
    return await decision_body(request)


@router.post(
    "/v1/clusters/{id}/decisions",
    status_code=201,
    response_model=Cluster,
    summary="Decide",
    responses=told(CLUSTER, 404, 409, 413, 415, 422, success=201),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": DecisionRequest.model_json_schema(),
                    "examples": {
                        "decide": {
                            "summary": "a brigade, one bystander taken out",
                            "value": {
                                "verdict": "coordinated",
                                "reason_code": "brigade",
                                "excluded_reporters": ["r-77"],
                                "version": 3,
                            },
                        },
                        "undo": {
                            "summary": "take a decision back: repeat its verdict",
                            "value": {
                                "verdict": "coordinated",
                                "reason_code": "other",
                                "reverses": "d-9f2c61a07be34d15",
                                "version": 4,
                            },
                        },
                    },
                }
            },
        }
    },
)
async def decide(
    request: Request, key: Moderating, id: str, now: Now, asked: Annotated[DecisionRequest, Depends(_requested)]
) -> Cluster:
    """What a person decides outranks the detector: coordinated and not_coordinated settle the case, escalated and
    snoozed move it.

    `version` is the cluster's as it was read; 409 when somebody changed it since. `excluded_reporters` stay out until a
    person undoes it. `reverses` undoes a decision; with the same verdict (and snooze) as that, it only takes back, with
    another one, that stands in its place.
    """
    if asked.excluded_reporters:
        privacy_filter = await api_context(request).privacy_filters.of(key.tenant_id)
        asked = asked.model_copy(
            update={"excluded_reporters": [privacy_filter.reporter(one) for one in asked.excluded_reporters]}
        )
    cluster = await run_in_threadpool(_decide, api_context(request).engine, key, id, asked, now)
    await wake(api_context(request).redis, key.tenant)
    return cluster


def _decide(engine: Engine, key: KeyRecord, cluster_id: str, asked: DecisionRequest, now: datetime) -> Cluster:
    with write(engine) as connection:
        by = name_of_key(connection, key.id)
        return case_decisions.record_decision(
            connection, key.tenant_id, cluster_id, asked, decision_id=f"d-{secrets.token_hex(8)}", by=by, now=now
        )


async def wake(redis: AsyncRedis, tenant: str) -> None:
    """Tell the clock that there is something to analyse; best effort, since it sees the decision in SQL too."""
    try:
        await asyncio.wait_for(redis.sadd(redis_keys.TENANTS_DIRTY, tenant), _WAKE_SECONDS)
    except Exception:
        log.warning(
            "decision stored, but Redis did not take the hint; the clock will find it",
            extra={"tenant": tenant},
            exc_info=True,
        )
