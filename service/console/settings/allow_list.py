"""Good patrols: reporters whose complaints always count in full. The effect of a change is previewed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.formatting import sentence
from service.console.queue import TenantFilter
from service.console.rendering import flash, see_other
from service.console.settings.frame import now_us, page
from service.console.sign_in import Admin
from service.errors import NotFound, Refused
from service.intake.privacy_filter import PrivacyFilter
from service.model import moment
from service.moderation.allowances import sentence as effect_sentence
from service.storage.complaints.reporters import read_reporter
from service.storage.detection import allow_list
from service.storage.sql.engine import write

HERE = "/console/settings/patrols"
SECTION = "patrols"
router = APIRouter(prefix="/patrols")


@router.get("")
def show_patrols(
    request: Request, person: Admin, privacy_filter: TenantFilter, reporter: Annotated[str, Query(max_length=400)] = ""
) -> Response:
    """The list; with `reporter`, a preview of adding or removing them."""
    return _page(request, person, privacy_filter, reporter.strip())


@router.post("/add")
def add(
    request: Request,
    person: Admin,
    privacy_filter: TenantFilter,
    reporter: Annotated[str, Form(max_length=400)] = "",
    note: Annotated[str, Form(max_length=4000)] = "",
) -> Response:
    """Add a reporter to the list."""
    name = privacy_filter.reporter(reporter.strip())
    try:
        with write(api_context(request).engine) as connection:
            allow_list.allow(
                connection, person.tenant_id, name, note=note.strip() or None, by=person.name, now_us=now_us(request)
            )
    except Refused as error:
        return _page(request, person, privacy_filter, reporter.strip(), note=note, error=sentence(error))
    flash(request, person, f"{name} is now a good patrol. Their complaints will count in full within seconds.")
    return see_other(request, HERE)


@router.post("/remove")
def remove(
    request: Request, person: Admin, privacy_filter: TenantFilter, reporter: Annotated[str, Form(max_length=400)] = ""
) -> Response:
    """Remove a reporter from the list."""
    name = privacy_filter.reporter(reporter.strip())
    try:
        with write(api_context(request).engine) as connection:
            allow_list.disallow(connection, person.tenant_id, name, by=person.name, now_us=now_us(request))
    except (NotFound, Refused) as error:
        return _page(request, person, privacy_filter, "", error=sentence(error))
    flash(
        request,
        person,
        f"{name} is no longer a good patrol. Their complaints will be treated like everyone else’s within seconds.",
    )
    return see_other(request, HERE)


def _page(
    request: Request,
    person: Admin,
    privacy_filter: PrivacyFilter,
    requested: str,
    *,
    note: str = "",
    error: str | None = None,
) -> Response:
    effect = entry = known = None
    name = privacy_filter.reporter(requested) if requested else ""
    with api_context(request).engine.connect() as connection:
        listed = allow_list.list_allowed(connection, person.tenant_id)
        if name:
            try:
                entry = allow_list.find_allowed(connection, person.tenant_id, name)
                effect = allow_list.effect(connection, person.tenant_id, name, allowed=entry is None)
                known = read_reporter(connection, person.tenant_id, name, now=api_context(request).now())
            except NotFound:
                known = None
            except Refused as refused:
                error, name = error or sentence(refused), ""
    effect_text = None if effect is None else effect_sentence(effect)
    allowed_reporters = [
        {"id": one.reporter_id, "at": moment(one.at_us), "by": one.by, "note": one.note} for one in listed
    ]
    return page(
        request,
        person,
        SECTION,
        "patrols.html",
        error=error,
        people=allowed_reporters,
        requested=requested,
        name=name,
        entry=entry,
        effect=effect_text,
        known=known,
        note=note,
        pseudonyms=privacy_filter.pseudonyms,
    )
