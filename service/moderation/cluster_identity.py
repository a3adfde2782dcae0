"""Which stored cluster is a recomputed group? Identity, merge, split, revocation and growth since a decision. PURE.

The rules are the contract's (Identity; A decision outranks the detector): a group keeps the id of the stored
cluster with which it shares most members; age alone never shrinks, lowers or revokes a cluster; a person's
decision is never overturned by a recomputation.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from service.model import Disposition, Evidence, Kind, Status
from service.moderation import outcomes as judged
from service.moderation import quota
from service.moderation.assessment import ClusterPart, TargetSummary, discount_probability
from service.moderation.assessment import summarise as summarise_target
from service.moderation.outcomes import JudgedComplaint, Judgement
from service.moderation.score import coordination, judge, summarise
from service.moderation.target_prioritisation import settle_with
from service.policy import Policy

StandingVerdict = Literal["coordinated", "not_coordinated"]
# revoked by its score: the one revocation that outcomes undo
NOT_SPOKEN_FOR = "what is known now no longer speaks for a group"


@dataclass(frozen=True, slots=True)
class Membership:
    """A member's standing complaint on a target of the cluster."""

    seq: int
    reporter: int
    target: int
    time_us: int
    exempt: bool  # trusted reporter or illegal-content notice: never discounted
    verdict: StandingVerdict | None = None  # the decision that was made about this complaint


class DetectedGroup(Protocol):
    """A group as detection gives it, in microseconds (workers.detection.detector.Group, read by the caller)."""

    @property
    def kind(self) -> Kind: ...
    @property
    def reporters(self) -> frozenset[int]: ...
    @property
    def memberships(self) -> tuple[Membership, ...]: ...
    @property
    def evidence(self) -> tuple[Evidence, ...]: ...
    @property
    def author_by_target(self) -> Mapping[int, int]: ...


@dataclass(frozen=True, slots=True)
class ClusterState:
    """A cluster as it is kept. Reporters and targets are keys (service.storage.sql.hashing)."""

    id: str
    kind: Kind
    disposition: Disposition
    status: Status
    members: frozenset[int]  # without the excluded
    excluded: frozenset[int]
    memberships: Mapping[int, Membership]  # by seq, of members and of the excluded
    author_by_target: Mapping[int, int]  # the targets, with the author's key (0 unknown)
    evidence: tuple[Evidence, ...]
    score: float
    probability: float
    unfounded_probability: float
    settle_with: tuple[int, ...]
    summary: str
    policy_version: str
    version: int
    found_us: int  # last_at when first found: the quota's day
    verdict: StandingVerdict | None = None
    decided_reporters: int | None = None
    decided_targets: int | None = None
    merged_into: str | None = None
    split_from: str | None = None
    earlier: str | None = None
    revoked_us: int | None = None
    revoked_because: str | None = None
    trimmed_us: tuple[int, int] | None = None  # (first, last) of its complaints that retention deleted

    @property
    def counted(self) -> list[Membership]:
        """The complaints of members that are not excluded."""
        return [m for m in self.memberships.values() if m.reporter in self.members]

    @property
    def first_us(self) -> int:
        """Time of the earliest counted complaint, deleted ones included; of all where everybody is excluded; 0 without
        any.
        """
        return min([*self._trimmed, *self._times], default=0)

    @property
    def last_us(self) -> int:
        """Time of the latest counted complaint, deleted ones included; of all where everybody is excluded; 0 without
        any.
        """
        return max([*self._trimmed, *self._times], default=0)

    @property
    def _times(self) -> list[int]:
        return [m.time_us for m in self.counted or self.memberships.values()]

    @property
    def _trimmed(self) -> tuple[int, ...]:
        return self.trimmed_us or ()

    def untold(self) -> tuple[frozenset[int], frozenset[int]]:
        """Members and targets without a complaint: retention deleted theirs, and what cannot be seen cannot be
        judged.
        """
        if self.trimmed_us is None:
            return frozenset(), frozenset()
        return self.members - {m.reporter for m in self.memberships.values()}, frozenset(
            self.author_by_target.keys() - {m.target for m in self.memberships.values()}
        )

    def beyond(self, since_us: int) -> bool:
        """Whether a complaint of it is older than that, or deleted: then what lies after does not show the whole
        of it.
        """
        return self.trimmed_us is not None or any(m.time_us < since_us for m in self.counted)


