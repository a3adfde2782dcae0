"""Webhook subscriptions over HTTP: list, create, change and delete them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from service.api.api_context import ApiContext, api_context
from service.api.auth import Administering
from service.api.json_body import model_body
from service.api.openapi_parts import ADMIN_SCOPE, answers, refusals
from service.api.pages import Cursor, Limit, ListOf, link_next, requested_page
from service.api.problems import Invalid
from service.api.subscription_models import (
    CHANGE_EXAMPLES,
    NEW_SUBSCRIPTION,
    REQUEST_EXAMPLES,
    SUBSCRIPTION,
    NewSecret,
    Subscription,
    SubscriptionChange,
    SubscriptionRequest,
    subscription_item,
)
from service.errors import Refused
from service.model import RejectedItem, microseconds
from service.notifications.chat_formats import SIGNED
from service.outbound.addresses import OutboundRefused
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenants import name_of_key
from service.storage.sql.cursors import Page
from service.storage.sql.engine import write
from service.storage.webhooks import subscriptions
from service.webhooks.destinations import checked_events, checked_quiet_hours, destination
from service.webhooks.signing import new_secret

router = APIRouter(tags=["webhooks"])
_OLDEST_FIRST = "created_at"


def _with_body(model: type[BaseModel], description: str, examples: dict[str, Any]) -> dict[str, Any]:
    return {
        **ADMIN_SCOPE,
        "requestBody": {
            "required": True,
            "description": description,
            "content": {"application/json": {"schema": model.model_json_schema(), "examples": examples}},
        },
    }


@router.get(
    "/v1/subscriptions",
    response_model=ListOf[Subscription],
    summary="List webhook subscriptions",
    openapi_extra=ADMIN_SCOPE,
    responses=answers({"items": [SUBSCRIPTION], "next_cursor": None}, 200, "One page.", 400, 401, 403, 422),
)
def list_subscriptions(
    request: Request, response: Response, key: Administering, cursor: Cursor = None, limit: Limit = 50
) -> ListOf[Subscription]:
    """The tenant's subscriptions, oldest first, without their secrets."""
    page, sort = requested_page(
        cursor,
        list_name="subscriptions",
        key_types_by_sort={_OLDEST_FIRST: (int, str)},
        sort=None,
        default_sort=_OLDEST_FIRST,
        filters={},
    )
    api = api_context(request)
    with api.engine.connect() as connection:
        found, after = subscriptions.list_page(
            connection, key.tenant_id, after=page.after if page else None, limit=limit
        )
    next_cursor = link_next(response, "/v1/subscriptions", limit, Page("subscriptions", sort, {}, ()), after)
    return ListOf(items=[subscription_item(one, _now_us(api)) for one in found], next_cursor=next_cursor)


async def _request_body(request: Request, _key: Administering) -> SubscriptionRequest:
    # Depends on the key, so that no body is read before its key.
    return await model_body(request, SubscriptionRequest, "a subscription")


@router.post(
    "/v1/subscriptions",
    status_code=201,
    response_model=NewSecret | Subscription,
    summary="Create a webhook subscription",
    openapi_extra=_with_body(SubscriptionRequest, "Where to post which events.", REQUEST_EXAMPLES),
    responses=answers(
        NEW_SUBSCRIPTION, 201, "Created; `secret` is never shown again.", 400, 401, 403, 408, 413, 415, 422
    )
    | {409: {**refusals(422)[422], "description": "The tenant already has 100 subscriptions."}},
)
def create_subscription(
    request: Request,
    response: Response,
    key: Administering,
    requested: Annotated[SubscriptionRequest, Depends(_request_body)],
) -> NewSecret | Subscription:
    """Events from now on are posted to the URL, signed as Standard Webhooks with the secret in this answer; of a chat
    format, as messages for people, without a secret.
    """
    api = api_context(request)
    with _refused_as_invalid():
        quiet_hours = checked_quiet_hours(requested.format, requested.quiet_hours)
        events = checked_events(requested.format, requested.events)
        found = destination(requested.format, requested.url, requested.token, api.settings)
    now_us, sealed = _now_us(api), SecretBox(api.settings).seal(found.sealed_content)
    with write(api.engine) as connection:
        by = name_of_key(connection, key.id)
        created = subscriptions.create(
            connection,
            key.tenant_id,
            url=found.shown,
            events=events,
            description=requested.description,
            sealed_secret=sealed,
            by=by,
            now_us=now_us,
            format=requested.format,
            quiet_hours=quiet_hours,
            time_zone=requested.time_zone,
        )
    response.headers["Location"] = f"/v1/subscriptions/{created.id}"
    return _with_secret(subscription_item(created, now_us), found.signing_secret)


