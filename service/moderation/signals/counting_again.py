"""Count a signal again for the remaining members of a group, from the archive alone. PURE.

The detector's window and the archive select different complaints, hence two ways: shift the stored value by the change
of our own figure, or use our own count if it agrees with the detector's for the whole group.
"""

from __future__ import annotations

from collections.abc import Callable

from service.model import Evidence
from service.moderation.signals.chance import share_of
from service.moderation.signals.signal import CountAgain, CountedAgain, Measurement

SAME_SHARE = 0.005  # two shares that differ by less are the same count


def moved(figure: Callable[[CountedAgain], float]) -> CountAgain:
    """The stored value, shifted by the change of `figure`, within 0..1."""

    def again(stored: Evidence, whole: CountedAgain, left: CountedAgain) -> Measurement:
        value = min(1.0, max(0.0, stored.value + figure(left) - figure(whole)))
        return Measurement(value, stored.usual, stored.p_value)

    return again


def recounted(
    count: Callable[[CountedAgain], tuple[int, int]], chance: Callable[[Evidence], float], fewest: int = 0
) -> CountAgain:
    """(how many show it, of how many) counted again and tested against `chance`; no test below `fewest`."""

    def again(stored: Evidence, whole: CountedAgain, left: CountedAgain) -> Measurement | None:
        showing, total = count(whole)
        if abs(showing / max(total, 1) - stored.value) > SAME_SHARE:
            return None
        showing, total = count(left)
        if total < fewest:
            return Measurement(0.0, stored.usual)
        return share_of(showing, total, stored.usual, chance(stored))

    return again
