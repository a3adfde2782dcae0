"""Good patrols: reporters whose complaints always count in full. The effect of a change is previewed."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from sqlalchemy import Connection
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
from service.moderation.phrases import plural
from service.storage.cases.case_decisions import read_case
from service.storage.cases.cases import summaries_of
from service.storage.complaints.reporters import read_reporter
from service.storage.detection import allow_list, patrol_proposals
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


@router.post("/proposals")
def answer_proposal(
    request: Request,
    person: Admin,
    privacy_filter: TenantFilter,
    case: Annotated[str, Form(max_length=40)] = "",
    proposal: Annotated[int, Form(ge=0, le=2**31)] = 0,
    version: Annotated[int, Form(ge=0, le=2**31)] = 0,
    choice: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Accept a moderator’s proposal, or decline it."""
    api = api_context(request)
    try:
        with write(api.engine) as connection:
            if choice == "accept":
                added = patrol_proposals.accept(
                    connection,
                    person.tenant_id,
                    case,
                    proposal=proposal,
                    version=version,
                    by=person.name,
                    now=api.now(),
                )
                done = f"{plural(added, 'account')} added. Their complaints will count in full within seconds."
            elif choice == "decline":
                patrol_proposals.decline(
                    connection, person.tenant_id, case, proposal=proposal, by=person.name, now=api.now()
                )
                done = "Declined. Nothing changes."
            else:
                raise Refused("choose to accept the proposal or to decline it")
    except (NotFound, Refused) as error:
        return _page(request, person, privacy_filter, "", error=sentence(error))
    flash(request, person, done)
    return see_other(request, HERE)


def _proposed(connection: Connection, tenant_id: int) -> list[dict[str, Any]]:
    """The proposals that wait, each with its case as it is now and what accepting it would do."""
    waiting = patrol_proposals.waiting(connection, tenant_id)
    summaries, shown = summaries_of(connection, tenant_id, [one.case_id for one in waiting]), []
    for one in waiting:
        case, _ = read_case(connection, tenant_id, one.case_id)
        people = patrol_proposals.new_people(connection, tenant_id, case)
        effect = effect_sentence(allow_list.effect_of_several(connection, tenant_id, people, allowed=True))
        shown.append(
            {"about": one, "version": case.version, "people": people, "effect": effect, "summary": summaries[case.id]}
        )
    return shown


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
        proposed = _proposed(connection, person.tenant_id)
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
        proposed=proposed,
        requested=requested,
        name=name,
        entry=entry,
        effect=effect_text,
        known=known,
        note=note,
        pseudonyms=privacy_filter.pseudonyms,
    )
