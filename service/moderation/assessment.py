"""How many people complained about a target independently, and what that recommends.

    n_eff(v) = Σ_i 1 / (1 + π_C(i) · (n_C,v - 1))

over the standing complaints i of target v, where C(i) is the cluster of i's reporter and n_C,v the number of
standing complaints that the members of C have on v. Outside clusters π is 0, so an organic complaint counts 1;
a certain cluster (π = 1) counts 1 altogether. An account in several clusters on one target is counted in the one with
the largest π (ties: the smaller id). A complaint by a trusted flagger or a notice of illegal content always counts
1 and is not part of any n_C,v: it is not discounted, and does not increase the discount of others.

The discount, which depends on clusters, is stored apart from the total, so that totals can be updated at once while
memberships wait for the next tick. Bounds: min(1, complaints) <= n_eff <= complaints.
Unless clusters overlap, another member or a larger π never raises n_eff. Where they overlap, a larger π may move an
account out of a larger cluster, and so raise n_eff.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from service.model import Disposition
from service.moderation.target_assessment import Assessment, ClusterOnTarget, Recommendation

_DECIMALS = 6  # of the independent count, before it is compared with a threshold
# how soon to ask again: half a tick of the clock later, and so much later with a backlog
USUAL_RETRY_MS, LONGEST_RETRY_MS, ITEMS_PER_MS = 250, 5_000, 5


@dataclass(frozen=True, slots=True)
class ClusterPart:
    """One cluster's standing complaints about one target."""

    id: str
    probability: float
    unfounded_probability: float
    discount_probability: float  # π, see discount_probability()
    flagged: bool
    reporters: Collection[int]  # members whose complaint on the target stands and may be discounted
    exempt: int = 0  # standing complaints of members that are trusted flaggers or illegal-content notices


@dataclass(frozen=True, slots=True)
class ClusterShare:
    """The part of a ClusterPart that is stored for assessments."""

    id: str
    complaints: int  # standing complaints of its members, exempt ones included
    probability: float
    unfounded_probability: float
    discount_probability: float
    flagged: bool


@dataclass(frozen=True, slots=True)
class TargetSummary:
    """The discounts of all clusters on one target; with the total of complaints they give the assessment."""

    clusters: tuple[ClusterShare, ...] = ()
    discount: float = 0.0  # complaints - independent complaints
    discount_without: Mapping[str, float] = field(default_factory=dict)  # the discount if this cluster did not exist


NO_CLUSTERS = TargetSummary()


