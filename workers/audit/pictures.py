"""Pictures of a cluster as SVG for an HTML page: the lockstep raster and the burst. PURE.

No colour is written here: shapes carry classes that the page's style fills, so that one drawing serves light, dark and paper.
Whatever a shade says, a size or a shape says too. Ids in a picture are escaped, made visible and cut.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator
from datetime import timedelta

from markupsafe import Markup

from workers.audit.scenes import Burst, Lockstep

# How soon after the target's first complaint by a member: at most so many seconds, the share of a cell's side, the words.
LAGS = (
    (300.0, 1.0, "within 5 minutes"), (3_600.0, 0.74, "within an hour"), (86_400.0, 0.5, "within a day"), (math.inf, 0.28, "later"),
)
NAMED_ROWS = NAMED_COLUMNS = 40  # up to so many have room for a name or number each
SLOTS = 40  # parts of time in the picture of a crowd on one target
LABEL_WIDTH = 18  # columns of a terminal
_CHARACTER_PX, _DATE_PX = 6.8, 52
# Characters that show nothing or turn their neighbours round: controls, formats (bidi, zero width), surrogates, private, unassigned, separators.
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def visible(text: str) -> str:
    """The text with every character that nobody could see, or that reorders others, as `\\u{...}`; tabs and line ends stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(f"\\u{{{ord(c):x}}}" if unicodedata.category(c) in _UNSEEN and c not in "\t\n" else c for c in text)


def cut(text: str, width: int = LABEL_WIDTH) -> str:
    """At most `width` columns of the visible text, wide characters counted twice; an ellipsis where something is missing.

    Raises ValueError for a width below 2.
    """
    if width < 2:
        raise ValueError(f"width = {width} has no room for a character and an ellipsis: it is at least 2")
    shown, used = visible(text), 0
    if columns_of(shown) <= width:
        return shown
    kept = 0
    for character in shown:
        used += columns_of(character)
        if used > width - 1:
            break
        kept += 1
    return shown[:kept] + "…"


def columns_of(text: str) -> int:
    """How many columns of a terminal the text takes: wide characters two, others one."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def lasting(seconds: float) -> str:
    """A length of time in the largest unit that it fills."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}" if seconds < 10 * size and seconds % size else f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def lag_class(seconds: float) -> int:
    """Which entry of LAGS a complaint belongs to."""
    return next(k for k, (bound, _, _) in enumerate(LAGS) if seconds <= bound)


def swatch(k: int) -> Markup:
    """The mark of LAGS[k] alone, for a legend."""
    return Markup('<svg class="swatch" width="14" height="14" viewBox="0 0 14 14" aria-hidden="true"><rect class="ground" width="14" height="14"/>{}</svg>').format(_marks([(0, 0)], k, 14, 14))


def raster(lockstep: Lockstep, name: str) -> Markup:
    """Who complained about what: a cell a complaint, larger and darker the sooner it followed the target's first.

    For a crowd on one target the columns are time instead: SLOTS equal parts of the span from the first complaint to the last.
    `name` starts the ids inside and has to be unique on the page, plain letters and digits.
    """
    if len(lockstep.columns) == 1:
        return _crowd(lockstep, name)
    rows, columns = len(lockstep.reporters), len(lockstep.columns)
    named, numbered = rows <= NAMED_ROWS, columns <= NAMED_COLUMNS
    across, down = (18 if numbered else 10), (14 if named else 8)
    said = f"{rows} reporters in rows, {columns} targets in columns, {len(lockstep.cells)} of {rows * columns} cells filled, {_at_once(lockstep)} of them {LAGS[0][2]} of the target's first complaint by a member"
    left, top, parts = _grid(lockstep, name, said, columns, across, down)
    for column, target in enumerate(lockstep.columns):
        if numbered or column % 5 == 0:
            parts.append(Markup('<text class="label middle" x="{}" y="{}">{}</text>').format(left + column * across + across / 2, top - 5, target.number))
    parts.extend(_days(lockstep, left, top, across, top + rows * down))
    for k in range(len(LAGS)):
        parts.append(_marks([(left + c.column * across, top + c.row * down) for c in lockstep.cells if lag_class(c.lag_seconds) == k], k, across, down))
    return Markup("").join([*parts, Markup("</svg>")])


