"""Webhook subscriptions: which URL gets which events, the delivery log, and resending a delivery."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.formatting import sentence
from service.console.rendering import flash, see_other, segment
from service.console.settings.frame import now_us, page, secret
from service.console.settings.subscription_form import (
    FORMATS,
    Entered,
    EnteredSubscription,
    checked_destination,
    checked_values,
    entered_before,
)
from service.console.sign_in import Admin
from service.errors import Refused
from service.model import moment
from service.notifications.chat_formats import SIGNED
from service.notifications.digest import REPORTED_EVENTS
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
    "campaign.formed": "cases were found to be one campaign",
    "campaign.grown": "another case belongs to a campaign",
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
def add(request: Request, person: Admin, entered: Entered) -> Response:
    """Create one; its signing secret is shown once."""
    settings = api_context(request).settings
    try:
        found = checked_destination(entered, entered.format, settings)
        values = checked_values(entered, entered.format)
        sealed = SecretBox(settings).seal(found.sealed_content)
        with write(api_context(request).engine) as connection:
            made = subscriptions.create(
                connection,
                person.tenant_id,
                url=found.shown,
                sealed_secret=sealed,
                by=person.name,
                now_us=now_us(request),
                format=entered.format,
                **values,
            )
    except Refused as error:
        return _list(request, person, entered, error=sentence(error))
    if found.signing_secret is not None:
        return _secret(request, person, made, found.signing_secret, "Subscription created")
    flash(request, person, "Created. Send a test message to see whether it arrives.")
    return see_other(request, f"{HERE}/{made.id}")


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
def change(request: Request, person: Admin, id: str, entered: Entered) -> Response:
    """Change the URL, events, description or quiet hours."""
    settings = api_context(request).settings
    try:
        with write(api_context(request).engine) as connection:
            known = subscriptions.read(connection, person.tenant_id, id)
            values = checked_values(entered, known.format)
            if known.format == SIGNED or entered.url != known.url or entered.token:
                found = checked_destination(entered, known.format, settings)
                values["url"] = found.shown
                if known.format != SIGNED:
                    values["secret"] = SecretBox(settings).seal(found.sealed_content)
            changed = {name: value for name, value in values.items() if value != _stored(known, name)}
            subscriptions.change(connection, person.tenant_id, id, changed, by=person.name, now_us=now_us(request))
    except Refused as error:
        return _one(request, person, id, error=sentence(error), entered=entered)
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
        if found.format != SIGNED:
            raise Refused("chat formats have no signing secret: change the URL instead")
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


def _stored(known: StoredSubscription, name: str) -> Any:
    return list(known.events) if name == "events" else getattr(known, name, None)


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
    entered: EnteredSubscription | None = None,
    *,
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
        entered=(entered or EnteredSubscription(time_zone=person.preferences.time_zone)).shown,
        formats=FORMATS,
        new=True,
        signed=True,
    )


def _one(
    request: Request,
    person: Admin,
    id: str,
    state: str = "",
    cursor: str = "",
    *,
    error: str | None = None,
    entered: EnteredSubscription | None = None,
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
        entered={
            **(entered or entered_before(found)).shown,
            "url": found.url if entered is None else entered.url[:2048],
        },
        formats=FORMATS,
        new=False,
        signed=found.format == SIGNED,
        reported=REPORTED_EVENTS,
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