@dataclass(frozen=True, slots=True)
class TargetStanding:
    """How a target stands: what is analysed, and what is not yet. Zeros for an unknown target."""

    complaints: int  # analysed and standing
    summary: TargetSummary
    # Upper bounds of what was accepted and is not analysed yet: all complaints, and those by members of groups whose
    # complaints are discounted
    unseen: int = 0
    unseen_by_known: int = 0
    trusted_notices: int | None = 0  # of the complaints; None: not counted yet


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far the analysis behind an answer has come."""

    as_of: datetime
    pending: bool  # something that the question asked for is not analysed yet
    backlog: int = 0  # items that are not analysed yet


def discount_probability(
    disposition: Disposition, verdict: str | None, probability: float, unfounded_probability: float
) -> float:
    """π of a cluster: the probability that it is coordinated and its complaints are unfounded.

    A person's verdict ("coordinated", "not_coordinated") outranks the figures; a merged cluster counts through
    its survivor alone.
    """
    if disposition == "merged":
        return 0.0
    if verdict is not None:
        return 1.0 if verdict == "coordinated" else 0.0
    return probability * unfounded_probability if disposition in ("flagged", "held_back") else 0.0


def summarise(parts: Iterable[ClusterPart]) -> TargetSummary:
    """Sum up the clusters on one target; the order of the parts is irrelevant.

    Clusters without a standing complaint about the target are left out.
    """
    present = sorted((part for part in parts if len(part.reporters) + part.exempt), key=lambda part: part.id)
    if not present:
        return NO_CLUSTERS
    return TargetSummary(
        clusters=tuple(
            ClusterShare(
                part.id,
                len(set(part.reporters)) + part.exempt,
                part.probability,
                part.unfounded_probability,
                part.discount_probability,
                part.flagged,
            )
            for part in present
        ),
        discount=_discount(present),
        discount_without={part.id: _discount([other for other in present if other.id != part.id]) for part in present},
    )


def independent_count(complaints: int, discount: float) -> float:
    """The independent count, rounded to six decimals.

    The discount may be a tick older than the total, hence the bounds: where there are complaints, at least one counts.
    """
    return round(min(float(complaints), max(complaints - discount, min(1.0, complaints))), _DECIMALS)


def recommend(
    complaints: int, independent: float, threshold: int, *, flagged: bool, unseen: int = 0, unseen_by_known: int = 0
) -> Recommendation:
    """The recommendation at a removal threshold of `threshold` complaints.

    `unseen` complaints are not analysed yet. wait: the threshold is reached only with these, or some of them are by
    members of groups whose complaints are discounted. hold: the threshold is reached only because of a group. review:
    enough people complained independently, but a flagged cluster is on the target. none: decide as usual.
    """
    if complaints + unseen < threshold:
        return "none"
    if unseen_by_known:
        return "wait"
    independent = round(independent, _DECIMALS)
    if independent >= threshold:
        return "review" if flagged else "none"
    return "wait" if independent + unseen >= threshold else "hold"


def retry_after_ms(backlog: int) -> int:
    """In how many milliseconds to ask again after the answer `wait`, with so many items to be analysed."""
    return min(LONGEST_RETRY_MS, USUAL_RETRY_MS + backlog // ITEMS_PER_MS)


def assess(
    target_id: str,
    standing: TargetStanding,
    fresh: Freshness,
    *,
    threshold: int,
    counted: int = 0,
    may_wait: bool = False,
) -> Assessment:
    """The answer to the question before a removal.

    `counted` is the platform's own count of complaints: what it exceeds ours by is treated as complaints that are not
    analysed yet. `may_wait`: the caller knows the recommendation `wait`; without it the answer is `hold`.
    """
    complaints, summary = standing.complaints, standing.summary
    unseen = max(standing.unseen, counted - complaints)
    independent = independent_count(complaints, summary.discount)
    recommendation = recommend(
        complaints,
        independent,
        threshold,
        flagged=any(share.flagged for share in summary.clusters),
        unseen=unseen,
        unseen_by_known=standing.unseen_by_known,
    )
    waits = recommendation == "wait"
    return Assessment(
        target_id=target_id,
        complaints=complaints,
        trusted_notices=_at_most(standing.trusted_notices, complaints),
        unseen=standing.unseen,
        independent_complaints=independent,
        coordinated_probability=max((share.discount_probability for share in summary.clusters), default=0.0),
        recommendation="hold" if waits and not may_wait else recommendation,
        retry_after_ms=retry_after_ms(fresh.backlog) if waits and may_wait else None,
        clusters=[
            ClusterOnTarget(
                id=share.id,
                complaints=share.complaints,
                probability=share.probability,
                unfounded_probability=share.unfounded_probability,
            )
            for share in summary.clusters
        ],
        without_clusters={
            cluster: independent_count(complaints, discount) for cluster, discount in summary.discount_without.items()
        },
        as_of=fresh.as_of,
        pending=fresh.pending or waits,
    )


def _at_most(notices: int | None, complaints: int) -> int | None:
    """The notices among the complaints: they are counted in the archive, which may be a moment ahead."""
    return 0 if complaints == 0 else None if notices is None else min(notices, complaints)


def _discount(parts: Iterable[ClusterPart]) -> float:
    """Σ (1 - 1 / (1 + π (n - 1))) over the members, each in its cluster of the largest π."""
    weakest_first = sorted(parts, key=lambda part: part.id, reverse=True)
    weakest_first.sort(key=lambda part: part.discount_probability)
    cluster_of: dict[int, int] = {}
    for index, part in enumerate(weakest_first):
        for reporter in part.reporters:
            cluster_of[reporter] = index
    members = [0] * len(weakest_first)
    for index in cluster_of.values():
        members[index] += 1
    discount = 0.0
    for index, part in enumerate(weakest_first):
        weight = 1 / (1 + part.discount_probability * (len(set(part.reporters)) - 1)) if members[index] else 1.0
        discount += members[index] * (1 - weight)
    return discount
