"""The queue of cases waiting for a decision. Deciding several at once is in bulk.py."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from sqlalchemy import Connection
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.lists import PAGE, cursor_behind, place_of
from service.console.person import Person
from service.console.queue_filters import FIELDS, LABELS, VALUE_TEXTS, QueueQuery, parse_query, read_query
from service.console.rendering import flash, render, see_other, wants_fragment
from service.console.sign_in import Moderator, Viewer, safe_path
from service.errors import InvalidCursor, NotFound
from service.intake.privacy_filter import PrivacyFilter
from service.model import microseconds
from service.moderation.phrases import duration, plural
from service.storage.cases import case_queue, claims, queues
from service.storage.cases.case_queue import SORT_KEY_TYPES, QueueFilter, TabCount
from service.storage.cases.saved_filters import list_filters
from service.storage.cases.tag_reads import tags_in_use
from service.storage.sql.engine import write

router = APIRouter()
NAME = "queue"
TAB_LABELS: tuple[tuple[case_queue.Tab, str, str], ...] = (
    ("new", "New", "flagged, open and unclaimed"),
    ("mine", "Mine", "claimed by you or assigned to you"),
    ("escalated", "Escalated", "a colleague asked for a review"),
    ("decided", "Decided", "with a decision"),
    ("all", "All", "all cases, including snoozed, merged and no longer flagged ones"),
)
SORT_LABELS: tuple[tuple[str, str], ...] = (
    ("-score", "Highest priority first"),
    ("found_at", "Longest wait first"),
    ("-found_at", "Newest first"),
    ("-last_at", "Latest complaint first"),
    ("-reporter_count", "Most accounts first"),
)
_EMPTY = {
    "new": ("No new cases", "Cases appear here as soon as the detector flags them."),
    "mine": ("You have no cases", "Claim one under New so that others see you are working on it."),
    "escalated": (
        "No escalated cases",
        "If you are unsure about a case, escalate it. It then waits here for a colleague.",
    ),
    "decided": ("No decided cases yet", "Decided cases stay here with their history. Decisions can be undone."),
    "all": ("No cases", "Cases appear when accounts complain together more often than chance explains."),
}


async def _privacy_filter(request: Request, person: Viewer) -> PrivacyFilter:
    return await api_context(request).privacy_filters.of(person.tenant_id)


TenantFilter = Annotated[PrivacyFilter, Depends(_privacy_filter)]  # maps an entered reporter ID to the stored one


@router.get("/clusters")
def show_queue(request: Request, person: Viewer, privacy_filter: TenantFilter, cursor: str | None = None) -> Response:
    """One tab of the queue, filtered and sorted by the query string."""
    now, query = api_context(request).now(), read_query(request.query_params, person.preferences.zone)
    queue_filter = queue_filter_of(query, person.name, privacy_filter)
    with api_context(request).engine.connect() as connection:
        counts = case_queue.count_tabs(connection, person.tenant_id, person.name, now=now)
        rows, next_cursor, restarted = _page(connection, person.tenant_id, query, queue_filter, cursor, now)
        tenant_time = case_queue.tenant_now(connection, person.tenant_id, now)
        known_tags = tags_in_use(connection, person.tenant_id)
        named = queues.list_queues(connection, person.tenant_id)
        in_tab = case_queue.of_tab(query.tab, person.name)
        queue_counts = case_queue.count_queues(connection, person.tenant_id, in_tab, now) if named else {}
        saved = _saved_tabs(connection, person, query, privacy_filter, now)
    return render(
        request,
        person,
        "queue.html",
        known_tags=known_tags,
        queue_names={str(one.id): one.name for one in named},
        queue_tabs=_queue_tabs(query, named, queue_counts),
        saved=saved,
        query=query,
        rows=rows,
        tabs=_tabs(query, counts, tenant_time),
        tenant_time=tenant_time,
        since_us=microseconds(now),
        next_url=query.url(cursor=next_cursor) if next_cursor else None,
        first_url=query.url() if cursor else None,
        restarted=restarted,
        sorts=SORT_LABELS,
        labels=LABELS,
        value_texts=VALUE_TEXTS,
        fields=FIELDS,
        empty=_EMPTY[query.tab],
        total=counts[query.tab].cases,
    )


def queue_filter_of(query: QueueQuery, person: str, privacy_filter: PrivacyFilter) -> QueueFilter:
    """The cases that a person's query selects."""
    filters = dict(query.filters)
    if "reporter" in filters:
        filters["reporter"] = privacy_filter.reporter(filters["reporter"])
    if query.tab == "all" and filters.get("status") == "open":  # what waits, not what was merged or is reliable
        filters.setdefault("disposition", "flagged,held_back")
    base = case_queue.of_tab(query.tab, person)
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
    zone: tzinfo = UTC,
) -> str | None:
    """The first waiting case in the view `queue` (QueueQuery.text) other than `done`; None if there is none."""
    query = parse_query(queue, zone)
    items, _ = case_queue.list_queue(
        connection,
        tenant_id,
        queue_filter_of(query, person, privacy_filter),
        sort=query.sort,
        after=None,
        limit=20,
        now=now,
        pictures=False,
    )
    return next(
        (
            one.item.id
            for one in items
            if one.item.id != done
            and one.item.status in ("open", "escalated")
            and one.item.disposition not in ("merged", "revoked")
        ),
        None,
    )


