"""How a page becomes HTML: `render(request, person, "queue.html", fragment="rows", **context)`.

A template extends base.html and fills its blocks (title, content, aside). Asked by htmx, only the block named by
`fragment` is rendered: one template serves the page and its parts. A block rendered by itself sees the context and the
globals, but nothing that stands at the template's top level: so macros are no imports but globals (`ui.chip(...)`,
templates/parts/ui.html), and values are made in the route and passed as context, not `{% set %}`.

Globals: ui (macros), static(name). Filters: number, percent, plural, span, ago, utc, when, since, web_address
(wording.py), segment (an id as one part of a path), visible (what hides or reorders text is shown). In every context:
request, person, now, path, places (the menu), messages.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Literal
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from service.api.api_context import api_context
from service.charts.words import visible
from service.console import formatting
from service.console.navigation import menu
from service.console.person import Person
from service.console.static_files import static
from service.storage.accounts import sessions
from service.storage.sql.engine import write

MessageKind = Literal["good", "bad", "info"]


@dataclass(frozen=True, slots=True)
class FlashMessage:
    """Something told to a person once: what was done, or why not; with a way on (`link`) where there is one."""

    text: str
    kind: MessageKind = "good"
    link: str | None = None
    link_text: str | None = None
    undo: str | None = None  # decisions (ids, comma-separated) that a button beside it takes back


def segment(value: object) -> str:
    """An id as one part of a path: nothing in it can be taken for a separator, a query or a parent."""
    text = quote(str(value), safe="")
    return {".": "%2E", "..": "%2E%2E"}.get(text, text)


@cache
def environment() -> Environment:
    """The templates, escaping everything; a name that is not there is an error."""
    made = Environment(
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
        formatting.plural,
        formatting.span,
        formatting.ago,
        formatting.utc,
        formatting.when,
        formatting.since,
        formatting.web_address,
        segment,
        visible,
    ):
        made.filters[each.__name__] = each
    made.globals["static"] = static
    made.globals["ui"] = made.get_template("parts/ui.html").module
    return made


def wants_fragment(request: Request) -> bool:
    """Does htmx ask for a part of the page (and not for a whole one in the place of the old)?"""
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
    """The page, or the block `fragment` of it when htmx asks; `messages` are told at its head, or out of band beside
    the fragment.

    A synchronous function that may write (what a flash told is forgotten): call it in a `def` route, which has a thread
    of its own.
    """
    partial = fragment is not None and wants_fragment(request)
    told = messages if partial or person is None else (*_taken_flash(request, person), *messages)
    full: dict[str, Any] = {
        "request": request,
        "person": person,
        "now": api_context(request).now(),
        "path": request.url.path,
        "messages": told,
        "places": [] if person is None else menu(person.role, request.app.state.routed),
        **context,
    }
    page = environment().get_template(template)
    if partial and fragment is not None:
        text = "".join(page.blocks[fragment](page.new_context(full)))
        if messages:
            text += environment().get_template("parts/messages.html").render(full, out_of_band=True)
    else:
        text = page.render(full)
    return HTMLResponse(text, status, {"Cache-Control": "no-store", "Vary": "HX-Request, Cookie", **(headers or {})})


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
    """Tell the person on their next whole page (after a redirect)."""
    with write(api_context(request).engine) as connection:
        sessions.set_flash(
            connection, person.session.hash, json.dumps(asdict(FlashMessage(text, kind, link, link_text, undo)))
        )


def see_other(request: Request, path: str) -> Response:
    """After a POST: go on to this page of ours. htmx is told to load it whole."""
    if wants_fragment(request):
        return Response(status_code=204, headers={"HX-Redirect": path, "Cache-Control": "no-store"})
    return RedirectResponse(path, 303, {"Cache-Control": "no-store"})


def _taken_flash(request: Request, person: Person) -> tuple[FlashMessage, ...]:
    if person.session.flash is None:
        return ()
    with write(api_context(request).engine) as connection:
        sessions.set_flash(connection, person.session.hash, None)
    return (FlashMessage(**json.loads(person.session.flash)),)
