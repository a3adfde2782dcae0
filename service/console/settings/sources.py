"""Connected platforms, which post here or are polled. The URL to post to is shown once, when the connection is created.

Console URLs identify a connection by a hash of its ID, since the ID is the secret part of the URL to post to and page
URLs end up in browser histories.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.formatting import sentence
from service.console.rendering import flash, see_other
from service.console.settings.frame import now_us, page, secret
from service.console.sign_in import Admin
from service.errors import NotFound, Refused
from service.model import moment
from service.outbound.addresses import OutboundRefused
from service.outbound.client import check_url
from service.platforms import registry
from service.storage.accounts.secret_box import SecretBox
from service.storage.sql.engine import write
from service.storage.webhooks.source_checks import shared_ids_warning
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
    namespace: Annotated[str, Form(max_length=100)] = "",
    same_installation: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Connect a platform; if it posts, the URL to post to is shown once."""
    try:
        source_url, fields = url.strip() or None, _mapping(mapping)
        if source_url is not None and platform in registry.POLLED:
            source_url = _checked_url(request, source_url)
        with write(api_context(request).engine) as connection:
            made = add_source(
                connection,
                SecretBox(api_context(request).settings),
                person.tenant_id,
                platform,
                secret=signing.strip("\r\n") or None,
                url=source_url,
                mapping=fields,
                namespace=namespace.strip() or None,
                same_installation=bool(same_installation),
                now_us=now_us(request),
                actor=person.name,
            )
    except Refused as error:
        return _list(
            request,
            person,
            entered={"platform": platform, "url": url[:2048], "mapping": mapping, "namespace": namespace[:40]},
            error=sentence(error.problem),
        )
    if made.polled:
        flash(
            request,
            person,
            f"{platform} is connected and polled at {made.url} from now on. No webhook is needed.",
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
    """Set a new secret; the old one is accepted for another day unless it has to go immediately."""
    source = source_at(request, person, handle)
    overlap = 0 if at_once else OVERLAP_SECONDS
    try:
        if not signing.strip("\r\n"):
            raise Refused("enter the new secret that the platform signs with")
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
        return _one(request, person, handle, error=sentence(error.problem))
    kept = not source.polled and overlap and source.secret is not None
    flash(
        request,
        person,
        "The new secret is in use." + (" The old one is accepted for another 24 hours." if kept else ""),
    )
    return see_other(request, f"{HERE}/{handle}")


@router.post("/{handle}/remove")
def remove(request: Request, person: Admin, handle: str) -> Response:
    """Remove the connection."""
    source = source_at(request, person, handle)
    with write(api_context(request).engine) as connection:
        remove_source(connection, person.tenant_id, source.id, now_us=now_us(request), actor=person.name)
    flash(
        request,
        person,
        f"The connection to {source.platform} was removed and its secret deleted. Complaints already received stay.",
    )
    return see_other(request, HERE)


def handle_of(source: Source) -> str:
    """A connection's name in console URLs."""
    return sha256(source.id.encode()).hexdigest()[:20]


def source_at(request: Request, person: Admin, handle: str) -> Source:
    """The tenant's connection with this name in console URLs. Raises NotFound."""
    found = next((source for source in _sources(request, person) if handle_of(source) == handle), None)
    if found is None:
        raise NotFound("no connection has this ID")
    return found


def _sources(request: Request, person: Admin) -> list[Source]:
    with api_context(request).engine.connect() as connection:
        return list_sources(connection, person.tenant_id)


def _mapping(text: str) -> dict[str, Any] | None:
    if not text.strip():
        return None
    try:
        value = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise Refused(f"the field map is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise Refused("the field map must be a JSON object")
    return value


def _checked_url(request: Request, url: str) -> str:
    """The URL if requests may be sent to it. Raises Refused."""
    try:
        check_url(url, api_context(request).settings)
    except OutboundRefused as error:
        raise Refused(f"this URL cannot be used: {error}") from None
    return url


def _path(request: Request, person: Admin, made: Source) -> Response:
    public = api_context(request).settings.public_url or str(request.base_url)
    warning = (
        ""
        if made.secret is not None
        else " Its posts are UNSIGNED: anyone with this URL can submit fake complaints. Set a secret on both sides."
    )
    return secret(
        request,
        person,
        SECTION,
        title="Platform connected",
        label=f"URL for {made.platform} to post to",
        shown=f"{_origin(public)}{made.path}",
        back=f"{HERE}/{handle_of(made)}",
        text=f"Enter this URL in {made.platform}; see docs/integrations.{warning}",
        after="It is shown only once. If you lose it, remove the connection and create a new one.",
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
        "created": moment(source.created_us),
        "rotating_until": moment(until) if until is not None and until > now_us(request) else None,
        "failures": source.failures,
        "last_error": source.last_error,
        "namespace": source.namespace,
        "mapping_problem": registry.mapping_problem(source.platform, source.mapping),
        "polled_at": None if source.polled_us is None else moment(source.polled_us),
        "next_at": None if source.next_poll_us is None else moment(source.next_poll_us),
        "mapping": None if source.mapping is None else json.dumps(source.mapping, indent=2, ensure_ascii=False),
    }


def _list(
    request: Request, person: Admin, *, entered: dict[str, str] | None = None, error: str | None = None
) -> Response:
    known = sorted(_sources(request, person), key=lambda source: source.created_us)
    return page(
        request,
        person,
        SECTION,
        "sources.html",
        error=error,
        listed=[_shown(source, request) for source in known],
        shared_ids=shared_ids_warning(source.platform for source in known if source.has_bare_ids),
        platforms=registry.WORDS_BY_PLATFORM,
        entered=entered or {"platform": "discourse", "url": "", "mapping": "", "namespace": ""},
    )


def _one(request: Request, person: Admin, handle: str, *, error: str | None = None) -> Response:
    shown = _shown(source_at(request, person, handle), request)
    return page(request, person, SECTION, "one_source.html", error=error, one=shown)
