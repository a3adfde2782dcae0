"""Connections in: platforms that post here, or are asked. A path to post to is shown once, when the connection is made.

In our own addresses a connection goes by a handle, a hash of its id: the id is the unguessable end of the path, and
addresses of pages end up in histories.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.rendering import flash, see_other
from service.console.settings.frame import now_us, page, secret, sentence
from service.console.sign_in import Admin
from service.errors import NotFound, Refused
from service.model import moment
from service.outbound.addresses import OutboundRefused
from service.outbound.client import check_url
from service.platforms import registry
from service.storage.accounts.secret_box import SecretBox
from service.storage.sql.engine import write
from service.storage.webhooks.sources import (
    OVERLAP_SECONDS,
    Source,
    add_source,
    list_sources,
    remove_source,
    rotate_secret,
)

HERE = "/console/settings/sources"
SECTION = "sources"
router = APIRouter(prefix="/sources")


@router.get("")
def show_sources(request: Request, person: Admin) -> Response:
    """All of them, and the form for a new one."""
    return _list(request, person)


@router.post("/add")
def add(
    request: Request,
    person: Admin,
    platform: Annotated[str, Form(max_length=40)] = "",
    url: Annotated[str, Form(max_length=4000)] = "",
    signing: Annotated[str, Form(alias="secret", max_length=8000)] = "",
    mapping: Annotated[str, Form(max_length=100_000)] = "",
) -> Response:
    """Make a connection; where it posts, the path is shown in this answer alone."""
    try:
        source_url, fields = url.strip() or None, _mapping(mapping)
        if source_url is not None and platform in registry.POLLED:
            source_url = _asked_at(request, source_url)
        with write(api_context(request).engine) as connection:
            made = add_source(
                connection,
                SecretBox(api_context(request).settings),
                person.tenant_id,
                platform,
                secret=signing.strip("\r\n") or None,
                url=source_url,
                mapping=fields,
                now_us=now_us(request),
                actor=person.name,
            )
    except Refused as error:
        return _list(
            request,
            person,
            typed={"platform": platform, "url": url[:2048], "mapping": mapping},
            error=_in_a_form(error),
        )
    if made.polled:
        flash(
            request,
            person,
            f"{platform} is connected: it is asked at {made.url} from now on. Nothing has to be posted.",
        )
        return see_other(request, HERE)
    return _path(request, person, made)


@router.get("/{handle}")
def show_source(request: Request, person: Admin, handle: str) -> Response:
    """One connection, and what can be done with it."""
    return _one(request, person, handle)


@router.post("/{handle}/rotate")
def rotate(
    request: Request,
    person: Admin,
    handle: str,
    signing: Annotated[str, Form(alias="secret", max_length=8000)] = "",
    at_once: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Another secret; the present one is taken too for a day, unless it has to go at once."""
    source = _source(request, person, handle)
    overlap = 0 if at_once else OVERLAP_SECONDS
    try:
        if not signing.strip("\r\n"):
            raise Refused("type the new secret, the one that the platform signs with from now on")
        with write(api_context(request).engine) as connection:
            rotate_secret(
                connection,
                SecretBox(api_context(request).settings),
                person.tenant_id,
                source.id,
                signing.strip("\r\n"),
                now_us=now_us(request),
                overlap_seconds=overlap,
                actor=person.name,
            )
    except Refused as error:
        return _one(request, person, handle, error=_in_a_form(error))
    kept = not source.polled and overlap and source.secret is not None
    flash(request, person, "The new secret is in use." + (" The old one is taken too for 24 hours." if kept else ""))
    return see_other(request, f"{HERE}/{handle}")


@router.post("/{handle}/remove")
def remove(request: Request, person: Admin, handle: str) -> Response:
    """End the connection."""
    source = _source(request, person, handle)
    with write(api_context(request).engine) as connection:
        remove_source(connection, person.tenant_id, source.id, now_us=now_us(request), actor=person.name)
    flash(
        request,
        person,
        f"The connection to {source.platform} has ended, and its secret is forgotten. What it sent stays.",
    )
    return see_other(request, HERE)


def handle_of(source: Source) -> str:
    """What a connection is called in the console's addresses."""
    return sha256(source.id.encode()).hexdigest()[:20]


def _source(request: Request, person: Admin, handle: str) -> Source:
    found = next((source for source in _every(request, person) if handle_of(source) == handle), None)
    if found is None:
        raise NotFound("no connection has this id")
    return found


def _every(request: Request, person: Admin) -> list[Source]:
    with api_context(request).engine.connect() as connection:
        return list_sources(connection, person.tenant_id)


def _mapping(text: str) -> dict[str, Any] | None:
    if not text.strip():
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(f"the field map is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise Refused("the field map is one JSON object")
    return value


def _asked_at(request: Request, url: str) -> str:
    """The address, where requests may go at all. Raises Refused."""
    try:
        check_url(url, api_context(request).settings)
    except OutboundRefused as error:
        raise Refused(f"this address is not possible: {error}") from None
    return url


def _in_a_form(error: Refused) -> str:
    """The words of the command line, for a form."""
    said = (
        str(error)
        .replace(": --secret-file FILE, or - for standard input", ": type it below")
        .replace(": name its address with --url", ": type its address below")
    )
    return sentence(said)


def _path(request: Request, person: Admin, made: Source) -> Response:
    public = api_context(request).settings.public_url or str(request.base_url)
    unsigned = (
        ""
        if made.secret is not None
        else " It posts UNSIGNED: whoever learns this address can invent complaints. Set a secret there and here."
    )
    return secret(
        request,
        person,
        SECTION,
        title="The connection is made",
        label=f"Where {made.platform} posts to",
        shown=f"{_origin(public)}{made.path}",
        back=f"{HERE}/{handle_of(made)}",
        told=f"Type this address into {made.platform}, as docs/integrations says.{unsigned}",
        after="It is shown this once. If it gets lost, end the connection and make another one.",
    )


def _origin(url: str) -> str:
    return "/".join(url.split("/")[:3])


def _shown(source: Source, request: Request) -> dict[str, Any]:
    until = source.previous_until_us
    return {
        "handle": handle_of(source),
        "platform": source.platform,
        "url": source.url,
        "polled": source.polled,
        "signed": source.secret is not None,
        "end": source.id[-6:],
        "made": moment(source.created_us),
        "rotating_until": moment(until) if until is not None and until > now_us(request) else None,
        "failures": source.failures,
        "last_error": source.last_error,
        "polled_at": None if source.polled_us is None else moment(source.polled_us),
        "next_at": None if source.next_poll_us is None else moment(source.next_poll_us),
        "mapping": None if source.mapping is None else json.dumps(source.mapping, indent=2, ensure_ascii=False),
    }


def _list(
    request: Request, person: Admin, *, typed: dict[str, str] | None = None, error: str | None = None
) -> Response:
    listed = [_shown(source, request) for source in sorted(_every(request, person), key=lambda s: s.created_us)]
    return page(
        request,
        person,
        SECTION,
        "sources.html",
        error=error,
        listed=listed,
        platforms=registry.WORDS_BY_PLATFORM,
        typed=typed or {"platform": "discourse", "url": "", "mapping": ""},
    )


def _one(request: Request, person: Admin, handle: str, *, error: str | None = None) -> Response:
    return page(
        request, person, SECTION, "one_source.html", error=error, one=_shown(_source(request, person, handle), request)
    )
