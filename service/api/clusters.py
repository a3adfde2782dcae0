"""Clusters over HTTP: the list, one cluster with its graph, complaints and decision log, and deciding on it."""

from __future__ import annotations

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
from service.api.auth import Moderating, Reading
from service.api.case_documents import CLUSTER, CLUSTER_ITEM, COMPLAINT, DECISION, NODE_LINK, decision_body
from service.api.decision_notice import announce_decision
from service.api.openapi_parts import answers
from service.api.pages import Cursor, Limit, ListOf, link_next, requested_page, several
from service.api.problems import Invalid
from service.errors import InvalidCursor
from service.fields import Id, Time
from service.intake.privacy_filter import PrivacyFilter
from service.model import (
    Cluster,
    ClusterItem,
    Complaint,
    Decision,
    DecisionRequest,
    Disposition,
    Kind,
    RejectedItem,
    Status,
    microseconds,
)
from service.moderation.graphs import View, draw, graphml, node_link
from service.storage.accounts.tenants import KeyRecord, name_of_key
from service.storage.cases import case_decisions, cases
from service.storage.cases.cases import Sort
from service.storage.cases.cluster_filters import ClusterFilter, filter_of
from service.storage.sql.cursors import Page
from service.storage.sql.engine import write

log = logging.getLogger(__name__)
router = APIRouter(tags=["clusters"])


def _now(request: Request) -> datetime:
    return api_context(request).now()


async def _privacy_filter(request: Request, key: Reading) -> PrivacyFilter:
    return await api_context(request).privacy_filters.of(key.tenant_id)


TenantFilter = Annotated[
    PrivacyFilter, Depends(_privacy_filter)
]  # maps reporter ids in requests to the ids that are stored
_Dispositions = Annotated[list[str], several(*get_args(Disposition))]
_Statuses = Annotated[list[str], several(*get_args(Status))]
Now = Annotated[datetime, Depends(_now)]  # when snoozes end, and the date of decisions


class ClusterComplaint(BaseModel):
    """A member's complaint about one of the cluster's targets."""

    complaint: Complaint = Field(description="The complaint as it is stored.")
    received_at: datetime = Field(description="When the service received it.")
    withdrawn: bool = Field(description="Whether it was withdrawn, so that it no longer counts.")
    exempt: bool = Field(
        description="True for a trusted flagger's complaint or a notice of illegal content: it always counts in full."
    )


def _invalid_parameter(parameter: str, why: str) -> Invalid:
    return Invalid(f"{parameter}: {why}", [RejectedItem(detail=why, pointer=f"/{parameter}")])


async def cluster_filters(
    disposition: Annotated[
        _Dispositions | None,
        Query(
            description=(
                "`flagged` (default), `reliable`, `revoked`, `merged`, `held_back`; several are separated by commas or"
                " repeated; `any`: all of them."
            )
        ),
    ] = None,
    status: Annotated[
        _Statuses | None,
        Query(
            description=(
                "`open`, `escalated` (default: these two), `snoozed`, `decided`; several are separated by commas or"
                " repeated; `any`: all of them. A snooze that has ended counts as `open`."
            )
        ),
    ] = None,
    kind: Annotated[
        Kind | None,
        Query(description="`repeat`: the same accounts on many targets; `one_shot`: many accounts on one target."),
    ] = None,
    min_score: Annotated[float | None, Query(allow_inf_nan=False, description="Lowest `score`, the priority.")] = None,
    reporter: Annotated[Id | None, Query(description="Id of a member; excluded accounts are not members.")] = None,
    target: Annotated[Id | None, Query(description="Id of one of its targets.")] = None,
    author: Annotated[Id | None, Query(description="Id of the author of one of its targets.")] = None,
    since: Annotated[
        Time | None, Query(description="Only clusters with complaints at or after this time: `last_at` is not earlier.")
    ] = None,
    until: Annotated[
        Time | None, Query(description="Only clusters with complaints before this time: `first_at` is earlier.")
    ] = None,
) -> dict[str, str]:
    """The filters of the request, in the form that cursors contain."""
    named: dict[str, str] = {}
    for name, values in (("disposition", disposition), ("status", status)):
        if values is not None:
            try:
                chosen = filter_of({**ClusterFilter().named(), name: ",".join(values)})
            except ValueError as error:
                raise _invalid_parameter(name, str(error)) from None
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
        raise _invalid_parameter("since", f"{since.isoformat()} is not before until, {until.isoformat()}")
    return named | {
        name: str(microseconds(at)) for name, at in (("since_us", since), ("until_us", until)) if at is not None
    }


