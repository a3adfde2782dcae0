"""Targets that were removed while a group inflated their count, and what moderators decided about each.

A moderator's choice is recorded as an outcome and goes through the same stream as the platform's own outcomes. It
restores or confirms the removal here and updates reputations. The platform has to restore the content itself.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

from service.api.api_context import api_context, metrics_sink
from service.console.csv_files import Cell, csv_response
from service.console.lists import AT_ONCE, PAGE, address, cursor_behind, every_page, place_of
from service.console.person import Person
from service.console.rendering import flash, render, see_other
from service.console.shares import download
from service.console.sign_in import Moderator, Viewer
from service.console.targets import assessment_of, standings_of
from service.fields import is_id
from service.intake.items import OUTCOME, canonical
from service.model import Outcome, microseconds
from service.moderation.phrases import plural
from service.moderation.restoration_outcomes import CHOICES, Choice, outcome_of
from service.moderation.restorations import RestorationState
from service.moderation.target_assessment import Assessment
from service.storage.accounts import audit_log
from service.storage.accounts.policy_overrides import policy_of
from service.storage.cases import restorations
from service.storage.cases.case_decisions import GivenVerdict, verdicts_of
from service.storage.cases.restorations import SORT_KEY_TYPES, RestorationRow
from service.storage.complaints.target_content import UNKNOWN, TargetWords, words_of
from service.storage.sql.engine import write
from service.storage.sql.hashing import key_of

router = APIRouter()
NAME, SORT = "console-restorations", "-harm"
STATES: dict[str, tuple[str, tuple[RestorationState, ...] | None]] = {
    "open": ("To review", ("open",)),
    "stands": ("Removal confirmed", ("stands",)),
    "restored": ("Restored", ("restored",)),
    "any": ("All", None),
}
MOST_AT_ONCE = 200
_NONCE = re.compile(r"[0-9a-f]{16}\Z")
_HEADER = (
    "Target",
    "State",
    "Harm",
    "Complaints when removed",
    "Independent of these",
    "Threshold",
    "Removed",
    "Removed by",
    "Opened",
    "Changed",
    "Cases",
)


@dataclass(frozen=True, slots=True)
class ShownRestoration:
    """One restoration, with the target's content and current counts."""

    item: RestorationRow
    content: TargetWords
    now: Assessment | None


@router.get("/restorations")
async def show_restorations(request: Request, person: Viewer, state: str = "open", cursor: str = "") -> Response:
    """The list, most harmful first."""
    _, states = _state(state)
    after = place_of(cursor, NAME, SORT_KEY_TYPES, SORT, {"state": state})

    def read() -> tuple[list[RestorationRow], tuple[Any, ...] | None, dict[str, int], int, dict[str, GivenVerdict]]:
        with api_context(request).engine.connect() as connection:
            items, behind = restorations.list_restorations(
                connection, person.tenant_id, states, after=after, limit=PAGE
            )
            return (
                items,
                behind,
                restorations.count_by_state(connection, person.tenant_id),
                policy_of(connection, person.tenant_id).default_threshold,
                verdicts_of(connection, person.tenant_id, {cluster for item in items for cluster in item.clusters}),
            )

    items, behind, counts, threshold, verdicts = await run_in_threadpool(read)
    rows = await _with_counts(request, person, items, threshold)
    next_cursor = cursor_behind(behind, NAME, SORT, {"state": state})
    tabs = [
        {
            "url": address("/console/restorations", state=name),
            "label": label,
            "count": sum(counts.values()) if of is None else counts.get(of[0], 0),
            "current": name == state,
            "title": None,
            "aside": None,
        }
        for name, (label, of) in STATES.items()
    ]
    return await run_in_threadpool(
        lambda: render(
            request,
            person,
            "restorations.html",
            rows=rows,
            verdicts=verdicts,
            tabs=tabs,
            state=state,
            threshold=threshold,
            csv_url=address("/console/restorations.csv", state=state),
            next_url=None if next_cursor is None else address("/console/restorations", state=state, cursor=next_cursor),
            first_url=address("/console/restorations", state=state) if cursor else None,
        )
    )


