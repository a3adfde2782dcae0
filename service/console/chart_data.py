"""What the case page draws: the raster, the timeline and the signals as plain values. PURE.

The raster covers the whole case: rows are reporters by their first complaint, columns targets by the
first complaint of a member, cells the complaints, each with the delay after that first one. It is sent as columns of
numbers, since 500 reporters on 60 targets make 30,000 cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from service.charts.burst import USUAL_SHARE, usual_rate
from service.charts.lockstep import LAGS, by_target, in_order
from service.charts.words import figure, label, lasting, share
from service.console.formatting import large, odds
from service.model import Evidence, microseconds, moment
from service.moderation.cluster_state import Membership
from service.moderation.phrases import duration
from service.moderation.signals.outcomes import OUTCOMES
from service.moderation.signals.registry import COORDINATION, SIGNAL_BY_NAME
from service.moderation.signals.shared_traits import TRAIT_PREFIX
from service.moderation.signals.signal import Unit

BINS = 160  # of a timeline's table, at most
_BIN_SECONDS = (60, 300, 900, 3_600, 10_800, 21_600, 43_200, 86_400, 7 * 86_400, 28 * 86_400, 364 * 86_400)


@dataclass(frozen=True, slots=True)
class Raster:
    """Rows, columns and cells; `rows`, `columns` and `lags` have one entry per cell."""

    reporters: tuple[int, ...]  # keys, by first complaint
    targets: tuple[int, ...]  # keys, by the members' first complaint
    first_us: tuple[int, ...]  # of the targets: when that was
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    lags: tuple[float, ...]  # seconds after the target's first complaint by a member
    exempt: tuple[int, ...]  # numbers of cells that are never discounted

    @property
    def soon_share(self) -> float:
        """Of the complaints beside each target's first, those within the first class of LAGS."""
        beside = [lag for lag in self.lags if lag > 0]
        return sum(lag <= LAGS[0][0] for lag in beside) / len(beside) if beside else 0.0


def raster_of(
    filed: Sequence[Membership], members: frozenset[int], reporter_ids: Mapping[int, str], target_ids: Mapping[int, str]
) -> Raster:
    """The raster of these complaints.

    A target's clock starts with the first complaint by a member; an excluded reporter may come earlier (negative lag).
    """
    on_target = by_target([m for m in filed if m.reporter in members], target_ids)
    strays = by_target([m for m in filed if m.target not in on_target], target_ids)
    targets = [*on_target, *strays]
    column = {target: k for k, target in enumerate(targets)}
    first = [(on_target.get(t) or strays[t])[0].time_us for t in targets]
    people = in_order(filed, reporter_ids)
    row = {reporter: k for k, reporter in enumerate(people)}
    rows, columns, at_us, seqs, exempt = (
        np.array(values, np.int64)
        for values in (
            [row[m.reporter] for m in filed],
            [column[m.target] for m in filed],
            [m.time_us for m in filed],
            [m.seq for m in filed],
            [m.exempt for m in filed],
        )
    )
    order = np.lexsort((seqs, columns, rows))
    lags = (at_us - np.array(first, np.int64)[columns])[order] / 1e6 if filed else at_us
    return Raster(
        tuple(people),
        tuple(targets),
        tuple(first),
        *(tuple(values.tolist()) for values in (rows[order], columns[order], lags, np.flatnonzero(exempt[order]))),
    )


