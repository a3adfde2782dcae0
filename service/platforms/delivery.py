"""What one posted payload holds, and careful reading of somebody else's JSON. PURE.

Readers here never raise for a value of another type than expected: what is missing or malformed is None, and the
contract's own check then says which field of the item is wrong. Texts are cut to what the contract holds; ids never.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from service.intake.items import COMPLAINT, MACHINE_COMPLAINT, OUTCOME, Noun
from service.model import JsonObject, Time

_TIME: TypeAdapter[datetime] = TypeAdapter(Time)
_LARGEST_NUMBER = 2**63 - 1
TEXT_CHARACTERS = 4_096
REASON_CHARACTERS = 64
URL_CHARACTERS = 4_096


class Unusable(ValueError):
    """A payload is not what its platform sends; the text says what was expected. It quotes nothing of the payload."""


@dataclass(frozen=True, slots=True)
class Item:
    """One complaint or outcome as a document, before the contract's checks."""

    noun: Noun  # MACHINE_COMPLAINT where no person complained: archived, in no count, in no cluster
    document: JsonObject


@dataclass(slots=True)
class Delivery:
    """What a payload holds, in its order."""

    items: list[Item] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what it holds too little for, or was left out: answered and logged, so without ids
    key: str | None = None  # the event's own id, if the signature covers it; None: the body is its own
    wakes: bool = False  # the platform's pollers have something to fetch


def complaint(*, id: str | None, occurred_at: object, reporter: JsonObject, target: JsonObject, machine: bool = False, **rest: Any) -> Item:
    """A complaint; what is None is left away."""
    return Item(MACHINE_COMPLAINT if machine else COMPLAINT, known({"id": id, "occurred_at": occurred_at, "reporter": known(reporter), "target": known(target), **rest}))


def outcome(*, id: str | None, target_id: str | None, decided_at: datetime | None, **rest: Any) -> Item:
    """An outcome; what is None is left away."""
    return Item(OUTCOME, known({"id": id, "target_id": target_id, "decided_at": decided_at, **rest}))


def known(fields: JsonObject) -> JsonObject:
    """Without the fields that are None."""
    return {name: value for name, value in fields.items() if value is not None}


def record(value: object) -> JsonObject:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def records(value: object) -> list[JsonObject]:
    """The objects in a list."""
    return [element for element in value if isinstance(element, dict)] if isinstance(value, list) else []


def identity(value: object) -> str | None:
    """A platform's id as text: a text that is not empty, or a whole number of at most 63 bits."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) <= _LARGEST_NUMBER else None
    return value if isinstance(value, str) and value else None


def words(value: object, limit: int = TEXT_CHARACTERS) -> str | None:
    """A text as far as the contract holds it, without what is no text (lone surrogates, NUL); None for an empty one."""
    if not isinstance(value, str):
        return None
    return value[:limit].encode("utf-8", "replace").decode().replace("\x00", " ").strip() or None


def link(value: object) -> str | None:
    """An address that the contract can hold whole; a cut one would lead elsewhere."""
    text = words(value, URL_CHARACTERS + 1)
    return text if text is not None and len(text) <= URL_CHARACTERS else None


def instant(value: object) -> datetime | None:
    """A time in RFC 3339, in UTC; None for anything else."""
    try:
        return _TIME.validate_python(value)
    except ValidationError:
        return None


def latest(values: Iterable[object]) -> datetime | None:
    """The latest of the times among the values."""
    return max((time for time in map(instant, values) if time is not None), default=None)
