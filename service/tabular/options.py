"""What a person may say about files, checked: the same for the command line, notebooks and forms."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from zoneinfo import ZoneInfo

from service.errors import Refused
from service.tabular.encodings import encoding_named
from service.tabular.presets import PRESETS
from service.tabular.times import FORMATS
from service.time_zones import time_zones


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """What a person says about files."""

    columns: Mapping[str, str] = field(default_factory=dict)  # field -> column
    zone: tzinfo | None = None
    time_format: str | None = None
    sheet: str | None = None
    preset: str | None = None
    assume_utc: bool = False  # for times without an offset in files that have no other ones
    ignored: Collection[str] = ()  # columns that are not read
    encoding: str | None = None  # of text, as Python knows it


AS_IT_IS = ReadingOptions()


class UnknownChoice(Refused):
    """An option's value that does not exist; `option` is its name on the command line."""

    def __init__(self, option: str, detail: str) -> None:
        super().__init__(f"{option}: {detail}")
        self.option, self.detail = option, detail


def options_of(
    columns: Mapping[str, str],
    timezone: str | None,
    time_format: str | None,
    sheet: str | None,
    preset: str | None,
    encoding: str | None,
    *,
    assume_utc: bool,
) -> ReadingOptions:
    """The options as the reader takes them. Raises UnknownChoice."""
    if timezone is not None and timezone not in time_zones():
        raise UnknownChoice(
            "--timezone", f"{timezone!r} is not a known time zone; write for example Europe/Berlin or UTC"
        )
    if time_format is not None and time_format not in FORMATS and "%" not in time_format:
        raise UnknownChoice(
            "--time-format",
            f"{time_format!r} is not one of {', '.join(FORMATS)}, and not a pattern like '%d.%m.%Y %H:%M'",
        )
    if preset is not None and preset not in PRESETS:
        raise UnknownChoice("--preset", f"{preset!r} is not one of {', '.join(PRESETS)}")
    try:
        known = encoding_named(encoding) if encoding is not None else None
    except Refused as error:
        raise UnknownChoice("--encoding", error.problem) from None
    zone = ZoneInfo(timezone) if timezone else None
    return ReadingOptions(columns, zone, time_format, sheet, preset, assume_utc=assume_utc, encoding=known)