@router.get("/restorations.csv", dependencies=download)
def download_restorations(request: Request, person: Viewer, state: str = "open") -> Response:
    """The list as CSV."""
    _, states = _state(state)
    items = every_page(
        api_context(request).engine,
        lambda connection, after: restorations.list_restorations(
            connection, person.tenant_id, states, after=after, limit=AT_ONCE
        ),
    )
    return csv_response(f"restorations-{person.tenant}", _HEADER, lambda: map(_cells, items))


def _cells(item: RestorationRow) -> tuple[Cell, ...]:
    return (
        item.target_id,
        item.state,
        item.harm,
        item.complaints,
        item.independent_complaints,
        item.threshold,
        item.removed_at,
        item.removed_by,
        item.opened_at,
        item.changed_at,
        " ".join(item.clusters),
    )


@router.post("/restorations/preview")
async def preview(
    request: Request,
    person: Moderator,
    choice: Annotated[str, Form()],
    target: Annotated[list[str], Form()] = [],  # noqa: B006  (FastAPI copies it)
) -> Response:
    """What the choice would do, before it is recorded."""
    chosen, wanted = _checked_request(choice, target)
    if not wanted:
        return await run_in_threadpool(_nothing_selected, request, person)
    items = await run_in_threadpool(_items_of, request, person, wanted)
    if not items:
        return await run_in_threadpool(_nothing_changed, request, person)
    rows = await _with_counts(request, person, items, await run_in_threadpool(_threshold_of, request, person))
    clusters = sorted({cluster for item in items for cluster in item.clusters})
    complaints = sum(row.now.complaints if row.now else row.item.complaints for row in rows)
    verdicts = await run_in_threadpool(_verdicts_of, request, person, clusters)
    return await run_in_threadpool(
        lambda: render(
            request,
            person,
            "restorations_preview.html",
            rows=rows,
            choice=chosen,
            clusters=clusters,
            verdicts=verdicts,
            complaints=complaints,
            since=_since_removal(complaints, sum(row.item.complaints for row in rows), len(rows)),
            gone=len(wanted) - len(items),
            nonce=secrets.token_hex(8),
        )
    )


@router.post("/restorations/handle")
async def handle(
    request: Request,
    person: Moderator,
    choice: Annotated[str, Form()],
    nonce: Annotated[str, Form(max_length=16)],
    target: Annotated[list[str], Form()] = [],  # noqa: B006
) -> Response:
    """Record one outcome for each target through the stream; a form submitted twice records the same outcomes."""
    chosen, wanted = _checked_request(choice, target)
    if not wanted:
        return await run_in_threadpool(_nothing_selected, request, person)
    if not _NONCE.match(nonce):
        raise HTTPException(422, "This form is out of date. Go back and select again. Nothing was changed.")
    items = await run_in_threadpool(_items_of, request, person, wanted)
    if not items:
        return await run_in_threadpool(_nothing_changed, request, person)
    api = api_context(request)
    now = api.now()
    outcomes = [
        outcome_of(chosen, item.target_id, outcome_id=_outcome_id(nonce, item.target_id), decided_at=now)
        for item in items
    ]
    lines = [canonical(outcome, OUTCOME) for outcome in outcomes]
    await api.writer.append(person.tenant, len(lines), b"\n".join(lines))
    metrics_sink(request).accepted(person.tenant, len(lines))
    await run_in_threadpool(_audit, request, person, chosen, outcomes, items)
    await _wait_until_applied(request, person, chosen, items)
    recorded = {"restored": "marked as restored", "stands": "confirmed as removed"}[chosen]
    text = f"{plural(len(items), 'target')} {recorded}. Lists and counts will update within seconds."
    await run_in_threadpool(lambda: flash(request, person, text))
    return see_other(request, "/console/restorations")


def _verdicts_of(request: Request, person: Person, clusters: Sequence[str]) -> dict[str, GivenVerdict]:
    with api_context(request).engine.connect() as connection:
        return verdicts_of(connection, person.tenant_id, clusters)


