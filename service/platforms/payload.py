"""The items of one posted payload, and careful reading of a platform's JSON. PURE.

Readers here never raise for a value of an unexpected type: what is missing or malformed is None, and the check of the
item then says which field is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from service.fields import Time
from service.model import JsonObject
from service.platforms.items import LARGEST_NUMBER, Item

_TIME: TypeAdapter[datetime] = TypeAdapter(Time)


class Unusable(ValueError):
    """A payload differs from what its platform sends. The text says what was expected, and never quotes it."""


@dataclass(slots=True)
class Payload:
    """The items of a payload, in its order."""

    items: list[Item] = field(default_factory=list)
    # what was left out, and why: in the answer and in logs, so without ids
    notes: list[str] = field(default_factory=list)
    key: str | None = None  # the event's own id, if the signature covers it; None: the body is its own
    wakes: bool = False  # the platform's pollers have something to fetch


def record(value: object) -> JsonObject:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def records(value: object) -> list[JsonObject]:
    """The objects in a list."""
    return [element for element in value if isinstance(element, dict)] if isinstance(value, list) else []


def identity(value: object) -> str | None:
    """A platform's id as text, from a non-empty text or a whole number of at most 63 bits; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) <= LARGEST_NUMBER else None
    return value if isinstance(value, str) and value else None


def instant(value: object) -> datetime | None:
    """A time in RFC 3339, in UTC; None for anything else."""
    try:
        return _TIME.validate_python(value)
    except ValidationError:
        return None


def latest(values: Iterable[object]) -> datetime | None:
    """The latest of the times among the values."""
    return max((time for time in map(instant, values) if time is not None), default=None)
