"""The queue: cases that wait for a person."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.api.app_state import parts_of
from service.console.rendering import render
from service.console.sign_in import Viewer
from service.storage import cases

router = APIRouter()


@router.get("/clusters")
def show_queue(request: Request, person: Viewer) -> Response:
    """The open cases, strongest evidence first."""
    with parts_of(request).engine.connect() as connection:
        items, _ = cases.list_clusters(connection, person.tenant_id, cases.ClusterFilter(), sort="-score", after=None, limit=50, now=parts_of(request).now())
    return render(request, person, "queue.html", fragment="rows", items=items)
