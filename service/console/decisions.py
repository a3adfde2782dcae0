"""The decision log of all cases, and undoing a decision by a new one."""

from __future__ import annotations

import secrets
from datetime import tzinfo
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Depends, Form, Request
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

from service.api.api_context import api_context
from service.api.decision_notice import announce_decision
from service.console.csv_files import Cell, csv_response
from service.console.decision_form import (
    LONGEST_NOTE,
    reason_word,
    undo_request,
)
from service.console.lists import AT_ONCE, PAGE, address, cursor_behind, day_us, every_page, place_of
from service.console.person import Person
from service.console.rendering import FlashMessage, flash, render, see_other, segment
from service.console.shares import download
from service.console.sign_in import Moderator, Viewer
from service.errors import Refused, StaleVersion
from service.fields import is_storable
from service.model import Decision, DecisionVerdict, ReasonCode
from service.moderation.decisions import VERDICT_WORDS, Case, decide, standing_words
from service.storage.cases import case_decisions, decision_log
from service.storage.cases.decision_log import DecisionLogEntry, LogFilter, list_entries
from service.storage.cases.decision_preview import effect_of_decisions
from service.storage.sql.engine import write

router = APIRouter()
NAME, SORT = "decision-log", "-at"
VERDICTS: tuple[DecisionVerdict, ...] = get_args(DecisionVerdict)
REASONS: tuple[ReasonCode, ...] = get_args(ReasonCode)
_HEADER = (
    "Time",
    "Decision",
    "Case",
    "Verdict",
    "Reason",
    "By",
    "Note",
    "Excluded reporters",
    "Snoozed until",
    "Undoes decision",
    "Undone by decision",
    "Version of the case",
    "Summary of the case",
)


def _entered(
    by: str = "", verdict: str = "", reason: str = "", case: str = "", since: str = "", until: str = ""
) -> dict[str, str]:
    """The list's filters in the query string."""
    return {"by": by, "verdict": verdict, "reason": reason, "case": case, "since": since, "until": until}


Entered = Annotated[dict[str, str], Depends(_entered)]


def _log_filter(zone: tzinfo, *, by: str, verdict: str, reason: str, case: str, since: str, until: str) -> LogFilter:
    if verdict and verdict not in VERDICTS:
        raise HTTPException(422, f"verdict must be one of {', '.join(VERDICTS)}")
    if reason and reason not in REASONS:
        raise HTTPException(422, f"reason must be one of {', '.join(REASONS)}")
    for name, text in (("by", by), ("case", case)):
        if len(text) > 256 or not is_storable(text):
            raise HTTPException(422, f"{name}: at most 256 characters, without NUL")
    log_filter = LogFilter(
        by=by.strip() or None,
        verdict=verdict or None,
        reason=reason or None,
        case=case.strip() or None,
        since_us=day_us(since, "from", zone=zone),
        until_us=day_us(until, "to", end=True, zone=zone),
    )
    if (
        log_filter.since_us is not None
        and log_filter.until_us is not None
        and log_filter.since_us >= log_filter.until_us
    ):
        raise HTTPException(422, "“From” must not be after “to”")
    return log_filter


@router.get("/decisions")
def show_decisions(request: Request, person: Viewer, filters: Entered, cursor: str = "") -> Response:
    """All decisions of the tenant, newest first."""
    log_filter = _log_filter(person.preferences.zone, **filters)
    after = place_of(cursor, NAME, decision_log.KEY_TYPES_BY_SORT, SORT, log_filter.named())
    with api_context(request).engine.connect() as connection:
        entries, behind = list_entries(connection, person.tenant_id, log_filter, after=after, limit=PAGE)
        people = decision_log.people_of(connection, person.tenant_id)
    following = cursor_behind(behind, NAME, SORT, log_filter.named())
    return render(
        request,
        person,
        "decisions.html",
        entries=entries,
        filters=filters,
        filtered=any(filters.values()),
        people=people,
        verdicts=VERDICT_WORDS,
        reason_word=reason_word,
        reasons=REASONS,
        next_url=None if following is None else address("/console/decisions", **filters, cursor=following),
        first_url=address("/console/decisions", **filters) if cursor else None,
        csv_url=address("/console/decisions.csv", **filters),
    )


@router.get("/decisions.csv", dependencies=download)
def download_decisions(request: Request, person: Viewer, filters: Entered) -> Response:
    """The whole list as CSV."""
    log_filter = _log_filter(person.preferences.zone, **filters)
    entries = every_page(
        api_context(request).engine,
        lambda connection, after: list_entries(connection, person.tenant_id, log_filter, after=after, limit=AT_ONCE),
    )
    return csv_response(f"decisions-{person.tenant}", _HEADER, lambda: map(_row, entries))


