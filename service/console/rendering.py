"""How a page becomes HTML: `render(request, person, "queue.html", fragment="rows", **context)`.

A template extends base.html and fills its blocks (title, content, aside). For htmx only the block named by `fragment`
is rendered, so one template serves the page and its parts. A block rendered alone sees the context and the globals, but
nothing from the template's top level. Macros are therefore globals (`ui.chip(...)`, templates/parts/ui.html), and
values are computed in the route and passed as context, not with `{% set %}`.

Globals: ui (macros), static(name). Filters: number, percent, span, ago, clock, when, since (in the person's time zone),
utc, web_address (formatting.py), plural, label (a signal's title), segment (an ID as one path segment), visible
(invisible and reordering characters are shown). In every context: request, person, now, path, menu, unread_mentions,
messages.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, tzinfo
from functools import cache
from typing import Any, Literal
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from service.api.api_context import api_context
from service.api.problems import UNAVAILABLE_RETRY_SECONDS
from service.charts.words import label, visible
from service.console import formatting, kept_forms
from service.console.navigation import menu
from service.console.person import Person
from service.console.static_files import static
from service.moderation.decisions import verdict_words
from service.moderation.phrases import duration, plural
from service.storage.accounts import sessions
from service.storage.cases import mentions
from service.storage.sql.engine import write

MessageKind = Literal["good", "bad", "info"]


@dataclass(frozen=True, slots=True)
class FlashMessage:
    """A message shown to a person once: what was done or why not, optionally with a link."""

    text: str
    kind: MessageKind = "good"
    link: str | None = None
    link_text: str | None = None
    undo: str | None = None  # decision IDs, comma-separated, that a button next to the message undoes


def segment(value: object) -> str:
    """An ID as one path segment, safely quoted (no separator, query or parent)."""
    text = quote(str(value), safe="")
    return {".": "%2E", "..": "%2E%2E"}.get(text, text)


def _zone(context: Context) -> tzinfo:
    zone: tzinfo = context.get("zone", UTC)
    return zone


@pass_context
def _clock(context: Context, at: datetime, now: datetime | None = None) -> str:
    return formatting.clock(at, now, _zone(context))


@pass_context
def _when(context: Context, at: datetime | None, now: datetime) -> Markup:
    return formatting.when(at, now, _zone(context))


@pass_context
def _since(context: Context, at: datetime | None, now: datetime) -> Markup:
    return formatting.since(at, now, _zone(context))


@cache
def environment() -> Environment:
    """The templates, with autoescaping; an undefined name is an error."""
    env = Environment(
        loader=PackageLoader("service.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    for each in (
        formatting.number,
        formatting.percent,
        duration,
        plural,
        formatting.ago,
        formatting.sentence_start,
        formatting.web_address,
        formatting.is_image,
        segment,
        label,
        visible,
    ):
        env.filters[each.__name__] = each
    env.filters |= {"clock": _clock, "when": _when, "since": _since, "utc": formatting.clock}
    env.globals["static"] = static
    env.globals["verdict_words"] = verdict_words
    env.globals["ui"] = env.get_template("parts/ui.html").module
    return env


def wants_fragment(request: Request) -> bool:
    """Whether htmx requests a fragment rather than a whole page."""
    h = request.headers
    return (
        h.get("hx-request") == "true"
        and h.get("hx-boosted") != "true"
        and h.get("hx-history-restore-request") != "true"
    )


def render(
    request: Request,
    person: Person | None,
    template: str,
    *,
    fragment: str | None = None,
    status: int = 200,
    headers: dict[str, str] | None = None,
    messages: tuple[FlashMessage, ...] = (),
    **context: Any,
) -> Response:
    """The page, or its block `fragment` when htmx requests it. `messages` appear at the top, or out of band next to the
    fragment. With status 503 it says when to try again.

    May write to the database (a shown flash is deleted), so call it on a thread: in a `def` route or run_in_threadpool.
    """
    partial = fragment is not None and wants_fragment(request)
    shown = messages if partial or person is None else (*_taken_flash(request, person), *messages)
    zone = UTC if person is None else person.preferences.zone
    full: dict[str, Any] = {
        "request": request,
        "person": None if person is None else replace(person, ticket=kept_forms.ticket_for(request, person)),
        "now": api_context(request).now(),
        "zone": zone,
        "zone_offset": formatting.offset(api_context(request).now().astimezone(zone)),
        "path": request.url.path,
        "messages": shown,
        "unread_mentions": 0 if partial or status >= 500 else _unread_mentions(request, person),
        "menu": [] if person is None else menu(person.role, request.app.state.routed),
        **context,
    }
    page = environment().get_template(template)
    if partial and fragment is not None:
        text = "".join(page.blocks[fragment](page.new_context(full)))
        if messages:
            text += environment().get_template("parts/messages.html").render(full, out_of_band=True)
    else:
        text = page.render(full)
    always = {"Cache-Control": "no-store", "Vary": "HX-Request, Cookie"}
    if status == 503:
        always["Retry-After"] = str(UNAVAILABLE_RETRY_SECONDS)
    return HTMLResponse(text, status, {**always, **(headers or {})})


def _unread_mentions(request: Request, person: Person | None) -> int:
    if person is None:
        return 0
    try:
        with api_context(request).engine.connect() as connection:
            return mentions.unread_count(connection, person.user_id)
    except SQLAlchemyError:  # most likely the page says so
        return 0


def flash(
    request: Request,
    person: Person,
    text: str,
    kind: MessageKind = "good",
    *,
    link: str | None = None,
    link_text: str | None = None,
    undo: str | None = None,
) -> None:
    """Show a message on the person's next whole page (after a redirect)."""
    with write(api_context(request).engine) as connection:
        sessions.set_flash(
            connection, person.session.hash, json.dumps(asdict(FlashMessage(text, kind, link, link_text, undo)))
        )


def see_other(request: Request, path: str) -> Response:
    """Redirect to one of our pages after a POST; htmx loads it as a whole page."""
    if wants_fragment(request):
        return Response(status_code=204, headers={"HX-Redirect": path, "Cache-Control": "no-store"})
    return RedirectResponse(path, 303, {"Cache-Control": "no-store"})


def _taken_flash(request: Request, person: Person) -> tuple[FlashMessage, ...]:
    if person.session.flash is None:
        return ()
    try:
        with write(api_context(request).engine) as connection:
            sessions.set_flash(connection, person.session.hash, None)
    except SQLAlchemyError:  # most likely the page says so: the message waits for the next one
        return ()
    return (FlashMessage(**json.loads(person.session.flash)),)
