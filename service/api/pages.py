"""Pages of lists over HTTP: the envelope, its Link header, and reading the request's cursor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Generic, TypeVar
from urllib.parse import urlencode

from fastapi import Query, Response
from pydantic import BaseModel, Field, WithJsonSchema

from service.storage.sql.cursors import Key, Page, continued, read_cursor, write_cursor

Item = TypeVar("Item")
Limit = Annotated[int, Query(ge=1, le=100, description="Number of items per page; may change from page to page.")]
Cursor = Annotated[
    str | None,
    Query(
        max_length=8192,
        description=(
            "`next_cursor` of the previous page. It contains sort and filters, which may be left out or repeated"
            " unchanged."
        ),
    ),
]


def several(*names: str) -> WithJsonSchema:
    """The OpenAPI schema of a filter that takes some of these names, separated by commas or repeated, or only `any`."""
    one = f"({'|'.join(names)})"
    some = {"type": "array", "items": {"type": "string", "pattern": f"^{one}(,{one})*$"}, "minItems": 1}
    return WithJsonSchema({"anyOf": [some, {"type": "array", "items": {"const": "any"}, "minItems": 1, "maxItems": 1}]})


class ListOf(BaseModel, Generic[Item]):
    """One page of a list."""

    items: list[Item] = Field(description="The items of this page.")
    next_cursor: str | None = Field(
        None, description="Send it as `cursor` to get the next page. Null: this is the last page."
    )


def requested_page(
    cursor: str | None,
    *,
    list_name: str,
    key_types_by_sort: Mapping[str, tuple[type, ...]],
    sort: str | None,
    default_sort: str,
    filters: Mapping[str, str],
) -> tuple[Page | None, str]:
    """The page that the request continues from (None: the first) and the sort.

    Raises InvalidCursor for a cursor of another list, or one whose sort or filters differ from the request's.
    """
    if cursor is None:
        return None, sort or default_sort
    page = continued(
        read_cursor(cursor, list_name=list_name, key_types_by_sort=key_types_by_sort), sort=sort, filters=filters
    )
    return page, page.sort


def link_next(response: Response, path: str, limit: int, page: Page, after: tuple[Key, ...] | None) -> str | None:
    """The cursor that continues after `after`, also announced as `Link: <...>; rel="next"`; None on the last page."""
    if after is None:
        return None
    cursor = write_cursor(Page(page.list, page.sort, page.filters, after))
    response.headers["Link"] = f'<{path}?{urlencode({"cursor": cursor, "limit": limit})}>; rel="next"'
    return cursor
