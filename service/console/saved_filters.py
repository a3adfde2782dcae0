"""Saved filters: the queue's present view under a name, with its count."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.formatting import sentence
from service.console.queue import TenantFilter
from service.console.queue_filters import LONGEST_ADDRESS, parse_query
from service.console.rendering import flash, see_other
from service.console.sign_in import Viewer, safe_path
from service.errors import Refused
from service.model import microseconds
from service.storage.cases.saved_filters import remove_filter, save_filter
from service.storage.sql.engine import write

router = APIRouter()


@router.post("/queue/filters/save")
def save(
    request: Request,
    person: Viewer,
    privacy_filter: TenantFilter,
    name: Annotated[str, Form(max_length=200)] = "",
    view: Annotated[str, Form(max_length=LONGEST_ADDRESS)] = "",
    shared: Annotated[str, Form(max_length=8)] = "",
) -> Response:
    """Save the view under a name; a viewer's is their own."""
    query, api = parse_query(view, person.preferences.zone), api_context(request)
    parameters = query.parameters()
    if "reporter" in parameters:  # stored as everywhere: under the pseudonym, where the tenant has them
        parameters["reporter"] = privacy_filter.reporter(parameters["reporter"])
    try:
        with write(api.engine) as connection:
            save_filter(
                connection,
                person.tenant_id,
                person.user_id,
                name,
                parameters,
                shared=bool(shared) and person.may("moderator"),
                by=person.name,
                now_us=microseconds(api.now()),
            )
    except Refused as error:
        flash(request, person, f"Not saved. {sentence(error)}", "bad")
    else:
        flash(request, person, "The view is saved.")
    return see_other(request, query.url())


@router.post("/queue/filters/remove")
def remove(
    request: Request,
    person: Viewer,
    filter: Annotated[int, Form(ge=1, le=2**31)],
    back: Annotated[str, Form()] = "",
) -> Response:
    """Remove one of one's own; admins also what others share."""
    api = api_context(request)
    with write(api.engine) as connection:
        remove_filter(
            connection,
            person.tenant_id,
            person.user_id,
            filter,
            any_shared=person.may("admin"),
            by=person.name,
            now_us=microseconds(api.now()),
        )
    flash(request, person, "The saved filter is removed.")
    return see_other(request, safe_path(back))
