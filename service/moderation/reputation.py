"""A reporter's reputation: how likely is it that a complaint of this reporter will be found right?

A Beta posterior over the complaints that people judged (service/moderation/track_record.py says which verdict stands):

    mean = (PRIOR_UPHELD + up) / (PRIOR_UPHELD + PRIOR_REJECTED + up + down)
    up   = Σ over upheld complaints    2^(-age / HALF_LIFE) / (1 + others)
    down = Σ over rejected complaints  2^(-age / HALF_LIFE)

Prior. Beta(2, 2): nobody is trusted or distrusted before four complaints' worth of verdicts. It is not the tenant's own
share of upheld complaints, on purpose: a campaign that files most of a tenant's complaints would set everybody's prior.

Age is counted from the complaint, not from its decision: a backlog of old cases, decided today, says nothing about
today.

Farming. `others` is the number of other reporters whose complaint about the target stands. Whoever wants a reputation
to spend later would complain about what everybody sees, where a verdict is certain and costs nothing. With 1 / (1 +
others) a target gives away one unit altogether, however many share it: k accounts that farm together have to find as
many true cases as k honest people would, one that joins crowds of a hundred needs a hundred of them for one unit. A
softer weight such as 1 / log2(2 + others) gives thirty accounts on one obvious case six units for one case. The other
side of it: whoever complains along with an honest reporter dilutes what the reporter earns, but never takes more than
that: the posterior stays at its prior.

Rejected complaints are not divided: being wrong in company is what a campaign is, and it would otherwise be free. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from scipy.stats import beta

from service.moderation.outcomes import JudgedComplaint, Judgement
from service.moderation.track_record import verdict_on

PRIOR_UPHELD, PRIOR_REJECTED = 2.0, 2.0
HALF_LIFE_US = 180 * 86_400_000_000
CREDIBLE = 0.9  # share of the posterior between `low` and `high`


@dataclass(frozen=True, slots=True)
class Reputation:
    """The posterior on the share of a reporter's complaints that are right."""

    mean: float
    low: float  # the 90 % credible interval, equal tails
    high: float
    weight: float  # decided complaints' worth of evidence: after decay, and shared with who else complained
    upheld: int  # decided complaints as they are, each once
    rejected: int


@dataclass(frozen=True, slots=True)
class Earned:
    """What people's verdicts about a reporter's complaints are worth, and how many there are."""

    up: float
    down: float
    upheld: int
    rejected: int


def earned(
    complaints: Iterable[JudgedComplaint],
    outcomes_by_target: Mapping[int, Sequence[Judgement]],
    reporters_by_target: Mapping[int, int],
    now_us: int,
) -> Earned:
    """The weights up and down of the reporter's standing complaints; arguments as of `reputation`."""
    up = down = 0.0
    upheld = rejected = 0
    for complaint in complaints:
        verdict = verdict_on(complaint, outcomes_by_target.get(complaint.target, ()))
        if verdict is None:
            continue
        weight = 2.0 ** (-max(0, now_us - complaint.time_us) / HALF_LIFE_US)
        if verdict == "upheld":
            crowd = reporters_by_target.get(complaint.target, 1)
            if crowd < 1:
                raise ValueError(
                    f"{crowd} reporters stand on target {complaint.target}, below 1, though this one is among them:"
                    " count standing complaints only"
                )
            up, upheld = up + weight / crowd, upheld + 1
        else:
            down, rejected = down + weight, rejected + 1
    return Earned(up, down, upheld, rejected)


def reputation(
    complaints: Iterable[JudgedComplaint],
    outcomes_by_target: Mapping[int, Sequence[Judgement]],
    reporters_by_target: Mapping[int, int],
    now_us: int,
) -> Reputation | None:
    """The reputation that one reporter's standing complaints have earned by `now_us`; None while none is decided.

    `reporters_by_target` counts the distinct reporters whose complaint about a target stands, this one among them; a
    target that is missing has no others. Microseconds since 1970; a complaint later than `now_us` is not aged. The
    order of everything is irrelevant. Raises ValueError for a count below 1 of a target that the reporter complained
    about.
    """
    e = earned(complaints, outcomes_by_target, reporters_by_target, now_us)
    if not e.upheld + e.rejected:
        return None
    a, b = PRIOR_UPHELD + e.up, PRIOR_REJECTED + e.down
    tail = (1 - CREDIBLE) / 2
    return Reputation(
        a / (a + b), float(beta.ppf(tail, a, b)), float(beta.ppf(1 - tail, a, b)), e.up + e.down, e.upheld, e.rejected
    )
