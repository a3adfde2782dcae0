"""One item: read it, describe what is wrong with it, write it as its canonical line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import ValidationError
from pydantic_core import from_json

from service.errors import TooMany
from service.intake.json_bounds import MAX_VALUES_OF_BODY, MAX_VALUES_OF_LINE, check_values
from service.intake.pointers import LONE_SURROGATE, first_error, json_fault
from service.model import Complaint, Frozen, Outcome, RejectedItem, is_id

LEEWAY = timedelta(minutes=5)  # how far a platform's clock may be ahead of ours
MAX_LINE_BYTES = 1024 * 1024  # the longest permitted complaint, every character escaped, stays below it


class MachineComplaint(Complaint):
    """A complaint that another server or a filter made, not a person.

    Only adapters make it: in a request `machine` is an unknown field.
    """

    machine: Literal[True] = True


@dataclass(frozen=True, slots=True)
class Noun:
    """A kind of item that a document can contain."""

    letter: bytes  # first byte of its canonical line
    plural: str
    model: type[Frozen]
    time_of: Callable[[Any], datetime] | None = None  # bounded by the wall clock; None: not bounded


COMPLAINT = Noun(b"c", "complaints", Complaint, lambda complaint: complaint.occurred_at)
MACHINE_COMPLAINT = Noun(b"c", "complaints", MachineComplaint, lambda complaint: complaint.occurred_at)
OUTCOME = Noun(b"o", "outcomes", Outcome)  # decided_at does not advance the watermark


def read_line(raw: bytes, noun: Noun, now: datetime, line: int | None = None) -> Frozen | RejectedItem:
    """The item in one JSON text, or why it is refused.

    `now` bounds `occurred_at` (five minutes later at most); `line` is only passed on to the error.
    """
    if len(raw) > MAX_LINE_BYTES:
        return RejectedItem(
            line=line, detail=f"line has {len(raw)} bytes; an item may have at most {MAX_LINE_BYTES}", pointer=""
        )
    try:
        check_values(raw, MAX_VALUES_OF_LINE)
    except TooMany as error:
        return RejectedItem(line=line, detail=str(error), pointer="")
    try:
        item = noun.model.__pydantic_validator__.validate_json(raw)
    except ValidationError as error:
        return _refusal_of_text(raw, noun, error, now, line)
    return _timely(item, noun, now, line)


def read_value(value: object, noun: Noun, now: datetime, line: int | None = None) -> Frozen | RejectedItem:
    """The same for an item that is already parsed: a result of `json.loads`, or a row of a table."""
    try:
        item = noun.model.__pydantic_validator__.validate_python(value)
    except ValidationError as error:
        detail, pointer = first_error(error)
        return RejectedItem(line=line, id=_readable_id(value), detail=detail, pointer=pointer)
    return _timely(item, noun, now, line)


def canonical(item: Frozen, noun: Noun) -> bytes:
    """The item's line: its kind's letter and compact JSON without nulls, times in UTC."""
    return noun.letter + item.__pydantic_serializer__.to_json(item, exclude_none=True)


def withdrawal(complaint_id: str) -> bytes:
    """The line that withdraws a complaint."""
    return b"w" + json.dumps({"id": complaint_id}, ensure_ascii=False, separators=(",", ":")).encode()


def parsed(raw: bytes, max_values: int = MAX_VALUES_OF_BODY) -> Any:
    """The value of a JSON text. Raises TooMany (service/intake/json_bounds.py), ValueError for invalid JSON.

    pydantic's parser refuses an escaped lone surrogate, and with it the whole text; Python's accepts it, so that only
    the item that contains it is refused.
    """
    check_values(raw, max_values)
    try:
        return from_json(raw)
    except ValueError as error:
        if b"\\ud" not in raw.lower():
            raise
        try:
            return json.loads(raw)
        except (ValueError, RecursionError):
            raise error from None


def _timely(item: Frozen, noun: Noun, now: datetime, line: int | None) -> Frozen | RejectedItem:
    if noun.time_of is not None and noun.time_of(item) > now + LEEWAY:
        detail = (
            f"occurred_at is more than five minutes in the future (after {now + LEEWAY:%Y-%m-%dT%H:%M:%SZ}): check the"
            " clock that set it"
        )
        return RejectedItem(line=line, id=item.id, detail=detail, pointer="/occurred_at")  # type: ignore[attr-defined]
    return item


def _refusal_of_text(raw: bytes, noun: Noun, error: ValidationError, now: datetime, line: int | None) -> RejectedItem:
    try:
        value = parsed(raw)
    except ValueError as unreadable:
        return RejectedItem(
            line=line, detail=json_fault(unreadable, "line" if line is not None else "item"), pointer=""
        )
    if error.error_count() > 1 or error.errors(include_url=False, include_input=False)[0]["type"] != "json_invalid":
        detail, pointer = first_error(error)
        return RejectedItem(line=line, id=_readable_id(value), detail=detail, pointer=pointer)
    # Only Python's parser could read it: the model says which field contains the surrogate.
    refused = read_value(value, noun, now, line)
    return (
        refused
        if isinstance(refused, RejectedItem)
        else RejectedItem(line=line, id=_readable_id(value), detail=LONE_SURROGATE, pointer="")
    )


def _readable_id(value: object) -> str | None:
    found = value.get("id") if isinstance(value, dict) else None
    return found if isinstance(found, str) and is_id(found) else None
