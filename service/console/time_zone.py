"""The person's time zone: every page shows times in it and says so."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.person import offered_zones
from service.console.rendering import flash, render, see_other
from service.console.sign_in import Viewer
from service.storage.accounts import users
from service.storage.sql.engine import write

router = APIRouter()
HERE = "/console/time-zone"


@router.get("/time-zone")
def show_time_zone(request: Request, person: Viewer) -> Response:
    """All time zones, the person's selected."""
    return render(request, person, "time_zone.html", zones=["UTC", *sorted(offered_zones() - {"UTC"})])


@router.post("/time-zone")
def set_time_zone(request: Request, person: Viewer, time_zone: Annotated[str, Form(max_length=64)] = "") -> Response:
    """Save it with the account."""
    if time_zone not in offered_zones():
        raise HTTPException(422, "Choose one of the listed time zones, such as Europe/Berlin. Nothing was changed.")
    with write(api_context(request).engine) as connection:
        users.set_preferences(connection, person.user_id, time_zone=time_zone)
    flash(request, person, f"Times are now in {time_zone.replace('_', ' ')}, for you alone.")
    return see_other(request, HERE)
