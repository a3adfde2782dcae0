"""Continue, merge and split stored clusters when their groups are recomputed. PURE.

Age alone never shrinks a cluster: members, targets and complaints that have left the window stay in it. A moderator's
decision continues to apply to the complaints it was made about, even in a part that splits off and in a cluster that
absorbs another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from service.model import Evidence
from service.moderation.cluster_identity import DetectedGroup, age, belongs_to, overlaps
from service.moderation.cluster_state import ClusterState, Membership
from service.moderation.score import coordination
from service.policy import Policy


def new_cluster(
    group: DetectedGroup,
    states: Mapping[str, ClusterState],
    present: Mapping[str, ClusterState],
    shared: Mapping[str, int],
    now_us: int,
    policy: Policy,
    new_id: Callable[[], str],
) -> ClusterState:
    """A new cluster: for a part that split off, or for a group seen for the first time.

    It has no score yet: cluster_scoring.scored() sets it.
    """
    split_from = max(
        shared, key=lambda i: (shared[i], [-x if isinstance(x, int) else x for x in age(present[i])]), default=None
    )
    earlier = None
    if split_from is None:
        left = {s.id: s for s in states.values() if s.id not in present and s.disposition != "merged"}
        gone = [left[i] for i in overlaps(group, left, policy.identity_overlap)]
        earlier = max(gone, key=lambda s: (s.last_us, s.id)).id if gone else None
    # The part inherits the decisions about the whole: the verdict on its complaints, and the excluded members.
    parent = present[split_from] if split_from else None
    decided, listed = (parent.memberships, parent.listed) if parent else ({}, {})
    excluded = parent.excluded & group.reporters if parent else frozenset()
    kept = {m.seq: _as_decided(m, decided) for m in group.memberships}
    return ClusterState(
        id=new_id(),
        kind=group.kind,
        disposition="flagged",
        status="open",
        members=group.reporters - excluded,
        excluded=excluded,
        memberships=kept,
        author_by_target=dict(group.author_by_target),
        evidence=group.evidence,
        score=0.0,
        probability=0.0,
        unfounded_probability=0.0,
        settle_with=(),
        summary="",
        policy_version=policy.version,
        version=1,
        found_us=max((m.time_us for m in group.memberships), default=now_us),
        split_from=split_from,
        earlier=earlier,
        listed={m.seq: _as_decided(m, listed) for m in group.listed},
    )


def returned_cluster(base: ClusterState, group: DetectedGroup) -> ClusterState:
    """The stored cluster with the complaints of its members who returned, and their targets; itself if it has them all.

    Members and evidence stay: a few complaints on new targets say nothing against what was measured when it was found.
    """
    mine = [m for m in group.memberships if m.reporter in base.members]
    kept = {**base.memberships, **{m.seq: _as_decided(m, base.memberships) for m in mine}}
    listed = dict(base.listed)
    listed.update({m.seq: _as_decided(m, base.listed) for m in group.listed if m.reporter in base.members})
    if (kept, listed) == (base.memberships, base.listed):
        return base
    authors = {m.target: group.author_by_target[m.target] for m in mine}
    return replace(base, memberships=kept, listed=listed, author_by_target={**base.author_by_target, **authors})


MEASURED_SHARE = 0.5  # of the members that evidence is about have to be those it was measured on


@dataclass(frozen=True, slots=True)
class _Aged:
    """The part of a cluster that lies outside the window, where it cannot be checked again."""

    members: frozenset[int]
    targets: frozenset[int]
    anything: bool  # a complaint has left the window, or was deleted


def continued_cluster(
    base: ClusterState, group: DetectedGroup, absorbed: Sequence[ClusterState], since_us: int
) -> ClusterState:
    """The stored cluster with the group's result, plus what has left the window and what was absorbed.

    `since_us` is the start of the window. The score is still the old one: cluster_scoring.scored() updates it.
    """
    sources = (*absorbed, base)  # where two hold the same complaint, the later one wins
    aged = _aged(sources, since_us)
    excluded = base.excluded.union(*(a.excluded for a in absorbed))
    were_members = base.members.union(*(a.members for a in absorbed))
    members = (group.reporters | (were_members & aged.members)) - excluded
    authors = {
        target: author
        for state in sources
        for target, author in state.author_by_target.items()
        if target in aged.targets or target in group.author_by_target
    } | dict(group.author_by_target)
    state = replace(
        base,
        members=members,
        excluded=excluded,
        memberships=_kept_memberships(sources, group, members | excluded, authors.keys()),
        author_by_target=authors,
        evidence=_lasting_evidence(base, group, members, aged),
        trimmed_us=_trimmed_span(sources),
        listed=_kept_listed(sources, group, members | excluded, since_us),
    )
    return _with_verdicts_of(state, base, absorbed)


def _aged(sources: Iterable[ClusterState], since_us: int) -> _Aged:
    """The parts of the clusters from before `since_us`, deleted complaints included."""
    left = [m for state in sources for m in state.memberships.values() if m.time_us < since_us]
    gone = [state.without_complaints() for state in sources]
    return _Aged(
        frozenset(m.reporter for m in left).union(*(members for members, _ in gone)),
        frozenset(m.target for m in left).union(*(targets for _, targets in gone)),
        bool(left) or any(state.trimmed_us is not None for state in sources),
    )


def _kept_memberships(
    sources: Iterable[ClusterState], group: DetectedGroup, people: Set[int], targets: Set[int]
) -> dict[int, Membership]:
    """The clusters' complaints by these people on these targets, and the group's, each with its verdict, by seq."""
    kept = {
        seq: m
        for state in sources
        for seq, m in state.memberships.items()
        if m.reporter in people and m.target in targets
    }
    for m in group.memberships:
        kept[m.seq] = _as_decided(m, kept)
    return kept


def _kept_listed(
    sources: Iterable[ClusterState], group: DetectedGroup, people: Set[int], since_us: int
) -> dict[int, Membership]:
    """What is part of the group's acts, and of these people's acts that have left the window, each with its verdict."""
    known = {seq: m for state in sources for seq, m in state.listed.items()}
    aged = {seq: m for seq, m in known.items() if m.time_us < since_us and m.reporter in people}
    return aged | {m.seq: _as_decided(m, known) for m in group.listed}


def _as_decided(membership: Membership, earlier: Mapping[int, Membership]) -> Membership:
    """The complaint with the verdict that was made about it earlier; without one if it is new."""
    known = earlier.get(membership.seq)
    return replace(membership, verdict=None if known is None else known.verdict)


def _lasting_evidence(base: ClusterState, group: DetectedGroup, members: Set[int], aged: _Aged) -> tuple[Evidence, ...]:
    """The group's evidence, or the cluster's where that was stronger and a part of it has left the window.

    The window then shows only a part of the cluster, and age alone must not lower a score. The cluster's evidence stays
    only if it was measured on MEASURED_SHARE of the present members: it says nothing about people who came later.
    """
    lowered_by_age = aged.anything and coordination(base.evidence) > coordination(group.evidence)
    measured_on_them = len(base.members & members) >= MEASURED_SHARE * len(members)
    return base.evidence if lowered_by_age and measured_on_them else group.evidence


def _trimmed_span(sources: Iterable[ClusterState]) -> tuple[int, int] | None:
    """Times of the first and last complaint that retention deleted; None if it deleted none."""
    spans = [state.trimmed_us for state in sources if state.trimmed_us is not None]
    return (min(first for first, _ in spans), max(last for _, last in spans)) if spans else None


def _with_verdicts_of(state: ClusterState, base: ClusterState, absorbed: Sequence[ClusterState]) -> ClusterState:
    """The merged cluster with the verdict of its parts; if their verdicts conflict, the case is open again."""
    verdicts = {s.verdict for s in (base, *absorbed) if s.verdict}
    if len(verdicts) > 1:
        return replace(state, status="open", verdict=None, decided_reporters=None, decided_targets=None)
    if not verdicts or base.verdict is not None:
        return state
    decided = next(a for a in absorbed if a.verdict)
    return replace(
        state,
        disposition=decided.disposition,
        status=decided.status,
        verdict=decided.verdict,
        decided_reporters=decided.decided_reporters,
        decided_targets=decided.decided_targets,
        revoked_us=decided.revoked_us,
        revoked_because=decided.revoked_because,
    )


def absorb_crowds(present: Mapping[str, ClusterState], changed: dict[str, ClusterState]) -> None:
    """Merge each crowd on one target into the group that it turned out to be part of; updates `changed`.

    A crowd that a moderator has decided about stays as it is.
    """
    groups = sorted((s for s in changed.values() if s.kind == "repeat"), key=age)
    for state in present.values():
        crowd = changed.get(state.id, state)
        if crowd.kind != "one_shot" or crowd.disposition == "merged" or crowd.verdict is not None:
            continue
        for group in groups:
            if belongs_to(crowd.members, crowd.author_by_target.keys(), group):
                changed[crowd.id] = replace(
                    crowd, disposition="merged", merged_into=group.id, version=state.version + 1
                )
                break
