"""The queue: cases that wait for a person. What may be chosen and done for several at once is in bulk.py."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from sqlalchemy import Connection
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.formatting import plural, span
from service.console.lists import PAGE, cursor_behind, place_of
from service.console.queue_filters import FIELDS, LABELS, Question, question_of, read_question
from service.console.rendering import flash, render, see_other, wants_fragment
from service.console.sign_in import Moderator, Viewer, safe_path
from service.errors import InvalidCursor, NotFound
from service.intake.privacy_filter import PrivacyFilter
from service.model import microseconds
from service.storage.cases import case_queue, claims
from service.storage.cases.case_queue import SORT_KEY_TYPES, QueueFilter, TabCount
from service.storage.sql.engine import write

router = APIRouter()
NAME = "queue"
TAB_LABELS: tuple[tuple[case_queue.Tab, str, str], ...] = (
    ("new", "New", "flagged, open, and in nobody's hands"),
    ("mine", "Mine", "in your hands"),
    ("escalated", "Escalated", "somebody wants a second pair of eyes"),
    ("decided", "Decided", "with a verdict"),
    ("all", "All", "whatever there is, also snoozed, merged and revoked ones"),
)
SORT_LABELS: tuple[tuple[str, str], ...] = (
    ("-score", "Strongest evidence first"),
    ("found_at", "Waiting longest first"),
    ("-found_at", "Newest first"),
    ("-last_at", "Latest complaint first"),
    ("-reporter_count", "Most accounts first"),
)
_EMPTY = {
    "new": ("Nothing new waits", "New cases appear here as soon as the detector flags them."),
    "mine": ("You have no case", "Claim one under New: the others then see that you are at it."),
    "escalated": (
        "Nothing is escalated",
        "Whoever is not sure escalates a case; it then waits here for somebody else.",
    ),
    "decided": ("Nothing has been decided yet", "Decided cases stay here, with their log, and can be taken up again."),
    "all": ("There are no cases", "Cases appear when accounts complain together more often than chance explains."),
}


async def _privacy_filter(request: Request, person: Viewer) -> PrivacyFilter:
    return await api_context(request).privacy_filters.of(person.tenant_id)


TenantFilter = Annotated[
    PrivacyFilter, Depends(_privacy_filter)
]  # maps a reporter's id that is typed to the one that is stored


@router.get("/clusters")
def show_queue(request: Request, person: Viewer, privacy_filter: TenantFilter, cursor: str | None = None) -> Response:
    """One tab of the queue, filtered and sorted as the address says."""
    now, question = api_context(request).now(), read_question(request.query_params)
    chosen = chosen_of(question, person.name, privacy_filter)
    with api_context(request).engine.connect() as connection:
        counts = case_queue.count_tabs(connection, person.tenant_id, person.name, now=now)
        rows, next_cursor, again = _page(connection, person.tenant_id, question, chosen, cursor, now)
        their_now = case_queue.tenant_now(connection, person.tenant_id, now)
    return render(
        request,
        person,
        "queue.html",
        question=question,
        rows=rows,
        tabs=_tabs(question, counts, their_now),
        their_now=their_now,
        since_us=microseconds(now),
        next_url=question.url(cursor=next_cursor) if next_cursor else None,
        first_url=question.url() if cursor else None,
        again=again,
        sorts=SORT_LABELS,
        labels=LABELS,
        fields=FIELDS,
        empty=_EMPTY[question.tab],
        total=counts[question.tab].cases,
    )


def chosen_of(question: Question, person: str, privacy_filter: PrivacyFilter) -> QueueFilter:
    """Which cases a person's question means."""
    filters = dict(question.filters)
    if "reporter" in filters:
        filters["reporter"] = privacy_filter.reporter(filters["reporter"])
    base = case_queue.of_tab(question.tab, person)
    return case_queue.narrowed(base, filters)


