"""Webhooks out: which addresses are told of which events, the log of deliveries, and sending one again."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.rendering import flash, see_other, segment
from service.console.settings.frame import now_us, page, secret, sentence
from service.console.sign_in import Admin
from service.errors import Refused
from service.model import moment
from service.moderation.events import EVENT_TYPES
from service.outbound.addresses import OutboundRefused
from service.outbound.client import check_url
from service.storage.accounts.secret_box import SecretBox
from service.storage.sql.cursors import Page, read_cursor, write_cursor
from service.storage.sql.engine import write
from service.storage.webhooks import deliveries, subscriptions
from service.storage.webhooks.subscriptions import StoredSubscription
from service.webhooks.signing import new_secret

HERE = "/console/settings/subscriptions"
SECTION = "subscriptions"
EVENT_WORDS = {
    "cluster.flagged": "a case to look at",
    "cluster.grown": "a flagged group goes on",
    "cluster.revoked": "a flagged group is none after all",
    "cluster.decided": "somebody decided a case",
    "target.hold": "a target is over the threshold only because of a group",
    "target.restore_suggested": "a removed target should be looked at again",
    "reporter.warn_suggested": "a warning is suggested",
}
_DELIVERIES_A_PAGE = 25
_LIST, _SORT = "console-deliveries", "-created_at"
router = APIRouter(prefix="/subscriptions")


@router.get("")
def show_subscriptions(request: Request, person: Admin) -> Response:
    """All of them, and the form for a new one."""
    return _list(request, person)


@router.post("/add")
def add(
    request: Request,
    person: Admin,
    url: Annotated[str, Form(max_length=4000)] = "",
    description: Annotated[str, Form(max_length=2000)] = "",
    event: Annotated[list[str], Form(max_length=50)] = [],  # noqa: B006
) -> Response:
    """Make one; its signing secret is shown in this answer alone."""
    made_secret = new_secret()
    try:
        values = _values(request, url, description, event)
        sealed = SecretBox(api_context(request).settings).seal(made_secret)
        with write(api_context(request).engine) as connection:
            made = subscriptions.create(
                connection,
                person.tenant_id,
                url=values["url"],
                events=values["events"],
                description=values["description"],
                sealed_secret=sealed,
                by=person.name,
                now_us=now_us(request),
            )
    except Refused as error:
        return _list(request, person, url=url, description=description, events=event, error=sentence(error))
    return _secret(request, person, made, made_secret, "The webhook is made")


@router.get("/{id}")
def show_subscription(
    request: Request,
    person: Admin,
    id: str,
    state: Annotated[str, Query(max_length=20)] = "",
    cursor: Annotated[str, Query(max_length=8192)] = "",
) -> Response:
    """One of them, with the log of its deliveries."""
    return _one(request, person, id, state, cursor)


@router.post("/{id}/change")
def change(
    request: Request,
    person: Admin,
    id: str,
    url: Annotated[str, Form(max_length=4000)] = "",
    description: Annotated[str, Form(max_length=2000)] = "",
    event: Annotated[list[str], Form(max_length=50)] = [],  # noqa: B006
) -> Response:
    """Another address, other events, other words."""
    try:
        values = _values(request, url, description, event)
        with write(api_context(request).engine) as connection:
            known = subscriptions.read(connection, person.tenant_id, id)
            changed = {
                name: value
                for name, value in values.items()
                if value != (list(known.events) if name == "events" else getattr(known, name))
            }
            subscriptions.change(connection, person.tenant_id, id, changed, by=person.name, now_us=now_us(request))
    except Refused as error:
        return _one(
            request,
            person,
            id,
            error=sentence(error),
            typed={"url": url[:2048], "description": description[:256], "events": event},
        )
    flash(
        request,
        person,
        "Kept. What happens from now on goes by it." if changed else "Nothing was changed.",
        "good" if changed else "info",
    )
    return see_other(request, f"{HERE}/{segment(id)}")


@router.post("/{id}/rotate")
def rotate(request: Request, person: Admin, id: str) -> Response:
    """A new signing secret, shown in this answer alone; the old one signs too for a day."""
    made_secret = new_secret()
    sealed = SecretBox(api_context(request).settings).seal(made_secret)
    with write(api_context(request).engine) as connection:
        found = subscriptions.read(connection, person.tenant_id, id)
        subscriptions.rotate_secret(connection, person.tenant_id, id, sealed, by=person.name, now_us=now_us(request))
    return _secret(
        request,
        person,
        found,
        made_secret,
        "The secret is new",
        "The old one signs too for 24 hours, so that nothing is lost while you change it there.",
    )


@router.post("/{id}/disable")
def disable(request: Request, person: Admin, id: str) -> Response:
    """Send nothing; what waits is held."""
    with write(api_context(request).engine) as connection:
        subscriptions.read(connection, person.tenant_id, id)
        subscriptions.disable(
            connection, person.tenant_id, id, f"disabled by {person.name}", by=person.name, now_us=now_us(request)
        )
    flash(
        request,
        person,
        "Nothing is sent any more. What waits is held until it is enabled again; what happens meanwhile is not kept"
        " for it.",
    )
    return see_other(request, f"{HERE}/{segment(id)}")


@router.post("/{id}/enable")
def enable(request: Request, person: Admin, id: str) -> Response:
    """Send again, what was held first."""
    with write(api_context(request).engine) as connection:
        subscriptions.read(connection, person.tenant_id, id)
        subscriptions.enable(connection, person.tenant_id, id, by=person.name, now_us=now_us(request))
    flash(request, person, "Enabled. What was held is sent first.")
    return see_other(request, f"{HERE}/{segment(id)}")


@router.post("/{id}/remove")
def remove(request: Request, person: Admin, id: str) -> Response:
    """Forget it; what waits is cancelled."""
    with write(api_context(request).engine) as connection:
        subscriptions.remove(connection, person.tenant_id, id, by=person.name, now_us=now_us(request))
    flash(request, person, "The webhook is deleted. What waited for it is cancelled.")
    return see_other(request, HERE)


@router.post("/{id}/deliveries/{delivery}/replay")
def replay(request: Request, person: Admin, id: str, delivery: str) -> Response:
    """Send one again."""
    try:
        with write(api_context(request).engine) as connection:
            sent = deliveries.replay(connection, person.tenant_id, id, delivery, now_us=now_us(request))
    except Refused:
        flash(request, person, "It is disabled: enable it first, then send again.", "bad")
    else:
        flash(request, person, f"{sent.type} is sent again now, under the same id.")
    return see_other(request, f"{HERE}/{segment(id)}")


@router.post("/{id}/ping")
def ping(request: Request, person: Admin, id: str) -> Response:
    """Send a test to this webhook alone."""
    try:
        with write(api_context(request).engine) as connection:
            deliveries.ping(connection, person.tenant_id, id, now_us=now_us(request))
    except Refused:
        flash(request, person, "It is disabled: enable it first, then send a test.", "bad")
    else:
        flash(
            request,
            person,
            "A test (the event ping) is on its way: what the receiver answers stands below within seconds; load the"
            " page anew.",
        )
    return see_other(request, f"{HERE}/{segment(id)}")


def _values(request: Request, url: str, description: str, events: list[str]) -> dict[str, Any]:
    """What the form says, checked. Raises Refused."""
    unknown = [name for name in events if name not in EVENT_TYPES]
    if unknown:
        raise Refused(f"{unknown[0][:40]!r} is no event; events are {', '.join(EVENT_TYPES)}")
    description = description.strip()
    if len(description) > 256 or not description.isprintable():
        raise Refused("the description has at most 256 characters, on one line")
    try:
        checked = check_url(url.strip(), api_context(request).settings)
    except OutboundRefused as error:
        raise Refused(f"this address is not possible: {error}") from None
    chosen = list(dict.fromkeys(events))
    return {"url": checked, "events": [] if len(chosen) == len(EVENT_TYPES) else chosen, "description": description}


def _secret(
    request: Request,
    person: Admin,
    found: StoredSubscription,
    made_secret: str,
    title: str,
    after: str = "If it gets lost, make a new one here.",
) -> Response:
    return secret(
        request,
        person,
        SECTION,
        title=title,
        label="Signing secret",
        shown=made_secret,
        back=f"{HERE}/{found.id}",
        after=after,
        told=f"Give it to whoever receives at {found.url}: every delivery is signed with it, by Standard Webhooks.",
    )


def _list(
    request: Request,
    person: Admin,
    *,
    url: str = "",
    description: str = "",
    events: list[str] | None = None,
    error: str | None = None,
) -> Response:
    with api_context(request).engine.connect() as connection:
        found, _ = subscriptions.list_page(connection, person.tenant_id, after=None, limit=subscriptions.MOST)
        waiting = deliveries.unsettled(connection, person.tenant_id)
    listed = [
        {
            "one": one,
            "made": moment(one.created_us),
            "pending": waiting.get(one.id, {}).get("pending", 0),
            "failed": waiting.get(one.id, {}).get("failed", 0),
        }
        for one in found
    ]
    return page(
        request,
        person,
        SECTION,
        "subscriptions.html",
        error=error,
        listed=listed,
        event_words=EVENT_WORDS,
        most=subscriptions.MOST,
        typed={
            "url": url[:2048],
            "description": description[:256],
            "events": list(EVENT_TYPES) if events is None else events,
        },
    )


def _one(
    request: Request,
    person: Admin,
    id: str,
    state: str = "",
    cursor: str = "",
    *,
    error: str | None = None,
    typed: dict[str, Any] | None = None,
) -> Response:
    filters = {"subscription": id, **({"state": state} if state in deliveries.STATES else {})}
    after = None
    if cursor:
        asked = read_cursor(cursor, list_name=_LIST, key_types_by_sort={_SORT: (int, str)})
        filters, after = dict(asked.filters) | {"subscription": id}, asked.after
    with api_context(request).engine.connect() as connection:
        found = subscriptions.read(connection, person.tenant_id, id)
        sent, more = deliveries.list_page(
            connection, person.tenant_id, id, state=filters.get("state"), after=after, limit=_DELIVERIES_A_PAGE
        )
    base = f"{HERE}/{segment(id)}"
    until = found.previous_until_us
    return page(
        request,
        person,
        SECTION,
        "one_subscription.html",
        error=error,
        one=found,
        made=moment(found.created_us),
        disabled_at=None if found.disabled_us is None else moment(found.disabled_us),
        rotating_until=moment(until) if until is not None and until > now_us(request) else None,
        event_words=EVENT_WORDS,
        typed=typed
        or {"url": found.url, "description": found.description, "events": list(found.events) or list(EVENT_TYPES)},
        sent=[_shown(one) for one in sent],
        states=deliveries.STATES,
        state=filters.get("state", ""),
        first_url=base if cursor else None,
        next_url=None if more is None else f"{base}?cursor={write_cursor(Page(_LIST, _SORT, filters, more))}",
    )


def _shown(one: deliveries.DeliveryRecord) -> dict[str, Any]:
    last = one.attempts[-1] if one.attempts else None
    answer = "" if last is None else (f"{last.status}" if last.status is not None else (last.error or "no answer"))
    return {
        "id": one.id,
        "type": one.type,
        "state": one.state,
        "made": moment(one.created_us),
        "next": None if one.next_us is None else moment(one.next_us),
        "attempts": len(one.attempts),
        "last": None if last is None else moment(last.at_us),
        "answer": answer[:200],
        "seconds": None if last is None else last.seconds,
    }