@dataclass(frozen=True, slots=True)
class ClaimForm:
    """The cases to claim or release, and the list to return to."""

    case_ids: list[str]
    one_row: bool  # the button of a row was pressed
    back: str


def _claim_form(
    case: Annotated[list[str] | None, Form(max_length=100)] = None,
    only: Annotated[str, Form(max_length=64)] = "",
    back: Annotated[str, Form()] = "",
) -> ClaimForm:
    """The selected cases, or only the case `only`."""
    case_ids = [only] if only else [one.partition(":")[0] for one in case or ()]
    return ClaimForm(case_ids, bool(only), safe_path(back))


Claimed = Annotated[ClaimForm, Depends(_claim_form)]


@router.post("/queue/claim")
def claim(request: Request, person: Moderator, form: Claimed) -> Response:
    """Claim the selected cases."""
    return _set_claim(request, person, form, take=True)


@router.post("/queue/unclaim")
def unclaim(request: Request, person: Moderator, form: Claimed) -> Response:
    """Release the selected cases."""
    return _set_claim(request, person, form, take=False)


def _set_claim(request: Request, person: Moderator, form: ClaimForm, *, take: bool) -> Response:
    api, case_ids = api_context(request), form.case_ids
    with write(api.engine) as connection:
        changed = (claims.claim if take else claims.unclaim)(
            connection, person.tenant_id, case_ids, by=person.name, now=api.now()
        )
    if form.one_row and wants_fragment(request):
        with api.engine.connect() as connection:
            rows = case_queue.read_items(connection, person.tenant_id, case_ids, now=api.now())
            tenant_time = case_queue.tenant_now(connection, person.tenant_id, api.now())
        if not rows:
            raise NotFound("This case no longer exists. Reload the list.")
        return render(
            request,
            person,
            "parts/queue_row.html",
            fragment="row",
            row=rows[0],
            tenant_time=tenant_time,
            query=parse_query(form.back.partition("?")[2], person.preferences.zone),
        )
    done = "claimed" if take else "released"
    text = (
        f"{plural(len(changed), 'case')} {done}."
        if changed
        else ("Select cases first." if not case_ids else f"No selected case could be {done}.")
    )
    flash(request, person, text, "good" if changed else "info")
    return see_other(request, form.back)


def _page(
    connection: Connection,
    tenant_id: int,
    query: QueueQuery,
    queue_filter: QueueFilter,
    cursor: str | None,
    now: datetime,
) -> tuple[list[case_queue.QueueItem], str | None, bool]:
    """The rows, the next page's cursor, and whether the list restarted because the cursor was for another list."""
    after, restarted = None, False
    try:
        after = place_of(cursor or "", NAME, SORT_KEY_TYPES, query.sort, queue_filter.named())
    except InvalidCursor:
        restarted = True
    rows, following = case_queue.list_queue(
        connection, tenant_id, queue_filter, sort=query.sort, after=after, limit=PAGE, now=now
    )
    return rows, cursor_behind(following, NAME, query.sort, queue_filter.named()), restarted


def _saved_tabs(
    connection: Connection, person: Person, query: QueueQuery, privacy_filter: PrivacyFilter, now: datetime
) -> list[dict[str, Any]]:
    """The saved filters as tabs. What a filter has that no longer exists is left out of it."""
    tabs = []
    for one in list_filters(connection, person.tenant_id, person.user_id):
        saved = read_query(one.parameters, person.preferences.zone)
        chosen = queue_filter_of(saved, person.name, privacy_filter)
        tabs.append(
            {
                "id": one.id,
                "url": saved.url(),
                "label": one.name,
                "title": "Shared with everybody" if one.shared else "Only yours",
                "count": case_queue.count_cases(connection, person.tenant_id, chosen, now=now),
                "current": saved.text == query.text,
                "removable": one.user_id == person.user_id or (one.shared and person.may("admin")),
            }
        )
    return tabs


def _queue_tabs(
    query: QueueQuery, named: list[queues.CaseQueue], counts: dict[int | None, int]
) -> list[dict[str, Any]]:
    if not named:
        return []
    current = query.entered.get("in_queue")
    choices = [
        (None, "All queues", sum(counts.values())),
        *((str(one.id), one.name, counts.get(one.id, 0)) for one in named),
        (case_queue.NO_QUEUE, "No queue", counts.get(None, 0)),
    ]
    return [
        {"url": query.url(in_queue=value), "label": label, "count": count, "current": current == value}
        for value, label, count in choices
    ]


def _tabs(query: QueueQuery, counts: dict[case_queue.Tab, TabCount], tenant_time: datetime) -> list[dict[str, Any]]:
    tabs = []
    for tab, label, title in TAB_LABELS:
        oldest = counts[tab].oldest_at if tab in ("new", "mine", "escalated") else None
        aside = None if oldest is None else f"oldest {duration((tenant_time - oldest).total_seconds())}"
        tabs.append(
            {
                "url": query.url(tab=tab),
                "label": label,
                "title": title,
                "count": counts[tab].cases,
                "current": tab == query.tab,
                "aside": aside,
            }
        )
    return tabs
