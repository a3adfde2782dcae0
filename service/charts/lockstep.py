"""The lockstep picture: who complained about what, in rows and columns. Plain values, an SVG, and words. PURE.

Colours come from the page's style, by classes, so that one drawing serves light mode, dark mode and paper. Whatever a
shade expresses, a size or shape expresses too. Ids are escaped, made visible and shortened.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from markupsafe import Markup

from service.charts.words import columns_of, cut, lasting
from service.model import moment

ROWS, COLUMNS = 120, 80  # of a chart on paper: nobody could read more cells
# How soon after the target's first complaint by a member: maximum seconds, share of a cell's side, label.
LAGS = (
    (300.0, 1.0, "within 5 minutes"),
    (3_600.0, 0.74, "within an hour"),
    (86_400.0, 0.5, "within a day"),
    (math.inf, 0.28, "later"),
)
NAMED_ROWS = NAMED_COLUMNS = 40  # up to this number, each has room for a name or number
SLOTS = 40  # time intervals in the chart of a crowd on one target
_CHARACTER_PX, _DATE_PX = 6.8, 52


class PlottedComplaint(Protocol):
    """A complaint of a member on a target of the cluster (service.moderation.cluster_state.Membership)."""

    @property
    def seq(self) -> int: ...
    @property
    def reporter(self) -> int: ...
    @property
    def target(self) -> int: ...
    @property
    def time_us(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Cell:
    """One complaint in the lockstep picture."""

    row: int
    column: int
    lag_seconds: float  # after the first complaint of any member about the target


@dataclass(frozen=True, slots=True)
class TargetColumn:
    """One target of the lockstep picture."""

    number: int  # as in Scene.targets
    first_at: datetime  # of the first member's complaint


@dataclass(frozen=True, slots=True)
class Lockstep:
    """Rows are reporters by their first complaint in the cluster, columns targets by theirs, cells the complaints.

    Where there are more than ROWS or COLUMNS, those with the most complaints in the cluster are kept.
    """

    reporters: tuple[str, ...]
    columns: tuple[TargetColumn, ...]
    cells: tuple[Cell, ...]  # by row, then column
    reporters_left_out: int
    targets_left_out: int


def by_target(
    filed: Sequence[PlottedComplaint], target_ids: Mapping[int, str] | Sequence[str]
) -> dict[int, list[PlottedComplaint]]:
    """The complaints on each target in order of time; targets by their first one, ties by id."""
    on_target: dict[int, list[PlottedComplaint]] = defaultdict(list)
    for m in sorted(filed, key=lambda m: (m.time_us, m.seq)):
        on_target[m.target].append(m)
    return {t: on_target[t] for t in sorted(on_target, key=lambda t: (on_target[t][0].time_us, target_ids[t]))}


def in_order(filed: Sequence[PlottedComplaint], reporter_ids: Mapping[int, str] | Sequence[str]) -> list[int]:
    """The reporters by their first complaint, ties by id."""
    first: dict[int, int] = {}
    for m in filed:
        first[m.reporter] = min(m.time_us, first.get(m.reporter, m.time_us))
    return sorted(first, key=lambda r: (first[r], reporter_ids[r]))


def most(ordered: Sequence[int], weight: Mapping[int, int], limit: int) -> list[int]:
    """The `limit` heaviest, in the order they came; ties go to the earlier."""
    if len(ordered) <= limit:
        return list(ordered)
    kept = set(sorted(ordered, key=lambda key: -weight[key])[:limit])
    return [key for key in ordered if key in kept]


def lockstep_of(
    filed: Sequence[PlottedComplaint],
    reporter_ids: Mapping[int, str] | Sequence[str],
    target_ids: Mapping[int, str] | Sequence[str],
    *,
    rows: int = ROWS,
    columns: int = COLUMNS,
) -> Lockstep:
    """The picture of these complaints; targets are numbered from 1 in time, left out or not."""
    on_target = by_target(filed, target_ids)
    number = {target: n for n, target in enumerate(on_target, 1)}
    people = in_order(filed, reporter_ids)
    drawn, across = (
        most(people, Counter(m.reporter for m in filed), rows),
        most(list(on_target), {t: len(mine) for t, mine in on_target.items()}, columns),
    )
    row_of = {reporter: k for k, reporter in enumerate(drawn)}
    cells = [
        Cell(row_of[m.reporter], column, (m.time_us - on_target[target][0].time_us) / 1e6)
        for column, target in enumerate(across)
        for m in on_target[target]
        if m.reporter in row_of
    ]
    return Lockstep(
        reporters=tuple(reporter_ids[r] for r in drawn),
        columns=tuple(TargetColumn(number[t], moment(on_target[t][0].time_us)) for t in across),
        cells=tuple(sorted(cells, key=lambda c: (c.row, c.column))),
        reporters_left_out=len(people) - len(drawn),
        targets_left_out=len(on_target) - len(across),
    )


def lag_class(seconds: float) -> int:
    """Which entry of LAGS a complaint belongs to."""
    return next(k for k, (bound, _, _) in enumerate(LAGS) if seconds <= bound)


def swatch(k: int) -> Markup:
    """The mark of LAGS[k], for a legend."""
    return Markup(
        '<svg class="swatch" width="14" height="14" viewBox="0 0 14 14" aria-hidden="true"><rect class="ground"'
        ' width="14" height="14"/>{}</svg>'
    ).format(_marks([(0, 0)], k, 14, 14))


def raster(lockstep: Lockstep, name: str) -> Markup:
    """Who complained about what: a cell a complaint, larger and darker the sooner it followed the target's first.

    For a crowd on one target the columns are time instead: SLOTS equal parts of the span from the first complaint to
    the last. `name` starts the ids inside and has to be unique on the page, plain letters and digits.
    """
    if len(lockstep.columns) == 1:
        return _crowd(lockstep, name)
    rows, columns = len(lockstep.reporters), len(lockstep.columns)
    named, numbered = rows <= NAMED_ROWS, columns <= NAMED_COLUMNS
    across, down = (18 if numbered else 10), (14 if named else 8)
    description = (
        f"{rows} reporters in rows, {columns} targets in columns, {len(lockstep.cells)} of {rows * columns} cells"
        f" filled, {_at_once(lockstep)} of them {LAGS[0][2]} of the target's first complaint by a member"
    )
    left, top, parts = _grid(lockstep, name, description, columns, across, down)
    for column, target in enumerate(lockstep.columns):
        if numbered or column % 5 == 0:
            parts.append(
                Markup('<text class="label middle" x="{}" y="{}">{}</text>').format(
                    left + column * across + across / 2, top - 5, target.number
                )
            )
    parts.extend(_days(lockstep, left, top, across, top + rows * down))
    for k in range(len(LAGS)):
        parts.append(
            _marks(
                [
                    (left + c.column * across, top + c.row * down)
                    for c in lockstep.cells
                    if lag_class(c.lag_seconds) == k
                ],
                k,
                across,
                down,
            )
        )
    return Markup("").join([*parts, Markup("</svg>")])


def _crowd(lockstep: Lockstep, name: str) -> Markup:
    """The same for one target: rows are reporters, the way to the right is time."""
    rows, across = len(lockstep.reporters), 9
    down = 14 if rows <= NAMED_ROWS else 8
    span = max((c.lag_seconds for c in lockstep.cells), default=0.0)
    description = (
        f"{rows} reporters in rows, their complaints about one target from left to right over {span / 60:.0f} minutes,"
        f" {_at_once(lockstep)} of them {LAGS[0][2]} of the first"
    )
    left, top, parts = _grid(lockstep, name, description, SLOTS, across, down)
    bottom = top + rows * down
    for part in range(5):
        x = left + part * SLOTS * across / 4
        parts.append(Markup('<line class="day" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(x, top, bottom + 5))
        parts.append(
            Markup('<text class="label middle" x="{}" y="{}">{}</text>').format(
                x, bottom + 15, f"+{lasting(span * part / 4)}" if part else "first"
            )
        )
    for k in range(len(LAGS)):
        places = [
            (left + min(SLOTS - 1, int(c.lag_seconds / max(span, 1e-9) * SLOTS)) * across, top + c.row * down)
            for c in lockstep.cells
            if lag_class(c.lag_seconds) == k
        ]
        parts.append(_marks(places, k, across, down))
    return Markup("").join([*parts, Markup("</svg>")])


def _at_once(lockstep: Lockstep) -> int:
    return sum(lag_class(c.lag_seconds) == 0 for c in lockstep.cells)


def _grid(
    lockstep: Lockstep, name: str, description: str, columns: int, across: int, down: int
) -> tuple[int, int, list[Markup]]:
    """The origin (x, y) of the cells, and the chart so far: title, background, and names or numbers of the rows."""
    rows = len(lockstep.reporters)
    named = rows <= NAMED_ROWS
    names = [cut(reporter) for reporter in lockstep.reporters] if named else []
    left, top = round(max(map(columns_of, names), default=3) * _CHARACTER_PX) + 12, 18
    width, height = left + max(columns * across, _DATE_PX) + 28, top + rows * down + 22
    parts = [
        Markup(
            '<svg class="raster" role="img" aria-labelledby="{0}-t" width="{1}" height="{2}" viewBox="0 0 {1}'
            ' {2}"><title id="{0}-t">{3}</title>'
        ).format(name, width, height, description),
        Markup('<rect class="ground" x="{}" y="{}" width="{}" height="{}"/>').format(
            left, top, columns * across, rows * down
        ),
    ]
    for row in range(rows):
        if named or (row + 1) % 10 == 0 or row == 0:
            text, kind = (names[row], "label end id") if named else (str(row + 1), "label end")
            parts.append(
                Markup('<text class="{}" x="{}" y="{}">{}</text>').format(
                    kind, left - 5, top + row * down + down / 2 + 3.5, text
                )
            )
    return left, top, parts


def _marks(corners: list[tuple[int, int]], k: int, across: int, down: int) -> Markup:
    """One path for all marks of a kind: ten thousand elements would make the page slow."""
    if not corners:
        return Markup("")
    wide, high = (round(max(2.0, (size - 2) * LAGS[k][1]), 1) for size in (across, down))
    path = "".join(
        f"M{x + (across - wide) / 2:g} {y + (down - high) / 2:g}h{wide:g}v{high:g}h-{wide:g}z" for x, y in corners
    )
    return Markup('<path class="lag{}" d="{}"/>').format(k, path)


def _days(lockstep: Lockstep, left: int, top: int, across: int, bottom: int) -> Iterator[Markup]:
    """A line where a new UTC day begins, and its date where there is room for one."""
    day, free = None, 0
    for column, target in enumerate(lockstep.columns):
        if target.first_at.date() == day:
            continue
        day, x = target.first_at.date(), left + column * across
        yield Markup('<line class="day" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(x, top, bottom + 5)
        if x >= free:
            yield Markup('<text class="label" x="{}" y="{}">{}</text>').format(
                x + 2, bottom + 15, f"{day.day} {day:%b}"
            )
            free = x + _DATE_PX


def complaints_in_rows(lockstep: Lockstep) -> list[tuple[int, str, str]]:
    """The raster as text: (row, reporter, "target number: +delay after its first complaint"), one entry per row."""
    cells_by_row: list[list[str]] = [[] for _ in lockstep.reporters]
    for cell in lockstep.cells:
        number = lockstep.columns[cell.column].number
        cells_by_row[cell.row].append(
            f"{number}: {'first' if cell.lag_seconds == 0 else '+' + lasting(cell.lag_seconds)}"
        )
    return [
        (k, reporter, ", ".join(words))
        for k, (reporter, words) in enumerate(zip(lockstep.reporters, cells_by_row, strict=True), 1)
    ]


def soon_share(lockstep: Lockstep) -> float:
    """Share of the drawn complaints in the first class of LAGS."""
    return sum(lag_class(c.lag_seconds) == 0 for c in lockstep.cells) / max(len(lockstep.cells), 1)
