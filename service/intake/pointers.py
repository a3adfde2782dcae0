"""What is wrong with an item or a document: one sentence, and a JSON pointer (RFC 6901) relative to the item."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import ValidationError

_TOKEN_LIMIT = 128  # characters of one pointer token that are echoed; no permitted name is longer
_LISTED_ERRORS = 64  # an item with more is noise: listing thousands would hold up other requests

LONE_SURROGATE = "not valid Unicode: lone surrogate"
_PLACE = re.compile(r" at line (\d+) column (\d+)")


def pointer_of(location: Sequence[str | int]) -> str:
    """The JSON pointer of a pydantic error location.

    Below `attributes` pydantic also names the branch of the union it tried (`int`, `[key]`); those are
    not part of the document and are cut off.
    """
    if len(location) > 3 and location[0] == "target" and location[1] == "attributes":
        location = location[:3]
    return "".join(f"/{_token(part)}" for part in location)


def first_error(error: ValidationError) -> tuple[str, str]:
    """(detail, pointer) of an item's first error."""
    if error.error_count() > _LISTED_ERRORS:
        return f"{error.error_count()} fields of this item are invalid or unknown", ""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return message_of(first["type"], first["msg"], first["loc"]), pointer_of(first["loc"])


def message_of(kind: str, message: str, location: Sequence[str | int]) -> str:
    """What is wrong, for people, from the type, message and location of a pydantic error."""
    if kind == "extra_forbidden" and location:
        return f"unknown field {_token(location[-1])!r}"
    if kind == "missing" and location:
        return f"{_token(location[-1])!r} is required"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return "expected a JSON object"
    if kind == "string_unicode":
        return LONE_SURROGATE
    return message.removeprefix("Value error, ")


def json_fault(error: object, what: str = "body") -> str:
    """What is wrong with a text that is not JSON, and where, from the parser's message."""
    message = str(error).removeprefix("Invalid JSON: ")
    place = _PLACE.search(message)
    if place is None:
        return f"{what} is not valid JSON: {message}"[:300]
    reason = message[: place.start()].rstrip()
    at = f"column {place[2]}" if what == "line" else f"line {place[1]}, column {place[2]}"
    return f"{what} is not valid JSON ({at}): {reason}"[:300]


def _token(part: str | int) -> str:
    text = str(part)
    if len(text) > _TOKEN_LIMIT:
        text = text[:_TOKEN_LIMIT] + "…"
    # A key may hold a lone surrogate, which no UTF-8 answer can carry.
    return text.encode("utf-8", "replace").decode().replace("~", "~0").replace("/", "~1")