def raster_data(
    raster: Raster, reporter_ids: Mapping[int, str], target_ids: Mapping[int, str], excluded: frozenset[int]
) -> dict[str, Any]:
    """The raster as JSON; times in milliseconds since 1970, lags in seconds."""
    return {
        "reporters": [reporter_ids[r] for r in raster.reporters],
        "excluded": [k for k, r in enumerate(raster.reporters) if r in excluded],
        "targets": [target_ids[t] for t in raster.targets],
        "first_ms": [us // 1000 for us in raster.first_us],
        "rows": raster.rows,
        "columns": raster.columns,
        "lags": [round(lag, 1) if lag % 1 else int(lag) for lag in raster.lags],
        "exempt": raster.exempt,
        "classes": [
            {"within": bound if bound < float("inf") else None, "size": size, "words": words}
            for bound, size, words in LAGS
        ],
    }


@dataclass(frozen=True, slots=True)
class TimeLine:
    """Complaints on the case's targets over time, by members and by others, and the normal rate."""

    members_us: tuple[int, ...]
    others_us: tuple[int, ...]
    usual_per_hour: float
    others_left_out: bool


@dataclass(frozen=True, slots=True)
class Bin:
    """One interval of the timeline, as in its table."""

    at: datetime
    members: int
    others: int


def time_line_of(
    filed: Sequence[Membership],
    members: frozenset[int],
    others_us: Sequence[int],
    evidence: Sequence[Evidence],
    others_limit: int,
) -> TimeLine:
    """The timeline of the members' complaints and those of others on the same targets."""
    mine = sorted(m.time_us for m in filed if m.reporter in members)
    measured = next((e.usual for e in evidence if e.signal == "burst"), None)
    if measured is not None:
        usual = measured  # by the detector, in its last run
    else:
        usual = usual_rate(np.array(mine, np.int64), np.array(others_us, np.int64)) if mine else 0.0
    return TimeLine(tuple(mine), tuple(sorted(others_us)), usual, len(others_us) >= others_limit)


def bins_of(line: TimeLine) -> tuple[int, list[Bin]]:
    """The seconds of an interval, and the intervals with complaints: at most BINS over the members' span."""
    if not line.members_us:
        return 3_600, []
    low, high = line.members_us[0], line.members_us[-1]
    seconds = next((s for s in _BIN_SECONDS if (high - low) / 1e6 <= s * (BINS - 2)), _BIN_SECONDS[-1])
    width, margin = seconds * 1_000_000, seconds * 1_000_000
    start = (low - margin) // width
    parts = min(BINS, (high + margin) // width - start + 1)
    counts = [
        np.bincount(bins[(bins >= 0) & (bins < parts)], minlength=parts)
        for bins in (np.array(us, np.int64) // width - start for us in (line.members_us, line.others_us))
    ]
    return seconds, [
        Bin(moment((start + k) * width), int(a), int(b)) for k, (a, b) in enumerate(zip(*counts, strict=True)) if a or b
    ]


def time_line_data(line: TimeLine) -> dict[str, Any]:
    """The timeline as JSON, times in milliseconds since 1970. The browser chooses the intervals at any zoom and takes
    the members' times from the raster.
    """
    return {
        "others_ms": [us // 1000 for us in line.others_us],
        "usual_per_hour": line.usual_per_hour,
        "usual_share": USUAL_SHARE,
        "others_left_out": line.others_left_out,
        "bin_seconds": _BIN_SECONDS,
    }


@dataclass(frozen=True, slots=True)
class SignalBar:
    """One piece of evidence as the page shows it."""

    name: str
    title: str
    text: str
    value: str
    usual: str
    chance: str  # how often chance alone would produce this
    contribution: float
    share: float  # of all contributions for and against, 0..1
    question: str  # coordinated | unfounded | shown


def signals_of(evidence: Sequence[Evidence]) -> list[SignalBar]:
    """The signals for and against, strongest first, then those shown for information only.

    Traits that the targets share are separate (`shared_traits_of`).
    """
    signals = [e for e in evidence if not e.signal.startswith(TRAIT_PREFIX)]
    whole = sum(abs(e.contribution) for e in signals) or 1.0
    rows = [
        SignalBar(
            e.signal,
            label(e.signal),
            e.text,
            _shown_value(e.signal, e.value),
            "–"
            if e.signal in ("base", OUTCOMES) or (_unit(e.signal) in ("odds", "factor") and not e.usual)
            else _shown_value(e.signal, e.usual),
            odds(e.p_value),
            e.contribution,
            abs(e.contribution) / whole,
            "coordinated"
            if e.signal in COORDINATION
            else ("unfounded" if e.contribution or e.signal == OUTCOMES else "shown"),
        )
        for e in signals
    ]
    return sorted(rows, key=lambda s: (s.question == "shown", s.name == "base", -abs(s.contribution), s.name))


def _unit(signal: str) -> Unit:
    known = SIGNAL_BY_NAME.get(signal)
    return "figure" if known is None else known.unit


def _shown_value(signal: str, value: float) -> str:
    unit = _unit(signal)
    if unit == "share":
        return share(value)
    if unit == "odds":  # stored as a power of ten
        return odds(10.0**-value)
    if unit == "duration":
        return duration(value)
    return f"× {large(value)}" if unit == "factor" else figure(value)


@dataclass(frozen=True, slots=True)
class SharedTrait:
    """Something that the targets have in common, compared with all targets."""

    title: str
    text: str
    share: float
    usual: float
    chance: str  # how often chance alone would produce this


def shared_traits_of(evidence: Sequence[Evidence]) -> list[SharedTrait]:
    """What the targets have in common, largest share first."""
    return sorted(
        (
            SharedTrait(label(e.signal), e.text, e.value, e.usual, odds(e.p_value))
            for e in evidence
            if e.signal.startswith(TRAIT_PREFIX)
        ),
        key=lambda a: (-a.share, a.title),
    )


def delay(seconds: float) -> str:
    """A cell's delay in words."""
    if seconds == 0:
        return "first"
    return f"+{lasting(seconds)}" if seconds > 0 else f"{lasting(-seconds)} before"


@dataclass(frozen=True, slots=True)
class RasterRow:
    """One row of the raster's table."""

    key: int
    number: int
    cells: tuple[tuple[int, float], ...]  # (number of the target, lag in seconds)


def raster_rows(raster: Raster) -> list[RasterRow]:
    """The raster as a table, one row per reporter."""
    cells: list[list[tuple[int, float]]] = [[] for _ in raster.reporters]
    for row, column, lag in zip(raster.rows, raster.columns, raster.lags, strict=True):
        cells[row].append((column + 1, lag))
    return [
        RasterRow(key, k, tuple(mine)) for k, (key, mine) in enumerate(zip(raster.reporters, cells, strict=True), 1)
    ]


def in_span(at: datetime | None, since: datetime | None, until: datetime | None) -> bool:
    """Whether the moment lies in [since, until), either of which may be open."""
    return (
        at is not None
        and (since is None or microseconds(at) >= microseconds(since))
        and (until is None or microseconds(at) < microseconds(until))
    )
