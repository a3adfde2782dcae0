"""What stands around the rows of a table: titles above it, lines that draw it, totals and remarks under it. PURE."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from statistics import median
from typing import Any

from service.tabular.tables import is_blank
from service.tabular.times import looks_like_time
from service.tabular.values import is_unknown, plain_text

_ALIKE = 0.6  # of the cells of the rows below are filled in a header
_LOOKED_AT = 12  # rows below
_RULE = re.compile(r"(?=.*[|+])(?=.*---)[\s|+:-]*\Z")
_WIDTHS = re.compile(r"\s*-{2,}(?: +-+)+\s*\Z")  # under the header, as SQL*Plus and sqlcmd print it
_GROUP = re.compile(r".+ \(\d+\)\Z")  # as Odoo exports grouped rows
_CLOCK = re.compile(r"\d\d?:\d\d")
_COUNT = re.compile(r"\(?\d+ (?:rows?|Zeilen?|lignes?|filas?)\b.*\Z")
_TOTAL = re.compile(
    r"(?:grand |sub)?(?:totals?|sum|summe|gesamt|gesamtsumme|insgesamt|zwischensumme|somme|suma|totale|totaal|count"
    r"|anzahl|average|итого|всего|合計|총계|المجموع)\b",
    re.IGNORECASE,
)


def is_title(cells: Sequence[Any], below: Sequence[Sequence[Any]]) -> bool:
    """Whether a row is a title or a remark above the header: the rows below fill many more cells."""
    filled = [count for row in islice(below, _LOOKED_AT) if (count := _filled(row))]
    return bool(filled) and _filled(cells) < _ALIKE * median(filled)


def merged_head(above: Sequence[Any], cells: Sequence[Any]) -> list[str] | None:
    """The names of a head of two rows, of which the upper one spans several columns; None if it is not that.

    "Reporter" over "ID" and "Name" makes "Reporter ID" and "Reporter Name"; a cell with nothing below stands alone.
    """
    width = max(len(above), len(cells))
    upper = [*map(_text, above), *[""] * (width - len(above))]
    lower = [*map(_text, cells), *[""] * (width - len(cells))]
    if sum(map(bool, upper)) < 2 or any(_is_value(text) for text in [*upper, *lower] if len(text) > 2):
        return None
    names, group, spans, alone = list[str](), "", 0, 0
    for over, under in zip(upper, lower, strict=True):
        spans += bool(not over and under and group)
        alone += bool(over and not under)
        group = over or (group if under else "")
        names.append(f"{group} {under}".strip())
    longest = max(map(len, names))
    return (
        names if spans and (alone or len(set(filter(None, lower))) < sum(map(bool, lower))) and longest <= 80 else None
    )


def _is_value(text: str) -> bool:
    """Whether a cell is a number or has a time, also a damaged one, which no heading has."""
    return not any(map(str.isalpha, text)) or _CLOCK.search(text) is not None


def questions_of(heads: Sequence[Sequence[Any]]) -> list[str] | None:
    """The questions in the second of the three heads of Qualtrics: codes, questions, ids for a later import."""
    if len(heads) < 3 or not heads[2] or not all(_text(cell).startswith('{"ImportId"') for cell in heads[2]):
        return None
    return [_text(cell) for cell in heads[1]]


def _text(cell: Any) -> str:
    return "" if is_blank(cell) else " ".join(plain_text(cell).split())


def _filled(cells: Sequence[Any]) -> int:
    return sum(not is_blank(cell) for cell in cells)


def is_drawn(lines: Sequence[str]) -> bool:
    """Whether a table is drawn for the terminal or in Markdown, as `psql` and `mysql` print it."""
    return any(_RULE.match(line) for line in lines)


def of_one_column(lines: Sequence[str]) -> str:
    """What to say of lines that nothing parts into columns."""
    first = next((line for line in lines if line.strip()), "")
    if any(_WIDTHS.match(line) for line in lines[:_LOOKED_AT]):
        return (
            "has columns of a fixed width: export it as CSV, in SQL*Plus after SET MARKUP CSV ON, in sqlcmd with"
            " -s ';' -W"
        )
    if (first.rstrip().endswith("}") and "{" in first) or sum("=" in word for word in first[:999].split()) > 1:
        return (
            f"looks like a log ({first[:60].strip()!r}): write one JSON object a line (NDJSON), with who reported, what"
            " and when"
        )
    return f"has one column only ({first[:60].strip()!r}): columns have to be separated by comma, semicolon, tab or bar"


def undrawn(line: str) -> str:
    """A line of a drawn table without what draws it."""
    text = line.strip()
    if _RULE.match(text) or _COUNT.match(text):
        return "\n"
    return f"{text[1:-1]}\n" if len(text) > 1 and text[0] == text[-1] == "|" else line


def is_remark(row: Sequence[Any], after_blank: bool) -> bool:
    """Whether a short row under the last full one is a remark rather than what is left of a row."""
    filled = [plain_text(cell).strip() for cell in row if not is_blank(cell)]
    if len(filled) > 2 and any(map(looks_like_time, filled)):
        return False  # who, what and when
    return after_blank or any(_TOTAL.match(text) or _COUNT.match(text) for text in filled[:1])


def is_total(row: Sequence[Any]) -> bool:
    """Whether a row that is not a report has the totals of the others, or is the name of a group with its size."""
    filled = [plain_text(cell).strip() for cell in row if not is_unknown(cell)]
    is_group = len(filled) == 1 < len(row) and _GROUP.match(filled[0]) is not None
    return is_group or (bool(filled) and _TOTAL.match(filled[0]) is not None)
