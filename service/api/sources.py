"""Sources over HTTP: list the platforms that post here or are polled, and remove one.

They are made on the command line, where the secrets are.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from service.api.api_context import api_context
from service.api.auth import Administering
from service.api.openapi_parts import ADMIN_SCOPE, answers, refusals
from service.api.pages import Cursor, Limit, ListOf, link_next, requested_page
from service.model import microseconds, moment
from service.platforms import registry
from service.storage.accounts.tenants import name_of_key
from service.storage.sql.cursors import Page
from service.storage.sql.engine import write
from service.storage.webhooks.sources import Source, list_sources, remove_source

router = APIRouter(tags=["sources"])
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
    "namespace": None,
    "polled": False,
    "polled_at": None,
    "next_poll_at": None,
    "failures": 0,
    "last_error": None,
}


class SourceItem(BaseModel):
    """A connection with one platform. Its secret is never shown."""

    id: str = Field(description="The source's id. It is part of `path` and hard to guess.")
    platform: str = Field(description="Name of the platform, such as `discourse`.")
    path: str = Field(description="Path that the platform posts to; for a polled source only a name.")
    url: str | None = Field(None, description="Address of the platform, and where it is polled. Null: not set.")
    created_at: datetime = Field(description="When the source was made.")
    signed: bool = Field(description="Whether a secret is set. False: anyone who knows the path can post.")
    previous_secret_until: datetime | None = Field(
        None, description="Until when the previous secret is accepted too. Null: only the current one is."
    )
    mapping: dict[str, Any] | None = Field(
        None, description="Where to find which field in the payload; only for the platform `generic`, otherwise null."
    )
    namespace: str | None = Field(
        None,
        description=(
            "What is put before all ids that it brings: 31 under `forum2` is `forum2:31`. Null: they stay as the"
            " platform has them."
        ),
    )
    polled: bool = Field(description="Whether the service polls the platform; false: it waits for posts.")
    polled_at: datetime | None = Field(None, description="Time of the latest successful poll. Null: none so far.")
    next_poll_at: datetime | None = Field(None, description="When the next poll is due. Null: not polled.")
    failures: int = Field(0, description="Number of polls in a row that have failed.")
    last_error: str | None = Field(
        None,
        description="Why the latest poll failed, or why posts cannot be read with this field map (they get 503), for"
        " people. Null: neither is so.",
    )


def source_item(source: Source, now_us: int) -> SourceItem:
    """The source as the API answers it."""
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
        namespace=source.namespace,
        polled=source.polled,
        polled_at=None if source.polled_us is None else moment(source.polled_us),
        next_poll_at=None if source.next_poll_us is None else moment(source.next_poll_us),
        failures=source.failures,
        last_error=source.last_error or registry.mapping_problem(source.platform, source.mapping),
    )


@router.get(
    "/v1/sources",
    response_model=ListOf[SourceItem],
    summary="List sources",
    openapi_extra=ADMIN_SCOPE,
    responses=answers({"items": [EXAMPLE], "next_cursor": None}, 200, "One page.", 400, 401, 403, 422, 503),
)
def get_sources(
    request: Request, response: Response, key: Administering, limit: Limit = 50, cursor: Cursor = None
) -> ListOf[SourceItem]:
    """The platforms that post to this tenant or are polled for it, by id. Make one with `brigadewatch sources add`."""
    page, sort = requested_page(
        cursor, list_name="sources", key_types_by_sort={_SORT: (str,)}, sort=None, default_sort=_SORT, filters={}
    )
    api = api_context(request)
    with api.engine.connect() as connection:
        found = list_sources(connection, key.tenant_id, after=str(page.after[0]) if page else "", limit=limit + 1)
    more = (found[limit - 1].id,) if len(found) > limit else None
    next_cursor = link_next(response, "/v1/sources", limit, Page("sources", sort, {}, more or ("",)), more)
    now_us = microseconds(api.now())
    return ListOf[SourceItem](items=[source_item(source, now_us) for source in found[:limit]], next_cursor=next_cursor)


@router.delete(
    "/v1/sources/{id}",
    status_code=204,
    summary="Delete a source",
    openapi_extra=ADMIN_SCOPE,
    responses={204: {"description": "Deleted, together with its secret."}, **refusals(401, 403, 404, 422, 503)},
)
def delete_source(request: Request, key: Administering, id: str) -> None:
    """Posts to its path are answered from now on as if the source had never existed. What it sent stays."""
    api = api_context(request)
    with write(api.engine) as connection:
        remove_source(
            connection, key.tenant_id, id, now_us=microseconds(api.now()), actor=name_of_key(connection, key.id)
        )
