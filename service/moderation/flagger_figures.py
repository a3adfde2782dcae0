"""What became of one trusted flagger's notices: the pattern that Art. 22(6) DSA asks about. PURE.

Nothing follows from it here. The platform informs the Digital Services Coordinator, or does not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Literal, TypeVar

from scipy.special import betaincinv

from service.moderation.phrases import duration, percent, plural

Place = Literal["inside", "outside area", "outside time"]
CREDIBLE = 0.9  # share of the posterior between `low` and `high`
_Group = TypeVar("_Group", bound=Hashable)


@dataclass(frozen=True, slots=True)
class FlaggerNotice:
    """A standing complaint by the flagger, an act once."""

    id: str
    target_id: str
    at: datetime
    reason: str | None
    place: Place  # of the area and the time of the status
    verdict: str | None  # a person's, that stands: upheld, rejected
    action: str | None  # the platform's latest on the target since
    decided_at: datetime | None  # the first decision on the target since


@dataclass(frozen=True, slots=True)
class FlaggerTally:
    """Notices and the verdicts on them."""

    notices: int
    upheld: int
    rejected: int

    @property
    def undecided(self) -> int:
        """Those without a person's verdict."""
        return self.notices - self.upheld - self.rejected

    @property
    def decided(self) -> int:
        """Those with one."""
        return self.upheld + self.rejected

    @property
    def interval(self) -> tuple[float, float]:
        """Where the share of upheld ones lies with 90 % probability, a verdict being a random one of theirs."""
        a, b, tail = 1 + self.upheld, 1 + self.rejected, (1 - CREDIBLE) / 2
        return (
            float(betaincinv(a, b, tail)) if self.upheld else 0.0,
            float(betaincinv(a, b, 1 - tail)) if self.rejected else 1.0,
        )


@dataclass(frozen=True, slots=True)
class FlaggerFigures:
    """The pattern as the page shows it."""

    inside: FlaggerTally
    outside_area: FlaggerTally
    outside_time: FlaggerTally
    by_month: Sequence[tuple[tuple[int, int], FlaggerTally]]  # those inside, the latest month first
    by_reason: Sequence[tuple[str | None, FlaggerTally]]  # those inside, the most frequent first
    median_seconds: float | None  # from a notice inside to the first decision on its target


def figures_of(notices: Sequence[FlaggerNotice]) -> FlaggerFigures:
    """The figures of all of a flagger's notices."""
    places: dict[Place, list[FlaggerNotice]] = {"inside": [], "outside area": [], "outside time": []}
    for notice in notices:
        places[notice.place].append(notice)
    inside = places["inside"]
    months = _grouped(inside, lambda notice: (notice.at.year, notice.at.month))
    reasons = _grouped(inside, lambda notice: notice.reason)
    waits = [(notice.decided_at - notice.at).total_seconds() for notice in inside if notice.decided_at is not None]
    return FlaggerFigures(
        _tally(inside),
        _tally(places["outside area"]),
        _tally(places["outside time"]),
        sorted(months, reverse=True),
        sorted(reasons, key=lambda pair: (-pair[1].notices, pair[0] or "")),
        median(waits) if waits else None,
    )


def yearly(notices: Iterable[FlaggerNotice]) -> list[tuple[int, Place, str | None, FlaggerTally, int]]:
    """(year, place, reason, notices, of which the target is removed), for the yearly report of Art. 22(3)."""
    listed = list(notices)
    removed = Counter((n.at.year, n.place, n.reason) for n in listed if n.action == "removed")
    groups = _grouped(listed, lambda n: (n.at.year, n.place, n.reason))
    rows = [(year, place, reason, tally, removed[year, place, reason]) for (year, place, reason), tally in groups]
    return sorted(rows, key=lambda row: (-row[0], row[1], -row[3].notices, row[2] or ""))


def _grouped(
    notices: Iterable[FlaggerNotice], group_of: Callable[[FlaggerNotice], _Group]
) -> list[tuple[_Group, FlaggerTally]]:
    found: dict[_Group, list[FlaggerNotice]] = {}
    for notice in notices:
        found.setdefault(group_of(notice), []).append(notice)
    return [(group, _tally(mine)) for group, mine in found.items()]


def _tally(notices: Sequence[FlaggerNotice]) -> FlaggerTally:
    verdicts = [notice.verdict for notice in notices]
    return FlaggerTally(len(notices), verdicts.count("upheld"), verdicts.count("rejected"))


def sentence(tally: FlaggerTally) -> str:
    """A tally in plain words: "of 40 notices moderators upheld 30 and rejected 4; 6 have no verdict"."""
    if not tally.notices:
        return "no notices"
    rest = f"; {tally.undecided:,} {'has' if tally.undecided == 1 else 'have'} no verdict" if tally.undecided else ""
    return (
        f"of {plural(tally.notices, 'notice')} moderators upheld {tally.upheld:,} and rejected {tally.rejected:,}{rest}"
    )


def letter(entity: str, coordinator: str, figures: FlaggerFigures, *, cases: int, first: str, last: str) -> str:
    """A draft of the information to the coordinator (Art. 22(6)): the facts, and blanks for what a person judges."""
    inside, low_high = figures.inside, figures.inside.interval
    received = f"From {first} to {last} we received notices from this trusted flagger."
    lines = [
        f"To: {coordinator}",
        f"About: {entity}, trusted flagger under Article 22 of Regulation (EU) 2022/2065",
        "",
        f"{received} Within the area and the time of the status, {sentence(inside)}.",
    ]
    if inside.decided:
        lines.append(
            f"Of the {plural(inside.decided, 'notice')} with a verdict, {percent(inside.upheld / inside.decided)} were"
            f" upheld (90 % interval {percent(low_high[0])} to {percent(low_high[1])})."
        )
    for name, tally in (("the area", figures.outside_area), ("the time", figures.outside_time)):
        if tally.notices:
            lines.append(f"Outside {name} of the status: {sentence(tally)}.")
    if figures.median_seconds is not None:
        lines.append(f"Half of the notices were decided within {duration(figures.median_seconds)}.")
    if cases:
        lines.append(f"The account was part of {plural(cases, 'group')} that our analysis found.")
    finding = (
        "We consider a significant number of these notices insufficiently precise, inaccurate or inadequately"
        " substantiated, because: [your reasons, with examples]"
    )
    return "\n".join(
        [
            *lines,
            "",
            finding,
            "",
            "Explanations and supporting documents: [attach them]",
            "",
        ]
    )
