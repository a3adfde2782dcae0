"""Compare the cases under other thresholds with those under the present ones. PURE.

Detection runs twice over the same complaints, each time from an empty state: with the thresholds in force and with the
proposed ones. Cases of the two runs are matched as in service/moderation/cluster_identity.py: they share half of the
smaller one's members and, for a crowd on one target, the target. Moderators' decisions apply in both runs: no threshold
overturns them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from service.moderation.case_events import is_held
from service.moderation.cluster_discounts import summaries
from service.moderation.cluster_identity import common_people
from service.moderation.cluster_state import ClusterState

Why = Literal["held_back", "reliable", "not_found", "below"]


@dataclass(frozen=True, slots=True)
class Gone:
    """A case that would no longer be one."""

    state: ClusterState
    why: Why  # beyond the day's quota; complaints upheld; no such group; below the score


@dataclass(frozen=True, slots=True)
class Comparison:
    """The effect of the proposed thresholds."""

    now: int  # cases under the thresholds in force
    then: int
    stay: int  # in both
    comes: tuple[ClusterState, ...]  # highest score first
    goes: tuple[Gone, ...]  # highest score first
    new: tuple[int, int]  # cases found since the requested time: now, then
    held_back: tuple[int, int]  # beyond the day's quota: now, then
    decided: int  # cases of either run that moderators have decided: they stay as they are


def paired(ours: Iterable[ClusterState], theirs: Iterable[ClusterState], overlap: float) -> dict[str, str]:
    """The id in `theirs` that matches each cluster of `ours`, if any; larger overlaps first, each used at most once."""
    theirs = list(theirs)
    by_member: dict[int, list[ClusterState]] = {}
    for state in theirs:
        for member in state.members | state.excluded:
            by_member.setdefault(member, []).append(state)
    found: list[tuple[int, str, str]] = []
    for state in ours:
        people = state.members | state.excluded
        near = {other.id: other for member in people for other in by_member.get(member, ())}
        for other in near.values():
            if both := common_people(state.kind, people, state.author_by_target.keys(), other, overlap):
                found.append((both, state.id, other.id))
    pairs: dict[str, str] = {}
    taken: set[str] = set()
    for _, mine, other_id in sorted(found, key=lambda x: (-x[0], x[1], x[2])):
        if mine not in pairs and other_id not in taken:
            pairs[mine] = other_id
            taken.add(other_id)
    return pairs


def with_verdicts(
    states: Mapping[str, ClusterState], stored: Mapping[str, ClusterState], names: Mapping[str, str]
) -> dict[str, ClusterState]:
    """The run's clusters with the decisions about the stored clusters they match (`names`: stored id by run id)."""
    after = dict(states)
    for identity, name in names.items():
        known = stored[name]
        if known.verdict is not None and identity in after:
            after[identity] = replace(
                after[identity],
                verdict=known.verdict,
                status="decided",
                disposition=known.disposition,
                members=after[identity].members - known.excluded,
                excluded=after[identity].excluded | (after[identity].members & known.excluded),
            )
    return after


def compare(
    now: Mapping[str, ClusterState], then: Mapping[str, ClusterState], since_us: int, overlap: float
) -> Comparison:
    """Compare the two runs' cases; each run has its own ids.

    Cases found at or after `since_us` are also counted separately, as new ones.
    """
    ours, theirs = ({i: s for i, s in run.items() if s.disposition != "merged"} for run in (now, then))
    pairs = paired(ours.values(), theirs.values(), overlap)
    back = {theirs_id: mine for mine, theirs_id in pairs.items()}
    cases, later = ({i for i, s in run.items() if is_case(s)} for run in (ours, theirs))
    goes = [
        Gone(ours[i], _why(theirs.get(pairs.get(i, ""))))
        for i in cases
        if ours[i].verdict is None and not (i in pairs and is_case(theirs[pairs[i]]))
    ]
    comes = [theirs[i] for i in later if theirs[i].verdict is None and not (i in back and is_case(ours[back[i]]))]
    decided = {i for i in cases if ours[i].verdict is not None}
    return Comparison(
        now=len(cases),
        then=len(later),
        stay=len(cases) - len(goes),
        comes=tuple(sorted(comes, key=_first)),
        goes=tuple(sorted(goes, key=lambda gone: _first(gone.state))),
        new=(_new(ours, cases, since_us), _new(theirs, later, since_us)),
        held_back=(_held_back(ours), _held_back(theirs)),
        decided=len(decided) + sum(theirs[i].verdict is not None and back.get(i) not in decided for i in later),
    )


def is_case(state: ClusterState) -> bool:
    """Whether moderators see the cluster: it is flagged or decided."""
    return state.disposition != "merged" and (state.disposition == "flagged" or state.verdict is not None)


def held_targets(states: Mapping[str, ClusterState], totals: Mapping[int, int], threshold: int) -> set[int]:
    """Targets (keys) whose recommendation would be `hold`."""
    return {
        t
        for t, summary in summaries(states.values()).items()
        if summary.discount > 0 and is_held(totals.get(t, 0), summary, threshold)
    }


def targets_of(states: Iterable[ClusterState]) -> Collection[int]:
    """All targets of the clusters."""
    return {t for state in states for t in state.discounted_targets}


def _why(state: ClusterState | None) -> Why:
    if state is None:
        return "not_found"
    if state.disposition == "held_back":
        return "held_back"
    return "reliable" if state.disposition == "reliable" else "below"


def _held_back(states: Mapping[str, ClusterState]) -> int:
    return sum(s.disposition == "held_back" and s.verdict is None for s in states.values())


def _new(states: Mapping[str, ClusterState], cases: Collection[str], since_us: int) -> int:
    return sum(states[i].found_us >= since_us for i in cases)


def _first(state: ClusterState) -> tuple[float, str]:
    return -state.score, state.id
