"""Outbound webhooks over HTTP: who is told, the log of deliveries, and sending one again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from service.api.api_context import ApiContext, api_context
from service.api.auth import require
from service.api.json_body import model_body
from service.api.openapi_parts import answers, refusals
from service.api.pages import Cursor, Limit, ListOf, link_next, page_asked
from service.api.problems import Invalid
from service.model import ID_PATTERN, Frozen, RejectedItem, microseconds, moment
from service.moderation.events import EventType
from service.outbound.addresses import OutboundRefused
from service.outbound.client import MAX_URL_CHARACTERS, check_url
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenants import KeyRecord, name_of_key
from service.storage.sql.cursors import Page
from service.storage.sql.engine import write
from service.storage.webhooks import deliveries, subscriptions
from service.webhooks.signing import new_secret

router = APIRouter(tags=["webhooks"])
Administering = Annotated[KeyRecord, Depends(require("admin"))]
_ADMIN = {"x-scope": "admin"}
_CREATED, _NEWEST = "created_at", "-created_at"


def _printable(text: str) -> str:
    if any(character < " " or "\x7f" <= character <= "\x9f" for character in text):
        raise ValueError("it holds no control characters")
    return text


def _each_once(kinds: list[EventType]) -> list[EventType]:
    return list(dict.fromkeys(kinds))


Url = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_URL_CHARACTERS),
    Field(
        description="https (or http) to a public address; without user and password",
        json_schema_extra={"format": "uri"},
    ),
]
Events = Annotated[
    list[EventType],
    Field(max_length=50, description="the types that are sent; none: all of them"),
    AfterValidator(_each_once),
]
Description = Annotated[
    str,
    StringConstraints(max_length=256),
    AfterValidator(_printable),
    Field(json_schema_extra={"pattern": ID_PATTERN.replace("+", "*")}),
]


class SubscriptionRequest(Frozen):
    """A new subscription."""

    url: Url
    events: Events = Field(default_factory=list)
    description: Description = ""


class SubscriptionChange(Frozen):
    """What is to change; what is absent or null stays."""

    url: Url | None = None
    events: Events | None = None
    description: Description | None = None
    enabled: bool | None = Field(
        None,
        description=(
            "false: nothing is sent; what waits is held and goes out when it is true again, what happens meanwhile is"
            " not kept for it"
        ),
    )
    rotate_secret: bool | None = Field(
        None, description="true: a new secret, shown in this answer alone; the old one signs too for 24 hours"
    )


class Subscription(BaseModel):
    """Who is told about what."""

    id: str
    url: str
    events: list[str] = Field(description="none: all")
    description: str
    created_at: datetime
    enabled: bool
    disabled_at: datetime | None = None
    disabled_because: str | None = None
    previous_secret_until: datetime | None = Field(
        None, description="while the secret is rotated: until when the old one signs too"
    )


class NewSecret(Subscription):
    """A subscription with a secret that is shown this once."""

    secret: str = Field(description="whsec_ and base64 of 32 bytes: what the receiver verifies signatures with")


class DeliveryAttempt(BaseModel):
    """One attempt."""

    at: datetime
    seconds: float
    status: int | None = Field(description="the receiver's answer; null: there was none")
    error: str | None


class Delivery(BaseModel):
    """One event on its way to one subscription."""

    id: str
    event_id: str = Field(description="the webhook-id: the same at each attempt")
    event_type: str
    state: Literal["pending", "delivered", "failed", "cancelled"]
    created_at: datetime
    next_attempt_at: datetime | None = Field(
        description="pending without a time: held, since the subscription is disabled"
    )
    finished_at: datetime | None
    attempts: list[DeliveryAttempt] = Field(description="oldest first, the latest 50")


SUBSCRIPTION: dict[str, Any] = {
    "id": "sub_5d0f4a1c9be2d03f11c0a7e4",
    "url": "https://comments.example/hooks/brigadewatch",
    "events": ["cluster.flagged", "target.hold"],
    "description": "comment section",
    "created_at": "2021-12-23T14:02:11Z",
    "enabled": True,
    "disabled_at": None,
    "disabled_because": None,
    "previous_secret_until": None,
}
CREATED = {**SUBSCRIPTION, "secret": "whsec_(32 bytes in base64)"}
DELIVERY: dict[str, Any] = {
    "id": "dlv_0c9be2d03f11c0a7e45d0f4a1c9be2d0",
    "event_id": "evt_a7e45d0f4a1c9be2d03f11c00c9be2d0",
    "event_type": "cluster.flagged",
    "state": "pending",
    "created_at": "2021-12-23T14:02:11Z",
    "next_attempt_at": "2021-12-23T14:07:16Z",
    "finished_at": None,
    "attempts": [{"at": "2021-12-23T14:02:11Z", "seconds": 0.213, "status": 503, "error": None}],
}
_REQUEST = {
    "url": "https://comments.example/hooks/brigadewatch",
    "events": ["cluster.flagged", "target.hold"],
    "description": "comment section",
}
_CHANGES = {
    "rotate": {"summary": "a new secret", "value": {"rotate_secret": True}},
    "enable": {"summary": "send again", "value": {"enabled": True}},
}


def _body(model: type[BaseModel], examples: dict[str, Any]) -> dict[str, Any]:
    return {
        **_ADMIN,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": model.model_json_schema(), "examples": examples}},
        },
    }


def shown(found: subscriptions.StoredSubscription, now_us: int) -> Subscription:
    """The subscription as it is answered."""
    until = found.previous_until_us
    return Subscription(
        id=found.id,
        url=found.url,
        events=list(found.events),
        description=found.description,
        created_at=moment(found.created_us),
        enabled=found.disabled_us is None,
        disabled_at=_at(found.disabled_us),
        disabled_because=found.disabled_because,
        previous_secret_until=None if until is None or until <= now_us else moment(until),
    )


def _shown_delivery(found: deliveries.DeliveryRecord) -> Delivery:
    attempts = [
        DeliveryAttempt(at=moment(one.at_us), seconds=round(one.seconds, 3), status=one.status, error=one.error)
        for one in found.attempts
    ]
    return Delivery(
        id=found.id,
        event_id=found.event_id,
        event_type=found.type,
        state=found.state,
        created_at=moment(found.created_us),
        next_attempt_at=_at(found.next_us),
        finished_at=_at(found.finished_us),
        attempts=attempts,
    )


def _at(us: int | None) -> datetime | None:
    return None if us is None else moment(us)


@router.get(
    "/v1/subscriptions",
    response_model=ListOf[Subscription],
    summary="Who is told?",
    openapi_extra=_ADMIN,
    responses=answers({"items": [SUBSCRIPTION], "next_cursor": None}, 200, "one page", 400, 401, 403, 422),
)
def list_subscriptions(
    request: Request, response: Response, key: Administering, cursor: Cursor = None, limit: Limit = 50
) -> ListOf[Subscription]:
    """The tenant's subscriptions, oldest first."""
    page, sort = page_asked(
        cursor,
        list_name="subscriptions",
        key_types_by_sort={_CREATED: (int, str)},
        sort=None,
        default_sort=_CREATED,
        filters={},
    )
    api = api_context(request)
    with api.engine.connect() as connection:
        found, after = subscriptions.list_page(
            connection, key.tenant_id, after=page.after if page else None, limit=limit
        )
    next_cursor = link_next(response, "/v1/subscriptions", limit, Page("subscriptions", sort, {}, ()), after)
    return ListOf(items=[shown(one, _now_us(api)) for one in found], next_cursor=next_cursor)


