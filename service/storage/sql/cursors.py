"""Opaque page cursors: the position in a list, and the query it belongs to.

A cursor carries the list's name, its sort, its filters and the sort key of the last item given. It is checked, not
secret: the checksum catches malformed cursors, and a forged one gains nothing, since every query is limited to the
tenant. Pages are keysets: rows inserted or moved in the meantime neither repeat nor hide the others.
"""

from __future__ import annotations

import json
import math
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

from service.errors import InvalidCursor
from service.fields import is_storable

Key = str | int | float
_CHECK_BYTES = 6
_MAX_CHARACTERS = 8_192  # filters are a handful of ids of at most 128 code points


@dataclass(frozen=True, slots=True)
class Page:
    """A position in a list: the query (list, sort, filters) and the key of the last item returned."""

    list: str
    sort: str
    filters: Mapping[str, str]
    after: tuple[Key, ...]


def write_cursor(page: Page) -> str:
    """The page as URL-safe text, which `read_cursor` decodes."""
    body = json.dumps(
        [page.list, page.sort, dict(sorted(page.filters.items())), list(page.after)], separators=(",", ":")
    ).encode()
    return urlsafe_b64encode(_check(body) + body).decode().rstrip("=")


def read_cursor(text: str, *, list_name: str, key_types_by_sort: Mapping[str, tuple[type, ...]]) -> Page:
    """Decode a cursor.

    `key_types_by_sort` holds the sorts that the list knows and the types of their key's parts (float takes whole
    numbers too). Raises InvalidCursor for anything that was not made here for this list.
    """
    wrong = InvalidCursor(
        "the cursor was not made by this list: take next_cursor as it was given, or leave it out to begin again"
    )
    if len(text) > _MAX_CHARACTERS or not text.isascii():
        raise wrong
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        check, body = data[:_CHECK_BYTES], data[_CHECK_BYTES:]
        # Compared as text too: the decoder skips characters outside its alphabet.
        if check != _check(body) or urlsafe_b64encode(data).decode().rstrip("=") != text:
            raise wrong
        name, sort, filters, after = json.loads(body)
    except (Base64Error, ValueError, TypeError, RecursionError):
        raise wrong from None
    key_types = key_types_by_sort.get(sort) if isinstance(sort, str) else None
    if (
        name != list_name
        or key_types is None
        or not isinstance(filters, dict)
        or not isinstance(after, list)
        or len(after) != len(key_types)
    ):
        raise wrong
    if not all(isinstance(value, str) and is_storable(value) for value in filters.values()) or not all(
        map(_fits, after, key_types)
    ):
        raise wrong
    return Page(name, sort, filters, tuple(after))


def continued(page: Page, *, sort: str | None, filters: Mapping[str, str]) -> Page:
    """Decode a cursor, checking that the call's sort and filters (if given) match it.

    Raises InvalidCursor naming the one that differs.
    """
    if sort is not None and sort != page.sort:
        raise InvalidCursor(
            f"the cursor was made with sort={page.sort}, the call says {sort}: leave it out, or begin again without the"
            " cursor"
        )
    for name, value in filters.items():
        if page.filters.get(name) != value:
            made_with = f"{name}={page.filters[name]}" if name in page.filters else f"no {name}"
            raise InvalidCursor(
                f"the cursor was made with {made_with}, the call says {name}={value}: leave it out, or begin again"
                " without the cursor"
            )
    return page


def _check(body: bytes) -> bytes:
    return blake2b(body, digest_size=_CHECK_BYTES, person=b"page-cursor").digest()


def _fits(value: object, kind: type) -> bool:
    if isinstance(value, bool):
        return False
    if kind is str:
        return isinstance(value, str) and is_storable(value)
    if kind is int:
        return isinstance(value, int) and abs(value) < 2**63
    return isinstance(value, (int, float)) and abs(value) < 2**63 and math.isfinite(value)
