"""“Messages by e-mail”: a person's own choice, the confirmation of their address, and the link that stops messages.

That link works without signing in, as mail programs need it (RFC 8058): its sealed token says whose it is and can do
nothing else. Opening it changes nothing, since programs that preview links open them too.
"""

from __future__ import annotations

from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Form, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.formatting import sentence
from service.console.person import Person
from service.console.rendering import FlashMessage, flash, render, see_other
from service.console.shares import few_requests
from service.console.sign_in import Viewer
from service.errors import Refused
from service.model import microseconds, moment
from service.notifications.quiet_hours import checked_hours, checked_zone, clock_minute, clock_text
from service.storage.accounts import mail_preferences
from service.storage.accounts.mail_preferences import (
    CADENCES,
    Cadence,
    MailPreference,
    Purpose,
    checked_address,
    open_token,
    read_preference,
)
from service.storage.sql.engine import write

HERE = "/console/mail"
router = APIRouter()
own = [Depends(few_requests)]
CADENCE_TEXTS = {
    "off": "Off",
    "at_once": "At once, collected over five minutes",
    "daily": "Every day, also when nothing is new",
    "daily_if_new": "Once a day, only when something is new",
}
NO_SERVER = "Nothing is sent: this installation has no mail server."
_NOTHING = {
    "address": "",
    "cadence": "off",
    "hour": "08:00",
    "quiet_from": "",
    "quiet_until": "",
}


@router.get("/mail", dependencies=own)
def show_mail(request: Request, person: Viewer) -> Response:
    """The choice, and how messages went lately."""
    return _page(request, person)


@router.post("/mail", dependencies=own)
def save_mail(
    request: Request,
    person: Viewer,
    address: Annotated[str, Form(max_length=400)] = "",
    cadence: Annotated[str, Form(max_length=20)] = "off",
    hour: Annotated[str, Form(max_length=20)] = "08:00",
    time_zone: Annotated[str, Form(max_length=100)] = "UTC",
    quiet_from: Annotated[str, Form(max_length=20)] = "",
    quiet_until: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Store the choice; with “Off” the address is forgotten."""
    api = api_context(request)
    now_us = microseconds(api.now())
    try:
        if cadence not in CADENCES:
            raise Refused(f"unknown choice {cadence!r}")
        with write(api.engine) as connection:
            before = read_preference(connection, person.user_id)
            if cadence == "off":
                if before is not None:
                    mail_preferences.forget_address(connection, before, by=person.name, now_us=now_us)
                after = None
            else:
                after = mail_preferences.save_preference(
                    connection,
                    person.tenant_id,
                    person.user_id,
                    address=checked_address(address),
                    cadence=cast(Cadence, cadence),
                    minute=clock_minute(hour),
                    time_zone=checked_zone(time_zone.strip()),
                    quiet_hours=checked_hours(quiet_from, quiet_until),
                    by=person.name,
                    now_us=now_us,
                )
    except Refused as error:
        entered = {
            "address": address[:254],
            "cadence": cadence,
            "hour": hour[:5],
            "time_zone": time_zone[:64],
            "quiet_from": quiet_from[:5],
            "quiet_until": quiet_until[:5],
        }
        return _page(request, person, entered, sentence(error))
    said = "Messages are off, and your address was deleted."
    if after is not None:
        said = "Saved."
        if after.confirmed_us is None:
            said = f"Saved. Open the link in the message to {after.address} to confirm the address."
    flash(request, person, said)
    return see_other(request, HERE)


@router.post("/mail/test", dependencies=own)
def send_test(request: Request, person: Viewer) -> Response:
    """Send a test message, or the confirmation again."""
    api = api_context(request)
    with write(api.engine) as connection:
        preference = read_preference(connection, person.user_id)
        if preference is not None:
            mail_preferences.request_test(connection, preference, microseconds(api.now()))
    text = "A message is on its way, at most one a minute." if preference else "Save an address first."
    if api.settings.smtp is None:
        text = NO_SERVER
    flash(request, person, text, "good" if preference and text != NO_SERVER else "info")
    return see_other(request, HERE)


@router.get("/mail/confirm/{token}", dependencies=own)
def show_confirmation(request: Request, person: Viewer, token: str) -> Response:
    """Ask whether the address is theirs."""
    preference = _of_link(request, "mail-confirm", token)
    return render(request, person, "mail_link.html", preference=_own(preference, person), what="confirm")


@router.post("/mail/confirm/{token}", dependencies=own)
def confirm(request: Request, person: Viewer, token: str) -> Response:
    """The address is theirs."""
    preference, api = _own(_of_link(request, "mail-confirm", token), person), api_context(request)
    with write(api.engine) as connection:
        mail_preferences.confirm(connection, preference, by=person.name, now_us=microseconds(api.now()))
    flash(request, person, "Your address is confirmed.")
    return see_other(request, HERE)


@router.get("/mail/off/{token}")
def show_off(request: Request, token: str) -> Response:
    """Ask whether messages shall stop."""
    return render(request, None, "mail_link.html", preference=_of_link(request, "mail-off", token), what="off")


@router.post("/mail/off/{token}")
def turn_off(request: Request, token: str) -> Response:
    """Send nothing more to the address. Mail programs post this on their own page's behalf."""
    preference, api = _of_link(request, "mail-off", token), api_context(request)
    with write(api.engine) as connection:
        mail_preferences.turn_off(connection, preference, by="link in a message", now_us=microseconds(api.now()))
    return render(request, None, "mail_link.html", preference=preference, what="done")


def _of_link(request: Request, purpose: Purpose, token: str) -> MailPreference:
    api = api_context(request)
    with api.engine.connect() as connection:
        found = open_token(connection, api.box, purpose, token)
    if found is None:
        raise HTTPException(404, "This link is not valid, or the address was changed since.")
    return found


def _own(preference: MailPreference, person: Person) -> MailPreference:
    if preference.user_id != person.user_id:
        raise HTTPException(403, "This link is for another account. Sign in with that one.")
    return preference


def _page(
    request: Request, person: Person, entered: dict[str, Any] | None = None, error: str | None = None
) -> Response:
    api = api_context(request)
    with api.engine.connect() as connection:
        preference = read_preference(connection, person.user_id)
    return render(
        request,
        person,
        "mail.html",
        status=422 if error else 200,
        messages=(FlashMessage(error, "bad"),) if error else (),
        entered=entered or (_nothing(person) if preference is None else _shown(preference)),
        preference=preference,
        sent=None if preference is None or preference.sent_us is None else moment(preference.sent_us),
        cadences=CADENCE_TEXTS,
        possible=api.settings.smtp is not None,
    )


def _nothing(person: Person) -> dict[str, Any]:
    return {**_NOTHING, "time_zone": person.preferences.time_zone}


def _shown(preference: MailPreference) -> dict[str, Any]:
    start, until = ("", "") if preference.quiet_hours is None else preference.quiet_hours.text
    return {
        "address": preference.address,
        "cadence": preference.cadence,
        "hour": clock_text(preference.minute),
        "time_zone": preference.time_zone,
        "quiet_from": start,
        "quiet_until": until,
    }