@dataclass(frozen=True, slots=True)
class Recomputation:
    """What a tick or a sweep brings to the stored clusters."""

    groups: Sequence[DetectedGroup]
    outcomes: Mapping[int, Sequence[Judgement]]  # by target, those known by now
    since_us: int  # start of the window
    now_us: int  # the watermark
    complete: bool  # a sweep: what it does not see is not there, and held back clusters may be released
    # groups that are the same as when they were last reconciled: nothing of theirs changes
    settled: frozenset[DetectedGroup] = frozenset()


def parts_by_target(state: ClusterState) -> dict[int, ClusterPart]:
    """The cluster's part in each of its targets, as the independent count takes it.

    A decision stands for the complaints it was made about. After growth has reopened the case, complaints since
    then are discounted by the model; on a target that has both, the verdict "not coordinated" frees those it was made
    about, and "coordinated" counts for all once it was made about half of them.
    """
    stands = state.verdict if state.status != "open" else None
    model = discount_probability(state.disposition, None, state.probability, state.unfounded_probability)
    on_target: dict[int, list[Membership]] = defaultdict(list)
    for membership in state.counted:
        on_target[membership.target].append(membership)
    parts = {}
    for target, mine in on_target.items():
        free = sum(m.exempt or (stands is None and m.verdict == "not_coordinated") for m in mine)
        certain = stands is None and 2 * sum(m.verdict == "coordinated" for m in mine) >= len(mine) - free > 0
        pi = (
            1.0
            if certain
            else (
                model
                if stands is None
                else discount_probability(state.disposition, stands, state.probability, state.unfounded_probability)
            )
        )
        parts[target] = ClusterPart(
            state.id,
            state.probability,
            state.unfounded_probability,
            pi,
            state.disposition == "flagged",
            reporters=frozenset(
                m.reporter for m in mine if not (m.exempt or (stands is None and m.verdict == "not_coordinated"))
            ),
            exempt=free,
        )
    return parts


def summaries(states: Iterable[ClusterState], targets: Collection[int] | None = None) -> dict[int, TargetSummary]:
    """What the clusters say about each target (or about those of `targets`); merged ones speak through their
    survivor.
    """
    parts: dict[int, list[ClusterPart]] = defaultdict(list)
    for state in states:
        if state.disposition == "merged":
            continue
        for target, part in parts_by_target(state).items():
            if targets is None or target in targets:
                parts[target].append(part)
    return {target: summarise_target(mine) for target, mine in parts.items()}


def reconcile(
    states: Mapping[str, ClusterState], found: Recomputation, policy: Policy, new_id: Callable[[], str]
) -> dict[str, ClusterState]:
    """The clusters that change, as they are afterwards.

    Nothing in `states` is modified. Order of groups and states is irrelevant, but for the ids that `new_id` hands out
    to new clusters, largest first.
    """
    present = {s.id: s for s in states.values() if s.disposition != "merged" and s.last_us >= found.since_us}
    groups = sorted(found.groups, key=lambda g: (-len(g.reporters), min(g.reporters, default=0)))
    shared = [_overlaps(g, present, policy.identity_overlap) for g in groups]
    owner = _owners(groups, shared, present)
    changed: dict[str, ClusterState] = {}
    seen: set[str] = set()
    for k, group in enumerate(groups):
        if group.kind == "one_shot" and _told_already(group, states):
            continue
        survivor, absorbed = _survivor(k, shared[k], owner, present)
        seen.update(absorbed)
        if not absorbed and group in found.settled:
            seen.update([survivor] if survivor else [])
            continue
        base = changed.get(survivor, present[survivor]) if survivor else None
        if base is None and max((m.time_us for m in group.memberships), default=found.since_us) < found.since_us:
            continue  # detection still holds what has left the window: nobody came back
        if base is None:
            state = _new(group, states, present, shared[k], found, policy, new_id)
        else:
            seen.add(base.id)
            state = _continued(base, group, [present[a] for a in absorbed], found)
            for loser in absorbed:
                changed[loser] = replace(
                    present[loser], disposition="merged", merged_into=base.id, version=present[loser].version + 1
                )
        state = _judged(state, found, policy)
        if base is None and state.disposition == "revoked":
            continue  # never was a cluster
        if base is None or _differs(base, state):
            changed[state.id] = _reopened(base, state, policy)
    _absorb_crowds(present, states, changed)
    if found.complete:
        for state in present.values():
            if state.id not in seen and state.id not in changed and state.disposition != "revoked":
                gone = _unseen(state, found)
                if gone is not None:
                    changed[state.id] = gone
    return _within_quota(states, changed, found, policy)


