"""What requests and answers about webhook subscriptions and their deliveries contain, with examples."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from service.errors import Refused
from service.fields import ID_PATTERN
from service.model import Frozen, moment
from service.moderation.events import EventType
from service.notifications.chat_formats import SIGNED, SubscriptionFormat
from service.notifications.quiet_hours import checked_zone
from service.outbound.client import MAX_URL_CHARACTERS
from service.storage.webhooks.deliveries import DeliveryRecord
from service.storage.webhooks.subscriptions import StoredSubscription

DeliveryState = Literal["pending", "delivered", "failed", "cancelled"]


def _without_control_characters(text: str) -> str:
    if any(character < " " or "\x7f" <= character <= "\x9f" for character in text):
        raise ValueError("control characters are not allowed")
    return text


def _known_zone(name: str) -> str:
    try:
        return checked_zone(name)
    except Refused as error:
        raise ValueError(str(error)) from None


def _without_repeats(kinds: list[EventType]) -> list[EventType]:
    return list(dict.fromkeys(kinds))


Url = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_URL_CHARACTERS),
    Field(
        description="Where events are posted: https (or http) to a public address, without user and password.",
        json_schema_extra={"format": "uri"},
    ),
]
Events = Annotated[
    list[EventType],
    Field(
        max_length=50,
        description="Types of events to send; empty: all of them but `audit.recorded`, which has to be named.",
    ),
    AfterValidator(_without_repeats),
]
Description = Annotated[
    str,
    StringConstraints(max_length=256),
    AfterValidator(_without_control_characters),
    Field(
        description="A note for people, such as which system receives the events.",
        json_schema_extra={"pattern": ID_PATTERN.replace("+", "*")},
    ),
]


QUIET_PATTERN = r"^(([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9])?$"
Token = Annotated[
    str,
    StringConstraints(max_length=4096),
    AfterValidator(_without_control_characters),
    Field(
        description="Access token of the account that posts; only of `matrix`. Stored sealed and never shown.",
        json_schema_extra={"pattern": ID_PATTERN.replace("+", "*"), "writeOnly": True},
    ),
]
Quiet = Annotated[
    str,
    StringConstraints(pattern=QUIET_PATTERN),
    Field(
        description=(
            "Hours in `time_zone` in which a chat format sends nothing, like `22:00-07:00`; what happened then is one"
            " message at their end. Empty: none."
        )
    ),
]
Zone = Annotated[
    str,
    AfterValidator(_known_zone),
    Field(
        description="Time zone of the quiet hours and of the day on which a case is reported once, such as UTC.",
        json_schema_extra={"format": "time-zone", "examples": ["UTC", "Europe/Berlin"]},
    ),
]


class SubscriptionRequest(Frozen):
    """A new subscription."""

    url: Url
    events: Events = Field(default_factory=list)
    description: Description = ""
    format: SubscriptionFormat = Field(
        SIGNED,
        description=(
            "`brigadewatch`: signed events for programs. The others post messages for people to a chat room, at most"
            " one for a case and day: `url` is then the URL of the service's incoming webhook, or, for `matrix`, the"
            " homeserver's address followed by the room's id; `events` are `cluster.flagged` and `target.hold` unless"
            " others are named. Cannot be changed later."
        ),
    )
    token: Token = ""
    quiet_hours: Quiet = ""
    time_zone: Zone = "UTC"


class SubscriptionChange(Frozen):
    """Changes to a subscription. Fields that are absent or null stay as they are."""

    url: Url | None = Field(
        None,
        description="New address: https (or http), public, without user and password; for `matrix` with a `token`.",
    )
    token: Token | None = Field(None, description="New access token; only of `matrix`, and with the `url`.")
    quiet_hours: Quiet | None = Field(None, description="New quiet hours of a chat format; empty: none.")
    time_zone: Zone | None = Field(None, description="New time zone.")
    events: Events | None = Field(None, description="New types of events to send; empty: all but `audit.recorded`.")
    description: Description | None = Field(None, description="New note for people.")
    enabled: bool | None = Field(
        None,
        description=(
            "False: send nothing. Deliveries that are waiting are held and go out once it is true again; events that"
            " happen in between are not kept."
        ),
    )
    rotate_secret: bool | None = Field(
        None,
        description=(
            "True: make a new secret, shown only in this answer. Deliveries are signed with the old one too for 24"
            " hours."
        ),
    )


class Subscription(BaseModel):
    """A webhook subscription: which events are posted to which address."""

    id: str = Field(description="The subscription's id.")
    url: str = Field(
        description="Where events are posted. Of a chat format, only the part that lets nobody post there."
    )
    format: SubscriptionFormat = Field(description="What is posted: signed events, or a chat service's messages.")
    quiet_hours: str = Field(description="Hours in which a chat format sends nothing, like `22:00-07:00`. Empty: none.")
    time_zone: str = Field(description="Time zone of the quiet hours and of the day.")
    events: list[str] = Field(description="Types of events that are sent; empty: all of them but `audit.recorded`.")
    description: str = Field(description="A note for people; may be empty.")
    created_at: datetime = Field(description="When it was created.")
    enabled: bool = Field(description="Whether events are sent.")
    disabled_at: datetime | None = Field(None, description="When it was disabled. Null: it is enabled.")
    disabled_because: str | None = Field(
        None, description="Why it was disabled, for people: by a key, or after failures. Null: it is enabled."
    )
    previous_secret_until: datetime | None = Field(
        None, description="Until when deliveries are signed with the previous secret too. Null: only with the current."
    )


class NewSecret(Subscription):
    """A subscription with its secret, which is never shown again."""

    secret: str = Field(description="Verifies signatures (Standard Webhooks): `whsec_` followed by 32 bytes in base64.")


class DeliveryAttempt(BaseModel):
    """One attempt to deliver an event."""

    at: datetime = Field(description="When it started.")
    seconds: float = Field(description="How long it took, in seconds.")
    status: int | None = Field(description="HTTP status of the receiver's answer. Null: there was no answer.")
    error: str | None = Field(
        description="Why there was no answer, or why nothing was sent, for people. Null: there was an answer."
    )


class Delivery(BaseModel):
    """One event on its way to one subscription."""

    id: str = Field(description="The delivery's id.")
    event_id: str = Field(description="The event's id, sent as `webhook-id`; the same with every attempt.")
    event_type: str = Field(description="Type of the event, such as `cluster.flagged`.")
    state: DeliveryState = Field(
        description=(
            "`pending`: waiting for its next attempt. `delivered`: the receiver answered 2xx. `failed`: all attempts"
            " failed. `cancelled`: given up, because the subscription was deleted or the receiver answered 410, or,"
            " with a chat format, because no message reports it."
        )
    )
    created_at: datetime = Field(description="When the event happened.")
    next_attempt_at: datetime | None = Field(
        description="When the next attempt is due. Null: finished or, if `pending`, held while disabled."
    )
    finished_at: datetime | None = Field(description="When it was delivered or given up. Null: still pending.")
    attempts: list[DeliveryAttempt] = Field(description="The latest 50 attempts, oldest first.")


SUBSCRIPTION: dict[str, Any] = {
    "id": "sub_5d0f4a1c9be2d03f11c0a7e4",
    "url": "https://comments.example/hooks/brigadewatch",
    "format": "brigadewatch",
    "quiet_hours": "",
    "time_zone": "UTC",
    "events": ["cluster.flagged", "target.hold"],
    "description": "comment section",
    "created_at": "2021-12-23T14:02:11Z",
    "enabled": True,
    "disabled_at": None,
    "disabled_because": None,
    "previous_secret_until": None,
}
NEW_SUBSCRIPTION = {**SUBSCRIPTION, "secret": "whsec_(32 bytes in base64)"}
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
REQUEST_EXAMPLES: dict[str, Any] = {
    "one": {
        "summary": "two types of events",
        "value": {
            "url": "https://comments.example/hooks/brigadewatch",
            "events": ["cluster.flagged", "target.hold"],
            "description": "comment section",
        },
    },
    "chat": {
        "summary": "messages to a chat room, not at night",
        "value": {
            "url": "https://hooks.slack.com/services/T000/B000/XXXX",
            "format": "slack",
            "quiet_hours": "22:00-07:00",
            "time_zone": "Europe/Berlin",
        },
    },
}
CHANGE_EXAMPLES: dict[str, Any] = {
    "rotate": {"summary": "make a new secret", "value": {"rotate_secret": True}},
    "enable": {"summary": "send events again", "value": {"enabled": True}},
}


def subscription_item(stored: StoredSubscription, now_us: int) -> Subscription:
    """The stored subscription as the API answers it."""
    until = stored.previous_until_us
    return Subscription(
        id=stored.id,
        url=stored.url,
        format=stored.format,
        quiet_hours="" if stored.quiet_hours is None else "-".join(stored.quiet_hours.text),
        time_zone=stored.time_zone,
        events=list(stored.events),
        description=stored.description,
        created_at=moment(stored.created_us),
        enabled=stored.disabled_us is None,
        disabled_at=_moment_if_any(stored.disabled_us),
        disabled_because=stored.disabled_because,
        previous_secret_until=None if until is None or until <= now_us else moment(until),
    )


def delivery_item(stored: DeliveryRecord) -> Delivery:
    """The stored delivery as the API answers it."""
    attempts = [
        DeliveryAttempt(
            at=moment(attempt.at_us), seconds=round(attempt.seconds, 3), status=attempt.status, error=attempt.error
        )
        for attempt in stored.attempts
    ]
    return Delivery(
        id=stored.id,
        event_id=stored.event_id,
        event_type=stored.type,
        state=stored.state,
        created_at=moment(stored.created_us),
        next_attempt_at=_moment_if_any(stored.next_us),
        finished_at=_moment_if_any(stored.finished_us),
        attempts=attempts,
    )


def _moment_if_any(us: int | None) -> datetime | None:
    return None if us is None else moment(us)
