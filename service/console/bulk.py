"""Decide several cases at once, with a preview; and undo one's own last decisions.

Each case is decided separately, on the version its row showed. A case that someone else changed in the meantime is
skipped and listed; the others are decided.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

import anyio.from_thread
from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from service.api.api_context import ApiContext, api_context
from service.api.decision_notice import announce_decision
from service.console.decision_form import REASONS, SNOOZES, VERDICTS, DecisionForm, reason_word, undo_request
from service.console.person import Person
from service.console.rendering import FlashMessage, flash, render, see_other
from service.console.sign_in import Moderator, safe_path
from service.errors import BrigadewatchError, NotFound, Refused, StaleVersion
from service.model import DecisionRequest
from service.moderation.decision_preview import sentence
from service.moderation.decisions import verdict_words
from service.moderation.phrases import plural
from service.storage.cases import case_decisions, case_queue
from service.storage.cases.case_queue import QueueItem
from service.storage.cases.decision_log import last_of, read_entry
from service.storage.cases.decision_preview import effect_of_decisions
from service.storage.sql.engine import write

router = APIRouter()
MOST = 100  # cases at once
SelectedCases = Annotated[list[str] | None, Form(max_length=MOST)]


@dataclass(frozen=True, slots=True)
class SelectedCase:
    """A selected case, and its version when it was selected."""

    row: QueueItem
    version: int

    @property
    def stale(self) -> bool:
        """Whether it has changed since."""
        return self.row.item.version != self.version


@router.post("/queue/chosen")
def preview(
    request: Request,
    person: Moderator,
    case: SelectedCases = None,
    back: Annotated[str, Form()] = "",
    verdict: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """The selected cases, and the effect of each decision on all of them. Nothing is decided."""
    if not case:
        flash(request, person, "Select cases first, with their checkboxes.", "info")
        return see_other(request, safe_path(back))
    return _preview(request, person, _versions(case), DecisionForm(verdict=verdict), back)


@router.post("/queue/decide")
def decide(
    request: Request,
    person: Moderator,
    case: SelectedCases = None,
    back: Annotated[str, Form()] = "",
    verdict: Annotated[str, Form(max_length=20)] = "",
    reason_code: Annotated[str, Form(max_length=20)] = "",
    note: Annotated[str, Form(max_length=4_096)] = "",
    snooze_for: Annotated[str, Form(max_length=4)] = "3",
) -> Response:
    """Decide the selected cases, each on the version that was shown."""
    api, versions = api_context(request), _versions(case or [])
    form = DecisionForm(verdict=verdict, reason_code=reason_code, note=note, snooze_for=snooze_for)
    if not versions:
        flash(request, person, "No cases were selected.", "info")
        return see_other(request, safe_path(back))
    try:
        decision = form.request(0, api.now())
    except Refused as refused:
        return _preview(
            request, person, versions, form, back, status=422, messages=(FlashMessage(str(refused), "bad"),)
        )
    decided, left = _decide_each(api, person, versions, decision)
    if decided:
        anyio.from_thread.run(announce_decision, api, person.tenant, person.tenant_id)
    summary = (
        f"{plural(len(decided), 'case')} decided: {verdict_words(decision.verdict, decision.reason_code)}."
        if decided
        else "Nothing was decided."
    )
    if left:
        summary += (
            f" {plural(len(left), 'case')} skipped: " + "; ".join(left[:5]) + ("; …" if len(left) > 5 else "") + "."
        )
    flash(request, person, summary, "bad" if left else "good", undo=",".join(decided) or None)
    return see_other(request, safe_path(back))


@router.get("/queue/undo")
def ask_undo(request: Request, person: Moderator) -> Response:
    """Ask whether to undo the person's last decision in force."""
    api, referer = api_context(request), urlsplit(request.headers.get("referer", ""))
    with api.engine.connect() as connection:
        last = last_of(connection, person.tenant_id, person.name)
        rows = (
            []
            if last is None
            else case_queue.read_items(connection, person.tenant_id, [last.cluster_id], now=api.now(), pictures=False)
        )
    return render(
        request,
        person,
        "undo.html",
        decision=last,
        row=rows[0] if rows else None,
        reason_word=reason_word,
        back=safe_path(referer.path + (f"?{referer.query}" if referer.query else "")),
    )