def rescore(
    state: ClusterState,
    outcomes: Mapping[int, Sequence[Judgement]],
    now_us: int,
    policy: Policy,
    withdrawn: Iterable[int] = (),
) -> ClusterState:
    """The cluster after outcomes or withdrawals, in the window or not; the same object where nothing changes."""
    lost = set(withdrawn) & state.memberships.keys()
    after = state
    if lost:
        left = {seq: m for seq, m in state.memberships.items() if seq not in lost}
        untold_members, untold_targets = state.untold()
        members = (frozenset(m.reporter for m in left.values()) & state.members) | untold_members
        targets = {m.target for m in left.values() if m.reporter in members} | untold_targets
        after = replace(
            state,
            memberships=left,
            members=members,
            author_by_target={t: a for t, a in state.author_by_target.items() if t in targets},
        )
        if (
            len(members) < policy.min_members or len(targets) < (1 if state.kind == "one_shot" else 2)
        ) and state.verdict is None:
            return replace(
                after,
                disposition="revoked",
                revoked_us=now_us,
                revoked_because="so many complaints were withdrawn that no group is left",
                version=state.version + 1,
            )
    if state.trimmed_us is not None and not after.counted:
        # nothing is left to judge it by: what was found stays
        return _versioned(state, after) if _differs(state, after) else state
    after = _judged(after, Recomputation((), outcomes, 0, now_us, False), policy)
    if state.disposition == "revoked" and state.verdict is None and state.revoked_because != NOT_SPOKEN_FOR:
        # Nobody found the group any more, or too little of it is left: no outcome brings it back, being found again
        # does.
        after = replace(
            after,
            disposition="revoked",
            revoked_us=state.revoked_us,
            revoked_because=state.revoked_because,
            settle_with=(),
        )
    return _versioned(state, after) if _differs(state, after) else state


# --- identity


def _overlaps(group: DetectedGroup, present: Mapping[str, ClusterState], share: float) -> dict[str, int]:
    """Members in common with each stored cluster that the group may be."""
    both = {
        state.id: common_people(group.kind, group.reporters, group.author_by_target.keys(), state, share)
        for state in present.values()
    }
    return {identity: common for identity, common in both.items() if common}


def common_people(kind: Kind, people: Set[int], targets: Set[int], state: ClusterState, share: float) -> int:
    """The rule of identity: how many people a group has in common with a cluster that it may be; 0 where it is another.

    `share` of the smaller one's people have to be in both, those that a decision took out included.
    """
    if kind != state.kind:
        return 0  # a crowd on one target is not the group that hits many, though they share accounts
    if kind == "one_shot" and targets != state.author_by_target.keys():
        return 0  # nor the crowd on another target: its own target would lose its discount
    known = state.members | state.excluded
    common = len(people & known)
    return common if common >= share * min(len(people), len(known)) else 0


def _age(state: ClusterState) -> tuple[int, str]:
    return state.found_us, state.id


def _owners(
    groups: Sequence[DetectedGroup], shared: Sequence[dict[str, int]], present: Mapping[str, ClusterState]
) -> dict[str, int]:
    """Which group keeps each stored id: the one with most members in common (split: the largest part)."""
    best: dict[str, int] = {}
    for k in range(len(groups)):
        for identity, common in shared[k].items():
            held = best.get(identity)
            if held is None or common > shared[held][identity]:
                best[identity] = k
    # A group may be the best heir of several clusters; it is then their merger, and they are all its own.
    return best