@router.get(
    "/v1/clusters",
    response_model=ListOf[ClusterItem],
    summary="List clusters",
    responses=answers({"items": [CLUSTER_ITEM], "next_cursor": None}, 200, "One page.", 400, 422),
)
def list_clusters(
    request: Request,
    response: Response,
    key: Reading,
    now: Now,
    privacy_filter: TenantFilter,
    filters: Annotated[dict[str, str], Depends(cluster_filters)],
    sort: Annotated[Sort | None, Query(description="Order, descending; ties by id. Default: `-last_at`.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ListOf[ClusterItem]:
    """Groups of accounts that complain together, without members and targets. Default: flagged, open or escalated."""
    if "reporter" in filters:
        filters = {**filters, "reporter": privacy_filter.reporter(filters["reporter"])}
    page, by = requested_page(
        cursor,
        list_name="clusters",
        key_types_by_sort=cases.SORT_KEY_TYPES,
        sort=sort,
        default_sort="-last_at",
        filters=filters,
    )
    chosen = _chosen(filters, page)
    known = cast(cases.Sort, by)  # requested_page accepts only known sorts
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
        raise InvalidCursor(
            f"the cursor does not belong to this list: {error}; use next_cursor unchanged, or leave it out to start"
            " over"
        ) from None


@router.get(
    "/v1/clusters/{id}",
    response_model=Cluster,
    summary="Get a cluster",
    responses=answers(CLUSTER, 200, "The cluster.", 404),
)
def read_cluster(request: Request, key: Reading, id: str, now: Now) -> Cluster:
    """The cluster with its reporters and targets. A merged one can still be read; `merged_into` names the other."""
    with api_context(request).engine.connect() as connection:
        return cases.read_cluster(connection, key.tenant_id, id, now=now)


@router.get(
    "/v1/clusters/{id}/graph",
    summary="Get a cluster as a graph",
    response_class=Response,
    responses={
        **answers(NODE_LINK, 200, "The graph.", 404, 422),
        200: {
            "description": "The graph, as node-link JSON or GraphML.",
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
    format: Annotated[
        Literal["node-link", "graphml"], Query(description="`node-link`: JSON; `graphml`: XML.")
    ] = "node-link",
    view: Annotated[
        View,
        Query(
            description=(
                "`bipartite`: reporters and targets, linked by complaints; `co-report`: reporters, linked by the number"
                " of targets they share."
            )
        ),
    ] = "bipartite",
    node_limit: Annotated[
        int,
        Query(
            ge=1, le=2000, description="At most so many nodes, the most connected first; `truncated` counts the rest."
        ),
    ] = 500,
) -> Response:
    """Which accounts complained about which targets, or together with which others, for networkx
    (`node_link_graph(data, edges="edges")`), Gephi and similar tools.
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
    summary="List a cluster's complaints",
    responses=answers({"items": [COMPLAINT], "next_cursor": None}, 200, "One page.", 400, 404, 422),
)
def list_complaints(
    request: Request, response: Response, key: Reading, id: str, cursor: Cursor = None, limit: Limit = 50
) -> ListOf[ClusterComplaint]:
    """The members' complaints about the cluster's targets, oldest first, as they were accepted."""
    page, _ = requested_page(
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
    summary="List a cluster's decisions",
    responses=answers({"items": [DECISION], "next_cursor": None}, 200, "One page.", 400, 404, 422),
)
def list_decisions(
    request: Request, response: Response, key: Reading, id: str, cursor: Cursor = None, limit: Limit = 50
) -> ListOf[Decision]:
    """All decisions on the cluster and on those merged into it, oldest first. Entries are never removed."""
    page, _ = requested_page(
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


async def _decision_body(request: Request, _key: Moderating) -> DecisionRequest:
    # Depends on the key, so that no body is read before its key.
    return await decision_body(request)


@router.post(
    "/v1/clusters/{id}/decisions",
    status_code=201,
    response_model=Cluster,
    summary="Decide on a cluster",
    responses=answers(CLUSTER, 201, "The cluster after the decision.", 404, 409, 413, 415, 422),
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "The decision, and the version of the cluster that it is based on.",
            "content": {
                "application/json": {
                    "schema": DecisionRequest.model_json_schema(),
                    "examples": {
                        "decide": {
                            "summary": "a brigade, with one bystander excluded",
                            "value": {
                                "verdict": "coordinated",
                                "reason_code": "brigade",
                                "excluded_reporters": ["r-77"],
                                "version": 3,
                            },
                        },
                        "undo": {
                            "summary": "take a decision back by repeating its verdict",
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
    request: Request, key: Moderating, id: str, now: Now, requested: Annotated[DecisionRequest, Depends(_decision_body)]
) -> Cluster:
    """A person's decision outranks the detector. `coordinated` and `not_coordinated` settle the case, `escalated` and
    `snoozed` move it within the queue.

    `version` is the cluster's version as it was read; 409 if the cluster has changed since. `excluded_reporters` stay
    out until the decision is reversed. `reverses` takes an earlier decision back if verdict and snooze are the same,
    and replaces it otherwise.
    """
    if requested.excluded_reporters:
        privacy_filter = await api_context(request).privacy_filters.of(key.tenant_id)
        requested = requested.model_copy(
            update={"excluded_reporters": [privacy_filter.reporter(one) for one in requested.excluded_reporters]}
        )
    cluster = await run_in_threadpool(_decide, api_context(request).engine, key, id, requested, now)
    await announce_decision(api_context(request), key.tenant, key.tenant_id)
    return cluster


def _decide(engine: Engine, key: KeyRecord, cluster_id: str, requested: DecisionRequest, now: datetime) -> Cluster:
    with write(engine) as connection:
        by = name_of_key(connection, key.id)
        return case_decisions.record_decision(
            connection, key.tenant_id, cluster_id, requested, decision_id=f"d-{secrets.token_hex(8)}", by=by, now=now
        )
