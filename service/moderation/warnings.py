"""Suggest that a person consider warning a reporter (DSA Art. 23(2)). PURE; it is never more than a suggestion.

Art. 23 is about *frequently* submitted, *manifestly unfounded* notices, assessed case by case by absolute numbers and
by proportion, and requires a warning before any suspension. So:

- Only people's decisions count: an outcome by a person or on appeal about the reporter's complaint or its target
  (service/moderation/track_record.verdict_on), or, without one, a moderator's decision that the complaint belongs to a
  brigade. Coordination found by the detector and automatic removals do not count.
- Absolute numbers and proportion: at least `warn_unfounded` complaints of the period count as unfounded, and they are
  at least `warn_share` of all that were reviewed or belong to a brigade. Honest readers, who are wrong in four of ten
  complaints, do not get there.
- A trusted flagger's complaints are left out: Art. 22(6) has another procedure for those.
- At most one suggestion for each reporter and period.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from service.moderation.outcomes import JudgedComplaint, Judgement
from service.moderation.track_record import verdict_on
from service.policy import Policy

SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Noticed:
    """A standing complaint of the reporter."""

    filed: JudgedComplaint
    trusted: bool
    brigade: str | None  # id of the cluster, decided to be a brigade, that the complaint belongs to


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The facts that speak for a warning."""

    unfounded: int  # complaints that count against the reporter, in the period: `by_outcome` and `by_decision`
    judged: int  # these, and those upheld
    by_outcome: int  # of the unfounded: rejected by a person or on appeal
    by_decision: int  # of the unfounded: without an outcome, but in a cluster that a moderator decided to be a brigade
    period_seconds: int
    clusters: tuple[str, ...]

    @property
    def reviewed(self) -> int:
        """Complaints that a person upheld or rejected; those decided only as part of a group were not reviewed."""
        return self.judged - self.by_decision

    @property
    def share(self) -> float:
        """The share of the judged complaints that counts against the reporter."""
        return round(self.unfounded / self.judged, 6)


def suggest(
    complaints: Iterable[Noticed],
    outcomes_by_target: Mapping[int, Sequence[Judgement]],
    policy: Policy,
    *,
    now_us: int,
    warned_us: int | None = None,
) -> Suggestion | None:
    """The suggestion to warn the reporter of these complaints; None if there is no reason to.

    Complaints of the last `warn_period_seconds` before `now_us` (the tenant's watermark) count. There is no second
    suggestion within a period (`warned_us` is the time of the last one).
    """
    since_us = now_us - policy.warn_period_seconds * SECOND_US
    if warned_us is not None and warned_us > since_us:
        return None
    by_outcome = by_decision = founded = 0
    clusters: dict[str, None] = {}
    for complaint in complaints:
        if complaint.trusted or complaint.filed.time_us < since_us:
            continue
        verdict = verdict_on(complaint.filed, outcomes_by_target.get(complaint.filed.target, ()))
        if verdict == "upheld":
            founded += 1
        elif verdict == "rejected":
            by_outcome += 1
        elif complaint.brigade is not None:
            by_decision += 1
            clusters[complaint.brigade] = None
    unfounded = by_outcome + by_decision
    judged = unfounded + founded
    if unfounded < policy.warn_unfounded or unfounded < policy.warn_share * judged:
        return None
    return Suggestion(unfounded, judged, by_outcome, by_decision, policy.warn_period_seconds, tuple(sorted(clusters)))


def letter(suggestion: Suggestion) -> str:
    """A draft that a person may send to the reporter: the facts, the consequences, how to object.

    Art. 23(2), (4) DSA. What was decided about a whole group is not said to have been reviewed.
    """
    return (
        f"Hello,\n\n{_facts(suggestion)} Reports help most when they are about content that breaks our rules.\n\n"
        f"Please report only such content{', on your own judgement' if suggestion.by_decision else ''}. If this goes"
        " on, we may stop processing reports from your account for a limited time. Our terms of service say when and"
        " for how long.\n\nIf you think that we are wrong, reply to this message and a person will look at your"
        " reports.\n"
    )


def _facts(suggestion: Suggestion) -> str:
    days, together = suggestion.period_seconds // 86_400, suggestion.by_decision
    one_by_one = "This was decided about the group as a whole, not about each report."
    if not suggestion.reviewed:
        return (
            f"in the last {days} days {together:,} of your reports {_were(together)} part of a group that our"
            f" moderators found to be coordinated. {one_by_one}"
        )
    reviewed = (
        f"in the last {days} days our moderators reviewed {suggestion.reviewed:,} of your reports and found"
        f" {suggestion.by_outcome:,} of them unfounded"
    )
    if suggestion.by_outcome:
        reviewed += ": the content you reported did not break our rules"
    if not together:
        return f"{reviewed}."
    return (
        f"{reviewed}. {together:,} more {_were(together)} part of a group that our moderators found to be coordinated."
        f" {one_by_one}"
    )


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
