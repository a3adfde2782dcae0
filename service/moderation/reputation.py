"""A reporter's reputation: the probability that one of their complaints is upheld.

A Beta posterior over the complaints that moderators reviewed (service/moderation/track_record.py chooses the verdict):

    mean = (PRIOR_UPHELD + up) / (PRIOR_UPHELD + PRIOR_REJECTED + up + down)
    up   = Σ over upheld complaints    2^(-age / HALF_LIFE) / (1 + others)
    down = Σ over rejected complaints  2^(-age / HALF_LIFE) / (1 + others)

Prior. Beta(2, 2): nobody is trusted or distrusted before verdicts worth four complaints. It is deliberately not the
tenant's own share of upheld complaints: a campaign that files most of a tenant's complaints would set the prior for
everybody.

Age is counted from the complaint, not from its decision: deciding a backlog of old cases says nothing about today.

Farming. `others` is the number of other reporters with a standing complaint about the target. Accounts that want to
build up a reputation to abuse later would complain about obvious cases, where the verdict is certain and the effort
small. With 1 / (1 + others) all complaints about a target share one unit: k accounts that farm together have to find as
many true cases as k honest people would, and an account that joins crowds of a hundred needs a hundred of them for one
unit. A softer weight such as 1 / log2(2 + others) would give thirty accounts six units for one obvious case. The cost:
complaining along with an honest reporter dilutes what that reporter earns, but never more than that: their posterior
stays at the prior.

Rejected complaints are divided in the same way. If they were not, everybody who complains along with many would look
wrong: of an ordinary reader's ten complaints, four upheld among ten people each would weigh .4 and six rejected ones 6.
What campaigns do together counts against them on their own targets (signals/outcomes.py), not here. PURE.
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
    """The posterior on the share of a reporter's complaints that are upheld."""

    mean: float
    low: float  # the 90 % credible interval, equal tails
    high: float
    weight: float  # evidence in units of decided complaints, after decay and division among reporters
    upheld: int  # decided complaints, each counted once
    rejected: int


@dataclass(frozen=True, slots=True)
class Earned:
    """The weights of the verdicts on a reporter's complaints, and their numbers."""

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
    """The weights up and down of the reporter's standing complaints; arguments as for `reputation`."""
    up = down = 0.0
    upheld = rejected = 0
    for complaint in complaints:
        verdict = verdict_on(complaint, outcomes_by_target.get(complaint.target, ()))
        if verdict is None:
            continue
        weight = 2.0 ** (-max(0, now_us - complaint.time_us) / HALF_LIFE_US)
        crowd = reporters_by_target.get(complaint.target, 1)
        if crowd < 1:
            raise ValueError(
                f"reporters_by_target[{complaint.target}] = {crowd} must be at least 1, since this reporter has a"
                " standing complaint there"
            )
        if verdict == "upheld":
            up, upheld = up + weight / crowd, upheld + 1
        else:
            down, rejected = down + weight / crowd, rejected + 1
    return Earned(up, down, upheld, rejected)


def reputation(
    complaints: Iterable[JudgedComplaint],
    outcomes_by_target: Mapping[int, Sequence[Judgement]],
    reporters_by_target: Mapping[int, int],
    now_us: int,
) -> Reputation | None:
    """The reputation that a reporter's standing complaints have earned by `now_us`; None if none is decided.

    `reporters_by_target` counts the distinct reporters with a standing complaint about a target, including this one; a
    missing target has no others. Times are microseconds since 1970; a complaint later than `now_us` is not aged. Order
    is irrelevant. Raises ValueError for a count below 1 on a target that the reporter complained about.
    """
    e = earned(complaints, outcomes_by_target, reporters_by_target, now_us)
    if not e.upheld + e.rejected:
        return None
    a, b = PRIOR_UPHELD + e.up, PRIOR_REJECTED + e.down
    tail = (1 - CREDIBLE) / 2
    return Reputation(
        a / (a + b), float(beta.ppf(tail, a, b)), float(beta.ppf(1 - tail, a, b)), e.up + e.down, e.upheld, e.rejected
    )
