"""Lists in the console: filters and cursors in the URL, and parsing of form fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, TypeVar
from urllib.parse import urlencode

from sqlalchemy import Connection, Engine
from starlette.exceptions import HTTPException

from service.api.pages import requested_page
from service.model import microseconds
from service.storage.sql.cursors import Key, Page, write_cursor

PAGE = 50
AT_ONCE = 400  # items per page when a whole list is read
Row = TypeVar("Row")


def place_of(
    cursor: str,
    list_name: str,
    key_types_by_sort: Mapping[str, tuple[type, ...]],
    sort: str,
    filters: Mapping[str, str],
) -> tuple[Key, ...] | None:
    """The sort key after which the page starts; None for the first page.

    Raises InvalidCursor for a cursor of another list or with other filters.
    """
    page, _ = requested_page(
        cursor or None,
        list_name=list_name,
        key_types_by_sort=key_types_by_sort,
        sort=sort,
        default_sort=sort,
        filters=filters,
    )
    return None if page is None else page.after


def address(path: str, **parameters: str | None) -> str:
    """A path with its non-empty parameters."""
    named = {name: value for name, value in parameters.items() if value}
    return f"{path}?{urlencode(named)}" if named else path


def cursor_behind(after: tuple[Key, ...] | None, list_name: str, sort: str, filters: Mapping[str, str]) -> str | None:
    """The cursor of the page after `after`; None on the last page."""
    return None if after is None else write_cursor(Page(list_name, sort, dict(filters), after))


def every_page(
    engine: Engine, read: Callable[[Connection, tuple[Any, ...] | None], tuple[Sequence[Row], tuple[Any, ...] | None]]
) -> Iterator[Row]:
    """Iterate over a whole list page by page.

    `read` takes a sort key (None: the start) and returns the items after it and the key to continue from (None: the
    end).

    Each page uses its own short connection, so that a slow reader holds none.
    """
    after = None
    while True:
        with engine.connect() as connection:
            items, after = read(connection, after)
        yield from items
        if after is None:
            return


def day_us(text: str, name: str, *, end: bool = False, zone: tzinfo = UTC) -> int | None:
    """A form's date as the start of that day in `zone`, in microseconds (`end`: start of the next day); None for an
    empty field. Raises HTTPException 422.
    """
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
        at = (datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(days=end)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise HTTPException(422, f"{name}: {text[:40]!r} is not a valid date; use the form 2026-11-22") from None
    return microseconds(at)
