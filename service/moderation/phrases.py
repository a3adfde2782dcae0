"""How figures are written inside sentences about groups. PURE."""

from __future__ import annotations

import math

_LARGEST_POWER = 12  # larger numbers mean nothing more to readers

_STEPS = (
    (60, 1, "s"),
    (3_600, 60, "min"),
    (86_400 * 2, 3_600, "h"),
    (86_400 * 60, 86_400, "days"),
    (86_400 * 730, 86_400 * 30.44, "months"),
)
_YEAR_SECONDS = 86_400 * 365.25


def percent(share: float) -> str:
    """A share between 0 and 1 in per cent, never rounded down to 0 where it is not."""
    if 0 < share < 1e-4:
        return "less than 0.01 %"
    return f"{100 * share:.0f} %" if share >= 0.01 or not share else f"{100 * share:.2g} %"


def power_of_ten(exponent: float) -> str:
    """Ten to this power, to two significant digits: "1.6", "32", "10,000"; from a trillion on, "a trillion"."""
    if exponent >= _LARGEST_POWER:
        return "a trillion"
    value = 10.0**exponent
    if value < 10:
        return f"{value:.1f}".removesuffix(".0")
    return f"{round(value, 1 - math.floor(math.log10(value))):,.0f}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """The count with its noun: "1 case", "1,200 cases"; `many` where an s does not do."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """A duration in its largest fitting unit: "40 s", "12 min", "7 h", "9 days"."""
    seconds = max(0.0, seconds)
    for limit, unit, word in _STEPS:
        if seconds < limit:
            count = int(seconds / unit)
            return f"{count:,} {word[:-1] if count == 1 and word.endswith('s') and len(word) > 1 else word}"
    years = int(seconds / _YEAR_SECONDS)
    return plural(years, "year")