async def _request(request: Request, _key: Administering) -> SubscriptionRequest:
    # Depends on the key, so that nobody's body is read before their key.
    return await model_body(request, SubscriptionRequest, "a subscription")


@router.post(
    "/v1/subscriptions",
    status_code=201,
    response_model=NewSecret,
    summary="Be told",
    openapi_extra=_body(SubscriptionRequest, {"one": {"summary": "two types of events", "value": _REQUEST}}),
    responses=answers(CREATED, 201, "made; `secret` is shown this once", 400, 401, 403, 408, 413, 415, 422)
    | {409: {**refusals(422)[422], "description": "the tenant has 100 already"}},
)
def create_subscription(
    request: Request, response: Response, key: Administering, asked: Annotated[SubscriptionRequest, Depends(_request)]
) -> NewSecret:
    """Events from now on are posted to the URL, signed by Standard Webhooks with the secret that is answered here and
    never again.
    """
    api, secret = api_context(request), new_secret()
    url = _checked(asked.url, api)
    now_us, sealed = _now_us(api), SecretBox(api.settings).seal(secret)
    with write(api.engine) as connection:
        by = name_of_key(connection, key.id)
        made = subscriptions.create(
            connection,
            key.tenant_id,
            url=url,
            events=asked.events,
            description=asked.description,
            sealed_secret=sealed,
            by=by,
            now_us=now_us,
        )
    response.headers["Location"] = f"/v1/subscriptions/{made.id}"
    return NewSecret(**shown(made, now_us).model_dump(), secret=secret)


@router.get(
    "/v1/subscriptions/{id}",
    response_model=Subscription,
    summary="One subscription",
    openapi_extra=_ADMIN,
    responses=answers(SUBSCRIPTION, 200, "it", 401, 403, 404, 422),
)
def read_subscription(request: Request, key: Administering, id: str) -> Subscription:
    """One subscription, without its secret."""
    api = api_context(request)
    with api.engine.connect() as connection:
        return shown(subscriptions.read(connection, key.tenant_id, id), _now_us(api))


async def _change(request: Request, _key: Administering) -> SubscriptionChange:
    return await model_body(request, SubscriptionChange, "a change")


