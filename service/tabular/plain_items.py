"""Complaints in the API's form, one a line, in columns: plain lines by a faster check, others one by one. PURE.

Most lines of a file are plain: valid as they stand, with an account older than the complaint. pydantic checks them with
the model's own bounds, but calls nothing in Python for each id and time, and makes no model of an object. Any other
line goes through the checks of a POST, so that what is refused, cut, left out or counted is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, get_args

from pydantic import TypeAdapter
from pydantic_core import CoreSchema, SchemaValidator
from pydantic_core import core_schema as cs

from service.errors import TooMany
from service.fields import EARLIEST_ACCOUNT, ID_CHARACTERS, ID_PATTERN, Attributes
from service.intake.items import LEEWAY, MAX_LINE_BYTES
from service.intake.json_bounds import MAX_VALUES_OF_LINE, check_values
from service.model import Complaint, NoticeType, RejectedItem, microseconds
from service.tabular.assembly import LONGEST, LONGEST_FINGERPRINT, LONGEST_URL
from service.tabular.checked_complaints import CheckedComplaints, values_of
from service.tabular.documents import ItemReader
from service.tabular.tables import Batch

# From 1000 to 2999: inside the calendar, whatever the offset. pydantic's `$` is the end of the text alone.
_PLAIN_TIME = r"^[12][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})$"
_EARLIEST_ACCOUNT_US = microseconds(EARLIEST_ACCOUNT)


class PlainItems:
    """Reads the batches of one file of complaints, with the ItemReader that reads its lines."""

    def __init__(self, reader: ItemReader) -> None:
        self._reader = reader
        self._latest_us = microseconds(reader.now + LEEWAY)

    def read(self, batch: Batch) -> Iterator[CheckedComplaints | RejectedItem]:
        """What is refused of a batch, then its complaints; both in the file's order."""
        rows = list[tuple[Any, ...]]()
        for number, line in zip(batch.lines, batch.rows, strict=True):
            try:
                rows.append(plain_item(line, self._latest_us))
            except (ValueError, TooMany):
                item = self._reader.item(number, line)
                if isinstance(item, RejectedItem):
                    yield item
                elif isinstance(item, Complaint):
                    rows.append(values_of(item, judged=False))
        if rows:
            yield CheckedComplaints.of_rows(rows)


def plain_item(line: bytes, latest_us: int) -> tuple[Any, ...]:
    """The values of a complaint in the order of the columns; it may be from `latest_us` at the latest.

    Raises ValueError or TooMany for a line that is not plain.
    """
    if len(line) > MAX_VALUES_OF_LINE:
        if len(line) > MAX_LINE_BYTES:
            raise ValueError("too long")
        check_values(line, MAX_VALUES_OF_LINE)
    found = _check(line)
    reporter, target = found["reporter"], found["target"]
    time_us, created_us = microseconds(datetime.fromisoformat(found["occurred_at"])), reporter["account_created_at"]
    if created_us is not None:
        created_us = microseconds(datetime.fromisoformat(created_us))
        if not _EARLIEST_ACCOUNT_US <= created_us <= time_us:
            raise ValueError("the account is too old or too young")
    if time_us > latest_us:
        raise ValueError("in the future")
    return (
        found["id"],
        time_us,
        reporter["id"],
        created_us,
        reporter["fingerprint"],
        reporter["trusted"] or found["notice_type"] == "illegal_content",
        target["id"],
        target["kind"],
        target["author_id"],
        target["context_id"],
        target["excerpt"],
        target["attributes"],
        found["text"],
        found["part_of"],
        False,
    )


def _text(longest: int, shortest: int = 0) -> CoreSchema:
    return cs.str_schema(min_length=shortest, max_length=longest)


def _optional(schema: CoreSchema) -> CoreSchema:
    return cs.with_default_schema(cs.nullable_schema(schema), default=None)


def _object(**schemas: CoreSchema) -> CoreSchema:
    """An object with these fields and no others; those with a default may be absent."""
    fields = {name: cs.typed_dict_field(each, required=each["type"] != "default") for name, each in schemas.items()}
    return cs.typed_dict_schema(fields, extra_behavior="forbid")


def _schema() -> CoreSchema:
    """What is checked of a line: the fields of service.model.Complaint, with its bounds."""
    identity = cs.str_schema(max_length=ID_CHARACTERS, pattern=ID_PATTERN)
    time = cs.str_schema(pattern=_PLAIN_TIME)
    reporter = _object(
        id=identity,
        account_created_at=_optional(time),
        fingerprint=_optional(_text(LONGEST_FINGERPRINT, 1)),
        trusted=cs.with_default_schema(cs.bool_schema(strict=True), default=False),
    )
    target = _object(
        id=identity,
        kind=_optional(_text(LONGEST["kind"], 1)),
        author_id=_optional(identity),
        context_id=_optional(identity),
        context_title=_optional(_text(LONGEST["context_title"])),
        context_url=_optional(_text(LONGEST_URL)),
        url=_optional(_text(LONGEST_URL)),
        excerpt=_optional(_text(LONGEST["excerpt"])),
        attributes=_optional(TypeAdapter(Attributes).core_schema),
    )
    return _object(
        id=identity,
        occurred_at=time,
        reporter=reporter,
        target=target,
        reason=_optional(_text(LONGEST["reason"])),
        text=_optional(_text(LONGEST["text"])),
        notice_type=_optional(cs.literal_schema(list(get_args(NoticeType)))),
        part_of=_optional(identity),
    )


_check = SchemaValidator(_schema()).validate_json
