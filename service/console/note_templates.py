"""Inserting a template into a note on the case page: as text that can be edited, with the case's figures filled in."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.case import Panel, case_response
from service.console.case_tables import TableFilter
from service.console.decision_form import DecisionForm
from service.console.person import Person
from service.console.queue_context import QueueFromForm, path_of
from service.console.rendering import FlashMessage, render, wants_fragment
from service.console.sign_in import Moderator
from service.errors import NotFound
from service.model import ClusterItem
from service.storage.cases import notes
from service.storage.cases.cases import read_cluster
from service.storage.cases.note_templates import NoteTemplate, list_templates, read_template

PLACEHOLDERS = {"{accounts}": "number of accounts", "{targets}": "number of targets", "{case}": "the case’s ID"}
TOO_LONG = FlashMessage("The template was not inserted: the note would be too long.", "bad")
GONE = FlashMessage("This template no longer exists.", "bad")
router = APIRouter()
TemplateId = Annotated[int, Form(ge=0, le=2**31)]


@router.post("/clusters/{id}/notes/template")
def into_note(
    request: Request,
    person: Moderator,
    id: str,
    queue_context: QueueFromForm,
    text: Annotated[str, Form()] = "",
    template: TemplateId = 0,
) -> Response:
    """The note's field with the template at its end; nothing is stored."""
    text, messages, templates = _inserted(request, person, id, text, template)
    if not wants_fragment(request):
        return case_response(
            request, person, id, TableFilter(), DecisionForm(), queue_context, messages=messages, note_text=text
        )
    fields: dict[str, Any] = {
        "templates": templates,
        "note_text": text,
        "longest": notes.LONGEST,
        "address": path_of(id),
    }
    return render(request, person, "case.html", fragment="note_field", messages=messages, **fields)


@router.post("/clusters/{id}/template")
def into_decision(
    request: Request, person: Moderator, id: str, form: Panel, queue_context: QueueFromForm, template: TemplateId = 0
) -> Response:
    """The field of the decision's note with the template at its end; nothing is decided."""
    text, messages, templates = _inserted(request, person, id, form.note, template)
    form = replace(form, note=text)
    if not wants_fragment(request):
        return case_response(
            request,
            person,
            id,
            TableFilter(),
            form,
            queue_context,
            messages=messages,
            all_reporters=bool(form.excluded),
        )
    fields: dict[str, Any] = {
        "templates": templates,
        "form": form,
        "may_decide": True,
        "longest_note": notes.LONGEST,
        "address": path_of(id),
    }
    return render(request, person, "case.html", fragment="decision_note", messages=messages, **fields)


def filled_in(text: str, case: ClusterItem) -> str:
    """The template with the case's figures; other braces stay as they are."""
    figures = {
        "{accounts}": f"{case.reporter_count:,}",
        "{targets}": f"{case.target_count:,}",
        "{case}": case.id,
    }
    for placeholder, figure in figures.items():
        text = text.replace(placeholder, figure)
    return text


def _inserted(
    request: Request, person: Person, cluster_id: str, text: str, template_id: int
) -> tuple[str, tuple[FlashMessage, ...], list[NoteTemplate]]:
    api = api_context(request)
    with api.engine.connect() as connection:
        case = read_cluster(connection, person.tenant_id, cluster_id, now=api.now())
        templates = list_templates(connection, person.tenant_id)
        try:
            words = filled_in(read_template(connection, person.tenant_id, template_id).text, case)
        except NotFound:
            return text, (GONE,), templates
    longer = f"{text.rstrip()}\n\n{words}" if text.strip() else words
    if len(longer) > notes.LONGEST:
        return text, (TOO_LONG,), templates
    return longer, (), templates