def _survivor(
    k: int, shared: dict[str, int], owner: Mapping[str, int], present: Mapping[str, ClusterState]
) -> tuple[str | None, list[str]]:
    """The id that group k continues, and the others that merge into it: the oldest survives."""
    mine = sorted((identity for identity in shared if owner[identity] == k), key=lambda i: _age(present[i]))
    return (mine[0], mine[1:]) if mine else (None, [])


def _new(
    group: DetectedGroup,
    states: Mapping[str, ClusterState],
    present: Mapping[str, ClusterState],
    shared: Mapping[str, int],
    found: Recomputation,
    policy: Policy,
    new_id: Callable[[], str],
) -> ClusterState:
    split_from = max(
        shared, key=lambda i: (shared[i], [-x if isinstance(x, int) else x for x in _age(present[i])]), default=None
    )
    earlier = None
    if split_from is None:
        left = {s.id: s for s in states.values() if s.id not in present and s.disposition != "merged"}
        gone = [left[i] for i in _overlaps(group, left, policy.identity_overlap)]
        earlier = max(gone, key=lambda s: (s.last_us, s.id)).id if gone else None
    # What a person said about the whole stands for the part: about its complaints, and who is no member.
    parent = present[split_from] if split_from else None
    said = parent.memberships if parent else {}
    excluded = parent.excluded & group.reporters if parent else frozenset()
    kept = {m.seq: replace(m, verdict=said[m.seq].verdict) if m.seq in said else m for m in group.memberships}
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
        found_us=max((m.time_us for m in group.memberships), default=found.now_us),
        split_from=split_from,
        earlier=earlier,
    )


def _continued(
    base: ClusterState, group: DetectedGroup, absorbed: Sequence[ClusterState], found: Recomputation
) -> ClusterState:
    """The stored cluster with the group's result, plus what has left the window and what was absorbed."""
    excluded = base.excluded.union(*(a.excluded for a in absorbed))
    earlier_ones = {seq: m for state in (*absorbed, base) for seq, m in state.memberships.items()}
    left = [m for m in earlier_ones.values() if m.time_us < found.since_us]
    # Whoever or whatever has a complaint that left the window cannot be judged by what is still in it.
    untold = [state.untold() for state in (*absorbed, base)]
    aged_members = {m.reporter for m in left}.union(*(members for members, _ in untold))
    aged_targets = {m.target for m in left}.union(*(targets for _, targets in untold))
    trimmed = [state.trimmed_us for state in (*absorbed, base) if state.trimmed_us is not None]
    was_member = base.members.union(*(a.members for a in absorbed))
    members = (group.reporters | (was_member & aged_members)) - excluded
    authors = {
        t: a
        for state in (*absorbed, base)
        for t, a in state.author_by_target.items()
        if t in aged_targets or t in group.author_by_target
    } | dict(group.author_by_target)
    people = members | excluded
    kept = {seq: m for seq, m in earlier_ones.items() if m.reporter in people and m.target in authors}
    for m in group.memberships:
        kept[m.seq] = replace(m, verdict=kept[m.seq].verdict if m.seq in kept else None)
    evidence = group.evidence
    if (left or trimmed) and coordination(base.evidence) > coordination(group.evidence):
        evidence = base.evidence  # what is left in the window is a part; age alone lowers nothing
    state = replace(
        base, members=members, excluded=excluded, memberships=kept, author_by_target=authors, evidence=evidence
    )
    if trimmed:
        state = replace(state, trimmed_us=(min(first for first, _ in trimmed), max(last for _, last in trimmed)))
    verdicts = {s.verdict for s in (base, *absorbed) if s.verdict}
    if len(verdicts) > 1:
        return replace(state, status="open", verdict=None, decided_reporters=None, decided_targets=None)
    if verdicts and base.verdict is None:
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
    return state


def _told_already(crowd: DetectedGroup, states: Mapping[str, ClusterState]) -> bool:
    """Whether a crowd on one target is the tail of a group that is known from several (its other targets may have left
    the window).
    """
    targets = crowd.author_by_target.keys()
    return any(
        s.kind == "repeat"
        and s.disposition not in ("merged", "revoked")
        and targets <= s.author_by_target.keys()
        and 2 * len(crowd.reporters & (s.members | s.excluded)) >= len(crowd.reporters)
        for s in states.values()
    )


