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


def recommend(complaints: int, independent: float, threshold: int, *, flagged: bool) -> Recommendation:
    """The recommendation at a removal threshold of `threshold` complaints.

    hold: the threshold is reached only because of a group. review: enough people complained independently, but a
    flagged cluster is on the target. none: decide as usual.
    """
    if complaints < threshold:
        return "none"
    if round(independent, _DECIMALS) < threshold:
        return "hold"
    return "review" if flagged else "none"


def assess(
    target_id: str, complaints: int, summary: TargetSummary, *, threshold: int, as_of: datetime, pending: bool
) -> Assessment:
    """The answer to the question before a removal."""
    independent = independent_count(complaints, summary.discount)
    return Assessment(
        target_id=target_id,
        complaints=complaints,
        independent_complaints=independent,
        coordinated_probability=max((share.discount_probability for share in summary.clusters), default=0.0),
        recommendation=recommend(
            complaints, independent, threshold, flagged=any(share.flagged for share in summary.clusters)
        ),
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
        as_of=as_of,
        pending=pending,
    )


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
