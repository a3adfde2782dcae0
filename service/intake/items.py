"""One item: read it, describe what is wrong with it, write it as its canonical line."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import ValidationError
from pydantic_core import from_json

from service.errors import TooMany
from service.fields import EARLIEST_ACCOUNT, is_id
from service.intake.encoding import MARK
from service.intake.json_bounds import MAX_VALUES_OF_BODY, MAX_VALUES_OF_LINE, check_values
from service.intake.pointers import LONE_SURROGATE, first_error, json_fault
from service.intake.repair import implausible_age, repaired
from service.model import Complaint, ItemNote, Outcome, RejectedItem

LEEWAY = timedelta(minutes=5)  # how far a platform's clock may be ahead of ours
MAX_LINE_BYTES = 1024 * 1024  # the longest permitted complaint, every character escaped, stays below it


class MachineComplaint(Complaint):
    """A complaint that another server or a filter made, not a person.

    Only adapters make it: in a request `machine` is an unknown field.
    """

    machine: Literal[True] = True


CheckedItem = Complaint | Outcome  # valid by its model


@dataclass(frozen=True, slots=True)
class Noun:
    """A kind of item that a document can contain."""

    letter: bytes  # first byte of its canonical line
    plural: str
    model: type[Complaint] | type[Outcome]
    time_of: Callable[[Any], datetime] | None = None  # bounded by the wall clock; None: not bounded


@dataclass(frozen=True, slots=True)
class Amended:
    """A valid item without what could not be used of its optional fields, and a note on each."""

    item: CheckedItem
    notes: tuple[ItemNote, ...]


COMPLAINT = Noun(b"c", "complaints", Complaint, lambda complaint: complaint.occurred_at)
MACHINE_COMPLAINT = Noun(b"c", "complaints", MachineComplaint, lambda complaint: complaint.occurred_at)
OUTCOME = Noun(b"o", "outcomes", Outcome)  # decided_at does not advance the watermark


def read_line(raw: bytes, noun: Noun, now: datetime, line: int | None = None) -> CheckedItem | Amended | RejectedItem:
    """The item in one JSON text, or why it is refused.

    `now` bounds `occurred_at` (five minutes later at most); `line` is only passed on to the error and the notes.
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
        return _reread(raw, noun, error, now, line)
    return _timely(item, noun, now, line)


def read_value(
    value: object, noun: Noun, now: datetime, line: int | None = None
) -> CheckedItem | Amended | RejectedItem:
    """The same for an item that is already parsed: a result of `json.loads`, or a row of a table."""
    try:
        item = noun.model.__pydantic_validator__.validate_python(value)
    except ValidationError as error:
        return _repaired(value, noun, error, now, line)
    return _timely(item, noun, now, line)


def canonical(item: CheckedItem, noun: Noun, without: str | None = None) -> bytes:
    """The item's line: its kind's letter and compact JSON without nulls, times in UTC; one field may be left out."""
    left_out = None if without is None else {without}
    return noun.letter + item.__pydantic_serializer__.to_json(item, exclude_none=True, exclude=left_out)


def withdrawal(complaint_id: str) -> bytes:
    """The line that withdraws a complaint."""
    return b"w" + json.dumps({"id": complaint_id}, ensure_ascii=False, separators=(",", ":")).encode()


def parsed(raw: bytes, max_values: int = MAX_VALUES_OF_BODY) -> Any:
    """The value of a JSON text. Raises TooMany (service/intake/json_bounds.py), ValueError for invalid JSON.

    pydantic's parser refuses an escaped lone surrogate, and with it the whole text; Python's accepts it, so that only
    the item that contains it is refused.
    """
    check_values(raw, max_values)
    raw = raw.removeprefix(MARK)
    try:
        return from_json(raw)
    except ValueError as error:
        if b"\\ud" not in raw.lower():
            raise
        try:
            return json.loads(raw)
        except (ValueError, RecursionError):
            raise error from None


def _timely(
    item: CheckedItem, noun: Noun, now: datetime, line: int | None, notes: Sequence[ItemNote] = ()
) -> CheckedItem | Amended | RejectedItem:
    if noun.time_of is not None and noun.time_of(item) > now + LEEWAY:
        detail = (
            f"occurred_at is more than five minutes in the future (after {now + LEEWAY:%Y-%m-%dT%H:%M:%SZ}): check the"
            " clock that set it"
        )
        return RejectedItem(line=line, id=item.id, detail=detail, pointer="/occurred_at")
    if (
        isinstance(item, Complaint)
        and (created := item.reporter.account_created_at) is not None
        and not EARLIEST_ACCOUNT <= created <= item.occurred_at  # of nearly all it is enough to know that
    ):
        implausible = implausible_age(created, item.occurred_at, LEEWAY)
        if implausible is not None:
            reporter = item.reporter.model_copy(update={"account_created_at": None})
            item = item.model_copy(update={"reporter": reporter})
            notes = [*notes, ItemNote(detail=implausible, pointer="/reporter/account_created_at")]
    if not notes:
        return item
    named = {"line": line, "id": item.id}
    return Amended(item, tuple(note.model_copy(update=named) for note in notes))


def _repaired(
    value: object, noun: Noun, error: ValidationError, now: datetime, line: int | None
) -> CheckedItem | Amended | RejectedItem:
    """The item without what cannot be used of its optional fields. Refused for what is wrong with the others."""
    made = repaired(value) if issubclass(noun.model, Complaint) else None
    if made is not None:
        value, notes = made
        try:
            return _timely(noun.model.__pydantic_validator__.validate_python(value), noun, now, line, notes)
        except ValidationError as required:
            error = required
    detail, pointer = first_error(error)
    return RejectedItem(line=line, id=_readable_id(value), detail=detail, pointer=pointer)


def _reread(
    raw: bytes, noun: Noun, error: ValidationError, now: datetime, line: int | None
) -> CheckedItem | Amended | RejectedItem:
    if raw.startswith(MARK):  # of a file that was appended to another one
        return read_line(raw.removeprefix(MARK), noun, now, line)
    try:
        value = parsed(raw)
    except ValueError as unreadable:
        return RejectedItem(
            line=line, detail=json_fault(unreadable, "line" if line is not None else "item"), pointer=""
        )
    if error.error_count() > 1 or error.errors(include_url=False, include_input=False)[0]["type"] != "json_invalid":
        return _repaired(value, noun, error, now, line)
    # Only Python's parser could read it: the model says which field contains the surrogate.
    item = read_value(value, noun, now, line)
    if isinstance(item, RejectedItem | Amended):
        return item
    return RejectedItem(line=line, id=_readable_id(value), detail=LONE_SURROGATE, pointer="")


def _readable_id(value: object) -> str | None:
    found = value.get("id") if isinstance(value, dict) else None
    return found if isinstance(found, str) and is_id(found) else None
