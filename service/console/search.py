"""One box for cases, accounts, targets and words, across all states."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from service.api.api_context import api_context
from service.console.queue import TenantFilter
from service.console.rendering import render
from service.console.sign_in import Viewer
from service.errors import NotFound
from service.fields import ID_CHARACTERS, is_id
from service.storage.accounts.tenant_settings import settings_of
from service.storage.cases.case_queue import QueueItem, read_items
from service.storage.cases.case_search import MOST_TEXTS, Found, search_cases
from service.storage.complaints.reporters import ReporterRecord, read_reporter
from service.storage.complaints.target_content import TargetWords, words_of

router = APIRouter()
STATES = {"open": "New", "escalated": "Escalated", "snoozed": "Snoozed", "decided": "Decided"}
NOT_FLAGGED = "No longer flagged"


@router.get("/search")
def search(
    request: Request,
    person: Viewer,
    privacy_filter: TenantFilter,
    q: Annotated[str, Query(max_length=1_000)] = "",
) -> Response:
    """What was found, or only the box."""
    text = q.strip()[:ID_CHARACTERS]
    api = api_context(request)
    found, rows = Found(), list[QueueItem]()
    account: ReporterRecord | None = None
    target: TargetWords | None = None
    with api.engine.connect() as connection:
        keeps_texts = settings_of(connection, person.tenant_id).keep_text
        if is_id(text):
            stored = privacy_filter.reporter(text)
            found = search_cases(connection, person.tenant_id, text, reporter=stored)
            rows = read_items(connection, person.tenant_id, list(found.reasons), now=api.now(), pictures=False)
            target = words_of(connection, person.tenant_id, [text]).get(text)
            try:
                account = read_reporter(connection, person.tenant_id, stored, now=api.now())
            except NotFound:
                account = None
    return render(
        request,
        person,
        "search.html",
        q=text,
        wrong=bool(text) and not is_id(text),
        found=found,
        rows=[(row, found.reasons[row.item.id]) for row in rows],
        by_state=sorted(Counter(map(state_of, rows)).items()),
        state_of=state_of,
        account=account,
        target=target,
        keeps_texts=keeps_texts,
        most_texts=MOST_TEXTS,
    )


def state_of(row: QueueItem) -> str:
    """The state of a case as the tabs of the queue name it."""
    if row.item.disposition == "merged":
        return "Merged"
    if row.item.status != "decided" and row.item.disposition != "flagged":
        return NOT_FLAGGED
    return STATES.get(row.item.status, row.item.status)
