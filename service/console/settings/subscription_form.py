"""The form of a webhook subscription: what somebody entered, checked, and entered again after an error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Form

from service.errors import Refused
from service.moderation.events import DEFAULT_TYPES, EVENT_TYPES
from service.notifications.chat_formats import CHAT_FORMATS, SIGNED
from service.notifications.quiet_hours import UTC_NAME, checked_zone
from service.outbound.addresses import OutboundRefused
from service.settings import Settings
from service.storage.webhooks.subscriptions import StoredSubscription
from service.webhooks.destinations import Destination, checked_events, checked_quiet_hours, destination

FORMATS = {
    SIGNED: "Signed events for a program (Standard Webhooks)",
    "slack": "Slack: messages for people",
    "mattermost": "Mattermost: messages for people",
    "discord": "Discord: messages for people",
    "matrix": "Matrix: messages for people",
}


@dataclass(frozen=True, slots=True)
class EnteredSubscription:
    """The fields of the form, as they were sent."""

    url: str = ""
    description: str = ""
    events: Sequence[str] = DEFAULT_TYPES
    format: str = SIGNED
    token: str = ""
    quiet_from: str = ""
    quiet_until: str = ""
    time_zone: str = UTC_NAME

    @property
    def shown(self) -> dict[str, Any]:
        """What the form shows again; a token, and the address of a room with its secret, are entered again."""
        return {
            "url": "" if self.format in CHAT_FORMATS and self.format != "matrix" else self.url[:2048],
            "description": self.description[:256],
            "events": list(self.events),
            "format": self.format if self.format in FORMATS else SIGNED,
            "quiet_from": self.quiet_from[:5],
            "quiet_until": self.quiet_until[:5],
            "time_zone": self.time_zone[:64],
        }


def entered_subscription(
    url: Annotated[str, Form(max_length=4000)] = "",
    description: Annotated[str, Form(max_length=2000)] = "",
    event: Annotated[list[str], Form(max_length=50)] = [],  # noqa: B006
    format: Annotated[str, Form(max_length=40)] = SIGNED,
    token: Annotated[str, Form(max_length=4096)] = "",
    quiet_from: Annotated[str, Form(max_length=20)] = "",
    quiet_until: Annotated[str, Form(max_length=20)] = "",
    time_zone: Annotated[str, Form(max_length=100)] = UTC_NAME,
) -> EnteredSubscription:
    """The form of a request."""
    return EnteredSubscription(
        url.strip(), description.strip(), event, format, token.strip(), quiet_from, quiet_until, time_zone.strip()
    )


Entered = Annotated[EnteredSubscription, Depends(entered_subscription)]


def entered_before(known: StoredSubscription) -> EnteredSubscription:
    """The form as it shows what is stored."""
    start, until = ("", "") if known.quiet_hours is None else known.quiet_hours.text
    events = known.events or DEFAULT_TYPES
    return EnteredSubscription(known.url, known.description, events, known.format, "", start, until, known.time_zone)


def checked_values(entered: EnteredSubscription, format: str) -> dict[str, Any]:
    """All but the address, as it is stored. Raises Refused."""
    unknown = [name for name in entered.events if name not in EVENT_TYPES]
    if unknown:
        raise Refused(f"unknown event {unknown[0][:40]!r}: must be one of {', '.join(EVENT_TYPES)}")
    if len(entered.description) > 256 or not entered.description.isprintable():
        raise Refused("the description must be a single line of at most 256 characters")
    selected = list(dict.fromkeys(entered.events))
    events = checked_events(format, [] if set(selected) == set(DEFAULT_TYPES) else selected)
    hours = f"{entered.quiet_from}-{entered.quiet_until}" if entered.quiet_from or entered.quiet_until else ""
    return {
        "events": events,
        "description": entered.description,
        "quiet_hours": checked_quiet_hours(format, hours),
        "time_zone": checked_zone(entered.time_zone),
    }


def checked_destination(entered: EnteredSubscription, format: str, settings: Settings) -> Destination:
    """The entered address. Raises Refused."""
    if format not in FORMATS:
        raise Refused(f"unknown format {format!r}: must be one of {', '.join(FORMATS)}")
    try:
        return destination(format, entered.url, entered.token, settings)
    except OutboundRefused as error:
        raise Refused(f"this URL cannot be used: {error}") from None
