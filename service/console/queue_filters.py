"""What the queue's address asks: tab, sort, filters. PURE. The address says all of it, so that it can be sent and kept.

What does not fit is told beside its field (`wrong`) and left out of the question: an address that somebody shortened
still shows a list.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import get_args
from urllib.parse import parse_qsl, urlencode

from pydantic import TypeAdapter, ValidationError

from service.model import Disposition, Id, Kind, Status, microseconds
from service.storage.cases.case_queue import SORTS, TABS, QueueSort, Tab

PATH = "/console/clusters"
LONGEST_ADDRESS = 2_048
FIELDS = ("text", "kind", "disposition", "status", "min_score", "author", "reporter", "target", "since", "until")
LABELS = {
    "text": "words",
    "kind": "kind",
    "disposition": "disposition",
    "status": "status",
    "min_score": "score from",
    "author": "author",
    "reporter": "reporter",
    "target": "target",
    "since": "since",
    "until": "until",
}
USUAL_SORT: dict[Tab, QueueSort] = {"decided": "-last_at"}
_ID: TypeAdapter[str] = TypeAdapter(Id)
_LONGEST_TEXT = 128
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "kind": get_args(Kind),
    "disposition": get_args(Disposition),
    "status": get_args(Status),
}


@dataclass(frozen=True, slots=True)
class Question:
    """One question to the queue."""

    tab: Tab = "new"
    sort: QueueSort = "-score"
    typed: Mapping[str, str] = field(default_factory=dict)  # the fields that are filled in, as typed
    wrong: Mapping[str, str] = field(default_factory=dict)  # what is wrong with a field
    filters: Mapping[str, str] = field(default_factory=dict)  # what fits, as storage/cases/case_queue.narrowed takes it

    def parameters(self, **changed: str | None) -> dict[str, str]:
        """The address's parameters, with some of them changed (None: left out); the usual ones are not said."""
        said: dict[str, str | None] = {"tab": self.tab, "sort": self.sort, **self.typed, **changed}
        if said["tab"] != self.tab:  # what says which states are shown belongs to the tab, and so does its usual order
            said |= {"status": None, "disposition": None} | (
                {"sort": None} if "sort" not in changed and self.sort == usual_sort(self.tab) else {}
            )
        tab = said["tab"] if said["tab"] in TABS else "new"
        usual = {"tab": "new", "sort": usual_sort(tab)}  # one of TABS
        return {name: value for name, value in said.items() if value and usual.get(name) != value}

    def url(self, **changed: str | None) -> str:
        """The queue's address for this question, with some parameters changed."""
        said = urlencode(self.parameters(**changed))
        return f"{PATH}?{said}" if said else PATH

    @property
    def text(self) -> str:
        """The question as a case's address takes it along (`queue=`)."""
        return urlencode(self.parameters())


def usual_sort(tab: Tab) -> QueueSort:
    """How a tab is sorted unless something else is asked."""
    return USUAL_SORT.get(tab, "-score")


def question_of(text: str) -> Question:
    """The question that `Question.text` wrote; whatever else comes along is left out."""
    if len(text) > LONGEST_ADDRESS:
        return Question()
    try:
        return read_question(dict(parse_qsl(text, max_num_fields=40)))
    except ValueError:
        return Question()


def read_question(parameters: Mapping[str, str]) -> Question:
    """The question in an address's parameters."""
    tab: Tab = next((tab for tab in TABS if tab == parameters.get("tab")), "new")
    sort: QueueSort = next((sort for sort in SORTS if sort == parameters.get("sort")), usual_sort(tab))
    typed = {name: parameters[name].strip()[:256] for name in FIELDS if parameters.get(name, "").strip()}
    wrong: dict[str, str] = {}
    filters: dict[str, str] = {}
    for name, value in typed.items():
        try:
            stored, text = _read(name, value)
            filters[stored] = text
        except ValueError as error:
            wrong[name] = str(error)
    if "since_us" in filters and "until_us" in filters and int(filters["since_us"]) >= int(filters["until_us"]):
        wrong["since"] = "it has to lie before “until”"
        del filters["since_us"]
    return Question(tab, sort, typed, wrong, filters)


def _read(name: str, value: str) -> tuple[str, str]:
    """The filter's own name and its value as text. Raises ValueError in words."""
    if name in _CHOICES:
        if value not in _CHOICES[name] and value != "any":
            raise ValueError(f"one of {', '.join(_CHOICES[name])}")
        return name, value
    if name == "min_score":
        try:
            number = float(value.replace(",", "."))
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise ValueError("a number, like 2.5")
        return name, repr(number)
    if name in ("since", "until"):
        return f"{name}_us", str(_moment_us(value, end=name == "until"))
    if name == "text":
        if len(value) > _LONGEST_TEXT or "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
            raise ValueError(f"at most {_LONGEST_TEXT} characters")
        return name, value
    try:
        return name, _ID.validate_python(value)
    except ValidationError:
        raise ValueError("no id: 1 to 128 characters, none of them a control character") from None


def _moment_us(value: str, *, end: bool) -> int:
    """A day (as a date field sends it; `end`: with the day itself) or an RFC 3339 time."""
    try:
        if len(value) == 10:
            day = date.fromisoformat(value)
            return microseconds(datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=end))
        at = datetime.fromisoformat(value)
        return microseconds(at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC))
    except (ValueError, OverflowError):
        raise ValueError("a day, like 2026-11-22") from None
