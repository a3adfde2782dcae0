"""How figures are written inside sentences about groups. PURE."""

from __future__ import annotations

import math

_LARGEST_POWER = 12  # larger numbers mean nothing more to readers


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
