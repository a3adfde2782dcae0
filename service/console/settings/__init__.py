"""Settings of a tenant: pages for admins, one subject a file. Whatever they change is in the audit trail."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from service.console.settings import (
    allow_list,
    audit_log,
    imports,
    keys,
    people,
    privacy,
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


SECTION_ROUTERS = (
    thresholds.router,
    allow_list.router,
    people.router,
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
