"""How a signal is counted again for who is left of a group, from the archive alone. PURE.

The detector's window is another selection than the archive's, hence two ways: a value moves by as much as our own
figure moves, or it is taken from our count where our count of the whole group is the detector's.
"""

from __future__ import annotations

from collections.abc import Callable

from service.model import Evidence
from service.moderation.signals.chance import tail
from service.moderation.signals.signal import CountAgain, CountedAgain, Measurement

SAME_SHARE = 0.005  # two shares that differ by less are the same count


def moved(figure: Callable[[CountedAgain], float]) -> CountAgain:
    """The stored value, moved by the change of `figure`, within 0..1."""

    def again(stored: Evidence, whole: CountedAgain, left: CountedAgain) -> Measurement:
        value = min(1.0, max(0.0, stored.value + figure(left) - figure(whole)))
        return Measurement(value, stored.usual, stored.p_value)

    return again


def recounted(
    count: Callable[[CountedAgain], tuple[int, int]], chance: Callable[[Evidence], float], fewest: int = 0
) -> CountAgain:
    """(how many show it, of how many) counted again and tested against `chance`; below `fewest`, it says nothing."""

    def again(stored: Evidence, whole: CountedAgain, left: CountedAgain) -> Measurement | None:
        showing, total = count(whole)
        if abs(showing / max(total, 1) - stored.value) > SAME_SHARE:
            return None
        showing, total = count(left)
        if total < fewest:
            return Measurement(0.0, stored.usual)
        return Measurement(showing / max(total, 1), stored.usual, tail(showing, total, chance(stored)), showing, total)

    return again
