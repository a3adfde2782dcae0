"""Update the stored clusters by the result of a tick or a sweep. PURE.

For each group that detection found: match it with a cluster (cluster_identity.py), continue, merge or split that
cluster (cluster_continuation.py), score it (cluster_scoring.py), and check the day's quota of new flags (quota.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from service.model import Disposition
from service.moderation import quota
from service.moderation.cluster_continuation import absorb_crowds, continued_cluster, new_cluster, returned_cluster
from service.moderation.cluster_discounts import discounts_members
from service.moderation.cluster_identity import (
    DetectedGroup,
    is_part_of_known_group,
    overlaps,
    owners,
    returned,
    survivor_of,
)
from service.moderation.cluster_scoring import reopened, scored, unseen
from service.moderation.cluster_state import ClusterState
from service.moderation.outcomes import Judgement
from service.moderation.usual import Usual
from service.policy import Policy


@dataclass(frozen=True, slots=True)
class Recomputation:
    """What a tick or a sweep found."""

    groups: Sequence[DetectedGroup]
    outcomes: Mapping[int, Sequence[Judgement]]  # by target, those known by now
    since_us: int  # start of the window
    now_us: int  # the watermark
    complete: bool  # a sweep: groups it does not find are gone, and held back clusters may be released
    usual: Usual  # in the tenant
    # groups unchanged since they were last reconciled
    settled: frozenset[DetectedGroup] = frozenset()
    # of clusters by id, where the caller keeps it: it takes all of a cluster's complaints to tell
    last_us: Mapping[str, int] = field(default_factory=dict)

    def is_in_window(self, state: ClusterState) -> bool:
        """Whether a counted complaint of the cluster lies in the window."""
        last_us = self.last_us.get(state.id)
        return (state.last_us if last_us is None else last_us) >= self.since_us


def reconcile(
    states: Mapping[str, ClusterState], found: Recomputation, policy: Policy, new_id: Callable[[], str]
) -> dict[str, ClusterState]:
    """The clusters that change, in their new state.

    `states` is not modified. The order of groups and states is irrelevant: new clusters get their ids from `new_id` by
    size, largest first.
    """
    present = {s.id: s for s in states.values() if s.disposition != "merged" and found.is_in_window(s)}
    groups = sorted(
        (g for g in found.groups if g.continues is None), key=lambda g: (-len(g.reporters), min(g.reporters, default=0))
    )
    shared = [overlaps(g, present, policy.identity_overlap) for g in groups]
    left = [s for s in states.values() if s.id not in present and discounts_members(s)]
    for k, group in enumerate(groups):
        if group not in found.settled and (back := returned(group, left, policy.identity_overlap)):
            shared[k].update(back)
            present.update((i, states[i]) for i in back)
    owner = owners(groups, shared)
    changed: dict[str, ClusterState] = {}
    seen: set[str] = set()
    for k, group in enumerate(groups):
        if group.kind == "one_shot" and is_part_of_known_group(group, states):
            continue
        survivor, absorbed = survivor_of(k, shared[k], owner, present)
        seen.update(absorbed)
        if not absorbed and group in found.settled:
            seen.update([survivor] if survivor else [])
            continue
        base = changed.get(survivor, present[survivor]) if survivor else None
        if base is None:
            if _left_the_window(group, found):
                continue  # detection still has its complaints, but nothing is new
            state = new_cluster(group, states, present, shared[k], found.now_us, policy, new_id)
        else:
            seen.add(base.id)
            state = continued_cluster(base, group, [present[a] for a in absorbed], found.since_us)
            changed.update({loser: _merged(present[loser], base.id) for loser in absorbed})
        state = scored(state, found.outcomes, policy, usual=found.usual, since_us=found.since_us, now_us=found.now_us)
        if base is None and state.disposition == "revoked":
            continue  # never stored as a cluster
        if base is None or base != state:
            changed[state.id] = reopened(base, state, policy)
    _take_back(states, changed, found, policy)
    absorb_crowds(present, changed)
    if found.complete:
        _revoke_unseen(present, seen, changed, found)
    return _within_quota(states, changed, found, policy)


def _take_back(
    states: Mapping[str, ClusterState], changed: dict[str, ClusterState], found: Recomputation, policy: Policy
) -> None:
    """Put into `changed` the clusters whose members returned to complain together."""
    for group in sorted((g for g in found.groups if g.continues is not None), key=lambda g: str(g.continues)):
        identity = group.continues
        while identity is not None:  # to the cluster that it was merged into
            base = changed.get(identity) or states.get(identity)
            identity = base.merged_into if base is not None and base.disposition == "merged" else None
        if group in found.settled or base is None or not discounts_members(base):
            continue
        state = returned_cluster(base, group)
        if state is base:
            continue
        if state.trimmed_us is None:  # otherwise it was scored by complaints that are deleted by now
            state = scored(
                state, found.outcomes, policy, usual=found.usual, since_us=found.since_us, now_us=found.now_us
            )
        changed[state.id] = reopened(base, state, policy)


def _left_the_window(group: DetectedGroup, found: Recomputation) -> bool:
    return max((m.time_us for m in group.memberships), default=found.since_us) < found.since_us


def _merged(state: ClusterState, into: str) -> ClusterState:
    return replace(state, disposition="merged", merged_into=into, version=state.version + 1)


def _revoke_unseen(
    present: Mapping[str, ClusterState], seen: set[str], changed: dict[str, ClusterState], found: Recomputation
) -> None:
    """Put into `changed` the clusters that a sweep of the whole window no longer finds, revoked."""
    for state in present.values():
        if state.id not in seen and state.id not in changed and state.disposition != "revoked":
            gone = unseen(state, since_us=found.since_us, now_us=found.now_us)
            if gone is not None:
                changed[state.id] = gone


def _within_quota(
    states: Mapping[str, ClusterState], changed: dict[str, ClusterState], found: Recomputation, policy: Policy
) -> dict[str, ClusterState]:
    """Hold back new flags beyond the day's quota; a sweep releases those that fit meanwhile."""
    waiting = [s for s in changed.values() if s.disposition == "flagged" and s.id not in states]
    if found.complete:
        waiting += [
            changed.get(s.id, s)
            for s in states.values()
            if s.disposition == "held_back" and changed.get(s.id, s).disposition == "held_back" and s.verdict is None
        ]
    candidates = [quota.Candidate(s.id, quota.day_of(s.found_us), s.score) for s in waiting]
    if not candidates:
        return changed
    # A cluster that was flagged once has used its day's quota, even if it was revoked or merged later.
    used = Counter(quota.day_of(s.found_us) for s in states.values() if s.disposition != "held_back")
    admitted = quota.admit(candidates, used, policy.flags_per_day)
    for state in waiting:
        disposition: Disposition = "flagged" if state.id in admitted else "held_back"
        if disposition != state.disposition:
            changed[state.id] = replace(
                state, disposition=disposition, version=state.version if state.id not in states else state.version + 1
            )
    return changed
