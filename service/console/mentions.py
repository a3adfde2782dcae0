"""“Mentions”: where colleagues named this person in a note, and what they have read of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from sqlalchemy import Connection
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.person import Person
from service.console.rendering import render, see_other
from service.console.sign_in import Viewer
from service.storage.cases import mentions
from service.storage.sql.engine import write

HERE = "/console/mentions"
router = APIRouter()


@router.get("/mentions")
def show_mentions(request: Request, person: Viewer) -> Response:
    """The latest mentions, the unread ones first."""
    with api_context(request).engine.connect() as connection:
        found = mentions.list_mentions(connection, person.tenant_id, person.user_id)
    return render(request, person, "mentions.html", found=found)


@router.post("/mentions/read")
def mark_read(request: Request, person: Viewer, mention: Annotated[int, Form(ge=0, le=2**31)] = 0) -> Response:
    """One was read; 0: all."""
    api = api_context(request)
    with write(api.engine) as connection:
        only = [mention] if mention else None
        mentions.mark_read(connection, person.tenant_id, person.user_id, api.now(), only=only)
    return see_other(request, HERE)


def read_on_case(request: Request, person: Person, cluster_id: str) -> None:
    """The person sees the case's notes: mentions of them there are read."""
    api = api_context(request)
    with api.engine.connect() as connection:
        unread = mentions.unread_on(connection, person.tenant_id, person.user_id, cluster_id)
    if unread:
        with write(api.engine) as connection:
            mentions.mark_read(connection, person.tenant_id, person.user_id, api.now(), only=unread)


def mention_sentence(connection: Connection, person: Person, text: str) -> str | None:
    """Whom a note that was just stored mentions, and who will not see it; None: nobody."""
    named = mentions.people_named(connection, person.tenant_id, text)
    seeing = [one.name for one in named if one.disabled_us is None and one.name != person.name]
    gone = [one.name for one in named if one.disabled_us is not None]
    parts = [f"Mentioned: {', '.join(seeing)}."] if seeing else []
    parts += [f"The account of {name} is disabled, so they will not see it." for name in gone]
    if unknown := mentions.names_of_nobody(connection, person.tenant_id, text):
        shown = ", ".join(f"@{name[:40]}" for name in unknown[:5]) + (" and others" if len(unknown) > 5 else "")
        parts.append(f"No colleague has the name {shown}, so they see nothing of it.")
    return " ".join(parts) or None