def next_case(
    connection: Connection,
    tenant_id: int,
    person: str,
    privacy_filter: PrivacyFilter,
    queue: str,
    *,
    done: str,
    now: datetime,
) -> str | None:
    """The first case of the list that `queue` (Question.text) stands for, but `done`; None when there is no other that
    waits.
    """
    question = question_of(queue)
    items, _ = case_queue.list_queue(
        connection,
        tenant_id,
        chosen_of(question, person, privacy_filter),
        sort=question.sort,
        after=None,
        limit=20,
        now=now,
        pictures=False,
    )
    return next(
        (one.item.id for one in items if one.item.id != done and one.item.status in ("open", "escalated")), None
    )


@router.post("/queue/claim")
def claim(
    request: Request,
    person: Moderator,
    case: Annotated[list[str] | None, Form(max_length=100)] = None,
    only: Annotated[str, Form(max_length=64)] = "",
    back: Annotated[str, Form()] = "",
) -> Response:
    """Take the chosen cases (or `only` one): the others then see who is at it."""
    return _handed(request, person, case, only, back, take=True)


@router.post("/queue/unclaim")
def unclaim(
    request: Request,
    person: Moderator,
    case: Annotated[list[str] | None, Form(max_length=100)] = None,
    only: Annotated[str, Form(max_length=64)] = "",
    back: Annotated[str, Form()] = "",
) -> Response:
    """Give the chosen cases back."""
    return _handed(request, person, case, only, back, take=False)


def _handed(
    request: Request, person: Moderator, case: list[str] | None, only: str, back: str, *, take: bool
) -> Response:
    api, asked = api_context(request), [only] if only else [one.partition(":")[0] for one in case or ()]
    with write(api.engine) as connection:
        changed = (claims.claim if take else claims.unclaim)(
            connection, person.tenant_id, asked, by=person.name, now=api.now()
        )
    if only and wants_fragment(request):
        with api.engine.connect() as connection:
            rows = case_queue.read_items(connection, person.tenant_id, asked, now=api.now())
            their_now = case_queue.tenant_now(connection, person.tenant_id, api.now())
        if not rows:
            raise NotFound("This case is not there any more: load the list anew.")
        return render(
            request,
            person,
            "parts/queue_row.html",
            fragment="row",
            row=rows[0],
            their_now=their_now,
            question=question_of(safe_path(back).partition("?")[2]),
        )
    done = "claimed" if take else "given back"
    text = (
        f"{plural(len(changed), 'case')} {done}."
        if changed
        else ("Choose cases first." if not asked else f"Nothing had to be {done}.")
    )
    flash(request, person, text, "good" if changed else "info")
    return see_other(request, safe_path(back))


def _page(
    connection: Connection, tenant_id: int, question: Question, chosen: QueueFilter, cursor: str | None, now: datetime
) -> tuple[list[case_queue.QueueItem], str | None, bool]:
    """The rows, the next page's cursor, and whether the cursor was none of this list's (then the list begins again)."""
    after, again = None, False
    try:
        after = place_of(cursor or "", NAME, SORT_KEY_TYPES, question.sort, chosen.named())
    except InvalidCursor:
        again = True
    rows, further = case_queue.list_queue(
        connection, tenant_id, chosen, sort=question.sort, after=after, limit=PAGE, now=now
    )
    return rows, cursor_behind(further, NAME, question.sort, chosen.named()), again


def _tabs(question: Question, counts: dict[case_queue.Tab, TabCount], their_now: datetime) -> list[dict[str, Any]]:
    tabs = []
    for tab, label, title in TAB_LABELS:
        oldest = counts[tab].oldest_at if tab in ("new", "mine", "escalated") else None
        aside = None if oldest is None else f"oldest {span((their_now - oldest).total_seconds())}"
        tabs.append(
            {
                "url": question.url(tab=tab),
                "label": label,
                "title": title,
                "count": counts[tab].cases,
                "current": tab == question.tab,
                "aside": aside,
            }
        )
    return tabs
