"""Several cases at once: look at what a decision would do to them, then decide; and take one's last decisions back.

Every case is decided by itself, on the version that its row showed: one that somebody changed meanwhile is left as it
is and named, the others are decided.
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
from service.api.clusters import wake
from service.console.decision_form import REASONS, SNOOZES, VERDICTS, Typed, undo_request
from service.console.formatting import plural
from service.console.person import Person
from service.console.rendering import FlashMessage, flash, render, see_other
from service.console.sign_in import Moderator, safe_path
from service.errors import BrigadewatchError, NotFound, Refused, StaleVersion
from service.model import DecisionRequest
from service.moderation.decision_preview import sentence
from service.storage.cases import case_decisions, case_queue
from service.storage.cases.case_queue import QueueItem
from service.storage.cases.decision_log import last_of, read_entry
from service.storage.cases.decision_preview import effect_of_decisions
from service.storage.sql.engine import write

router = APIRouter()
MOST = 100  # cases at once
Chosen = Annotated[list[str] | None, Form(max_length=MOST)]


@dataclass(frozen=True, slots=True)
class ChosenCase:
    """A chosen case, and the version that was seen when it was chosen."""

    row: QueueItem
    version: int

    @property
    def stale(self) -> bool:
        """Has somebody changed it since?"""
        return self.row.item.version != self.version


@router.post("/queue/chosen")
def preview(
    request: Request,
    person: Moderator,
    case: Chosen = None,
    back: Annotated[str, Form()] = "",
    verdict: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """The chosen cases, and what each decision would do to them all. Nothing is decided."""
    if not case:
        flash(request, person, "Choose cases first: by their boxes, or with the key x.", "info")
        return see_other(request, safe_path(back))
    return _preview(request, person, _versions(case), Typed(verdict=verdict), back)


@router.post("/queue/decide")
def decide(
    request: Request,
    person: Moderator,
    case: Chosen = None,
    back: Annotated[str, Form()] = "",
    verdict: Annotated[str, Form(max_length=20)] = "",
    reason_code: Annotated[str, Form(max_length=20)] = "",
    note: Annotated[str, Form(max_length=4_096)] = "",
    snooze_for: Annotated[str, Form(max_length=4)] = "3",
) -> Response:
    """Decide the chosen cases, each on the version that was seen."""
    api, versions = api_context(request), _versions(case or [])
    typed = Typed(verdict=verdict, reason_code=reason_code, note=note, snooze_for=snooze_for)
    if not versions:
        flash(request, person, "No case was chosen.", "info")
        return see_other(request, safe_path(back))
    try:
        asked = typed.request(0, api.now())
    except Refused as refused:
        return _preview(
            request, person, versions, typed, back, status=422, messages=(FlashMessage(str(refused), "bad"),)
        )
    decided, left = _decide_each(api, person, versions, asked)
    if decided:
        anyio.from_thread.run(wake, api.redis, person.tenant)
    told = (
        f"{plural(len(decided), 'case')} decided: {dict(VERDICTS)[verdict].lower()}."
        if decided
        else "Nothing was decided."
    )
    if left:
        told += (
            f" {plural(len(left), 'case')} left as {'it is' if len(left) == 1 else 'they are'}: "
            + "; ".join(left[:5])
            + ("; …" if len(left) > 5 else "")
            + "."
        )
    flash(request, person, told, "bad" if left else "good", undo=",".join(decided) or None)
    return see_other(request, safe_path(back))


@router.get("/queue/undo")
def ask_undo(request: Request, person: Moderator) -> Response:
    """The person's last decision that stands, and whether to take it back."""
    api, came_from = api_context(request), urlsplit(request.headers.get("referer", ""))
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
        verdicts=dict(VERDICTS),
        back=safe_path(came_from.path + (f"?{came_from.query}" if came_from.query else "")),
    )


