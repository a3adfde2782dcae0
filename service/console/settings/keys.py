"""API keys for platforms, dashboards and scripts. A key is shown once; only its hash is stored."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from service.api.api_context import api_context
from service.api.auth import REMEMBERED_SECONDS
from service.console.formatting import sentence
from service.console.rendering import flash, see_other
from service.console.settings.frame import now_us, page, secret
from service.console.sign_in import Admin
from service.errors import NotFound, Refused
from service.model import moment
from service.storage.accounts.tenants import end_key, list_keys, make_key
from service.storage.sql.engine import write

HERE = "/console/settings/keys"
SECTION = "keys"
SCOPE_TEXTS = {
    "ingest": "send complaints, outcomes and withdrawals",
    "read": "get advice before a removal, read cases and reporters",
    "moderate": "decide cases",
    "admin": "erase personal data, manage webhooks and connected platforms",
}
router = APIRouter(prefix="/keys")


@router.get("")
def show_keys(request: Request, person: Admin) -> Response:
    """All keys, and the form for a new one."""
    return _page(request, person)


@router.post("/add")
def add(
    request: Request,
    person: Admin,
    name: Annotated[str, Form(max_length=400)] = "",
    scope: Annotated[list[str], Form(max_length=20)] = [],  # noqa: B006  (FastAPI copies it)
) -> Response:
    """Create a key and show it once."""
    name = name.strip()
    try:
        if not name or len(name) > 128 or not name.isprintable():
            raise Refused("enter a name of 1 to 128 printable characters")
        if not scope:
            raise Refused("select at least one permission")
        with write(api_context(request).engine) as connection:
            _, key = make_key(connection, person.tenant_id, scope, name, by=person.name, now_us=now_us(request))
    except Refused as error:
        return _page(request, person, name=name, scopes=scope, error=sentence(error))
    return secret(
        request,
        person,
        SECTION,
        title="API key created",
        label=f"Key for {name}",
        shown=key,
        back=HERE,
        text=(
            f"Permissions: {', '.join(scope)}. Store it with the platform’s other secrets. It is sent as"
            " “Authorization: Bearer …”."
        ),
        after="If you lose it, revoke it and create a new one.",
    )


@router.post("/{id}/revoke")
def revoke(request: Request, person: Admin, id: str) -> Response:
    """Revoke a key."""
    if not id.isascii() or not id.isdigit() or len(id) > 9:
        raise NotFound("no active key has this ID")
    with write(api_context(request).engine) as connection:
        end_key(connection, person.tenant_id, int(id), by=person.name, now_us=now_us(request))
    flash(
        request, person, f"The key is revoked. Requests with it will get 401 within {REMEMBERED_SECONDS:.0f} seconds."
    )
    return see_other(request, HERE)


def _page(
    request: Request, person: Admin, *, name: str = "", scopes: list[str] | None = None, error: str | None = None
) -> Response:
    with api_context(request).engine.connect() as connection:
        found = list_keys(connection, person.tenant_id)
    listed = [
        {
            "key": one,
            "created": moment(one.created_us),
            "revoked": None if one.revoked_us is None else moment(one.revoked_us),
        }
        for one in found
    ]
    selected = ["ingest", "read"] if scopes is None else scopes
    return page(
        request,
        person,
        SECTION,
        "keys.html",
        error=error,
        in_use=[one for one in listed if one["revoked"] is None],
        revoked=[one for one in listed if one["revoked"] is not None],
        name=name[:128],
        scopes=SCOPE_TEXTS,
        selected=selected,
    )
