"""Which way a column of times is written, by all of its values. PURE.

Nothing is guessed that the values do not show: days and months that could be either way round need a choice by the
caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import tzinfo
from typing import Any

from service.tabular.days_and_clocks import is_day
from service.tabular.local_times import in_plain_form
from service.tabular.times import (
    SLASHED,
    UNITS,
    TimeStyle,
    UnreadableTime,
    form_of,
    is_zero,
    moment_of,
    plain,
    shown,
)
from service.tabular.values import is_unknown

_MANY = 4  # different days, and hours, that show which way round they are written
_FEW_YEARS = 2
_SHORT_YEARS = frozenset(range(10, 41))  # in two digits
_MONTHS_A_YEAR = 12


def style_of(values: Iterable[Any], chosen: str | None = None, zone: tzinfo | None = None) -> TimeStyle:
    """How a column's values are written. Raises UnreadableTime, with a value and the choice, if they do not show it."""
    known = [v for v in values if not is_unknown(v) and not is_zero(v)]
    if chosen is not None:
        found = TimeStyle(chosen, _all_offset(known, chosen), zone=zone)
        return replace(found, note=f"as {chosen}, as chosen")
    styles: dict[str, Any] = {}
    for value in known:
        try:
            style = form_of(value)
        except UnreadableTime:
            continue
        if style is not None:
            styles.setdefault(style, value)
    if not styles:
        example = f", such as {shown(known[0])}," if known else ""
        raise UnreadableTime(
            f"its values{example} are not times that are known here: name their form with --time-format, like"
            " '%d.%m.%Y %H:%M'"
        )
    style = _one_style(styles, known)
    whole = style not in UNITS and style not in ("excel", "digits") and all(map(is_day, known[:1000]))
    return TimeStyle(style, _all_offset(known, style), whole_days=whole, zone=zone, note=_note_of(style, styles))


def _one_style(styles: dict[str, Any], known: Sequence[Any]) -> str:
    kinds = set(styles)
    if "short" in kinds:
        return _of_short_years(known)
    if kinds & {"slashed", "day-first", "month-first"}:
        if {"day-first", "month-first"} <= kinds:
            raise UnreadableTime(
                f"{shown(styles['day-first'])} has the day first, {shown(styles['month-first'])} the month: name one"
                " with --time-format day-first or --time-format month-first"
            )
        if kinds == {"slashed"}:
            if spread := _by_spread(known):
                return spread
            raise UnreadableTime(
                f"{shown(styles['slashed'])} could be day or month first: choose with --time-format day-first or"
                " --time-format month-first"
            )
        return "day-first" if "day-first" in kinds else "month-first"
    units = kinds & {*UNITS, "excel"}
    if len(units) > 1:
        numbers = " and ".join(f"{shown(styles[u])} ({u})" for u in sorted(units))
        raise UnreadableTime(f"its numbers have different magnitudes, {numbers}: name the unit with --time-format")
    return next(iter(kinds)) if len(kinds) == 1 else "mixed"


def _by_spread(values: Sequence[Any]) -> str | None:
    """Which of day and month comes first where each number could be both: at all hours of some days in one month, or of
    one and the same day in so many months, is not the same. None if that does not tell.
    """
    found = [m for v in values if (m := SLASHED.match(in_plain_form(plain(v))))]
    if len({m.group(5, 6) for m in found if m[5]}) < _MANY:
        return None
    firsts, seconds = {int(m[1]) for m in found}, {int(m[3]) for m in found}
    if len(firsts) == 1 and len(seconds) >= _MANY:
        return "month-first"
    return "day-first" if len(seconds) == 1 and len(firsts) >= _MANY else None


def _of_short_years(values: Sequence[Any]) -> str:
    """How dates with years of two digits are written: the year is a recent one, and hardly differs."""
    found = [m for v in values if (m := SLASHED.match(in_plain_form(plain(v)))) and len(m[1]) < 4 and len(m[4]) < 4]
    firsts, lasts = {int(m[1]) for m in found}, {int(m[4]) for m in found}
    could_begin = firsts <= _SHORT_YEARS and all(int(m[3]) <= _MONTHS_A_YEAR for m in found)
    could_end = lasts <= _SHORT_YEARS
    if could_begin and could_end:
        could_begin, could_end = len(firsts) <= _FEW_YEARS < len(lasts), len(lasts) <= _FEW_YEARS < len(firsts)
    if could_begin:
        return "year-first"
    if could_end and any(m[2] == "." or int(m[1]) > _MONTHS_A_YEAR for m in found):
        return "day-first"
    if could_end and any(int(m[3]) > _MONTHS_A_YEAR for m in found):
        return "month-first"
    if could_end and (spread := _by_spread(values)):
        return spread
    raise UnreadableTime(
        f"{shown(values[0])} could begin with the day, the month or the year: choose with --time-format day-first,"
        " --time-format month-first or --time-format year-first"
    )


def _note_of(style: str, styles: dict[str, Any]) -> str:
    if style in UNITS:
        return f"{style} since 1970"
    if style == "excel":
        return "a spreadsheet's day numbers"
    if style in ("day-first", "month-first", "year-first"):
        if set(styles) == {"slashed"}:
            return f"{style.replace('-', ' ')}: else all would be of one day in each of many months"
        return f"{style.replace('-', ' ')}, as {shown(styles.get(style, next(iter(styles.values()))))} shows"
    return ""


def _all_offset(values: Iterable[Any], style: str) -> bool:
    """Whether at least one value has an offset."""
    for value in values:
        try:
            if moment_of(value, style).tzinfo is not None:
                return True
        except UnreadableTime:
            continue
    return False
