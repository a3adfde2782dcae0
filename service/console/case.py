"""The case page: why a group was flagged, what it did, and the decision about it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import anyio.from_thread
from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import Response

from service.api.api_context import api_context
from service.api.decision_notice import announce_decision
from service.console.case_page import case_page
from service.console.case_tables import Filtered, ReporterOrder, TableFilter, complaint_lines, texts_read
from service.console.case_team import team_context
from service.console.chart_data import delay
from service.console.conflict import Seen, seen_of, what_changed
from service.console.decision_effects import decision_effects, effect_sentence
from service.console.decision_form import LONGEST_NOTE, REASONS, SNOOZES, VERDICTS, DecisionForm, undo_request
from service.console.history_text import entry_of, undoable
from service.console.kept_page import NOT_KEPT, NOTHING_DONE, Filled, FilledDecision
from service.console.mentions import mention_sentence, read_on_case
from service.console.person import Person
from service.console.queue_context import QueueContext, QueueFromForm, QueueFromQuery, path_of
from service.console.rendering import FlashMessage, flash, render, see_other, wants_fragment
from service.console.sign_in import Moderator, Viewer
from service.errors import NotFound, Refused, StaleVersion
from service.model import Decision, DecisionRequest, microseconds
from service.moderation.decisions import DECIDED_NOT_COORDINATED
from service.moderation.repeats import recorded_before
from service.storage.cases import case_decisions, cases, claims, notes
from service.storage.cases.case_files import read_case_file
from service.storage.cases.case_queue import tenant_now
from service.storage.sql.engine import write

router = APIRouter()
_OFFERED = {
    "decided_not_coordinated": DECIDED_NOT_COORDINATED,
    "verdicts": VERDICTS,
    "reasons": REASONS,
    "snoozes": SNOOZES,
    "longest_note": LONGEST_NOTE,
    "longest": notes.LONGEST,
}
RECORDED = FlashMessage("This decision was recorded; there is nothing left to submit.", "info")


def _decision_form(
    person: Viewer,
    verdict: Annotated[str, Form(max_length=32)] = "",
    reason_code: Annotated[str, Form(max_length=32)] = "",
    note: Annotated[str, Form()] = "",
    snooze_for: Annotated[str, Form(max_length=8)] = "3",
    snooze_until: Annotated[str, Form(max_length=40)] = "",
    excluded_reporters: Annotated[list[str] | None, Form()] = None,
) -> DecisionForm:
    """The decision panel as submitted."""
    excluded = tuple(excluded_reporters or ())
    return DecisionForm(verdict, reason_code, note, snooze_for, snooze_until, excluded, person.preferences.zone)


def _seen(
    version: Annotated[int, Form(ge=0, le=2**62)],
    seen_status: Annotated[str, Form(max_length=16)] = "",
    seen_disposition: Annotated[str, Form(max_length=16)] = "",
    seen_reporters: Annotated[int, Form(ge=0, le=2**31)] = 0,
    seen_targets: Annotated[int, Form(ge=0, le=2**31)] = 0,
) -> Seen:
    """The case as shown on the page that the decision was made on."""
    return Seen(version, seen_status, seen_disposition, seen_reporters, seen_targets)


Panel = Annotated[DecisionForm, Depends(_decision_form)]
SeenCase = Annotated[Seen, Depends(_seen)]


@router.get("/clusters/{id}")
def show_case(
    request: Request,
    person: Viewer,
    id: str,
    table_filter: Filtered,
    queue_context: QueueFromQuery,
    filled: Filled,
    reporters: Annotated[str, Query(max_length=8)] = "",
    order: ReporterOrder = "",
) -> Response:
    """The whole page, or only the complaints table for htmx."""
    if filled is not None:
        return _filled_page(request, person, id, queue_context, filled)
    if not wants_fragment(request):
        read_on_case(request, person, id)
        everyone = reporters == "all"
        return case_response(
            request, person, id, table_filter, DecisionForm(), queue_context, all_reporters=everyone, order=order
        )
    api = api_context(request)
    with api.engine.connect() as connection:
        file = read_case_file(connection, person.tenant_id, id, now=api.now())
        read = texts_read(connection, person.tenant_id, file)
        lines = complaint_lines(connection, person.tenant_id, file, table_filter, read)
    return render(
        request,
        person,
        "case.html",
        fragment="complaints",
        file=file,
        cluster=file.cluster,
        lines=lines,
        table_filter=table_filter,
        address=path_of(id),
        queue=queue_context.queue,
    )


def _filled_page(
    request: Request, person: Person, id: str, queue_context: QueueContext, filled: FilledDecision
) -> Response:
    """The case with what was entered before the session ended, unless that was recorded all the same."""
    message, form, seen = FlashMessage(NOTHING_DONE, "info"), filled.form, None
    with api_context(request).engine.connect() as connection:
        case, log = case_decisions.read_case(connection, person.tenant_id, id)
    if form is None:
        message, form = NOT_KEPT, DecisionForm()
    elif _recorded_before(log, form, filled.seen, person, api_context(request).now()):
        message, form = RECORDED, DecisionForm()
    elif case.version != filled.seen.version:
        seen = filled.seen
    return case_response(
        request,
        person,
        id,
        TableFilter(),
        form,
        queue_context,
        messages=(message,),
        seen=seen,
        all_reporters=bool(form.excluded),
    )


def _recorded_before(log: Sequence[Decision], form: DecisionForm, seen: Seen, person: Person, now: datetime) -> bool:
    try:
        return recorded_before(log, form.request(seen.version, now), person.name) is not None
    except Refused:
        return False


@router.post("/clusters/{id}/preview")
def preview(request: Request, person: Viewer, id: str, form: Panel, queue_context: QueueFromForm) -> Response:
    """The effect of the panel's current choice; nothing is decided.

    Without JavaScript the whole page is returned with the entries kept.
    """
    if not wants_fragment(request):
        return case_response(request, person, id, TableFilter(), form, queue_context, all_reporters=bool(form.excluded))
    api = api_context(request)
    with api.engine.connect() as connection:
        file = read_case_file(connection, person.tenant_id, id, now=api.now())
        effects = decision_effects(connection, person.tenant_id, file, form, now=api.now())
    return render(request, person, "case.html", fragment="effect", effects=effects, form=form, of_each_choice=True)


@router.post("/clusters/{id}/decide")
def decide(
    request: Request,
    person: Moderator,
    id: str,
    form: Panel,
    seen: SeenCase,
    queue_context: QueueFromForm,
    then: Annotated[str, Form(max_length=8)] = "stay",
) -> Response:
    """Record the decision on the version that was shown. The page returns with the entries kept when someone else
    changed the case first or the decision is refused.
    """
    api = api_context(request)
    try:
        decision = form.request(seen.version, api.now())
        with api.engine.connect() as connection:
            effect = effect_sentence(connection, person.tenant_id, id, decision, now=api.now())
            if (said := mention_sentence(connection, person, decision.note or "")) is not None:
                effect = f"{effect} {said}"
        decision_id, repeated = _record(request, person, id, decision)
    except StaleVersion as stale:
        message = FlashMessage(
            f"Nothing was decided: {stale.changed_by} changed this case first. Your entries are still here. Check what"
            " changed, then decide again.",
            "bad",
        )
        return case_response(
            request, person, id, TableFilter(), form, queue_context, status=409, messages=(message,), seen=seen
        )
    except NotFound:
        raise
    except Refused as refused:
        return case_response(
            request,
            person,
            id,
            TableFilter(),
            form,
            queue_context,
            status=422,
            messages=(FlashMessage(str(refused), "bad"),),
        )
    verdict = dict(VERDICTS).get(decision.verdict, decision.verdict)
    flash(
        request,
        person,
        f"{verdict}: recorded once; it was sent twice." if repeated else f"{verdict}: {effect}",
        link=f"{queue_context.to(id)}#history",
        link_text=f"Show {id}",
        undo=decision_id,
    )
    return see_other(
        request, _next_path(request, person, id, queue_context) if then == "next" else queue_context.to(id)
    )


@router.post("/clusters/{id}/undo")
def undo(
    request: Request,
    person: Moderator,
    id: str,
    decision: Annotated[str, Form(max_length=64)],
    seen: SeenCase,
    queue_context: QueueFromForm,
) -> Response:
    """Undo a decision by recording a new one that reverses it."""
    api = api_context(request)
    with api.engine.connect() as connection:
        _, log = case_decisions.read_case(connection, person.tenant_id, id)
    original = next((one for one in log if one.id == decision), None)
    if original is None:
        raise Refused("This case has no such decision. Reload the page.")
    try:
        _record(request, person, id, undo_request(original.verdict, original.snooze_until, original.id, seen.version))
    except StaleVersion as stale:
        message = FlashMessage(
            f"Nothing was undone: {stale.changed_by} changed this case first. Check what changed.", "bad"
        )
        return case_response(
            request,
            person,
            id,
            TableFilter(),
            DecisionForm(),
            queue_context,
            status=409,
            messages=(message,),
            seen=seen,
        )
    flash(
        request,
        person,
        f"Undone: “{dict(VERDICTS).get(original.verdict, original.verdict)}” by {original.by}. The log keeps both.",
        link=f"{queue_context.to(id)}#history",
        link_text="Show",
    )
    return see_other(request, queue_context.to(id))


@router.post("/clusters/{id}/claim")
def claim(request: Request, person: Moderator, id: str, queue_context: QueueFromForm) -> Response:
    """Claim the case."""
    return _set_claim(request, person, id, queue_context, take=True)


@router.post("/clusters/{id}/unclaim")
def unclaim(request: Request, person: Moderator, id: str, queue_context: QueueFromForm) -> Response:
    """Release the case."""
    return _set_claim(request, person, id, queue_context, take=False)


def _set_claim(
    request: Request, person: Person, cluster_id: str, queue_context: QueueContext, *, take: bool
) -> Response:
    api = api_context(request)
    with write(api.engine) as connection:
        cases.family_of(connection, person.tenant_id, cluster_id)  # NotFound for another tenant's case
        change = claims.claim if take else claims.unclaim
        change(connection, person.tenant_id, [cluster_id], by=person.name, now=api.now())
    return see_other(request, queue_context.to(cluster_id))


@router.post("/clusters/{id}/notes")
def add_note(
    request: Request, person: Moderator, id: str, queue_context: QueueFromForm, text: Annotated[str, Form()] = ""
) -> Response:
    """Add a note to the case."""
    api = api_context(request)
    with write(api.engine) as connection:
        notes.add_note(connection, person.tenant_id, id, text, by=person.name, now=api.now())
        said = mention_sentence(connection, person, text)
    if said is not None:
        flash(request, person, said, "info")
    return see_other(request, f"{queue_context.to(id)}#notes")


@router.get("/clusters/{id}/next")
def skip_case(request: Request, person: Viewer, id: str, queue_context: QueueFromQuery) -> Response:
    """Go to the next open case in the list without deciding this one."""
    return see_other(request, _next_path(request, person, id, queue_context))


def _next_path(request: Request, person: Person, done: str, queue_context: QueueContext) -> str:
    with api_context(request).engine.connect() as connection:
        following = queue_context.next_case(connection, person, done, api_context(request).now())
    return queue_context.back if following is None else queue_context.to(following)


def _record(request: Request, person: Person, cluster_id: str, decision: DecisionRequest) -> tuple[str, bool]:
    """The id of the decision, and whether it had been recorded before."""
    api, decision_id, repeated = api_context(request), f"d-{secrets.token_hex(8)}", False
    try:
        with write(api.engine) as connection:
            case_decisions.record_decision(
                connection,
                person.tenant_id,
                cluster_id,
                decision,
                decision_id=decision_id,
                by=person.name,
                now=api.now(),
            )
    except StaleVersion:
        before = case_decisions.find_recorded(api.engine, person.tenant_id, cluster_id, decision, person.name)
        if before is None:
            raise
        decision_id, repeated = before.id, True
    anyio.from_thread.run(announce_decision, api, person.tenant, person.tenant_id)
    return decision_id, repeated


def case_response(
    request: Request,
    person: Person,
    cluster_id: str,
    table_filter: TableFilter,
    form: DecisionForm,
    queue_context: QueueContext,
    *,
    status: int = 200,
    all_reporters: bool = False,
    order: ReporterOrder = "",
    messages: tuple[FlashMessage, ...] = (),
    seen: Seen | None = None,
    note_text: str = "",
) -> Response:
    """The whole page, with what was entered in its forms."""
    api = api_context(request)
    now = api.now()
    with api.engine.connect() as connection:
        file = read_case_file(connection, person.tenant_id, cluster_id, now=now)
        content = case_page(
            connection, person.tenant_id, file, table_filter, all_reporters=all_reporters, order=order, now=now
        )
        effects = decision_effects(connection, person.tenant_id, file, form, now=now)
        following = queue_context.next_case(connection, person, cluster_id, now)
        tenant_time = tenant_now(connection, person.tenant_id, now)
        team = team_context(connection, person, cluster_id, right_together=content.right_together)
        log = case_decisions.read_case(connection, person.tenant_id, cluster_id)[1] if seen is not None else []
    shown = {row.row.id for row in content.reporters}
    context: dict[str, Any] = {
        "case": content,
        "file": file,
        "cluster": file.cluster,
        "lines": content.lines,
        "table_filter": table_filter,
        "effects": effects,
        "history": [entry_of(e, person.preferences.zone) for e in reversed(content.history)],
        "form": form,
        "to_exclude": set(form.excluded),
        "excluded_elsewhere": [one for one in form.excluded if one not in shown],
        **_OFFERED,
        **team,
        "note_text": note_text,
        "queue": queue_context.queue,
        "back": queue_context.back,
        "following": following,
        "tenant_time": tenant_time,
        "since_us": microseconds(now),
        "seen": seen_of(file.cluster),
        "changed": what_changed(seen, file.cluster, log, person.preferences.zone) if seen is not None else [],
        "address": path_of(cluster_id),
        "delay": delay,
        "may_decide": person.may("moderator"),
        "undoable": undoable(content.history),
        "all_reporters": all_reporters,
        "order": order,
    }
    return render(request, person, "case.html", status=status, messages=messages, **context)
