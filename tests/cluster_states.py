"""A cluster's state with the fields that a test does not speak of filled in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from service.model import Disposition, Evidence, Status
from service.moderation.cluster_state import ClusterState, Membership, StandingVerdict


def cluster_state(
    identity: str = "k1",
    memberships: Iterable[Membership] = (),
    *,
    members: Iterable[int] | None = None,
    author_by_target: Mapping[int, int] | None = None,
    disposition: Disposition = "flagged",
    status: Status = "open",
    verdict: StandingVerdict | None = None,
    evidence: tuple[Evidence, ...] = (),
    score: float = 4.0,
    probability: float = 0.9,
    unfounded_probability: float = 0.5,
    settle_with: tuple[int, ...] = (),
    summary: str = "",
    found_us: int = 0,
) -> ClusterState:
    """A flagged, open repeat cluster that nobody has decided on or excluded anybody from.

    Without `members` and `author_by_target`, they are the reporters and the targets of `memberships`, the latter by
    unknown authors. Fields that are not named here are set by `dataclasses.replace`.
    """
    by_seq = {m.seq: m for m in memberships}
    if members is None:
        members = (m.reporter for m in by_seq.values())
    if author_by_target is None:
        author_by_target = {m.target: 0 for m in by_seq.values()}
    return ClusterState(
        id=identity,
        kind="repeat",
        disposition=disposition,
        status=status,
        members=frozenset(members),
        excluded=frozenset(),
        memberships=by_seq,
        author_by_target=author_by_target,
        evidence=evidence,
        score=score,
        probability=probability,
        unfounded_probability=unfounded_probability,
        settle_with=settle_with,
        summary=summary,
        policy_version="test",
        version=1,
        found_us=found_us,
        verdict=verdict,
    )
