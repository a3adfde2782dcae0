"""What somebody entered before their session ended is kept until they have signed in again: nobody enters it twice.

Every form carries a signed ticket that says whose it is. A form whose session has ended, or has begun again in another
window, is kept for an hour, sealed and for that person alone, and leads to a page that shows it filled in. Nothing is
ever carried out from here: that page has a token of the new session, and the person submits it. Forms that hold
secrets are not kept.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlencode

from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.routing import Match

from service.api.api_context import api_context
from service.console.person import Person
from service.errors import BrigadewatchError
from service.model import microseconds
from service.storage.accounts.sessions import ABSOLUTE_SECONDS
from service.storage.redis_store import kept_forms

TICKET = "form_of"  # the field that carries it
MOST_CHARACTERS = 400_000  # of one form, sealed: it may exclude thousands of accounts by name
LONGEST_PATH = 600  # of the page that shows it: sign-in carries it in a cookie
HOME = "/console/clusters"
WAITS = "Your session has ended. What you entered is kept for an hour: sign in to check and submit it."
_NOT_KEPT = ("csrf", TICKET)
_HOUR_US = 3_600 * 1_000_000  # a page that is opened twice within an hour is the same
_NAME = re.compile(r"[0-9a-f]{24}\Z")
_ONE_CASE = re.compile(r"(/console/clusters/[^/]+)/(?:decide|preview|template)\Z")
# Forms that have no page of their own to be filled in are shown on /console/kept, with these words. Only forms that
# hold no secret.
_SHOWN_APART = (
    (r"clusters/([^/]+)/notes", "Add your note to case {}?", "Add note"),
    (r"clusters/([^/]+)/notes/template", "Continue with your note on case {}?", "Insert the template"),
    (r"clusters/([^/]+)/propose-patrol", "Propose the accounts of case {} as good patrols?", "Propose"),
    (r"clusters/([^/]+)/tags/add", "Add the tag to case {}?", "Add tag"),
    (r"clusters/([^/]+)/tags/remove", "Remove the tag from case {}?", "Remove tag"),
    (r"queue/filters/save", "Save this view of the cases?", "Save view"),
    (r"queue/chosen", "Decide the cases that you selected?", "Continue"),
    (r"queue/decide", "Decide the cases that you selected?", "Decide"),
    (r"decisions/([^/]+)/reverse", "Undo decision {}?", "Undo it"),
    (r"restorations/(?:preview|handle)", "Continue with the targets that you selected?", "Continue"),
    (r"reporters/([^/]+)/warning", "Record what you did about the warning of {}?", "Record it"),
    (r"reporters/([^/]+)/misuse/marks", "Save your marks on notices by {}?", "Save marks"),
    (r"reporters/([^/]+)/misuse/steps", "Record this step about {}?", "Record it"),
    (r"shift/handover", "Leave your handover for the next shift?", "Save handover"),
    (r"settings/flaggers/add", "Add this trusted flagger?", "Add"),
    (r"campaigns/change", "Record what you said about these cases?", "Record it"),
    (r"settings/patrols/add", "Add this account to the good patrols?", "Add"),
    (r"settings/patrols/remove", "Remove this account from the good patrols?", "Remove"),
)
log = logging.getLogger(__name__)


class ShowKept(Exception):
    """The form is of an earlier session of the same person: `path` is the page that shows it filled in."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


@dataclass(frozen=True, slots=True)
class KeptForm:
    """A form as it was submitted."""

    action: str  # the path it was sent to
    fields: tuple[tuple[str, str], ...]

    def one(self, name: str, otherwise: str = "") -> str:
        """The first value of a field."""
        return next((value for each, value in self.fields if each == name), otherwise)

    def every(self, name: str) -> list[str]:
        """All values of a field."""
        return [value for each, value in self.fields if each == name]


