"""Where a subscription's deliveries go, as somebody entered it: checked, and ready to be stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from service.errors import Refused
from service.notifications.chat_formats import SIGNED, chat_address
from service.notifications.digest import REPORTED_EVENTS, USUAL_EVENTS
from service.notifications.quiet_hours import QuietHours, checked_hours
from service.outbound.client import check_url
from service.settings import Settings
from service.webhooks.signing import new_secret


@dataclass(frozen=True, slots=True)
class Destination:
    """A checked address."""

    shown: str  # what may be shown, and stored openly
    sealed_content: str  # what is sealed: the signing secret, or a chat room's whole address
    signing_secret: str | None  # to be shown once; None: a chat format


def destination(format: str, url: str, token: str, settings: Settings) -> Destination:
    """The address of a new subscription. Raises OutboundRefused for a URL that is not allowed, otherwise Refused."""
    checked = check_url(url, settings)
    if format == SIGNED:
        if token:
            raise Refused("only the format matrix has an access token")
        secret = new_secret()
        return Destination(checked, secret, secret)
    address, shown = chat_address(format, checked, token)
    return Destination(shown, address.to_json(), None)


def checked_events(format: str, events: Sequence[str]) -> list[str]:
    """The events that a subscription of the format gets; a chat format has its usual ones for none. Raises Refused."""
    if format == SIGNED:
        return list(events)
    unfit = [one for one in events if one not in REPORTED_EVENTS]
    if unfit:
        raise Refused(f"chat rooms do not get {unfit[0]}: choose from {', '.join(REPORTED_EVENTS)}")
    return list(events) or list(USUAL_EVENTS)


def checked_quiet_hours(format: str, text: str) -> QuietHours | None:
    """Quiet hours like 22:00-07:00; None for an empty text. Raises Refused, also for events that programs read."""
    start, _, until = text.partition("-")
    found = checked_hours(start.strip(), until.strip())
    if found is not None and format == SIGNED:
        raise Refused("only chat formats have quiet hours: programs get every event at once")
    return found
