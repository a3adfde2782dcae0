"""One box for cases, accounts, targets and words, across all states."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.lists import address
from service.console.person import Person
from service.console.queue import TenantFilter
from service.console.rendering import render
from service.console.sign_in import Viewer
from service.errors import NotFound
from service.fields import ID_CHARACTERS, is_id
from service.intake.privacy_filter import PrivacyFilter
from service.storage.accounts.tenant_settings import settings_of
from service.storage.cases.case_queue import QueueItem, read_items
from service.storage.cases.case_search import MOST_TEXTS, search_cases
from service.storage.complaints.reporters import ReporterRecord, read_reporter
from service.storage.complaints.target_content import TargetWords, words_of

router = APIRouter()
STATES = {"open": "New", "escalated": "Escalated", "snoozed": "Snoozed", "decided": "Decided"}
NOT_FLAGGED = "No longer flagged"


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search found."""

    text: str  # as it was looked for
    cut: bool  # there is more
    rows: list[tuple[QueueItem, list[str]]]  # the cases, each with where it was found
    account: ReporterRecord | None
    target: TargetWords | None


@router.get("/search")
def search(
    request: Request,
    person: Viewer,
    privacy_filter: TenantFilter,
    q: Annotated[str, Query(max_length=1_000)] = "",
) -> Response:
    """What was found, or only the box."""
    found = find_everything(request, person, privacy_filter, q)
    with api_context(request).engine.connect() as connection:
        keeps_texts = settings_of(connection, person.tenant_id).keep_text
    return render(
        request,
        person,
        "search.html",
        q=found.text,
        wrong=bool(found.text) and not is_id(found.text),
        found=found,
        rows=found.rows,
        by_state=sorted(Counter(state_of(row) for row, _ in found.rows).items()),
        state_of=state_of,
        account=found.account,
        target=found.target,
        keeps_texts=keeps_texts,
        most_texts=MOST_TEXTS,
        csv_url=address("/console/search.csv", q=found.text),
    )


def find_everything(request: Request, person: Person, privacy_filter: PrivacyFilter, q: str) -> SearchResult:
    """The account and the target of that ID, and the cases. Finds nothing for a text that cannot be an ID."""
    text, api = q.strip()[:ID_CHARACTERS], api_context(request)
    if not is_id(text):
        return SearchResult(text, False, [], None, None)
    account: ReporterRecord | None = None
    with api.engine.connect() as connection:
        stored = privacy_filter.reporter(text)
        found = search_cases(connection, person.tenant_id, text, reporter=stored)
        rows = read_items(connection, person.tenant_id, list(found.reasons), now=api.now(), pictures=False)
        target = words_of(connection, person.tenant_id, [text]).get(text)
        with suppress(NotFound):
            account = read_reporter(connection, person.tenant_id, stored, now=api.now())
    return SearchResult(text, found.cut, [(row, found.reasons[row.item.id]) for row in rows], account, target)


def state_of(row: QueueItem) -> str:
    """The state of a case as the tabs of the queue name it."""
    if row.item.disposition == "merged":
        return "Merged"
    if row.item.status != "decided" and row.item.disposition != "flagged":
        return NOT_FLAGGED
    return STATES.get(row.item.status, row.item.status)
