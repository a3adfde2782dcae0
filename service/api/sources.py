"""Inbound connections over HTTP: which there are, and ending one.

They are made on the command line, where the secrets are.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from service.api.api_context import api_context
from service.api.auth import require
from service.api.openapi_parts import answers, refusals
from service.api.pages import Cursor, Limit, ListOf, link_next, page_asked
from service.model import microseconds, moment
from service.storage.accounts.tenants import KeyRecord, name_of_key
from service.storage.sql.cursors import Page
from service.storage.sql.engine import write
from service.storage.webhooks.sources import Source, list_sources, remove_source

router = APIRouter(tags=["sources"])
Administering = Annotated[KeyRecord, Depends(require("admin"))]
_SORT = "id"
EXAMPLE: dict[str, Any] = {
    "id": "src_5f0c0d6f…",
    "platform": "discourse",
    "path": "/v1/webhooks/discourse/src_5f0c0d6f…",
    "url": "https://forum.example",
    "created_at": "2021-12-01T09:00:00Z",
    "signed": True,
    "previous_secret_until": None,
    "mapping": None,
    "polled": False,
    "polled_at": None,
    "next_poll_at": None,
    "failures": 0,
    "last_error": None,
}


class SourceItem(BaseModel):
    """One connection; its secret is never shown."""

    id: str
    platform: str
    path: str = Field(description="where the platform posts to; of a source that is asked it is only a name")
    url: str | None = Field(None, description="the platform's address; of a source that is asked, where")
    created_at: datetime
    signed: bool = Field(description="whether a secret is set; false: whoever knows the path can post")
    previous_secret_until: datetime | None = Field(
        None, description="while rotating: how long the earlier secret is taken too"
    )
    mapping: dict[str, Any] | None = Field(None, description="the field map of the platform generic")
    polled: bool = Field(description="whether the service asks the platform; the next four are about that")
    polled_at: datetime | None = Field(None, description="latest poll that succeeded")
    next_poll_at: datetime | None = None
    failures: int = Field(0, description="polls that failed, in a row")
    last_error: str | None = None


def shown(source: Source, now_us: int) -> SourceItem:
    """The source as it is answered."""
    until = source.previous_until_us
    return SourceItem(
        id=source.id,
        platform=source.platform,
        path=source.path,
        url=source.url,
        created_at=moment(source.created_us),
        signed=source.secret is not None,
        previous_secret_until=None if until is None or until <= now_us else moment(until),
        mapping=source.mapping,
        polled=source.polled,
        polled_at=None if source.polled_us is None else moment(source.polled_us),
        next_poll_at=None if source.next_poll_us is None else moment(source.next_poll_us),
        failures=source.failures,
        last_error=source.last_error,
    )


@router.get(
    "/v1/sources",
    response_model=ListOf[SourceItem],
    summary="Which platforms post here, or are asked?",
    openapi_extra={"x-scope": "admin"},
    responses=answers({"items": [EXAMPLE], "next_cursor": None}, 200, "a page of them", 400, 401, 403, 422, 503),
)
def get_sources(
    request: Request, response: Response, key: Administering, limit: Limit = 50, cursor: Cursor = None
) -> ListOf[SourceItem]:
    """The tenant's sources by id. They are made with `brigadewatch sources add`."""
    page, sort = page_asked(
        cursor, list_name="sources", key_types_by_sort={_SORT: (str,)}, sort=None, default_sort=_SORT, filters={}
    )
    api = api_context(request)
    with api.engine.connect() as connection:
        found = list_sources(connection, key.tenant_id, after=str(page.after[0]) if page else "", limit=limit + 1)
    more = (found[limit - 1].id,) if len(found) > limit else None
    next_cursor = link_next(response, "/v1/sources", limit, Page("sources", sort, {}, more or ("",)), more)
    now_us = microseconds(api.now())
    return ListOf[SourceItem](items=[shown(source, now_us) for source in found[:limit]], next_cursor=next_cursor)


@router.delete(
    "/v1/sources/{id}",
    status_code=204,
    summary="End a source",
    openapi_extra={"x-scope": "admin"},
    responses={204: {"description": "ended; its secret is forgotten"}, **refusals(401, 403, 404, 422, 503)},
)
def delete_source(request: Request, key: Administering, id: str) -> None:
    """What is posted to its path from now on is answered as if the source had never been. What it sent stays."""
    api = api_context(request)
    with write(api.engine) as connection:
        remove_source(
            connection, key.tenant_id, id, now_us=microseconds(api.now()), actor=name_of_key(connection, key.id)
        )