@router.post("/queue/undo")
def undo(
    request: Request,
    person: Moderator,
    decisions: Annotated[str, Form(max_length=4_096)] = "",
    back: Annotated[str, Form()] = "",
) -> Response:
    """Take decisions back, each by a new one that reverses it."""
    api = api_context(request)
    taken, left = [], []
    for decision in list(dict.fromkeys(one for one in decisions.split(",") if one))[:MOST]:
        try:
            taken.append(_take_back(api, person, decision))
        except BrigadewatchError as refused:
            left.append(str(refused))
    if taken:
        anyio.from_thread.run(wake, api.redis, person.tenant)
    text = f"{plural(len(taken), 'decision')} taken back; the log keeps both." if taken else "Nothing was taken back."
    flash(request, person, " ".join([text, *left[:3]]), "bad" if left or not taken else "good")
    return see_other(request, safe_path(back))


def _preview(
    request: Request,
    person: Person,
    versions: dict[str, int],
    typed: Typed,
    back: str,
    *,
    status: int = 200,
    messages: tuple[FlashMessage, ...] = (),
) -> Response:
    api = api_context(request)
    with api.engine.connect() as connection:
        rows = case_queue.read_items(connection, person.tenant_id, list(versions), now=api.now())
        chosen = [ChosenCase(row, versions[row.item.id]) for row in rows]
        current = [one.row.item.id for one in chosen if not one.stale and one.row.item.disposition != "merged"]
        effects = {}
        for verdict in ("coordinated", "not_coordinated"):
            asked = DecisionRequest(verdict=verdict, reason_code="other", version=0)
            effects[verdict] = (
                sentence(
                    effect_of_decisions(connection, person.tenant_id, dict.fromkeys(current, asked), now=api.now()),
                    verdict,
                )
                if current
                else ""
            )
        their_now = case_queue.tenant_now(connection, person.tenant_id, api.now())
    return render(
        request,
        person,
        "bulk.html",
        status=status,
        messages=messages,
        chosen=chosen,
        deciding=len(current),
        effects=effects,
        typed=typed,
        verdicts=VERDICTS,
        reasons=REASONS,
        snoozes=SNOOZES,
        back=safe_path(back),
        their_now=their_now,
    )


def _decide_each(
    api: ApiContext, person: Person, versions: dict[str, int], asked: DecisionRequest
) -> tuple[list[str], list[str]]:
    """Ids of the decisions, and why the other cases were left as they are."""
    decided, left = [], []
    for cluster_id, version in versions.items():
        decision_id = f"d-{secrets.token_hex(8)}"
        try:
            with write(api.engine) as connection:
                case_decisions.record_decision(
                    connection,
                    person.tenant_id,
                    cluster_id,
                    asked.model_copy(update={"version": version}),
                    decision_id=decision_id,
                    by=person.name,
                    now=api.now(),
                )
            decided.append(decision_id)
        except StaleVersion as stale:
            left.append(f"{cluster_id} was changed by {stale.changed_by} meanwhile")
        except NotFound:
            left.append(f"{cluster_id} is not there")
        except Refused as refused:
            left.append(str(refused))
    return decided, left


def _take_back(api: ApiContext, person: Person, decision_id: str) -> str:
    """Reverse one decision of the person's own. Raises Refused for another's, or one that was taken back already."""
    with write(api.engine) as connection:
        entry = read_entry(connection, person.tenant_id, decision_id)
        found = entry.decision
        if found.by != person.name or entry.reversed_by is not None:
            raise Refused(
                f"{decision_id} was taken back already."
                if entry.reversed_by
                else f"{decision_id} is {found.by}’s decision: take it back in its case."
            )
        case, _ = case_decisions.read_case(connection, person.tenant_id, found.cluster_id)
        if case.merged_into is not None:
            case, _ = case_decisions.read_case(connection, person.tenant_id, case.merged_into)
        asked = undo_request(found.verdict, found.snooze_until, found.id, case.version)
        case_decisions.record_decision(
            connection,
            person.tenant_id,
            case.id,
            asked,
            decision_id=f"d-{secrets.token_hex(8)}",
            by=person.name,
            now=api.now(),
        )
    return decision_id


def _versions(chosen: Sequence[str]) -> dict[str, int]:
    """Version by case, from `id:version`; what is none is left out."""
    found = {}
    for one in chosen[:MOST]:
        name, _, version = one.rpartition(":")
        if 0 < len(name) <= 40 and version.isascii() and version.isdigit() and len(version) < 10:
            found[name] = int(version)
    return found