@router.patch(
    "/v1/subscriptions/{id}",
    response_model=NewSecret | Subscription,
    summary="Change, rotate, disable or enable it",
    openapi_extra=_body(SubscriptionChange, _CHANGES),
    responses=answers(
        SUBSCRIPTION,
        200,
        "as it is now; with a new `secret` when that was asked for",
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
    request: Request, key: Administering, id: str, asked: Annotated[SubscriptionChange, Depends(_change)]
) -> NewSecret | Subscription:
    """Enabling one that was disabled sends what was held for it."""
    api = api_context(request)
    values = {
        name: getattr(asked, name) for name in ("url", "events", "description") if getattr(asked, name) is not None
    }
    if asked.url is not None:
        values["url"] = _checked(asked.url, api)
    secret = new_secret() if asked.rotate_secret else None
    sealed = None if secret is None else SecretBox(api.settings).seal(secret)
    now_us = _now_us(api)
    with write(api.engine) as connection:
        by = name_of_key(connection, key.id)
        subscriptions.read(connection, key.tenant_id, id)
        subscriptions.change(connection, key.tenant_id, id, values, by=by, now_us=now_us)
        if sealed is not None:
            subscriptions.rotate_secret(connection, key.tenant_id, id, sealed, by=by, now_us=now_us)
        if asked.enabled is True:
            subscriptions.enable(connection, key.tenant_id, id, by=by, now_us=now_us)
        elif asked.enabled is False:
            subscriptions.disable(connection, key.tenant_id, id, f"disabled by {by}", by=by, now_us=now_us)
        now = shown(subscriptions.read(connection, key.tenant_id, id), now_us)
    return now if secret is None else NewSecret(**now.model_dump(), secret=secret)


@router.delete(
    "/v1/subscriptions/{id}",
    status_code=204,
    summary="Be told no more",
    openapi_extra=_ADMIN,
    responses={204: {"description": "gone; what waited is cancelled"}, **refusals(401, 403, 404, 422)},
)
def delete_subscription(request: Request, key: Administering, id: str) -> None:
    """Nothing more is sent, what waits included; its log can be read no longer."""
    api = api_context(request)
    with write(api.engine) as connection:
        subscriptions.remove(connection, key.tenant_id, id, by=name_of_key(connection, key.id), now_us=_now_us(api))


@router.get(
    "/v1/subscriptions/{id}/deliveries",
    response_model=ListOf[Delivery],
    summary="The log of deliveries",
    openapi_extra=_ADMIN,
    responses=answers({"items": [DELIVERY], "next_cursor": None}, 200, "one page", 400, 401, 403, 404, 422),
)
def list_deliveries(
    request: Request,
    response: Response,
    key: Administering,
    id: str,
    state: Annotated[
        Literal["pending", "delivered", "failed", "cancelled"] | None, Query(description="only those; default: all")
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ListOf[Delivery]:
    """What was sent to it or waits, newest first, with every attempt."""
    filters = {"subscription": id, **({} if state is None else {"state": state})}
    page, sort = page_asked(
        cursor,
        list_name="deliveries",
        key_types_by_sort={_NEWEST: (int, str)},
        sort=None,
        default_sort=_NEWEST,
        filters=filters,
    )
    wanted = page.filters.get("state") if page else state
    with api_context(request).engine.connect() as connection:
        found, after = deliveries.list_page(
            connection, key.tenant_id, id, state=wanted, after=page.after if page else None, limit=limit
        )
    next_cursor = link_next(
        response,
        request.url.path,
        limit,
        Page("deliveries", sort, {"subscription": id, **({"state": wanted} if wanted else {})}, ()),
        after,
    )
    return ListOf(items=[_shown_delivery(one) for one in found], next_cursor=next_cursor)


@router.post(
    "/v1/subscriptions/{id}/deliveries/{delivery}/replay",
    status_code=202,
    response_model=Delivery,
    summary="Send it again",
    openapi_extra=_ADMIN,
    responses=answers({**DELIVERY, "attempts": []}, 202, "it is sent again now", 401, 403, 404, 422)
    | {409: {**refusals(422)[422], "description": "the subscription is disabled: enable it first"}},
)
def replay_delivery(request: Request, key: Administering, id: str, delivery: str) -> Delivery:
    """Whatever came of it before: the same event with the same webhook-id, and the whole schedule of attempts anew."""
    api = api_context(request)
    with write(api.engine) as connection:
        return _shown_delivery(deliveries.replay(connection, key.tenant_id, id, delivery, now_us=_now_us(api)))


def _checked(url: str, api: ApiContext) -> str:
    try:
        return check_url(url, api.settings)
    except OutboundRefused as error:
        raise Invalid(f"url: {error}", [RejectedItem(detail=str(error), pointer="/url")]) from None


def _now_us(api: ApiContext) -> int:
    return microseconds(api.now())
