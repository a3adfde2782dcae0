"""Good patrols are an administrator's to accept: moderators propose a case's accounts, on its page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.formatting import sentence
from service.console.queue_context import QueueFromForm
from service.console.rendering import flash, see_other
from service.console.sign_in import Moderator
from service.errors import NotFound, Refused
from service.storage.detection import patrol_proposals
from service.storage.sql.engine import write

router = APIRouter()


@router.post("/clusters/{id}/propose-patrol")
def propose_patrol(
    request: Request,
    person: Moderator,
    id: str,
    queue_context: QueueFromForm,
    note: Annotated[str, Form(max_length=4000)] = "",
) -> Response:
    """Propose the case's accounts as good patrols."""
    api = api_context(request)
    try:
        with write(api.engine) as connection:
            patrol_proposals.propose(connection, person.tenant_id, id, note, by=person.name, now=api.now())
    except NotFound:
        raise
    except Refused as refused:
        flash(request, person, f"Not proposed. {sentence(refused)}", "bad")
    else:
        flash(request, person, "Proposed. Nothing changes before an administrator accepts.")
    return see_other(request, f"{queue_context.to(id)}#patrol")
