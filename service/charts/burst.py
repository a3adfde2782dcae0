"""The burst chart: complaints per hour on a cluster's targets around its busiest day, and the normal range. PURE.

Drawn like service/charts/lockstep.py: classes, no colours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from scipy.stats import poisson

from service.charts.columns import tick_of
from service.model import moment

HOURS = 48  # the densest day, with half a day before and after it
HOURS_BEFORE = 12
HOUR_US, DAY_US = 3_600_000_000, 86_400_000_000
USUAL_SHARE = 0.995  # share of ordinary hours that stay within the band

Times = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Burst:
    """Complaints a clock hour (UTC) on the cluster's targets around its densest 24 hours."""

    start: datetime  # of the first hour
    members: tuple[int, ...]
    others: tuple[int, ...]
    usual_per_hour: float  # complaints of others on these targets
    usual_high: int  # USUAL_SHARE of ordinary hours have at most this many


def burst_of(mine_us: Times, theirs_us: Times, usual_per_hour: float | None) -> Burst:
    """The chart's values, from the times of members' and other people's complaints on the same targets.

    Times are microseconds since 1970, in any order. `usual_per_hour` is the evidence's value; without it, the rate of
    the others over all these hours is used. Raises ValueError without any complaint by a member.
    """
    if not len(mine_us):
        raise ValueError("no complaint by a member was given; at least one is needed to find the busiest day")
    mine = np.sort(mine_us)
    densest = int(np.argmax(np.searchsorted(mine, mine + DAY_US) - np.arange(len(mine))))  # the first of equals
    start = (int(mine[densest]) // HOUR_US - HOURS_BEFORE) * HOUR_US
    if usual_per_hour is None:
        usual_per_hour = usual_rate(mine, theirs_us)
    return Burst(
        moment(start), _hourly(mine, start), _hourly(theirs_us, start), usual_per_hour, usual_high(usual_per_hour)
    )


def usual_rate(mine_us: Times, theirs_us: Times) -> float:
    """Other people's complaints per hour on these targets, plus one so that it is never zero (as in the evidence)."""
    everyone = np.concatenate([mine_us, theirs_us])
    return (len(theirs_us) + 1) / max(1.0, float(everyone.max() - everyone.min()) / HOUR_US)


def usual_high(usual: float) -> int:
    """The number of complaints that USUAL_SHARE of intervals with `usual` expected complaints do not exceed."""
    return int(poisson.ppf(USUAL_SHARE, usual))


def _hourly(times_us: Times, start_us: int) -> tuple[int, ...]:
    hour = (times_us - start_us) // HOUR_US
    return tuple(np.bincount(hour[(hour >= 0) & (hour < HOURS)], minlength=HOURS).tolist())


def burst_chart(burst: Burst, name: str) -> Markup:
    """Members' complaints per hour (bars) and other people's (rings) around the busiest day, over the normal range.

    `name` as for raster().
    """
    hours, bar, left, top, plot = len(burst.members), 10, 34, 10, 120
    highest = max(1, *burst.members, *burst.others, burst.usual_high)
    tick = tick_of(highest)
    highest = math.ceil(highest / tick) * tick
    width, bottom = left + hours * bar + 8, top + plot

    def y(count: float) -> float:
        return round(bottom - plot * count / highest, 1)

    description = (
        f"Members' complaints per hour from {burst.start:%Y-%m-%d %H:%M} UTC for {hours} hours: up to"
        f" {max(burst.members)} (normally up to {burst.usual_high})"
    )
    parts = [
        Markup(
            '<svg class="burst" role="img" aria-labelledby="{0}-t" width="{1}" height="{2}" viewBox="0 0 {1}'
            ' {2}"><title id="{0}-t">{3}</title>'
        ).format(name, width, bottom + 36, description),
        Markup('<rect class="usual" x="{}" y="{}" width="{}" height="{}"/>').format(
            left, y(burst.usual_high), hours * bar, round(bottom - y(burst.usual_high), 1)
        ),
        Markup('<line class="bound" x1="{0}" x2="{1}" y1="{2}" y2="{2}"/>').format(
            left, left + hours * bar, y(burst.usual_high)
        ),
    ]
    for count in range(0, highest + 1, tick):
        parts.append(
            Markup('<line class="axis" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(left - 4, left, y(count), y(count))
        )
        parts.append(Markup('<text class="label end" x="{}" y="{}">{}</text>').format(left - 7, y(count) + 4, count))
    for k, count in enumerate(burst.members):
        if count:
            parts.append(
                Markup('<rect class="bar" x="{}" y="{}" width="{}" height="{}"/>').format(
                    left + k * bar + 1, y(count), bar - 2, round(bottom - y(count), 1)
                )
            )
    for k, count in enumerate(burst.others):
        if count:
            parts.append(
                Markup('<circle class="ring" cx="{}" cy="{}" r="3"/>').format(left + k * bar + bar / 2, y(count))
            )
    parts.append(
        Markup('<line class="axis" x1="{0}" x2="{1}" y1="{2}" y2="{2}"/>').format(left, left + hours * bar, bottom)
    )
    parts += _hour_axis(burst, left, bar, bottom)
    return Markup("").join([*parts, Markup("</svg>")])


def _hour_axis(burst: Burst, left: int, bar: int, bottom: int) -> list[Markup]:
    """A tick and its hour every six hours, with the date at midnight."""
    parts = []
    for k in range(len(burst.members) + 1):
        hour = burst.start + timedelta(hours=k)
        if hour.hour % 6 == 0:
            x = left + k * bar
            parts.append(
                Markup('<line class="axis" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(x, bottom, bottom + 4)
            )
            parts.append(
                Markup('<text class="label middle" x="{}" y="{}">{}</text>').format(x, bottom + 16, f"{hour:%H}")
            )
            if hour.hour == 0:
                parts.append(
                    Markup('<text class="label middle" x="{}" y="{}">{}</text>').format(
                        x, bottom + 30, f"{hour.day} {hour:%b}"
                    )
                )
    return parts


def burst_in_rows(burst: Burst) -> list[tuple[datetime, int, int]]:
    """The burst in figures: (hour, members' complaints, others'), the hours in which anybody complained."""
    hours = enumerate(zip(burst.members, burst.others, strict=True))
    return [(burst.start + timedelta(hours=k), mine, theirs) for k, (mine, theirs) in hours if mine or theirs]