@router.get(
    "/v1/subscriptions/{id}",
    response_model=Subscription,
    summary="Get a webhook subscription",
    openapi_extra=ADMIN_SCOPE,
    responses=answers(SUBSCRIPTION, 200, "The subscription.", 401, 403, 404, 422),
)
def read_subscription(request: Request, key: Administering, id: str) -> Subscription:
    """One subscription, without its secret."""
    api = api_context(request)
    with api.engine.connect() as connection:
        return subscription_item(subscriptions.read(connection, key.tenant_id, id), _now_us(api))


async def _change_body(request: Request, _key: Administering) -> SubscriptionChange:
    return await model_body(request, SubscriptionChange, "a change")


@router.patch(
    "/v1/subscriptions/{id}",
    response_model=NewSecret | Subscription,
    summary="Change a webhook subscription",
    openapi_extra=_with_body(SubscriptionChange, "The fields to change.", CHANGE_EXAMPLES),
    responses=answers(
        SUBSCRIPTION,
        200,
        "The subscription as it is now, with `secret` if a new one was requested.",
        400,
        401,
        403,
        404,
        408,
        413,
        415,
        422,
    ),
)
def change_subscription(
    request: Request, key: Administering, id: str, requested: Annotated[SubscriptionChange, Depends(_change_body)]
) -> NewSecret | Subscription:
    """Change address, events, note, quiet hours or time zone; disable or enable it; rotate its secret. Enabling it
    sends the deliveries that were held.
    """
    api = api_context(request)
    secret = new_secret() if requested.rotate_secret else None
    sealed = None if secret is None else SecretBox(api.settings).seal(secret)
    now_us = _now_us(api)
    with write(api.engine) as connection:
        by = name_of_key(connection, key.id)
        known = subscriptions.read(connection, key.tenant_id, id)
        with _refused_as_invalid():
            values = _changed_values(api, known.format, requested)
        subscriptions.change(connection, key.tenant_id, id, values, by=by, now_us=now_us)
        if sealed is not None:
            subscriptions.rotate_secret(connection, key.tenant_id, id, sealed, by=by, now_us=now_us)
        if requested.enabled is True:
            subscriptions.enable(connection, key.tenant_id, id, by=by, now_us=now_us)
        elif requested.enabled is False:
            subscriptions.disable(connection, key.tenant_id, id, f"disabled by {by}", by=by, now_us=now_us)
        current = subscription_item(subscriptions.read(connection, key.tenant_id, id), now_us)
    return _with_secret(current, secret)


def _changed_values(api: ApiContext, format: str, requested: SubscriptionChange) -> dict[str, Any]:
    """What to store of a change. Raises Refused."""
    if requested.rotate_secret and format != SIGNED:
        raise Refused("chat formats have no signing secret: give a new url instead")
    if requested.token and requested.url is None:
        raise Refused("give the url with its new token")
    values: dict[str, Any] = {
        name: given for name in ("description", "time_zone") if (given := getattr(requested, name)) is not None
    }
    if requested.events is not None:
        values["events"] = checked_events(format, requested.events)
    if requested.quiet_hours is not None:
        values["quiet_hours"] = checked_quiet_hours(format, requested.quiet_hours)
    if requested.url is not None:
        found = destination(format, requested.url, requested.token or "", api.settings)
        values["url"] = found.shown
        if format != SIGNED:
            values["secret"] = SecretBox(api.settings).seal(found.sealed_content)
    return values


def _with_secret(item: Subscription, secret: str | None) -> NewSecret | Subscription:
    return item if secret is None else NewSecret(**item.model_dump(), secret=secret)


@router.delete(
    "/v1/subscriptions/{id}",
    status_code=204,
    summary="Delete a webhook subscription",
    openapi_extra=ADMIN_SCOPE,
    responses={
        204: {"description": "Deleted; waiting deliveries are cancelled."},
        **refusals(401, 403, 404, 422),
    },
)
def delete_subscription(request: Request, key: Administering, id: str) -> None:
    """Nothing more is sent, including deliveries that are waiting, and its log can no longer be read."""
    api = api_context(request)
    with write(api.engine) as connection:
        subscriptions.remove(connection, key.tenant_id, id, by=name_of_key(connection, key.id), now_us=_now_us(api))


@contextmanager
def _refused_as_invalid() -> Iterator[None]:
    try:
        yield
    except OutboundRefused as error:
        raise Invalid(f"url: {error}", [RejectedItem(detail=str(error), pointer="/url")]) from None
    except Refused as error:
        raise Invalid(str(error), [RejectedItem(detail=str(error), pointer="")]) from None


def _now_us(api: ApiContext) -> int:
    return microseconds(api.now())