def _absorb_crowds(
    present: Mapping[str, ClusterState], states: Mapping[str, ClusterState], changed: dict[str, ClusterState]
) -> None:
    """A crowd that turned out to be part of a group becomes merged into it, unless a person decided about it."""
    groups = [s for s in changed.values() if s.kind == "repeat" and s.disposition not in ("merged", "revoked")]
    for state in present.values():
        crowd = changed.get(state.id, state)
        if crowd.kind != "one_shot" or crowd.disposition == "merged" or crowd.verdict is not None:
            continue
        for group in sorted(groups, key=_age):
            if crowd.author_by_target.keys() <= group.author_by_target.keys() and 2 * len(
                crowd.members & (group.members | group.excluded)
            ) >= len(crowd.members):
                changed[crowd.id] = replace(
                    crowd, disposition="merged", merged_into=group.id, version=state.version + 1
                )
                break


# --- judging


def _judged(state: ClusterState, found: Recomputation, policy: Policy) -> ClusterState:
    counted = state.counted
    filed = [JudgedComplaint(m.seq, m.target, m.time_us) for m in counted]
    told = judged.tally(filed, found.outcomes)
    verdict = judge(
        state.evidence,
        told,
        len(state.author_by_target),
        prior_unfounded=policy.prior_unfounded,
        flag_score=policy.flag_score,
    )
    disposition: Disposition = verdict.disposition
    if state.verdict is not None:
        disposition = state.disposition  # a person decided
    elif disposition == "flagged" and state.disposition == "held_back":
        disposition = "held_back"
    elif disposition == "revoked" and state.beyond(found.since_us):
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
            settle_with(filed, found.outcomes, told, verdict.unfounded_probability)
            if disposition in ("flagged", "held_back")
            else ()
        ),
        policy_version=policy.version,
        summary=summarise(len(state.members), len(state.author_by_target), verdict.evidence, told),
        revoked_us=found.now_us if revoked else (state.revoked_us if disposition == "revoked" else None),
        revoked_because=NOT_SPOKEN_FOR if revoked else (state.revoked_because if disposition == "revoked" else None),
    )


def _differs(before: ClusterState, after: ClusterState) -> bool:
    return before != after


def _versioned(before: ClusterState, after: ClusterState) -> ClusterState:
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


def _reopened(before: ClusterState | None, after: ClusterState, policy: Policy) -> ClusterState:
    """A decided cluster that went on growing returns to open; the verdict still stands for what it was made about."""
    if before is None:
        return after
    if after.status == "decided" and after.decided_reporters is not None:
        # Counted one by one: others may have been dropped since.
        new_targets = len(
            after.author_by_target.keys() - {m.target for m in after.memberships.values() if m.verdict is not None}
        )
        grown = (
            len(after.members) > after.decided_reporters
            and len(after.members) >= (1 + policy.reopen_growth) * after.decided_reporters
        )
        if new_targets >= policy.reopen_new_targets or grown:
            after = replace(after, status="open", summary=f"Grown since decision: {after.summary}")
    return _versioned(before, after)


def _unseen(state: ClusterState, found: Recomputation) -> ClusterState | None:
    """A sweep no longer finds the group: revoked, if no person decided and all its complaints could be seen."""
    if state.verdict is not None or state.beyond(found.since_us):
        return None
    return replace(
        state,
        disposition="revoked",
        revoked_us=found.now_us,
        revoked_because="a sweep of the whole window no longer finds the group",
        version=state.version + 1,
    )


def _within_quota(
    states: Mapping[str, ClusterState], changed: dict[str, ClusterState], found: Recomputation, policy: Policy
) -> dict[str, ClusterState]:
    """New flags beyond the day's quota are held back; a sweep releases what fits since."""
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
    # Whatever was flagged once has used a place of its day, also if it was revoked or merged since.
    used = Counter(quota.day_of(s.found_us) for s in states.values() if s.disposition != "held_back")
    admitted = quota.admit(candidates, used, policy.flags_per_day)
    for state in waiting:
        disposition: Disposition = "flagged" if state.id in admitted else "held_back"
        if disposition != state.disposition:
            changed[state.id] = replace(
                state, disposition=disposition, version=state.version if state.id not in states else state.version + 1
            )
    return changed
