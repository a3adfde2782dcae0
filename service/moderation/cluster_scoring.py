"""Update a cluster's score, disposition and version by the evidence and outcomes known now, or revoke it. PURE.

A moderator's decision outranks every score. Age alone never lowers or revokes a cluster.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace

from service.model import Disposition
from service.moderation.cluster_state import ClusterState
from service.moderation.outcomes import JudgedComplaint, Judgement, tally
from service.moderation.score import judge
from service.moderation.signals import one_author
from service.moderation.summary import summarise
from service.moderation.target_prioritisation import settle_with
from service.moderation.usual import Usual
from service.policy import Policy

# `revoked_because` of a cluster that its score revoked: the one revocation that outcomes undo
EVIDENCE_GONE = "the evidence no longer supports a group"
# the same as stored by 0.1
_LOST_ITS_EVIDENCE = (EVIDENCE_GONE, "what is known now no longer speaks for a group")


def scored(
    state: ClusterState,
    outcomes: Mapping[int, Sequence[Judgement]],
    policy: Policy,
    *,
    usual: Usual,
    since_us: int,
    now_us: int,
) -> ClusterState:
    """The cluster with the score, disposition and summary that follow from its evidence and the outcomes.

    A moderator's decision is never overturned, and age alone revokes nothing: a cluster that reaches back before
    `since_us`, the start of the window, keeps its disposition. A revocation is dated `now_us`.
    """
    counted = state.counted
    filed = [JudgedComplaint(m.seq, m.target, m.time_us) for m in counted]
    reviewed = tally(filed, outcomes)
    verdict = judge(
        one_author.recounted(state.evidence, state.author_by_target.values()),
        reviewed,
        len(state.author_by_target),
        usual=usual,
        flag_score=policy.flag_score,
    )
    disposition: Disposition = verdict.disposition
    if state.verdict is not None:
        disposition = state.disposition  # a moderator decided
    elif disposition == "flagged" and state.disposition == "held_back":
        disposition = "held_back"
    elif disposition == "revoked" and state.reaches_before(since_us):
        disposition = state.disposition  # age alone revokes nothing
    revoked = disposition == "revoked" and state.disposition != "revoked"
    return replace(
        state,
        disposition=disposition,
        score=verdict.score,
        probability=verdict.probability,
        unfounded_probability=verdict.unfounded_probability,
        evidence=verdict.evidence,
        settle_with=(
            settle_with(filed, outcomes, reviewed, verdict.unfounded_probability, usual.upheld)
            if disposition in ("flagged", "held_back")
            else ()
        ),
        policy_version=policy.version,
        summary=summarise(
            len(state.members),
            len(state.author_by_target),
            None if state.trimmed_us is not None else list(Counter(m.reporter for m in counted).values()),
            verdict.evidence,
            reviewed,
            acting_together=disposition != "revoked",
        ),
        revoked_us=now_us if revoked else (state.revoked_us if disposition == "revoked" else None),
        revoked_because=EVIDENCE_GONE if revoked else (state.revoked_because if disposition == "revoked" else None),
    )


def is_below_score(state: ClusterState) -> bool:
    """Whether the cluster's score alone revoked it: not a sweep that no longer finds it, nor withdrawals."""
    return state.disposition == "revoked" and state.revoked_because in _LOST_ITS_EVIDENCE


def versioned(before: ClusterState, after: ClusterState) -> ClusterState:
    """The version rises with membership, disposition, status or decision, not with a changed score alone."""
    same = (
        before.members,
        before.author_by_target.keys(),
        before.disposition,
        before.status,
        before.verdict,
        before.merged_into,
    ) == (
        after.members,
        after.author_by_target.keys(),
        after.disposition,
        after.status,
        after.verdict,
        after.merged_into,
    )
    return after if same else replace(after, version=before.version + 1)


