"""The case page: why a group was flagged, what it did, and the decision about it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

import anyio.from_thread
from fastapi import APIRouter, Depends, Form, Query, Request
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection
from starlette.responses import Response

from service.api.api_context import api_context
from service.api.clusters import wake
from service.console import case_page as pages
from service.console.case_page import Narrowed
from service.console.chart_data import delay
from service.console.conflict import Seen, seen_of, what_changed
from service.console.decision_form import LONGEST_NOTE, REASONS, SNOOZES, VERDICTS, Typed, undo_request
from service.console.history_text import entry_of
from service.console.person import Person
from service.console.queue import TenantFilter, next_case
from service.console.queue_filters import LONGEST_ADDRESS, question_of
from service.console.rendering import FlashMessage, flash, render, see_other, segment, wants_fragment
from service.console.sign_in import Moderator, Viewer
from service.errors import NotFound, Refused, StaleVersion
from service.intake.privacy_filter import PrivacyFilter
from service.model import DecisionRequest, Time, microseconds
from service.storage.cases import case_decisions, cases, claims, notes
from service.storage.cases.case_files import read_case_file
from service.storage.cases.case_history import CaseHistoryItem
from service.storage.cases.case_queue import tenant_now
from service.storage.sql.engine import write

router = APIRouter()
_TIME: TypeAdapter[datetime] = TypeAdapter(Time)
Queue = Annotated[str, Query(max_length=LONGEST_ADDRESS)]
QueueField = Annotated[str, Form(max_length=LONGEST_ADDRESS)]


def _narrowed(
    reporter: Annotated[str, Query(max_length=128)] = "",
    target: Annotated[str, Query(max_length=128)] = "",
    text: Annotated[str, Query(max_length=16)] = "",
    since: Annotated[str, Query(max_length=40)] = "",
    until: Annotated[str, Query(max_length=40)] = "",
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> Narrowed:
    """What the address narrows the tables to; empty fields, and times that are none, narrow nothing."""
    return Narrowed(reporter or None, target or None, text or None, _time(since), _time(until), page)


def _time(text: str) -> datetime | None:
    try:
        return _TIME.validate_python(text)
    except ValidationError:
        return None


def _typed(
    verdict: Annotated[str, Form(max_length=32)] = "",
    reason_code: Annotated[str, Form(max_length=32)] = "",
    note: Annotated[str, Form()] = "",
    snooze_for: Annotated[str, Form(max_length=8)] = "3",
    snooze_until: Annotated[str, Form(max_length=40)] = "",
    excluded_reporters: Annotated[list[str] | None, Form()] = None,
) -> Typed:
    """The decision panel as it was sent."""
    return Typed(verdict, reason_code, note, snooze_for, snooze_until, tuple(excluded_reporters or ()))


def _seen(
    version: Annotated[int, Form(ge=0, le=2**62)],
    seen_status: Annotated[str, Form(max_length=16)] = "",
    seen_disposition: Annotated[str, Form(max_length=16)] = "",
    seen_reporters: Annotated[int, Form(ge=0, le=2**31)] = 0,
    seen_targets: Annotated[int, Form(ge=0, le=2**31)] = 0,
) -> Seen:
    """The case as the page showed it on which something is decided."""
    return Seen(version, seen_status, seen_disposition, seen_reporters, seen_targets)


Narrowing = Annotated[Narrowed, Depends(_narrowed)]
Panel = Annotated[Typed, Depends(_typed)]
Shown = Annotated[Seen, Depends(_seen)]


@dataclass(frozen=True, slots=True)
class QueueContext:
    """The list that a case is worked through from."""

    queue: str  # as Question.text writes it
    privacy_filter: PrivacyFilter

    @property
    def back(self) -> str:
        """The list's address."""
        return question_of(self.queue).url()

    def to(self, cluster_id: str) -> str:
        """A case's address, with the list."""
        return path_of(cluster_id, self.queue)

    def onward(self, connection: Connection, person: Person, done: str, now: datetime) -> str | None:
        """The next case that waits in the list."""
        return next_case(connection, person.tenant_id, person.name, self.privacy_filter, self.queue, done=done, now=now)


def _way(privacy_filter: TenantFilter, queue: Queue = "") -> QueueContext:
    return QueueContext(question_of(queue).text, privacy_filter)


def _way_sent(privacy_filter: TenantFilter, queue: QueueField = "") -> QueueContext:
    return QueueContext(question_of(queue).text, privacy_filter)


FromList = Annotated[QueueContext, Depends(_way)]
FromListSent = Annotated[QueueContext, Depends(_way_sent)]