def _crowd(lockstep: Lockstep, name: str) -> Markup:
    """The same for one target: rows are reporters, the way to the right is time."""
    rows, across = len(lockstep.reporters), 9
    down = 14 if rows <= NAMED_ROWS else 8
    span = max((c.lag_seconds for c in lockstep.cells), default=0.0)
    said = f"{rows} reporters in rows, their complaints about one target from left to right over {span / 60:.0f} minutes, {_at_once(lockstep)} of them {LAGS[0][2]} of the first"
    left, top, parts = _grid(lockstep, name, said, SLOTS, across, down)
    bottom = top + rows * down
    for part in range(5):
        x = left + part * SLOTS * across / 4
        parts.append(Markup('<line class="day" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(x, top, bottom + 5))
        parts.append(Markup('<text class="label middle" x="{}" y="{}">{}</text>').format(x, bottom + 15, f"+{lasting(span * part / 4)}" if part else "first"))
    for k in range(len(LAGS)):
        places = [(left + min(SLOTS - 1, int(c.lag_seconds / max(span, 1e-9) * SLOTS)) * across, top + c.row * down) for c in lockstep.cells if lag_class(c.lag_seconds) == k]
        parts.append(_marks(places, k, across, down))
    return Markup("").join([*parts, Markup("</svg>")])


def _at_once(lockstep: Lockstep) -> int:
    return sum(lag_class(c.lag_seconds) == 0 for c in lockstep.cells)


def _grid(lockstep: Lockstep, name: str, said: str, columns: int, across: int, down: int) -> tuple[int, int, list[Markup]]:
    """Where the cells begin (x, y), and the picture so far: its head, its ground and the names or numbers of the rows."""
    rows = len(lockstep.reporters)
    named = rows <= NAMED_ROWS
    names = [cut(reporter) for reporter in lockstep.reporters] if named else []
    left, top = round(max(map(columns_of, names), default=3) * _CHARACTER_PX) + 12, 18
    width, height = left + max(columns * across, _DATE_PX) + 28, top + rows * down + 22
    parts = [
        Markup('<svg class="raster" role="img" aria-labelledby="{0}-t" width="{1}" height="{2}" viewBox="0 0 {1} {2}"><title id="{0}-t">{3}</title>').format(name, width, height, said),
        Markup('<rect class="ground" x="{}" y="{}" width="{}" height="{}"/>').format(left, top, columns * across, rows * down),
    ]
    for row in range(rows):
        if named or (row + 1) % 10 == 0 or row == 0:
            text, kind = (names[row], "label end id") if named else (str(row + 1), "label end")
            parts.append(Markup('<text class="{}" x="{}" y="{}">{}</text>').format(kind, left - 5, top + row * down + down / 2 + 3.5, text))
    return left, top, parts


def _marks(corners: list[tuple[int, int]], k: int, across: int, down: int) -> Markup:
    """One path for all marks of a kind: ten thousand elements would make the page slow."""
    if not corners:
        return Markup("")
    wide, high = (round(max(2.0, (size - 2) * LAGS[k][1]), 1) for size in (across, down))
    path = "".join(f"M{x + (across - wide) / 2:g} {y + (down - high) / 2:g}h{wide:g}v{high:g}h-{wide:g}z" for x, y in corners)
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
            yield Markup('<text class="label" x="{}" y="{}">{}</text>').format(x + 2, bottom + 15, f"{day.day} {day:%b}")
            free = x + _DATE_PX


def burst_chart(burst: Burst, name: str) -> Markup:
    """Members' complaints an hour (bars) and other people's (rings) around the densest day, over the band of the usual.

    `name` as for raster().
    """
    hours, bar, left, top, plot = len(burst.members), 10, 34, 10, 120
    highest = max(1, *burst.members, *burst.others, burst.usual_high)
    tick = _tick(highest)
    highest = math.ceil(highest / tick) * tick
    width, bottom = left + hours * bar + 8, top + plot

    def y(count: float) -> float:
        return round(bottom - plot * count / highest, 1)

    said = f"Members' complaints an hour from {burst.start:%Y-%m-%d %H:%M} UTC for {hours} hours: at most {max(burst.members)}, where 0 to {burst.usual_high} are usual"
    parts = [
        Markup('<svg class="burst" role="img" aria-labelledby="{0}-t" width="{1}" height="{2}" viewBox="0 0 {1} {2}"><title id="{0}-t">{3}</title>').format(name, width, bottom + 36, said),
        Markup('<rect class="usual" x="{}" y="{}" width="{}" height="{}"/>').format(left, y(burst.usual_high), hours * bar, round(bottom - y(burst.usual_high), 1)),
        Markup('<line class="bound" x1="{0}" x2="{1}" y1="{2}" y2="{2}"/>').format(left, left + hours * bar, y(burst.usual_high)),
    ]
    for count in range(0, highest + 1, tick):
        parts.append(Markup('<line class="axis" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(left - 4, left, y(count), y(count)))
        parts.append(Markup('<text class="label end" x="{}" y="{}">{}</text>').format(left - 7, y(count) + 4, count))
    for k, count in enumerate(burst.members):
        if count:
            parts.append(Markup('<rect class="bar" x="{}" y="{}" width="{}" height="{}"/>').format(left + k * bar + 1, y(count), bar - 2, round(bottom - y(count), 1)))
    for k, count in enumerate(burst.others):
        if count:
            parts.append(Markup('<circle class="ring" cx="{}" cy="{}" r="3"/>').format(left + k * bar + bar / 2, y(count)))
    parts.append(Markup('<line class="axis" x1="{0}" x2="{1}" y1="{2}" y2="{2}"/>').format(left, left + hours * bar, bottom))
    for k in range(hours + 1):
        hour = burst.start + timedelta(hours=k)
        if hour.hour % 6 == 0:
            x = left + k * bar
            parts.append(Markup('<line class="axis" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(x, bottom, bottom + 4))
            parts.append(Markup('<text class="label middle" x="{}" y="{}">{}</text>').format(x, bottom + 16, f"{hour:%H}"))
            if hour.hour == 0:
                parts.append(Markup('<text class="label middle" x="{}" y="{}">{}</text>').format(x, bottom + 30, f"{hour.day} {hour:%b}"))
    return Markup("").join([*parts, Markup("</svg>")])


def _tick(highest: int) -> int:
    """A step of 1, 2 or 5 times a power of ten that gives at most five ticks above 0."""
    power = 1
    while True:
        for step in (power, 2 * power, 5 * power):
            if highest <= 5 * step:
                return step
        power *= 10
