"""Webhook subscriptions: which URL gets which events, the delivery log, and resending a delivery."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.formatting import sentence
from service.console.rendering import flash, see_other, segment
from service.console.settings.frame import now_us, page, secret
from service.console.sign_in import Admin
from service.errors import Refused
from service.model import moment
from service.moderation.events import DEFAULT_TYPES, EVENT_TYPES
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
EVENT_TEXTS = {
    "cluster.flagged": "a new case to review",
    "cluster.grown": "a flagged group has grown",
    "cluster.revoked": "a group is no longer flagged",
    "cluster.decided": "a case was decided",
    "target.hold": "a target reached the threshold only because of a group",
    "target.restore_suggested": "a removed target should be reviewed",
    "reporter.warn_suggested": "a warning to a reporter is suggested",
    "audit.recorded": "an entry in the audit log: sign-ins, settings, decisions (for security monitoring)",
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
    """Create one; its signing secret is shown once."""
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
    return _secret(request, person, made, made_secret, "Subscription created")


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
    """Change the URL, events or description."""
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
            entered={"url": url[:2048], "description": description[:256], "events": event},
        )
    flash(
        request,
        person,
        "Saved. The changes apply to events from now on." if changed else "Nothing was changed.",
        "good" if changed else "info",
    )
    return see_other(request, f"{HERE}/{segment(id)}")


@router.post("/{id}/rotate")
def rotate(request: Request, person: Admin, id: str) -> Response:
    """Create a new signing secret, shown once; the old one also signs for another day."""
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
        "New secret created",
        "The old one also signs for another 24 hours, so that nothing is lost while you switch.",
    )


@router.post("/{id}/disable")
def disable(request: Request, person: Admin, id: str) -> Response:
    """Stop sending; waiting deliveries are held."""
    with write(api_context(request).engine) as connection:
        subscriptions.read(connection, person.tenant_id, id)
        subscriptions.disable(
            connection, person.tenant_id, id, f"disabled by {person.name}", by=person.name, now_us=now_us(request)
        )
    flash(
        request,
        person,
        "Disabled. Waiting deliveries are held until you enable it again. Events in the meantime are not delivered.",
    )
    return see_other(request, f"{HERE}/{segment(id)}")


@router.post("/{id}/enable")
def enable(request: Request, person: Admin, id: str) -> Response:
    """Resume sending, held deliveries first."""
    with write(api_context(request).engine) as connection:
        subscriptions.read(connection, person.tenant_id, id)
        subscriptions.enable(connection, person.tenant_id, id, by=person.name, now_us=now_us(request))
    flash(request, person, "Enabled. Held deliveries are sent first.")
    return see_other(request, f"{HERE}/{segment(id)}")


@router.post("/{id}/remove")
def remove(request: Request, person: Admin, id: str) -> Response:
    """Delete it; waiting deliveries are cancelled."""
    with write(api_context(request).engine) as connection:
        subscriptions.remove(connection, person.tenant_id, id, by=person.name, now_us=now_us(request))
    flash(request, person, "The subscription was deleted. Waiting deliveries were cancelled.")
    return see_other(request, HERE)


@router.post("/{id}/deliveries/{delivery}/replay")
def replay(request: Request, person: Admin, id: str, delivery: str) -> Response:
    """Resend a delivery."""
    try:
        with write(api_context(request).engine) as connection:
            sent = deliveries.replay(connection, person.tenant_id, id, delivery, now_us=now_us(request))
    except Refused:
        flash(request, person, "The subscription is disabled. Enable it before resending.", "bad")
    else:
        flash(request, person, f"{sent.type} is being resent with the same ID.")
    return see_other(request, f"{HERE}/{segment(id)}")


@router.post("/{id}/ping")
def ping(request: Request, person: Admin, id: str) -> Response:
    """Send a test event to this subscription only."""
    try:
        with write(api_context(request).engine) as connection:
            deliveries.ping(connection, person.tenant_id, id, now_us=now_us(request))
    except Refused:
        flash(request, person, "The subscription is disabled. Enable it before sending a test.", "bad")
    else:
        flash(
            request,
            person,
            "A test event (ping) is on its way. Reload the page in a few seconds to see the receiver’s response.",
        )
    return see_other(request, f"{HERE}/{segment(id)}")


def _values(request: Request, url: str, description: str, events: list[str]) -> dict[str, Any]:
    """The validated form values. Raises Refused."""
    unknown = [name for name in events if name not in EVENT_TYPES]
    if unknown:
        raise Refused(f"unknown event {unknown[0][:40]!r}: must be one of {', '.join(EVENT_TYPES)}")
    description = description.strip()
    if len(description) > 256 or not description.isprintable():
        raise Refused("the description must be a single line of at most 256 characters")
    try:
        checked = check_url(url.strip(), api_context(request).settings)
    except OutboundRefused as error:
        raise Refused(f"this URL cannot be used: {error}") from None
    selected = list(dict.fromkeys(events))
    return {
        "url": checked,
        "events": [] if set(selected) == set(DEFAULT_TYPES) else selected,
        "description": description,
    }


def _secret(
    request: Request,
    person: Admin,
    found: StoredSubscription,
    made_secret: str,
    title: str,
    after: str = "If you lose it, create a new one here.",
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
        text=f"Configure it at the receiver {found.url}: every delivery is signed with it (Standard Webhooks).",
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
            "created": moment(one.created_us),
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
        event_texts=EVENT_TEXTS,
        most=subscriptions.MOST,
        entered={
            "url": url[:2048],
            "description": description[:256],
            "events": list(DEFAULT_TYPES) if events is None else events,
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
    entered: dict[str, Any] | None = None,
) -> Response:
    filters = {"subscription": id, **({"state": state} if state in deliveries.STATES else {})}
    after = None
    if cursor:
        page_cursor = read_cursor(cursor, list_name=_LIST, key_types_by_sort={_SORT: (int, str)})
        filters, after = dict(page_cursor.filters) | {"subscription": id}, page_cursor.after
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
        created=moment(found.created_us),
        disabled_at=None if found.disabled_us is None else moment(found.disabled_us),
        rotating_until=moment(until) if until is not None and until > now_us(request) else None,
        event_texts=EVENT_TEXTS,
        entered=entered
        or {"url": found.url, "description": found.description, "events": list(found.events) or list(DEFAULT_TYPES)},
        sent=[_shown(one) for one in sent],
        states=deliveries.STATES,
        state=filters.get("state", ""),
        first_url=base if cursor else None,
        next_url=None if more is None else f"{base}?cursor={write_cursor(Page(_LIST, _SORT, filters, more))}",
    )


def _shown(one: deliveries.DeliveryRecord) -> dict[str, Any]:
    last = one.attempts[-1] if one.attempts else None
    response = "" if last is None else (f"{last.status}" if last.status is not None else (last.error or "no response"))
    return {
        "id": one.id,
        "type": one.type,
        "state": one.state,
        "created": moment(one.created_us),
        "next": None if one.next_us is None else moment(one.next_us),
        "attempts": len(one.attempts),
        "last": None if last is None else moment(last.at_us),
        "response": response[:200],
        "seconds": None if last is None else last.seconds,
    }
