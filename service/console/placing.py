"""Moving a case to another queue and assigning it to a colleague, on its page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.queue_context import QueueFromForm
from service.console.rendering import flash, see_other
from service.console.sign_in import Moderator
from service.errors import NotFound, Refused
from service.storage.cases import placements
from service.storage.cases.cases import cluster_row
from service.storage.sql.engine import write

router = APIRouter()
Number = Annotated[int, Form(ge=0, le=2**31)]


@router.post("/clusters/{id}/move")
def move_case(request: Request, person: Moderator, id: str, queue_context: QueueFromForm, to_queue: Number) -> Response:
    """Put the case into a queue; 0 for none."""
    api = api_context(request)
    with write(api.engine) as connection:
        cluster_row(connection, person.tenant_id, id)  # NotFound for another tenant's case
        try:
            placements.move_case(connection, person.tenant_id, id, to_queue or None, by=person.name, now=api.now())
            text, kind = "Moved.", "good"
        except NotFound:
            text, kind = "Nothing was moved: this queue no longer exists.", "bad"
    flash(request, person, text, "good" if kind == "good" else "bad")
    return see_other(request, queue_context.to(id))


@router.post("/clusters/{id}/assign")
def assign_case(
    request: Request, person: Moderator, id: str, queue_context: QueueFromForm, assignee: Number
) -> Response:
    """Assign the case to a colleague; 0 for nobody."""
    api = api_context(request)
    try:
        with write(api.engine) as connection:
            name = placements.assign_case(
                connection, person.tenant_id, id, assignee or None, by=person.name, now=api.now()
            )
    except NotFound:
        raise
    except Refused as error:
        flash(request, person, f"Nothing was assigned: {error}.", "bad")
    else:
        flash(request, person, "Assigned to nobody." if name is None else f"Assigned to {name}.")
    return see_other(request, queue_context.to(id))
