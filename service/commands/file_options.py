"""Options that say how people's files are read, alike in all commands that take files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from service.tabular.options import ReadingOptions

Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="FIELD=COLUMN",
        help="The column that a field is read from, like target=post_id; repeat the option for several.",
        show_default=False,
    ),
]
Timezone = Annotated[
    str | None,
    typer.Option(
        "--timezone",
        metavar="ZONE",
        help="Time zone of times without an offset, like Europe/Berlin.",
        show_default=False,
    ),
]
TimeFormat = Annotated[
    str | None,
    typer.Option(
        "--time-format",
        metavar="FORM",
        help="How times are written: day-first, month-first, year-first, seconds, milliseconds, microseconds, excel, or"
        " a pattern like '%d.%m.%Y %H:%M'.",
        show_default=False,
    ),
]
Sheet = Annotated[
    str | None,
    typer.Option(
        "--sheet",
        metavar="NAME",
        help="The sheet of a workbook, the table of a web page or dump, the file in an archive or the list in a JSON or"
        " XML document. Default: the one with a table of reports.",
        show_default=False,
    ),
]
PresetName = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="NAME",
        help="The software that the files come from: discourse-flags, mastodon-reports, phpbb, wordpress or zendesk.",
        show_default=False,
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        metavar="NAME",
        help="How letters are written in text files, like windows-1251, shift_jis, gbk or euc-kr. Default: UTF-8, or a"
        " guess by the letters.",
        show_default=False,
    ),
]
MaxRejected = Annotated[
    str,
    typer.Option(
        "--max-rejected", metavar="SHARE", help="Exit with 1 if more than this share of the rows was rejected."
    ),
]


def reading_options(
    columns: list[str] | None,
    timezone: str | None,
    time_format: str | None,
    sheet: str | None,
    preset: str | None,
    encoding: str | None,
    *,
    assume_utc: bool,
) -> ReadingOptions:
    """The options as the reader takes them. Raises typer.BadParameter."""
    from service.tabular.options import UnknownChoice, options_of

    named = {}
    for pair in columns or []:
        field, sign, column = pair.partition("=")
        if not (sign and field and column):
            raise typer.BadParameter(f"{pair!r} is not like target=post_id", param_hint="--column")
        named[field.strip()] = column.strip()
    try:
        return options_of(named, timezone, time_format, sheet, preset, encoding, assume_utc=assume_utc)
    except UnknownChoice as error:
        raise typer.BadParameter(error.detail, param_hint=error.option) from None


def share_of(text: str, option: str) -> float:
    """A share like 1% or 0.01. Raises typer.BadParameter."""
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise typer.BadParameter(f"{text!r} is not a share like 1% or 0.01", param_hint=option)
    return share