def path_of(cluster_id: str, queue: str = "") -> str:
    """The case's address, with the list that it is worked through from."""
    return f"/console/clusters/{segment(cluster_id)}" + (f"?{urlencode({'queue': queue})}" if queue else "")


@router.get("/clusters/{id}")
def show_case(
    request: Request,
    person: Viewer,
    id: str,
    narrowed: Narrowing,
    way: FromList,
    reporters: Annotated[str, Query(max_length=8)] = "",
) -> Response:
    """The whole page, or for htmx the table of complaints alone."""
    if not wants_fragment(request):
        return _page(request, person, id, narrowed, Typed(), way, all_reporters=reporters == "all")
    api = api_context(request)
    with api.engine.connect() as connection:
        file = read_case_file(connection, person.tenant_id, id, now=api.now())
        lines = pages.complaint_lines(connection, person.tenant_id, file, narrowed)
    return render(
        request,
        person,
        "case.html",
        fragment="complaints",
        file=file,
        cluster=file.cluster,
        lines=lines,
        narrowed=narrowed,
        address=path_of(id),
        queue=way.queue,
    )


@router.post("/clusters/{id}/preview")
def preview(request: Request, person: Viewer, id: str, typed: Panel, way: FromListSent) -> Response:
    """What the panel would do as it stands; nothing is decided.

    Without a script the whole page comes back as it was typed.
    """
    if not wants_fragment(request):
        return _page(request, person, id, Narrowed(), typed, way, all_reporters=bool(typed.excluded))
    api = api_context(request)
    with api.engine.connect() as connection:
        file = read_case_file(connection, person.tenant_id, id, now=api.now())
        effects = pages.effects(connection, person.tenant_id, file, typed, now=api.now())
    return render(request, person, "case.html", fragment="effect", effects=effects, typed=typed, cluster=file.cluster)


@router.post("/clusters/{id}/decide")
def decide(
    request: Request,
    person: Moderator,
    id: str,
    typed: Panel,
    seen: Shown,
    way: FromListSent,
    then: Annotated[str, Form(max_length=8)] = "stay",
) -> Response:
    """Decide on the version that was shown; what was typed comes back where somebody changed the case first, or it
    cannot be done.
    """
    api = api_context(request)
    try:
        asked = typed.request(seen.version, api.now())
        with api.engine.connect() as connection:
            told = pages.told_before(connection, person.tenant_id, id, asked, now=api.now())
        decision_id = _record(request, person, id, asked)
    except StaleVersion as stale:
        said = FlashMessage(
            f"Nothing was decided: {stale.changed_by} changed this case first. What you typed is still here; look at"
            " what changed, then decide again.",
            "bad",
        )
        return _page(request, person, id, Narrowed(), typed, way, status=409, messages=(said,), seen=seen)
    except NotFound:
        raise
    except Refused as refused:
        return _page(
            request, person, id, Narrowed(), typed, way, status=422, messages=(FlashMessage(str(refused), "bad"),)
        )
    verdict = dict(VERDICTS).get(asked.verdict, asked.verdict)
    flash(request, person, f"{verdict}: {told}", link=f"{way.to(id)}#history", link_text=f"Show {id}", undo=decision_id)
    return see_other(request, _onward(request, person, id, way) if then == "next" else way.to(id))


@router.post("/clusters/{id}/undo")
def undo(
    request: Request,
    person: Moderator,
    id: str,
    decision: Annotated[str, Form(max_length=64)],
    seen: Shown,
    way: FromListSent,
) -> Response:
    """Take a decision back by a new one that reverses it."""
    api = api_context(request)
    with api.engine.connect() as connection:
        _, log = case_decisions.read_case(connection, person.tenant_id, id)
    undone = next((one for one in log if one.id == decision), None)
    if undone is None:
        raise Refused("This case has no such decision: load the page anew.")
    try:
        _record(request, person, id, undo_request(undone.verdict, undone.snooze_until, undone.id, seen.version))
    except StaleVersion as stale:
        said = FlashMessage(
            f"Nothing was undone: {stale.changed_by} changed this case first. Look at what changed.", "bad"
        )
        return _page(request, person, id, Narrowed(), Typed(), way, status=409, messages=(said,), seen=seen)
    flash(
        request,
        person,
        f"Taken back: “{dict(VERDICTS).get(undone.verdict, undone.verdict)}” of {undone.by}. The log keeps both.",
        link=f"{way.to(id)}#history",
        link_text="Show",
    )
    return see_other(request, way.to(id))


