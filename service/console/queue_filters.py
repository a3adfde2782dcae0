"""The queue's tab, sort order and filters, read from the URL and written to it. PURE.

An invalid filter is reported next to its field (`wrong`) and ignored, so that a damaged URL still shows a list.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import get_args
from urllib.parse import parse_qsl, urlencode

from service.fields import ID_CHARACTERS, is_id, is_storable
from service.model import Disposition, Kind, Status, microseconds
from service.storage.cases.case_queue import NO_QUEUE, SORTS, TABS, QueueSort, Tab

PATH = "/console/clusters"
LONGEST_ADDRESS = 2_048
FIELDS = (
    "text",
    "kind",
    "disposition",
    "status",
    "min_score",
    "author",
    "reporter",
    "target",
    "tag",
    "in_queue",
    "since",
    "until",
)
LABELS = {
    "text": "words",
    "kind": "kind",
    "disposition": "finding",
    "status": "status",
    "min_score": "minimum priority",
    "author": "author",
    "reporter": "reporter",
    "target": "target",
    "tag": "tag",
    "in_queue": "queue",
    "since": "since",
    "until": "until",
}
VALUE_TEXTS = {
    "repeat": "repeated",
    "one_shot": "single target",
    "held_back": "held back",
    "revoked": "no longer flagged",
}
DEFAULT_SORT: dict[Tab, QueueSort] = {"decided": "-last_at"}
_LONGEST_TEXT = 128
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "kind": get_args(Kind),
    "disposition": get_args(Disposition),
    "status": get_args(Status),
}


@dataclass(frozen=True, slots=True)
class QueueQuery:
    """One view of the queue."""

    tab: Tab = "new"
    sort: QueueSort = "-score"
    entered: Mapping[str, str] = field(default_factory=dict)  # the filled-in fields, as entered
    wrong: Mapping[str, str] = field(default_factory=dict)  # error message by field
    filters: Mapping[str, str] = field(
        default_factory=dict
    )  # valid filters, as storage/cases/case_queue.narrowed takes them

    def parameters(self, **changed: str | None) -> dict[str, str]:
        """The URL parameters, with some changed (None drops one); defaults are omitted."""
        parameters: dict[str, str | None] = {"tab": self.tab, "sort": self.sort, **self.entered, **changed}
        if parameters["tab"] != self.tab:  # status filters and the default order belong to the tab
            parameters |= {"status": None, "disposition": None} | (
                {"sort": None} if "sort" not in changed and self.sort == default_sort(self.tab) else {}
            )
        tab = parameters["tab"] if parameters["tab"] in TABS else "new"
        defaults = {"tab": "new", "sort": default_sort(tab)}  # one of TABS
        return {name: value for name, value in parameters.items() if value and defaults.get(name) != value}

    def url(self, **changed: str | None) -> str:
        """URL of this view, with some parameters changed."""
        parameters = urlencode(self.parameters(**changed))
        return f"{PATH}?{parameters}" if parameters else PATH

    @property
    def text(self) -> str:
        """The view as the `queue` parameter of a case's URL."""
        return urlencode(self.parameters())


def default_sort(tab: Tab) -> QueueSort:
    """A tab's default sort order."""
    return DEFAULT_SORT.get(tab, "-score")


def parse_query(text: str, zone: tzinfo = UTC) -> QueueQuery:
    """Parse what `QueueQuery.text` wrote; unknown parameters are ignored."""
    if len(text) > LONGEST_ADDRESS:
        return QueueQuery()
    try:
        return read_query(dict(parse_qsl(text, max_num_fields=40)), zone)
    except ValueError:
        return QueueQuery()


def read_query(parameters: Mapping[str, str], zone: tzinfo = UTC) -> QueueQuery:
    """Read a view from URL parameters."""
    tab: Tab = next((tab for tab in TABS if tab == parameters.get("tab")), "new")
    sort: QueueSort = next((sort for sort in SORTS if sort == parameters.get("sort")), default_sort(tab))
    entered = {name: parameters[name].strip()[:256] for name in FIELDS if parameters.get(name, "").strip()}
    wrong: dict[str, str] = {}
    filters: dict[str, str] = {}
    for name, value in entered.items():
        try:
            stored, text = _read(name, value, zone)
            filters[stored] = text
        except ValueError as error:
            wrong[name] = str(error)
    if "since_us" in filters and "until_us" in filters and int(filters["since_us"]) >= int(filters["until_us"]):
        wrong["since"] = "must be before “until”"
        del filters["since_us"]
    return QueueQuery(tab, sort, entered, wrong, filters)


def _read(name: str, value: str, zone: tzinfo) -> tuple[str, str]:
    """The filter's storage name and its value as text. Raises ValueError with a message for the user."""
    if name in _CHOICES:
        if value not in _CHOICES[name] and value != "any":
            raise ValueError(f"must be one of {', '.join(_CHOICES[name])}")
        return name, value
    if name == "min_score":
        try:
            number = float(value.replace(",", "."))
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise ValueError("must be a number, such as 2.5")
        return name, repr(number)
    if name == "in_queue":
        if value != NO_QUEUE and not (value.isascii() and value.isdigit() and len(value) < 10):
            raise ValueError("no such queue")
        return "queue", value
    if name in ("since", "until"):
        return f"{name}_us", str(_moment_us(value, zone, end=name == "until"))
    if name in ("text", "tag"):
        if len(value) > _LONGEST_TEXT or not is_storable(value):
            raise ValueError(f"at most {_LONGEST_TEXT} characters")
        return name, value
    if not is_id(value):
        raise ValueError(f"invalid ID: use 1 to {ID_CHARACTERS} characters without control characters")
    return name, value


def _moment_us(value: str, zone: tzinfo, *, end: bool) -> int:
    """A date (from a date field; `end` includes that day) or an RFC 3339 time, in microseconds."""
    try:
        if len(value) == 10:
            day = date.fromisoformat(value)
            return microseconds(datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(days=end))
        at = datetime.fromisoformat(value)
        return microseconds(at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC))
    except (ValueError, OverflowError):
        raise ValueError("must be a date such as 2026-11-22") from None
