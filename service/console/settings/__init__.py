"""Settings of a tenant: pages for admins, one subject a file. Whatever they change is in the audit trail."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from service.console.kept_forms import page_of
from service.console.rendering import see_other
from service.console.settings import (
    allow_list,
    audit_log,
    flaggers,
    imports,
    keys,
    note_templates,
    people,
    privacy,
    queues,
    sign_in,
    source_deliveries,
    sources,
    subscriptions,
    thresholds,
)
from service.console.settings.frame import SECTIONS
from service.console.sign_in import Admin

router = APIRouter(prefix="/settings")


@router.get("")
def show_settings(person: Admin) -> Response:
    """The first section."""
    return RedirectResponse(SECTIONS[0].path, 303, {"Cache-Control": "no-store"})


@router.get("/flaggers/add")
@router.get("/people/add")
@router.get("/subscriptions/add")
@router.get("/sources/add")
@router.get("/import/upload")
def show_form(request: Request, person: Admin) -> Response:
    """A form's address, typed or reloaded, leads to its page; it would be taken for an id."""
    return see_other(request, page_of(request))


SECTION_ROUTERS = (
    thresholds.router,
    allow_list.router,
    flaggers.router,
    people.router,
    queues.router,
    note_templates.router,
    sign_in.router,
    keys.router,
    subscriptions.router,
    sources.router,
    source_deliveries.router,
    imports.router,
    privacy.router,
    audit_log.router,
)
for _section in SECTION_ROUTERS:
    router.include_router(_section)