def _row(entry: DecisionLogEntry) -> tuple[Cell, ...]:
    d = entry.decision
    return (
        d.at,
        d.id,
        d.cluster_id,
        d.verdict,
        "" if entry.is_undo else d.reason_code,
        d.by,
        d.note,
        " ".join(d.excluded_reporters),
        d.snooze_until,
        d.reverses,
        entry.reversed_by,
        d.version,
        entry.summary,
    )


@router.get("/decisions/{id}/reverse")
def ask_to_reverse(request: Request, person: Moderator, id: str) -> Response:
    """Show what undoing it would do."""
    return _form(request, person, id)


@router.post("/decisions/{id}/reverse")
async def reverse(
    request: Request,
    person: Moderator,
    id: str,
    version: Annotated[int, Form(ge=0, le=2**31)],
    note: Annotated[str, Form(max_length=LONGEST_NOTE)] = "",
) -> Response:
    """Undo it by a new decision that repeats its verdict and names it."""
    api = api_context(request)
    case_id = await run_in_threadpool(_reverse, request, person, id, version, note)
    if isinstance(case_id, Response):
        return case_id
    await announce_decision(api, person.tenant, person.tenant_id)
    return see_other(request, "/console/decisions")


def _reverse(request: Request, person: Person, decision_id: str, version: int, note: str) -> Response | str:
    api = api_context(request)
    try:
        with write(api.engine) as connection:
            entry = decision_log.read_entry(connection, person.tenant_id, decision_id)
            case, _ = _standing_case(connection, person.tenant_id, entry)
            undo = undo_request(
                entry.decision.verdict, entry.decision.snooze_until, entry.decision.id, version, note=note
            )
            made = case_decisions.record_decision(
                connection,
                person.tenant_id,
                case.id,
                undo,
                decision_id=f"d-{secrets.token_hex(8)}",
                by=person.name,
                now=api.now(),
            )
    except StaleVersion as stale:
        if case_decisions.find_recorded(api.engine, person.tenant_id, case.id, undo, person.name) is not None:
            flash(request, person, "Undone once; it was sent twice.")
            return see_other(request, "/console/decisions")
        message = FlashMessage(
            f"{stale.changed_by} changed the case in the meantime. Below is what undoing the decision would do now."
            " Your note is kept.",
            "bad",
        )
        return _form(request, person, decision_id, note=note, status=409, messages=(message,))
    except Refused as refused:
        return _form(request, person, decision_id, note=note, status=422, messages=(FlashMessage(str(refused), "bad"),))
    flash(
        request,
        person,
        f"Undone. The case is now {made.status}.",
        link=f"/console/clusters/{segment(made.id)}",
        link_text="Show the case",
    )
    return made.id


def _standing_case(connection: Connection, tenant_id: int, entry: DecisionLogEntry) -> tuple[Case, list[Decision]]:
    """The case that the decision now belongs to (the surviving one after a merge), with its decisions."""
    case, log = case_decisions.read_case(connection, tenant_id, entry.decision.cluster_id)
    return (
        (case, log)
        if case.disposition != "merged" or case.merged_into is None
        else case_decisions.read_case(connection, tenant_id, case.merged_into)
    )


def _form(
    request: Request,
    person: Person,
    decision_id: str,
    *,
    note: str = "",
    status: int = 200,
    messages: tuple[FlashMessage, ...] = (),
) -> Response:
    api = api_context(request)
    preview: dict[str, Any] = {"effect": None, "after": None, "refused": None, "words_now": "", "words_after": ""}
    with api.engine.connect() as connection:
        entry = decision_log.read_entry(connection, person.tenant_id, decision_id)
        case, log = _standing_case(connection, person.tenant_id, entry)
        preview["words_now"] = standing_words(log, case.verdict, case.id)
        try:
            undo = undo_request(entry.decision.verdict, entry.decision.snooze_until, entry.decision.id, case.version)
            after, made = decide(case, log, undo, decision_id="preview", by=person.name, now=api.now())
            preview |= {"after": after, "words_after": standing_words([*log, made], after.verdict, after.id)}
            preview["effect"] = effect_of_decisions(connection, person.tenant_id, {case.id: undo}, now=api.now())
        except Refused as refused:
            preview["refused"] = str(refused)
    return render(
        request,
        person,
        "reverse.html",
        status=status,
        messages=messages,
        entry=entry,
        case=case,
        note=note,
        reason_word=reason_word,
        longest_note=LONGEST_NOTE,
        **preview,
    )
