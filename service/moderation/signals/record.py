"""Members' records: the verdicts on their complaints about *other* targets.

A group whose members are usually right is less likely to be wrong now, and vice versa. A member's record elsewhere
(service/moderation/reputation.py: it decays, and complaints that many others made count little) has at most one vote,
so that a single long history does not decide for all. The votes are weighed by the same two models as the verdicts on
the group's own targets.
The contribution is bounded by BOUND, which is below score.BENEFIT: a record alone clears no group in a tenant whose
prior is even, and farming a reputation gains less than one verdict on the group's own targets. PURE.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from service.model import Evidence
from service.moderation.outcomes import JudgedComplaint, Judgement, log_likelihood_ratio
from service.moderation.phrases import plural
from service.moderation.reputation import earned
from service.moderation.signals.signal import Signal

NAME = "record"
WEIGHT = 0.3  # bench/fit_weights.py, as those in service.policy.Weights
BOUND = 1.5  # log-odds

SIGNAL = Signal(name=NAME, title="Members’ other complaints", question="unfounded", unit="share")


def record_evidence(
    complaints_by_member: Mapping[int, Iterable[JudgedComplaint]],
    own_targets: Iterable[int],
    outcomes_by_target: Mapping[int, Sequence[Judgement]],
    reporters_by_target: Mapping[int, int],
    now_us: int,
    usual_upheld: float,
) -> Evidence | None:
    """The evidence from verdicts on the members' complaints about other targets; None without any.

    `complaints_by_member` holds the standing complaints of each member on targets with outcomes; the other arguments
    are those of `reputation`, and the share of the judged targets that the tenant upholds. The value is the share
    rejected, by votes.
    """
    own = set(own_targets)
    up = down = 0.0
    upheld = rejected = with_record = 0
    for complaints in complaints_by_member.values():
        e = earned((c for c in complaints if c.target not in own), outcomes_by_target, reporters_by_target, now_us)
        if not e.upheld + e.rejected:
            continue
        vote = max(1.0, e.up + e.down)
        up, down, upheld, rejected, with_record = (
            up + e.up / vote,
            down + e.down / vote,
            upheld + e.upheld,
            rejected + e.rejected,
            with_record + 1,
        )
    if not with_record:
        return None
    ratio = max(-BOUND, min(BOUND, WEIGHT * log_likelihood_ratio(up, down, usual_upheld)))
    return Evidence(
        signal=NAME,
        value=down / (up + down) if up + down else 0.0,
        usual=1 - usual_upheld,
        p_value=None,
        contribution=ratio,
        text=(
            f"On other targets, moderators upheld {upheld} and rejected {rejected} complaints by"
            f" {plural(with_record, 'member')}; complaints that many others also made count little."
        ),
    )