def _since_removal(now: int, removed: int, targets: int) -> str:
    """How the complaints of now go with those at the removal; empty where they are the same."""
    when = f"when {'it was' if targets == 1 else 'they were'} removed"
    if now > removed:
        return f" ({removed:,} {when}, {now - removed:,} since)"
    return f" ({removed:,} {when}, {removed - now:,} withdrawn since)" if now < removed else ""


def _outcome_id(nonce: str, target_id: str) -> str:
    # The same form gives the same ids, so that a double click records nothing twice.
    return f"console-{nonce}-{key_of(target_id) & (2**64 - 1):016x}"


def _audit(
    request: Request, person: Person, choice: Choice, outcomes: Sequence[Outcome], items: Sequence[RestorationRow]
) -> None:
    api = api_context(request)
    with write(api.engine) as connection:
        for outcome, item in zip(outcomes, items, strict=True):
            audit_log.enter(
                connection,
                person.tenant_id,
                actor=person.name,
                action="restoration",
                subject="target",
                now_us=microseconds(outcome.decided_at),
                detail={
                    "target": item.target_id,
                    "choice": choice,
                    "outcome": outcome.id,
                    "before": item.state,
                    "clusters": item.clusters,
                },
            )


_SETTLE_SECONDS, _LOOK_SECONDS = 2.0, 0.2


async def _wait_until_applied(
    request: Request, person: Person, choice: Choice, items: Sequence[RestorationRow]
) -> None:
    """Wait briefly for detection to apply the outcomes, so that the next list usually shows them."""
    deadline = asyncio.get_running_loop().time() + _SETTLE_SECONDS
    wanted = [item.target_id for item in items]
    while asyncio.get_running_loop().time() < deadline:
        found = await run_in_threadpool(_items_of, request, person, wanted)
        if all(item.state == choice for item in found):
            return
        await asyncio.sleep(_LOOK_SECONDS)


def _state(name: str) -> tuple[str, tuple[RestorationState, ...] | None]:
    if name not in STATES:
        raise HTTPException(422, f"state must be one of {', '.join(STATES)}")
    return STATES[name]


def _checked_request(choice: str, targets: Sequence[str]) -> tuple[Choice, list[str]]:
    chosen = next((one for one in CHOICES if one == choice), None)
    wanted = list(dict.fromkeys(one for one in targets if is_id(one)))
    if chosen is None:
        raise HTTPException(422, f"choice must be one of {', '.join(CHOICES)}")
    if len(wanted) > MOST_AT_ONCE:
        raise HTTPException(422, f"{len(wanted):,} targets are too many at once; the limit is {MOST_AT_ONCE}")
    return chosen, wanted


def _items_of(request: Request, person: Person, target_ids: Sequence[str]) -> list[RestorationRow]:
    with api_context(request).engine.connect() as connection:
        return restorations.read_items(connection, person.tenant_id, target_ids)


def _threshold_of(request: Request, person: Person) -> int:
    with api_context(request).engine.connect() as connection:
        return policy_of(connection, person.tenant_id).default_threshold


def _nothing_selected(request: Request, person: Person) -> Response:
    flash(request, person, "Select targets first, with their checkboxes. Nothing was changed.", "info")
    return see_other(request, "/console/restorations")


def _nothing_changed(request: Request, person: Person) -> Response:
    flash(request, person, "None of these targets needs a restoration any more. Nothing was changed.", "info")
    return see_other(request, "/console/restorations")


async def _with_counts(
    request: Request, person: Person, items: Sequence[RestorationRow], threshold: int
) -> list[ShownRestoration]:
    if not items:
        return []
    targets = [item.target_id for item in items]
    standings, content = (
        await standings_of(request, person, targets),
        await run_in_threadpool(_content_of, request, person, targets),
    )
    return [
        ShownRestoration(
            item, content.get(item.target_id, UNKNOWN), assessment_of(item.target_id, standings, place, threshold)
        )
        for place, item in enumerate(items)
    ]


def _content_of(request: Request, person: Person, targets: Sequence[str]) -> dict[str, TargetWords]:
    with api_context(request).engine.connect() as connection:
        return words_of(connection, person.tenant_id, targets)
