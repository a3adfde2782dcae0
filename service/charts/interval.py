"""An estimate between 0 and 1 with its interval, as a line with a dot. PURE; colours are the page's (classes)."""

from __future__ import annotations

from markupsafe import Markup

_WIDTH, _HEIGHT, _PAD = 280, 34, 22


def interval(mean: float, low: float, high: float, name: str, description: str) -> Markup:
    """The chart: a dot at `mean`, a bar from `low` to `high`, on a scale from 0 to 100 %.

    Raises ValueError unless 0 <= low <= mean <= high <= 1.
    """
    if not 0 <= low <= mean <= high <= 1:
        raise ValueError(
            f"low = {low}, mean = {mean}, high = {high}: they must be in ascending order and between 0 and 1"
        )

    def x(share: float) -> float:
        return round(_PAD + (_WIDTH - 2 * _PAD) * share, 1)

    ticks = Markup("").join(
        Markup(
            '<line class="grid" x1="{0}" x2="{0}" y1="4" y2="18"/><text class="label middle" x="{0}" y="31">{1}</text>'
        ).format(x(at / 100), f"{at} %")
        for at in (0, 50, 100)
    )
    return Markup(
        '<svg class="interval" role="img" aria-labelledby="{0}-t" width="{1}" height="{2}" viewBox="0 0 {1} {2}"><title'
        ' id="{0}-t">{3}</title><line class="grid" x1="{4}" x2="{5}" y1="11" y2="11"/>{6}<rect class="range" x="{7}"'
        ' y="7" width="{8}" height="8" rx="4"/><circle class="dot" cx="{9}" cy="11" r="5.5"/></svg>'
    ).format(name, _WIDTH, _HEIGHT, description, x(0), x(1), ticks, x(low), round(x(high) - x(low), 1), x(mean))