@router.post("/queue/undo")
def undo(
    request: Request,
    person: Moderator,
    decisions: Annotated[str, Form(max_length=4_096)] = "",
    back: Annotated[str, Form()] = "",
) -> Response:
    """Undo decisions, each by a new one that reverses it."""
    api = api_context(request)
    taken, left = [], []
    for decision in list(dict.fromkeys(one for one in decisions.split(",") if one))[:MOST]:
        try:
            taken.append(_take_back(api, person, decision))
        except BrigadewatchError as refused:
            left.append(str(refused))
    if taken:
        anyio.from_thread.run(announce_decision, api, person.tenant, person.tenant_id)
    text = f"{plural(len(taken), 'decision')} undone; the log keeps all entries." if taken else "Nothing was undone."
    flash(request, person, " ".join([text, *left[:3]]), "bad" if left or not taken else "good")
    return see_other(request, safe_path(back))


def _preview(
    request: Request,
    person: Person,
    versions: dict[str, int],
    form: DecisionForm,
    back: str,
    *,
    status: int = 200,
    messages: tuple[FlashMessage, ...] = (),
) -> Response:
    api = api_context(request)
    with api.engine.connect() as connection:
        rows = case_queue.read_items(connection, person.tenant_id, list(versions), now=api.now())
        selected = [SelectedCase(row, versions[row.item.id]) for row in rows]
        current = [one.row.item.id for one in selected if not one.stale and one.row.item.disposition != "merged"]
        effects = {}
        for verdict in ("coordinated", "not_coordinated"):
            decision = DecisionForm(verdict=verdict).request(0, api.now())
            effects[verdict] = (
                sentence(
                    effect_of_decisions(connection, person.tenant_id, dict.fromkeys(current, decision), now=api.now())
                )
                if current
                else ""
            )
        tenant_time = case_queue.tenant_now(connection, person.tenant_id, api.now())
    return render(
        request,
        person,
        "bulk.html",
        status=status,
        messages=messages,
        selected=selected,
        deciding=len(current),
        effects=effects,
        form=form,
        verdicts=VERDICTS,
        reasons=REASONS,
        snoozes=SNOOZES,
        back=safe_path(back),
        tenant_time=tenant_time,
    )


def _decide_each(
    api: ApiContext, person: Person, versions: dict[str, int], decision: DecisionRequest
) -> tuple[list[str], list[str]]:
    """IDs of the decisions, and why the other cases were skipped."""
    decided, left = [], []
    for cluster_id, version in versions.items():
        decision_id = f"d-{secrets.token_hex(8)}"
        try:
            with write(api.engine) as connection:
                case_decisions.record_decision(
                    connection,
                    person.tenant_id,
                    cluster_id,
                    decision.model_copy(update={"version": version}),
                    decision_id=decision_id,
                    by=person.name,
                    now=api.now(),
                )
            decided.append(decision_id)
        except StaleVersion as stale:
            request = decision.model_copy(update={"version": version})
            before = case_decisions.find_recorded(api.engine, person.tenant_id, cluster_id, request, person.name)
            if before is not None:
                decided.append(before.id)
            else:
                left.append(f"{cluster_id} was changed by {stale.changed_by} in the meantime")
        except NotFound:
            left.append(f"{cluster_id} does not exist")
        except Refused as refused:
            left.append(str(refused))
    return decided, left


def _take_back(api: ApiContext, person: Person, decision_id: str) -> str:
    """Undo one of the person's own decisions. Raises Refused for someone else's, or one already undone."""
    with write(api.engine) as connection:
        entry = read_entry(connection, person.tenant_id, decision_id)
        found = entry.decision
        if found.by != person.name or entry.reversed_by is not None:
            raise Refused(
                f"{decision_id} was already undone."
                if entry.reversed_by
                else f"{decision_id} is {found.by}’s decision. Undo it on the case page."
            )
        case, _ = case_decisions.read_case(connection, person.tenant_id, found.cluster_id)
        if case.merged_into is not None:
            case, _ = case_decisions.read_case(connection, person.tenant_id, case.merged_into)
        decision = undo_request(found.verdict, found.snooze_until, found.id, case.version)
        case_decisions.record_decision(
            connection,
            person.tenant_id,
            case.id,
            decision,
            decision_id=f"d-{secrets.token_hex(8)}",
            by=person.name,
            now=api.now(),
        )
    return decision_id


def _versions(selected: Sequence[str]) -> dict[str, int]:
    """Version by case, parsed from `id:version`; invalid entries are ignored."""
    found = {}
    for one in selected[:MOST]:
        name, _, version = one.rpartition(":")
        if 0 < len(name) <= 40 and version.isascii() and version.isdigit() and len(version) < 10:
            found[name] = int(version)
    return found