def reopened(before: ClusterState | None, after: ClusterState, policy: Policy) -> ClusterState:
    """Reopen a decided cluster that has grown; the verdict still applies to the complaints it was made about."""
    if before is None:
        return after
    if after.status == "decided" and after.decided_reporters is not None:
        # Counted one by one, since members may have been dropped meanwhile.
        new_targets = len(
            after.author_by_target.keys() - {m.target for m in after.memberships.values() if m.verdict is not None}
        )
        grown = (
            len(after.members) > after.decided_reporters
            and len(after.members) >= (1 + policy.reopen_growth) * after.decided_reporters
        )
        if new_targets >= policy.reopen_new_targets or grown:
            after = replace(after, status="open", summary=f"Has grown since the decision: {after.summary}")
    return versioned(before, after)


def unseen(state: ClusterState, *, since_us: int, now_us: int) -> ClusterState | None:
    """Revoke a cluster that a sweep no longer finds, unless it is decided or reaches back before the window."""
    if state.verdict is not None or state.reaches_before(since_us):
        return None
    return replace(
        state,
        disposition="revoked",
        revoked_us=now_us,
        revoked_because="a sweep of the whole window no longer finds the group",
        version=state.version + 1,
    )


def rescore(
    state: ClusterState,
    outcomes: Mapping[int, Sequence[Judgement]],
    now_us: int,
    policy: Policy,
    usual: Usual,
    withdrawn: Iterable[int] = (),
) -> ClusterState:
    """The cluster after outcomes or withdrawals, in the window or not; the same object if nothing changes.

    `outcomes` holds all known outcomes by target; `withdrawn` holds seqs of complaints, which may belong to other
    clusters.
    """
    gone = set(withdrawn)
    after = _without_withdrawn(state, gone & state.memberships.keys())
    shrank = after is not state
    if not gone.isdisjoint(state.listed):
        after = replace(after, listed={seq: m for seq, m in state.listed.items() if seq not in gone})
    if shrank and state.verdict is None and _too_small(after, policy):
        return replace(
            after,
            disposition="revoked",
            revoked_us=now_us,
            revoked_because="so many complaints were withdrawn that no group is left",
            version=state.version + 1,
        )
    if state.trimmed_us is not None and not after.counted:
        # no complaint is left to score it by: keep the earlier result
        return versioned(state, after) if state != after else state
    after = scored(after, outcomes, policy, usual=usual, since_us=0, now_us=now_us)
    if state.disposition == "revoked" and state.verdict is None and not is_below_score(state):
        # The group is no longer found, or too small: an outcome does not bring it back, only detection does.
        after = replace(
            after,
            disposition="revoked",
            revoked_us=state.revoked_us,
            revoked_because=state.revoked_because,
            settle_with=(),
        )
    return versioned(state, after) if state != after else state


def rescore_all(
    clusters: Iterable[ClusterState],
    outcomes: Mapping[int, Sequence[Judgement]],
    now_us: int,
    policy: Policy,
    usual: Usual,
) -> dict[str, ClusterState]:
    """All clusters by id, by what is usual now; unchanged ones and merged ones are the same objects."""
    return {
        cluster.id: cluster if cluster.disposition == "merged" else rescore(cluster, outcomes, now_us, policy, usual)
        for cluster in clusters
    }


def _without_withdrawn(state: ClusterState, withdrawn: Set[int]) -> ClusterState:
    """The cluster without these complaints (its own, by seq) and without members and targets that have none left."""
    if not withdrawn:
        return state
    left = {seq: m for seq, m in state.memberships.items() if seq not in withdrawn}
    deleted_members, deleted_targets = state.without_complaints()
    members = (frozenset(m.reporter for m in left.values()) & state.members) | deleted_members
    targets = {m.target for m in left.values() if m.reporter in members} | deleted_targets
    return replace(
        state,
        memberships=left,
        members=members,
        author_by_target={t: a for t, a in state.author_by_target.items() if t in targets},
    )


def _too_small(state: ClusterState, policy: Policy) -> bool:
    """Whether too few members or targets are left for a group of its kind."""
    least_targets = 1 if state.kind == "one_shot" else 2
    return len(state.members) < policy.min_members or len(state.author_by_target) < least_targets
