"""What a person chooses in a form about how a file is read: as JSON, and as the reader takes it. PURE."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from service.errors import Refused
from service.tabular.options import ReadingOptions, UnknownChoice, options_of
from service.tabular.vocabulary import FIELDS_BY_NAME

IGNORED = "ignored"  # a column's choice, beside the fields
AUTOMATIC = ""


@dataclass(frozen=True, slots=True)
class ReadingChoice:
    """The choices; what is empty is left to the reader."""

    columns: Mapping[str, str] = field(default_factory=dict)  # column -> field, or IGNORED
    timezone: str = ""
    time_format: str = ""
    sheet: str = ""
    preset: str = ""
    encoding: str = ""

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> ReadingChoice:
        """The choices again of what `document` made."""
        return cls(**document)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "columns": dict(self.columns)}

    def options(self) -> ReadingOptions:
        """As the reader takes them. Raises UnknownChoice."""
        columns = {chosen: column for column, chosen in self.columns.items() if chosen != IGNORED}
        chosen = self.timezone, self.time_format, self.sheet, self.preset, self.encoding
        ignored = frozenset(column for column, chosen in self.columns.items() if chosen == IGNORED)
        return replace(options_of(columns, *(each or None for each in chosen), assume_utc=False), ignored=ignored)

    def check(self) -> None:
        """Raise Refused for what the reader does not know."""
        try:
            self.options()
        except UnknownChoice as error:
            raise Refused(error.detail) from None
        seen: dict[str, str] = {}
        for column, chosen in self.columns.items():
            if chosen == IGNORED:
                continue
            if chosen not in FIELDS_BY_NAME:
                raise Refused(f"{chosen[:40]!r} is not something that a column can be read as")
            if chosen in seen:
                raise Refused(f"two columns, {seen[chosen]!r} and {column!r}, cannot both be the same: choose one")
            seen[chosen] = column


def changed_columns(
    header: Sequence[str], shown: Mapping[str, str], before: Mapping[str, str], entered: Mapping[str, str]
) -> dict[str, str]:
    """The columns that a person has chosen: before, or now by changing what the form showed (`shown`: the reader's own
    reading of each column).
    """
    found = {}
    for column in header:
        value = entered.get(column, AUTOMATIC)
        if value == AUTOMATIC or (column not in before and value == shown.get(column, AUTOMATIC)):
            continue
        found[column] = value
    return found


_IN_A_FORM = (
    (re.compile(r", or say how it is written: --column '?time=.+? --time-format '[^']*'"), ""),
    (re.compile(r"choose one, for instance --column '?\w+=.*"), "choose one in the menus"),
    (re.compile(r", for instance --column '?\w+=.*?(?=; a file that does not say it|\Z)", re.DOTALL), " in the menus"),
    (re.compile(r"(?:say so|name it): --column '?\w+=.*"), "choose it in the menus"),
    (re.compile(r"--column \w+=(.+?): "), r"\1: "),
    (re.compile(r"Choose one, for instance --sheet .*"), "Write the name of one into the form"),
    (re.compile(r"; --encoding says otherwise\)"), ")"),
    (re.compile(r"--preset "), "the preset "),
    (re.compile(r": name their form with --time-format, like '[^']*'"), ": export full dates with hours"),
    (re.compile(r"with --time-format\Z"), "in the form"),
    (re.compile(r"--(?:timezone|time-format) "), ""),
)


def in_a_form(sentence: str) -> str:
    """A sentence of the reader without the options of the command line."""
    for pattern, instead in _IN_A_FORM:
        sentence = pattern.sub(instead, sentence)
    return sentence