def ticket_for(request: Request, person: Person) -> str:
    """What a form of this person carries. It opens nothing: with it a form may be kept for them."""
    until = (_now_us(request) // _HOUR_US + 1) * _HOUR_US + ABSOLUTE_SECONDS * 1_000_000
    whose = f"{TICKET}.{person.tenant}.{person.user_id}.{until}"
    return f"{whose}.{api_context(request).box.sign(whose)}"


async def keep(request: Request, *, only_for: Person | None = None) -> str | None:
    """Keep the form of this request and return the page that shows it; None if it is none to be kept, or not
    `only_for` this person.
    """
    action = request.url.path
    case = _ONE_CASE.match(action)
    if case is None and _shown_apart(action) is None:
        return None  # before the form is received: it may be a file, from anybody
    form = await request.form()
    whose = _whose(request, form.get(TICKET))
    if whose is None or (only_for is not None and whose != (only_for.tenant, only_for.user_id)):
        return None
    fields = [(name, value) for name, value in form.multi_items() if name not in _NOT_KEPT]
    if not all(isinstance(value, str) for _, value in fields):
        return None
    name, until_us = secrets.token_hex(12), _now_us(request) + kept_forms.KEPT_SECONDS * 1_000_000
    api = api_context(request)
    sealed = api.box.seal(json.dumps({"whose": whose, "action": action, "fields": fields, "until": until_us}))
    if len(sealed) > MOST_CHARACTERS:
        return None
    try:
        await kept_forms.keep(api.redis, *whose, name, sealed)
    except (RedisError, OSError, TimeoutError) as error:
        log.warning("what was entered before a session ended could not be kept: %s", error)
        return None
    if case is None:
        return f"/console/kept/{name}"
    queue = next((str(value) for each, value in fields if each == "queue"), "")
    path = f"{case[1]}?{urlencode({'kept': name, **({'queue': queue} if queue else {})})}"
    return path if len(path) <= LONGEST_PATH else f"{case[1]}?kept={name}"


def words_of(action: str) -> tuple[str, str]:
    """The title and the button for the form of such an address."""
    found = _shown_apart(action)
    assert found is not None, action  # others are not kept
    return found


def shows_kept(path: str) -> bool:
    """Whether the page of this path shows a form that was kept."""
    return path.startswith("/console/kept/") or re.match(r"/console/clusters/[^/?]+\?(?:.*&)?kept=", path) is not None


async def read(request: Request, person: Person, name: str) -> KeptForm | None:
    """What was kept under that name for this person; None if there is nothing, or no longer."""
    api = api_context(request)
    if not _NAME.match(name):
        return None
    try:
        sealed = await kept_forms.find(api.redis, person.tenant, person.user_id, name)
        if sealed is None:
            return None
        kept: dict[str, Any] = json.loads(api.box.open(sealed))
    except (RedisError, OSError, TimeoutError, BrigadewatchError) as error:
        log.warning("what was entered before a session ended could not be read: %s", error)
        return None
    if kept["whose"] != [person.tenant, person.user_id] or not _lasts(request, kept["until"], kept_forms.KEPT_SECONDS):
        return None
    return KeptForm(kept["action"], tuple((name, value) for name, value in kept["fields"]))


def page_of(request: Request, action: str | None = None) -> str:
    """The page that an address for forms (without `action`, this one) belongs to: the nearest above it that can be
    opened.
    """
    parts = (action or request.url.path).split("/")
    while len(parts := parts[:-1]) > 2:
        path = "/".join(parts)
        scope = {**request.scope, "path": path, "method": "GET"}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes):
            return path
    return HOME


def _shown_apart(action: str) -> tuple[str, str] | None:
    for pattern, title, button in _SHOWN_APART:
        if found := re.fullmatch(f"/console/{pattern}", action):
            return title.format(*map(unquote, found.groups())), button
    return None


def _whose(request: Request, ticket: object) -> tuple[str, int] | None:
    if not isinstance(ticket, str) or not 1 <= len(ticket) <= 200:
        return None
    whose, _, mark = ticket.rpartition(".")
    if not api_context(request).box.has_signed(whose, mark):
        return None
    purpose, tenant, user_id, until = whose.split(".")
    return (tenant, int(user_id)) if purpose == TICKET and _lasts(request, int(until)) else None


def _lasts(request: Request, until_us: int, seconds: int = ABSOLUTE_SECONDS) -> bool:
    # one that ends later was made when the wall clock was ahead
    return 0 < until_us - _now_us(request) <= 2 * seconds * 1_000_000


def _now_us(request: Request) -> int:
    return microseconds(api_context(request).now())
