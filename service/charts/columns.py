"""Counts over time as stacked columns, with what happened marked above them. PURE.

Colours come from the page's style, by classes (`part-0` to `part-3`, `part-rest`); marks carry their letter. The chart
scales with its container; the page sets a minimum width and lets it scroll.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from markupsafe import Markup

WIDTH, PLOT = 1_000, 180
_LEFT, _RIGHT, _TOP, _AXIS = 48, 24, 16, 36  # right: half of a label below the end
_MARKS = 18  # height of the row above the plot, where there are marks
# seconds
_STEPS = (
    60,
    300,
    600,
    1_800,
    3_600,
    7_200,
    10_800,
    21_600,
    43_200,
    86_400,
    2 * 86_400,
    7 * 86_400,
    14 * 86_400,
    30 * 86_400,
    90 * 86_400,
    365 * 86_400,
)
_LABELS = 11  # maximum number of times below the axis
LONGEST = 400  # more columns could not be distinguished


@dataclass(frozen=True, slots=True)
class StackedColumn:
    """One stretch of time, and how many of each part fell into it."""

    start: datetime
    counts: tuple[int, ...]  # by part, from the bottom up; parts beyond the given classes use the last class
    title: str  # shown on hover


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at a moment."""

    at: datetime
    letter: str  # one character
    title: str  # shown on hover


def column_chart(
    columns: Sequence[StackedColumn],
    step: timedelta,
    name: str,
    description: str,
    *,
    parts: Sequence[str] = ("part-0", "part-rest"),
    marks: Sequence[Mark] = (),
    unit: str = "",
    zone: tzinfo = UTC,
) -> Markup:
    """The picture.

    `name` starts the ids inside and is unique on the page; `description` is its text for screen readers.

    Columns are adjacent, `step` apart. Raises ValueError without columns, or for more than LONGEST.
    """
    if not 0 < len(columns) <= LONGEST:
        raise ValueError(f"{len(columns)} columns cannot be drawn: give 1 to {LONGEST}; merge neighbours first")
    top = _TOP + (_MARKS if marks else 0)
    bottom, width = top + PLOT, (WIDTH - _LEFT - _RIGHT) / len(columns)
    tick = tick_of(max((sum(c.counts) for c in columns), default=0))
    highest = max(1, math.ceil(max(sum(c.counts) for c in columns) / tick)) * tick
    begin, seconds = columns[0].start, step.total_seconds() * len(columns)

    def x(at: datetime) -> float:
        return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * (at - begin).total_seconds() / seconds, 1)

    drawn = [
        Markup(
            '<svg class="column-chart" role="img" aria-labelledby="{0}-t" viewBox="0 0 {1} {2}"><title'
            ' id="{0}-t">{3}</title>'
        ).format(name, WIDTH, bottom + _AXIS, description),
        *(_level(count, bottom - PLOT * count / highest) for count in range(0, highest + 1, tick)),
    ]
    if unit:
        drawn.append(
            Markup('<text class="label" x="{}" y="{}">{}</text>').format(
                _LEFT, top - 5 - (_MARKS if marks else 0), unit
            )
        )
    drawn += [
        _column(column, parts, _LEFT + place * width, width, bottom, highest) for place, column in enumerate(columns)
    ]
    drawn += _times(begin, seconds, x, bottom, zone)
    drawn += [
        _mark(mark, x(mark.at), top, bottom) for mark in marks if begin <= mark.at <= begin + timedelta(seconds=seconds)
    ]
    return Markup("").join([*drawn, Markup("</svg>")])


def tick_of(highest: int) -> int:
    """A step of 1, 2 or 5 times a power of ten that gives at most five ticks above 0."""
    power = 1
    while True:
        for step in (power, 2 * power, 5 * power):
            if highest <= 5 * step:
                return step
        power *= 10


def _level(count: int, y: float) -> Markup:
    return Markup(
        '<line class="grid" x1="{0}" x2="{1}" y1="{2}" y2="{2}"/><text class="label end" x="{3}" y="{4}">{5}</text>'
    ).format(
        _LEFT,
        WIDTH - _RIGHT,
        round(y, 1),
        _LEFT - 6,
        round(y + 4, 1),
        f"{count:,}",
    )


def _column(column: StackedColumn, parts: Sequence[str], x: float, width: float, bottom: float, highest: int) -> Markup:
    total, wide = sum(column.counts), max(0.6, width - (1 if width >= 3 else 0.2))
    if not total:
        return Markup("")
    drawn, below = [], 0
    for part, count in enumerate(column.counts):
        if count:
            low, high = bottom - PLOT * below / highest, bottom - PLOT * (below + count) / highest
            drawn.append(
                Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(
                    parts[min(part, len(parts) - 1)],
                    round(x, 2),
                    round(high, 2),
                    round(wide, 2),
                    round(max(0.8, low - high), 2),
                )
            )
            below += count
    return Markup("<g><title>{}</title>{}</g>").format(column.title, Markup("").join(drawn))


def _times(begin: datetime, seconds: float, x: object, bottom: float, zone: tzinfo) -> list[Markup]:
    assert callable(x)
    step = next((s for s in _STEPS if seconds / s <= _LABELS), _STEPS[-1])
    origin = datetime(2001, 1, 1, tzinfo=zone).astimezone(UTC)  # a Monday: weeks begin there
    first = origin + math.ceil((begin - origin).total_seconds() / step) * timedelta(seconds=step)
    drawn, day = [], None
    for number in range(int(seconds // step) + 1):
        at = (first + number * timedelta(seconds=step)).astimezone(zone)
        if (at - begin).total_seconds() > seconds:
            break
        drawn.append(
            Markup('<line class="grid" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(x(at), bottom, bottom + 5)
        )
        if step < 86_400:
            drawn.append(
                Markup('<text class="label middle" x="{}" y="{}">{}</text>').format(x(at), bottom + 17, f"{at:%H:%M}")
            )
        if at.date() != day:
            text = f"{at.day} {at:%b}" + (f" {at.year}" if step >= 30 * 86_400 else "")
            drawn.append(
                Markup('<text class="label middle" x="{}" y="{}">{}</text>').format(
                    x(at), bottom + (30 if step < 86_400 else 17), text
                )
            )
            day = at.date()
    return drawn


def _mark(mark: Mark, x: float, top: float, bottom: float) -> Markup:
    return Markup(
        '<g class="mark"><title>{0}</title><line x1="{1}" x2="{1}" y1="{2}" y2="{3}"/><circle cx="{1}" cy="{4}"'
        ' r="8"/><text class="middle" x="{1}" y="{5}">{6}</text></g>'
    ).format(mark.title, x, top - 3, bottom, top - 11, round(top - 7.2, 1), mark.letter[:1])
