"""What is wrong with an item, in one sentence and one JSON pointer (RFC 6901), relative to the item."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

_TOKEN_LIMIT = 128  # characters of one pointer token that are echoed; no permitted name is longer
_LISTED_ERRORS = 64  # an item with more is noise: listing thousands would hold up everybody else


def pointer_of(location: Sequence[str | int]) -> str:
    """The JSON pointer of a pydantic error location.

    Below `attributes` pydantic also names the branch of the union it tried (`int`, `[key]`); those are
    no part of the document and are cut.
    """
    if len(location) > 3 and location[0] == "target" and location[1] == "attributes":
        location = location[:3]
    return "".join(f"/{_token(part)}" for part in location)


def first_error(error: ValidationError) -> tuple[str, str]:
    """(detail, pointer) of an item's first error."""
    if error.error_count() > _LISTED_ERRORS:
        return f"{error.error_count()} fields of this item are wrong or unknown", ""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return _sentence(first["type"], first["msg"], first["loc"]), pointer_of(first["loc"])


def _sentence(kind: str, message: str, location: Sequence[str | int]) -> str:
    if kind == "extra_forbidden":
        return f"{_token(location[-1])!r} is no field here"
    if kind == "missing":
        return f"{_token(location[-1])!r} is required"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return "a JSON object is expected here"
    if kind == "string_unicode":
        return "a lone surrogate is no text"
    return message.removeprefix("Value error, ")


def _token(part: str | int) -> str:
    text = str(part)
    if len(text) > _TOKEN_LIMIT:
        text = text[:_TOKEN_LIMIT] + "…"
    # A key may hold a lone surrogate, which no UTF-8 answer can carry.
    return text.encode("utf-8", "replace").decode().replace("~", "~0").replace("/", "~1")