@router.post("/clusters/{id}/claim")
def claim(request: Request, person: Moderator, id: str, way: FromListSent) -> Response:
    """Take the case."""
    return _handed(request, person, id, way, take=True)


@router.post("/clusters/{id}/unclaim")
def unclaim(request: Request, person: Moderator, id: str, way: FromListSent) -> Response:
    """Give the case back."""
    return _handed(request, person, id, way, take=False)


def _handed(request: Request, person: Person, cluster_id: str, way: QueueContext, *, take: bool) -> Response:
    api = api_context(request)
    with write(api.engine) as connection:
        cases.family_of(connection, person.tenant_id, cluster_id)  # NotFound for what is none of ours
        change = claims.claim if take else claims.unclaim
        change(connection, person.tenant_id, [cluster_id], by=person.name, now=api.now())
    return see_other(request, way.to(cluster_id))


@router.post("/clusters/{id}/notes")
def add_note(
    request: Request, person: Moderator, id: str, way: FromListSent, text: Annotated[str, Form()] = ""
) -> Response:
    """Write a note beside the case."""
    api = api_context(request)
    with write(api.engine) as connection:
        notes.add_note(connection, person.tenant_id, id, text, by=person.name, now=api.now())
    return see_other(request, f"{way.to(id)}#notes")


@router.get("/clusters/{id}/next")
def go_on(request: Request, person: Viewer, id: str, way: FromList) -> Response:
    """To the next open case of the list, without deciding this one."""
    return see_other(request, _onward(request, person, id, way))


def _onward(request: Request, person: Person, done: str, way: QueueContext) -> str:
    with api_context(request).engine.connect() as connection:
        following = way.onward(connection, person, done, api_context(request).now())
    return way.back if following is None else way.to(following)


def _record(request: Request, person: Person, cluster_id: str, asked: DecisionRequest) -> str:
    api, decision_id = api_context(request), f"d-{secrets.token_hex(8)}"
    with write(api.engine) as connection:
        case_decisions.record_decision(
            connection, person.tenant_id, cluster_id, asked, decision_id=decision_id, by=person.name, now=api.now()
        )
    anyio.from_thread.run(wake, api.redis, person.tenant)
    return decision_id


def _page(
    request: Request,
    person: Person,
    cluster_id: str,
    narrowed: Narrowed,
    typed: Typed,
    way: QueueContext,
    *,
    status: int = 200,
    all_reporters: bool = False,
    messages: tuple[FlashMessage, ...] = (),
    seen: Seen | None = None,
) -> Response:
    api = api_context(request)
    now = api.now()
    with api.engine.connect() as connection:
        file = read_case_file(connection, person.tenant_id, cluster_id, now=now)
        content = pages.case_page(connection, person.tenant_id, file, narrowed, all_reporters=all_reporters, now=now)
        effects = pages.effects(connection, person.tenant_id, file, typed, now=now)
        following = way.onward(connection, person, cluster_id, now)
        their_now = tenant_now(connection, person.tenant_id, now)
        log = case_decisions.read_case(connection, person.tenant_id, cluster_id)[1] if seen is not None else []
    shown = {row.row.id for row in content.reporters}
    context: dict[str, Any] = {
        "case": content,
        "file": file,
        "cluster": file.cluster,
        "lines": content.lines,
        "narrowed": narrowed,
        "effects": effects,
        "history": [entry_of(e) for e in reversed(content.history)],
        "typed": typed,
        "ticked": set(typed.excluded),
        "ticked_elsewhere": [one for one in typed.excluded if one not in shown],
        "verdicts": VERDICTS,
        "reasons": REASONS,
        "snoozes": SNOOZES,
        "longest_note": LONGEST_NOTE,
        "longest": notes.LONGEST,
        "queue": way.queue,
        "back": way.back,
        "following": following,
        "their_now": their_now,
        "since_us": microseconds(now),
        "seen": seen_of(file.cluster),
        "changed": what_changed(seen, file.cluster, log) if seen is not None else [],
        "address": path_of(cluster_id),
        "delay": delay,
        "may_decide": person.may("moderator"),
        "undoable": _undoable(content.history),
        "all_reporters": all_reporters,
    }
    return render(request, person, "case.html", status=status, messages=messages, **context)


def _undoable(history: Sequence[CaseHistoryItem]) -> str | None:
    """The latest decision that stands: what the key `u` goes to."""
    return next(
        (entry.decision.id for entry in reversed(history) if entry.decision is not None and entry.standing), None
    )
