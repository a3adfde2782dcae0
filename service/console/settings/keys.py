"""API keys: what a platform, a dashboard or a script calls with. A key is shown once; its hash alone is kept."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from service.api.api_context import api_context
from service.api.auth import REMEMBERED_SECONDS
from service.console.rendering import flash, see_other
from service.console.settings.frame import now_us, page, secret, sentence
from service.console.sign_in import Admin
from service.errors import NotFound, Refused
from service.model import moment
from service.storage.accounts.tenants import end_key, list_keys, make_key
from service.storage.sql.engine import write

HERE = "/console/settings/keys"
SECTION = "keys"
SCOPE_WORDS = {
    "ingest": "sends complaints, outcomes and withdrawals",
    "read": "asks before a removal, reads cases and reporters",
    "moderate": "decides cases",
    "admin": "erases people, sets up webhooks and connections",
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
    """Make a key, shown in this answer alone."""
    name = name.strip()
    try:
        if not name or len(name) > 128 or not name.isprintable():
            raise Refused(
                "say who uses the key, in at most 128 characters: the name stands beside what is done with it"
            )
        if not scope:
            raise Refused("choose what the key may do")
        with write(api_context(request).engine) as connection:
            _, key = make_key(connection, person.tenant_id, scope, name, by=person.name, now_us=now_us(request))
    except Refused as error:
        return _page(request, person, name=name, scopes=scope, error=sentence(error))
    return secret(
        request,
        person,
        SECTION,
        title="The key is made",
        label=f"Key of {name}",
        shown=key,
        back=HERE,
        told=(
            f"It may: {', '.join(scope)}. Put it where the platform keeps its secrets; it goes along as “Authorization:"
            " Bearer …”."
        ),
        after="If it gets lost, revoke it and make another one.",
    )


@router.post("/{id}/revoke")
def revoke(request: Request, person: Admin, id: str) -> Response:
    """End a key."""
    if not id.isascii() or not id.isdigit() or len(id) > 9:
        raise NotFound("no key in use has this id")
    with write(api_context(request).engine) as connection:
        end_key(connection, person.tenant_id, int(id), by=person.name, now_us=now_us(request))
    flash(
        request, person, f"The key is revoked. Within {REMEMBERED_SECONDS:.0f} seconds whoever calls with it gets 401."
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
            "made": moment(one.created_us),
            "revoked": None if one.revoked_us is None else moment(one.revoked_us),
        }
        for one in found
    ]
    chosen = ["ingest", "read"] if scopes is None else scopes
    return page(
        request,
        person,
        SECTION,
        "keys.html",
        error=error,
        in_use=[one for one in listed if one["revoked"] is None],
        revoked=[one for one in listed if one["revoked"] is not None],
        name=name[:128],
        scopes=SCOPE_WORDS,
        chosen=chosen,
    )
