"""Templates for notes: what moderators choose from beside the field."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.note_templates import PLACEHOLDERS
from service.console.person import Person
from service.console.rendering import flash, see_other
from service.console.settings.frame import now_us, page
from service.console.sign_in import Admin
from service.errors import NotFound, Refused
from service.storage.cases.note_templates import (
    LONGEST_TEXT,
    NoteTemplate,
    list_templates,
    remove_template,
    save_template,
)
from service.storage.sql.engine import write

HERE = "/console/settings/templates"
SECTION = "templates"
router = APIRouter(prefix="/templates")
NEW = NoteTemplate(0, "", "")


@router.get("")
def show_templates(request: Request, person: Admin, edit: int = 0) -> Response:
    """All templates, and a form for a new one or, with `edit`, for one of them."""
    with api_context(request).engine.connect() as connection:
        found = next((one for one in list_templates(connection, person.tenant_id) if one.id == edit), NEW)
    return _page(request, person, found)


@router.post("/save")
def save(
    request: Request,
    person: Admin,
    template: Annotated[int, Form(ge=0, le=2**31)] = 0,
    name: Annotated[str, Form(max_length=200)] = "",
    text: Annotated[str, Form(max_length=10_000)] = "",
) -> Response:
    """Create or change a template."""
    try:
        with write(api_context(request).engine) as connection:
            save_template(
                connection,
                person.tenant_id,
                name,
                text,
                template_id=template or None,
                by=person.name,
                now_us=now_us(request),
            )
    except (Refused, NotFound) as error:
        return _page(request, person, NoteTemplate(template, name, text), error=error)
    flash(request, person, "The template is saved.")
    return see_other(request, HERE)


@router.post("/remove")
def remove(request: Request, person: Admin, template: Annotated[int, Form(ge=1, le=2**31)]) -> Response:
    """Remove a template."""
    with write(api_context(request).engine) as connection:
        remove_template(connection, person.tenant_id, template, by=person.name, now_us=now_us(request))
    flash(request, person, "The template is removed. Notes written with it stay.")
    return see_other(request, HERE)


def _page(request: Request, person: Person, form: NoteTemplate, error: Refused | NotFound | None = None) -> Response:
    with api_context(request).engine.connect() as connection:
        listed = list_templates(connection, person.tenant_id)
    return page(
        request,
        person,
        SECTION,
        "templates.html",
        error=error,
        listed=listed,
        form=form,
        placeholders=PLACEHOLDERS,
        longest=LONGEST_TEXT,
    )
