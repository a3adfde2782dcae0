"""Restorations: targets that were removed while a cluster inflated their count, and what happened to them since. PURE.

The complaints that stood at the removal are counted with today's knowledge of clusters: how many had been filed by
then, and how many of those are independent. A target has a restoration if

    complaints >= threshold > independent        (the tenant's default_threshold)

A target with fewer complaints than the threshold was not removed by its count, and one with enough independent
complaints would have been removed anyway. Only the latest removal matters, also if a person removed the target, since
the person saw an inflated count. State:

    open      nobody has reviewed the removal since the cluster was found
    stands    since then a person or an appeal has upheld the complaints or removed the target (this may be the removal
              itself, if the cluster was known by then); the latest decision counts, an appeal before a person; open
              again if that decision is retracted
    restored  the latest action puts it back (restored, or kept on appeal)

A restoration is withdrawn once the count is no longer inflated, because its cluster was revoked or found reliable.
"Since" refers to both clocks: decided after the cluster's complaints, and received after the cluster was found, because
platforms may send decisions late.
Moderators see the most harmful first:

    harm = [1 if removed automatically] + (1 - independent / threshold) · (1 - independent / complaints)

Automatic removals come first, since no person has reviewed them; then those whose independent count was furthest below
the threshold and whose complaints were mostly discounted. 0 < harm < 2. A wrong "restored" costs a second review, a
wrong "stands" costs the author: in case of doubt the restoration stays open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from service.moderation.assessment import ClusterPart, TargetSummary, summarise
from service.moderation.cluster_discounts import parts_by_target
from service.moderation.cluster_state import ClusterState
from service.moderation.outcomes import Judgement, not_retracted

RestorationState = Literal["open", "restored", "stands"]
_RANK = {"automatic": 0, "person": 1, "appeal": 2}
_DECIMALS = 6


class Received(Judgement, Protocol):
    """An outcome with its place in the tenant's sequence."""

    @property
    def seq(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Restoration:
    """One removal that a cluster carried over the threshold."""

    target: int  # key
    state: RestorationState
    harm: float
    complaints: int  # that stood when it was removed
    independent: float
    threshold: int
    clusters: tuple[str, ...]  # those that discount, largest π first
    removal: str  # id of the outcome
    removed_us: int
    removed_by: str  # automatic | person | appeal
    opened_us: int  # wall clock
    opened_seq: int  # decisions with a later sequence number could take the clusters into account
    changed_us: int  # of its state, wall clock


@dataclass(frozen=True, slots=True)
class Inflation:
    """The make-up of the count when the target was removed."""

    complaints: int
    independent: float
    clusters: tuple[str, ...]
    found_us: int  # event time by which all of these clusters were found

    def carries(self, threshold: int) -> bool:
        """Whether the target reached the threshold only because of the clusters."""
        return self.complaints >= threshold > round(self.independent, _DECIMALS)


@dataclass(frozen=True, slots=True)
class Moment:
    """The time of a review: the tick's place in the tenant's sequence, and the wall clock."""

    since_seq: int  # everything up to here was known before this tick
    seq: int
    now_us: int


def latest_action(outcomes: Iterable[Judgement]) -> Judgement | None:
    """The platform's latest action on a target as a whole; None without any."""
    acts = [o for o in not_retracted(outcomes) if o.action is not None and o.complaint == 0]
    return max(acts, key=_order, default=None)


def latest_removal(outcomes: Iterable[Judgement]) -> Judgement | None:
    """The latest removal, whether or not it was undone since."""
    removals = [o for o in not_retracted(outcomes) if o.action == "removed" and o.complaint == 0]
    return max(removals, key=_order, default=None)


def _order(outcome: Judgement) -> tuple[int, int, str]:
    return outcome.decided_us, _RANK.get(outcome.decided_by, 0), outcome.id


def inflations(
    states: Iterable[ClusterState], removed_us: Mapping[int, int], complaints: Mapping[int, int]
) -> dict[int, Inflation]:
    """How clusters inflated the count of each target when it was removed.

    `removed_us` and `complaints` (standing at that time) are by target; a target that no cluster discounts is left out.
    """
    parts: dict[int, list[ClusterPart]] = {}
    found: dict[str, int] = {}
    for state in states:
        if state.disposition == "merged":
            continue
        found[state.id] = state.found_us
        then, listed = (
            {seq: m for seq, m in filed.items() if m.time_us <= removed_us.get(m.target, -1)}
            for filed in (state.memberships, state.listed)
        )
        if then or listed:
            for target, part in parts_by_target(replace(state, memberships=then, listed=listed)).items():
                parts.setdefault(target, []).append(part)
    return {
        target: inflation
        for target, mine in parts.items()
        if (inflation := _inflation(summarise(mine), complaints.get(target, 0), found)) is not None
    }


def _inflation(summary: TargetSummary, complaints: int, found: Mapping[str, int]) -> Inflation | None:
    discounting = sorted(
        (s for s in summary.clusters if s.discount_probability > 0), key=lambda s: (-s.discount_probability, s.id)
    )
    if not discounting or not complaints:
        return None
    independent = round(max(complaints - summary.discount, min(1.0, complaints)), _DECIMALS)
    return Inflation(complaints, independent, tuple(s.id for s in discounting), max(found[s.id] for s in discounting))


def review(
    target: int,
    before: Restoration | None,
    outcomes: Sequence[Received],
    inflation: Inflation | None,
    known: Iterable[str],
    *,
    threshold: int,
    at: Moment,
) -> Restoration | None:
    """The target's restoration now; None if it has none, or no longer has one.

    `before` is its previous state, `known` the ids of the clusters that existed before this review. Returns the same
    object if nothing changes.
    """
    latest = latest_action(outcomes)
    if latest is None:
        return None
    if latest.action != "removed":  # also if the removal was retracted: the content is back
        return None if before is None else _in_state(before, "restored", at)
    if inflation is None or not inflation.carries(threshold):
        return None
    same = before is not None and before.removal == latest.id
    since = _known_since(before, same, inflation, known, at)
    state: RestorationState = "stands" if _confirmed(outcomes, since, inflation.found_us) else "open"
    fresh = Restoration(
        target=target,
        state=state,
        harm=harm(inflation.complaints, inflation.independent, threshold, latest.decided_by),
        complaints=inflation.complaints,
        independent=inflation.independent,
        threshold=threshold,
        clusters=inflation.clusters,
        removal=latest.id,
        removed_us=latest.decided_us,
        removed_by=latest.decided_by,
        opened_us=at.now_us,
        opened_seq=since,
        changed_us=at.now_us,
    )
    if before is None or not same:
        return fresh
    after = replace(
        fresh,
        opened_us=before.opened_us,
        opened_seq=before.opened_seq,
        changed_us=before.changed_us if before.state == state else at.now_us,
    )
    return before if after == before else after


def _known_since(before: Restoration | None, same: bool, inflation: Inflation, known: Iterable[str], at: Moment) -> int:
    """The sequence number after which moderators could know that clusters had inflated the count."""
    if before is not None and (same or not set(before.clusters).isdisjoint(inflation.clusters)):
        return before.opened_seq
    return at.since_seq if not set(known).isdisjoint(inflation.clusters) else at.seq


def harm(complaints: int, independent: float, threshold: int, removed_by: str) -> float:
    """How urgent a review is (see above). Raises ValueError unless complaints >= 1 and threshold >= 1."""
    if complaints < 1 or threshold < 1:
        raise ValueError(f"complaints = {complaints} and threshold = {threshold}: both must be at least 1")
    short = max(0.0, 1 - independent / threshold) * max(0.0, 1 - independent / complaints)
    return round((removed_by == "automatic") + short, _DECIMALS)


def _confirmed(outcomes: Sequence[Received], since_seq: int, found_us: int) -> bool:
    """Whether the latest decision by people who could know of the cluster confirmed the removal."""
    words = [
        o
        for o in not_retracted(outcomes)
        if o.complaint == 0
        and o.decided_by in ("person", "appeal")
        and (o.verdict is not None or o.action is not None)
        and o.seq > since_seq
        and o.decided_us > found_us
    ]
    last = max(words, key=lambda o: (_RANK[o.decided_by], o.decided_us, o.id), default=None)
    return last is not None and (last.verdict == "upheld" or (last.verdict is None and last.action == "removed"))


def _in_state(before: Restoration, state: RestorationState, at: Moment) -> Restoration:
    return before if before.state == state else replace(before, state=state, changed_us=at.now_us)
