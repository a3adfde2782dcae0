"""The audit trail over HTTP, for a SIEM or an archive."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from service.api.api_context import api_context
from service.api.auth import Administering
from service.api.openapi_parts import ADMIN_SCOPE, answers
from service.api.pages import Cursor, Limit, ListOf, link_next, requested_page
from service.api.problems import Invalid
from service.errors import InvalidCursor
from service.fields import Time
from service.model import RejectedItem, microseconds
from service.storage.accounts import audit_log
from service.storage.accounts.audit_log import AuditFilter, entry_document
from service.storage.sql.cursors import Page

router = APIRouter(tags=["audit"])
NEWEST_FIRST, OLDEST_FIRST = "-at", "at"
_KEYS: dict[str, tuple[type, ...]] = {NEWEST_FIRST: (int,), OLDEST_FIRST: (int,)}
Text = Annotated[str | None, Query(min_length=1, max_length=200)]


class AuditLogEntry(BaseModel):
    """One line of the audit trail: who did what to what."""

    id: str = Field(description="The entry's id; larger for later entries. The same in `audit.recorded` events.")
    at: datetime = Field(description="When it was done.")
    actor: str = Field(
        description="Who did it: a person's name, a key's, or `cli`, `sign-in`, `delivery` for the service itself."
    )
    action: str = Field(description="What was done, such as `sign-in`, `key-created` or `subscription.deleted`.")
    subject: str = Field(description="To what, as kind and id: `user:anna`, `cluster:k-1`, `key:7`.")
    detail: dict[str, Any] = Field(description="Particulars, depending on the action; no secrets.")


ENTRY = {
    "id": "1207",
    "at": "2021-12-23T14:02:11Z",
    "actor": "anna",
    "action": "key-created",
    "subject": "key:7",
    "detail": {"name": "forum", "scopes": ["ingest", "read"]},
}


@router.get(
    "/v1/audit-log",
    response_model=ListOf[AuditLogEntry],
    summary="List the audit log",
    openapi_extra=ADMIN_SCOPE,
    responses=answers({"items": [ENTRY], "next_cursor": None}, 200, "One page.", 400, 401, 403, 422),
)
def list_entries(
    request: Request,
    response: Response,
    key: Administering,
    actor: Annotated[Text, Query(description="Only entries of exactly this actor.")] = None,
    action: Annotated[Text, Query(description="Only entries of exactly this action.")] = None,
    subject: Annotated[Text, Query(description="Only entries whose subject contains this text.")] = None,
    since: Annotated[Time | None, Query(description="Only entries at or after this time.")] = None,
    until: Annotated[Time | None, Query(description="Only entries before this time.")] = None,
    sort: Annotated[
        Literal["-at", "at"] | None, Query(description="`-at`: newest first (default); `at`: oldest first.")
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ListOf[AuditLogEntry]:
    """Who changed what, and when. To collect it regularly, ask from a few minutes before the last time on, and
    recognise by `id` what you have: an entry appears when its change is committed, which may be seconds after `at`.
    """
    if since is not None and until is not None and since >= until:
        detail = f"{since.isoformat()} is not before until, {until.isoformat()}"
        raise Invalid(f"since: {detail}", [RejectedItem(detail=detail, pointer="/since")])
    times = {name: str(microseconds(at)) for name, at in (("since_us", since), ("until_us", until)) if at is not None}
    texts = {"actor": actor, "action": action, "subject": subject}
    filters = times | {name: text for name, text in texts.items() if text is not None}
    page, by = requested_page(
        cursor,
        list_name="audit-log",
        key_types_by_sort=_KEYS,
        sort=sort,
        default_sort=NEWEST_FIRST,
        filters=filters,
    )
    filters = dict(page.filters) if page else filters
    with api_context(request).engine.connect() as connection:
        found, more = audit_log.list_page(
            connection,
            key.tenant_id,
            _chosen(filters),
            before_id=int(page.after[0]) if page else None,
            limit=limit,
            oldest_first=by == OLDEST_FIRST,
        )
    after = None if more is None else (more,)
    next_cursor = link_next(response, "/v1/audit-log", limit, Page("audit-log", by, filters, ()), after)
    return ListOf(items=[AuditLogEntry(**entry_document(one)) for one in found], next_cursor=next_cursor)


def _chosen(filters: dict[str, str]) -> AuditFilter:
    """The filter, as a cursor holds it too; a forged cursor's may be anything."""
    texts = {name: filters[name] for name in ("since_us", "until_us") if name in filters}
    if not all(len(text) <= 18 and text.isascii() and text.removeprefix("-").isdigit() for text in texts.values()):
        raise InvalidCursor("the cursor holds a time that is not a number: use next_cursor as it was given")
    times = {name: int(text) for name, text in texts.items()}
    return AuditFilter(
        filters.get("actor"),
        filters.get("action"),
        filters.get("subject"),
        times.get("since_us"),
        times.get("until_us"),
    )
