"""The values of fields: ids, times, texts and attributes, with their bounds. PURE."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

# C0, DEL, C1 and lone surrogates: never part of an id (they break logs, terminals and UTF-8).
_FORBIDDEN_IN_ID = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
ID_CHARACTERS = 128  # of the longest id that a platform may use
REASON_CHARACTERS = 64  # of a reason or a kind
TEXT_CHARACTERS = 4_096  # of a text, an excerpt or an address
TITLE_CHARACTERS = 300  # of an article's or a thread's title, which comes with every complaint about it
MAX_ATTRIBUTES, ATTRIBUTE_NAME_CHARACTERS, ATTRIBUTE_CHARACTERS = 32, 128, 1_024
_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})\Z"
)
EARLIEST = datetime(1, 1, 2, tzinfo=UTC)  # a day inside datetime's range: conversions to UTC cannot overflow
LATEST = datetime(9999, 12, 30, tzinfo=UTC)
# No account is older: before it lie the zeros of languages, databases and spreadsheets, and seconds read as
# milliseconds.
EARLIEST_ACCOUNT = datetime(1971, 1, 1, tzinfo=UTC)


def is_storable(text: str) -> bool:
    """Whether every database can store the text: it contains neither a NUL nor a lone surrogate."""
    return _UNSTORABLE.search(text) is None


def is_id(text: str) -> bool:
    """Whether a platform may use the text as an id."""
    return 0 < len(text) <= ID_CHARACTERS and _FORBIDDEN_IN_ID.search(text) is None


def _checked_id(value: str) -> str:
    if _FORBIDDEN_IN_ID.search(value):
        raise ValueError("an id cannot contain control characters or lone surrogates")
    return value


def _time(value: object) -> datetime:
    """RFC 3339 text, or an aware datetime, to UTC. One call for both, since it runs for every complaint."""
    if isinstance(value, str) and _RFC3339.match(value):
        text = value.upper()
        try:
            value = datetime.fromisoformat(text)
        except ValueError as error:
            raise ValueError(f"{text[:40]!r} is not a valid date and time: {error}") from None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError("expected an RFC 3339 time with an offset, like 2021-12-23T14:02:11Z")
    if value.tzinfo is UTC and EARLIEST.year < value.year < LATEST.year:
        return value  # nearly all; the rest of this takes longer than reading the time
    # Compared before converting: at the ends of the calendar the conversion itself overflows.
    if value.replace(tzinfo=UTC) < EARLIEST or value.replace(tzinfo=UTC) > LATEST:
        raise ValueError(f"time is out of range: it has to be between {EARLIEST.date()} and {LATEST.date()}")
    return value.astimezone(UTC)


ID_PATTERN = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$"  # for the OpenAPI document; JSON has no lone surrogates
Id = Annotated[
    str,
    StringConstraints(min_length=1, max_length=ID_CHARACTERS, strict=True),
    AfterValidator(_checked_id),
    Field(json_schema_extra={"pattern": ID_PATTERN}),
]
Time = Annotated[datetime, BeforeValidator(_time)]
# of an integer: 8.0 is one in JSON
Whole = BeforeValidator(lambda value: int(value) if isinstance(value, float) and value.is_integer() else value)
Attribute = (
    Annotated[str, StringConstraints(max_length=ATTRIBUTE_CHARACTERS, strict=True)]
    | Annotated[bool, Field(strict=True)]
    | Annotated[int, Field(strict=True)]
    | Annotated[float, Field(strict=True, allow_inf_nan=False)]
)
Attributes = Annotated[
    dict[Annotated[str, StringConstraints(min_length=1, max_length=ATTRIBUTE_NAME_CHARACTERS)], Attribute],
    Field(max_length=MAX_ATTRIBUTES),
]
LongText = Annotated[str, StringConstraints(max_length=TEXT_CHARACTERS)]


def otherwise(becomes: str) -> Callable[[dict[str, Any]], None]:
    """For the OpenAPI document: the field takes any other value as well, which `becomes` something else, with a note
    (service/intake/repair.py).
    """

    def widened(schema: dict[str, Any]) -> None:
        usable = schema.pop("anyOf", None) or [{"type": schema.pop("type")}]
        schema["anyOf"] = [*usable, {"description": f"Any other value: {becomes}, with a note in the answer."}]

    return widened


UNKNOWN, CUT = otherwise("unknown"), otherwise("a longer text is cut; what is not a text is unknown")
