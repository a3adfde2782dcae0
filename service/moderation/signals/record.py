"""Members' records: how were their complaints about *other* targets judged?

A group whose members are usually right is less likely to be wrong now, and the other way round. A member's record
elsewhere (service/moderation/reputation.py: it decays, and complaints that many made count little) has one vote at
most, so that no single long history decides for all; the votes are put to the same two models as the verdicts about
the group's own targets.

Bounded by BOUND, below the FLAG_PRIOR with which an unreviewed group is shown: a record alone never clears a group.
Accounts that farmed a reputation have paid for less than one verdict about their own targets. PURE.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from service.model import Evidence
from service.moderation.outcomes import JudgedComplaint, Judgement, log_likelihood_ratio
from service.moderation.phrases import many
from service.moderation.reputation import earned
from service.moderation.signals.signal import Signal

NAME = "record"
BOUND = 1.5  # log-odds
USUAL = 0.4  # share rejected

SIGNAL = Signal(name=NAME, title="Members’ other complaints", question="unfounded", unit="share")


def record_evidence(
    complaints_by_member: Mapping[int, Iterable[JudgedComplaint]],
    own_targets: Iterable[int],
    outcomes_by_target: Mapping[int, Sequence[Judgement]],
    reporters_by_target: Mapping[int, int],
    now_us: int,
) -> Evidence | None:
    """What the members' judged complaints about targets that are not the group's say; None while there are none.

    `complaints_by_member` holds the standing complaints of each member on targets with outcomes; the other arguments
    are those of `reputation`. The value is the share rejected, by votes.
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
    ratio = max(-BOUND, min(BOUND, log_likelihood_ratio(up, down)))
    return Evidence(
        signal=NAME,
        value=down / (up + down) if up + down else 0.0,
        usual=USUAL,
        p_value=None,
        contribution=ratio,
        text=(
            f"On other targets, moderators upheld {upheld} and rejected {rejected} complaints by"
            f" {many(with_record, 'member')}; complaints that many others also made count little."
        ),
    )
