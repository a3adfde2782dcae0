"""The delivery log of a webhook subscription over HTTP, and sending a delivery again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from service.api.api_context import api_context
from service.api.auth import Administering
from service.api.openapi_parts import ADMIN_SCOPE, answers, refusals
from service.api.pages import Cursor, Limit, ListOf, link_next, requested_page
from service.api.subscription_models import DELIVERY, Delivery, DeliveryState, delivery_item
from service.model import microseconds
from service.storage.sql.cursors import Page
from service.storage.sql.engine import write
from service.storage.webhooks import deliveries

router = APIRouter(tags=["webhooks"])
_NEWEST_FIRST = "-created_at"


@router.get(
    "/v1/subscriptions/{id}/deliveries",
    response_model=ListOf[Delivery],
    summary="List a subscription's deliveries",
    openapi_extra=ADMIN_SCOPE,
    responses=answers({"items": [DELIVERY], "next_cursor": None}, 200, "One page.", 400, 401, 403, 404, 422),
)
def list_deliveries(
    request: Request,
    response: Response,
    key: Administering,
    id: str,
    state: Annotated[DeliveryState | None, Query(description="Only deliveries in this state; default: all.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ListOf[Delivery]:
    """What was sent to the subscription or is waiting to be sent, newest first, with every attempt."""
    filters = {"subscription": id, **({} if state is None else {"state": state})}
    page, sort = requested_page(
        cursor,
        list_name="deliveries",
        key_types_by_sort={_NEWEST_FIRST: (int, str)},
        sort=None,
        default_sort=_NEWEST_FIRST,
        filters=filters,
    )
    wanted = page.filters.get("state") if page else state
    with api_context(request).engine.connect() as connection:
        found, after = deliveries.list_page(
            connection, key.tenant_id, id, state=wanted, after=page.after if page else None, limit=limit
        )
    kept = {"subscription": id, **({"state": wanted} if wanted else {})}
    next_cursor = link_next(response, request.url.path, limit, Page("deliveries", sort, kept, ()), after)
    return ListOf(items=[delivery_item(one) for one in found], next_cursor=next_cursor)


@router.post(
    "/v1/subscriptions/{id}/deliveries/{delivery}/replay",
    status_code=202,
    response_model=Delivery,
    summary="Send a delivery again",
    openapi_extra=ADMIN_SCOPE,
    responses=answers({**DELIVERY, "attempts": []}, 202, "It is being sent again.", 401, 403, 404, 422)
    | {409: {**refusals(422)[422], "description": "The subscription is disabled: enable it first."}},
)
def replay_delivery(request: Request, key: Administering, id: str, delivery: str) -> Delivery:
    """Send the event again, whatever the result so far: with the same `webhook-id`, and with the full schedule of
    attempts.
    """
    api = api_context(request)
    with write(api.engine) as connection:
        return delivery_item(deliveries.replay(connection, key.tenant_id, id, delivery, now_us=microseconds(api.now())))
