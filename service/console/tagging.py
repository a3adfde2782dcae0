"""The tags of a case: added and removed by moderators on its page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.queue_context import QueueFromForm
from service.console.rendering import flash, see_other
from service.console.sign_in import Moderator
from service.moderation.decisions import Unfit
from service.storage.cases import tags
from service.storage.sql.engine import write

router = APIRouter()


@router.post("/clusters/{id}/tags/add")
def add_tag(
    request: Request,
    person: Moderator,
    id: str,
    queue_context: QueueFromForm,
    tag: Annotated[str, Form(max_length=400)] = "",
) -> Response:
    """Add a tag; an unsuitable one is refused with its reason."""
    api = api_context(request)
    try:
        with write(api.engine) as connection:
            tags.add_tag(connection, person.tenant_id, id, tag, by=person.name, now=api.now())
    except Unfit as error:
        flash(request, person, f"No tag was added: {error}.", "bad")
    return see_other(request, f"{queue_context.to(id)}#tags")


@router.post("/clusters/{id}/tags/remove")
def remove_tag(
    request: Request,
    person: Moderator,
    id: str,
    queue_context: QueueFromForm,
    tag: Annotated[str, Form(max_length=400)] = "",
) -> Response:
    """Remove a tag."""
    api = api_context(request)
    with write(api.engine) as connection:
        tags.remove_tag(connection, person.tenant_id, id, tag, by=person.name, now=api.now())
    return see_other(request, f"{queue_context.to(id)}#tags")
