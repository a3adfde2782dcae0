"""Compare the stored cases before and after a change of thresholds. PURE.

Clusters keep their ids over the change, so that cases are compared one by one, and every number follows from the lists:

    waiting after = waiting before - goes + comes
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from service.moderation.case_events import is_held
from service.moderation.cluster_discounts import summaries
from service.moderation.cluster_scoring import is_below_score
from service.moderation.cluster_state import ClusterState
from service.moderation.score import coordination

Why = Literal["below", "reliable", "not_found", "merged"]
Exemption = Literal["decided", "reopened", "older"]


@dataclass(frozen=True, slots=True)
class Gone:
    """A case that would no longer wait for a decision."""

    state: ClusterState  # as it is now
    why: Why  # too little evidence; complaints upheld; no such group; part of another case


@dataclass(frozen=True, slots=True)
class Exempt:
    """A case that these thresholds do not move."""

    state: ClusterState
    why: Exemption  # a person's decision stands; the same, and the case grew; a part of it is older than the window


@dataclass(frozen=True, slots=True)
class Comparison:
    """The effect of the proposed thresholds on cases. The lists begin with the highest coordination score."""

    waiting: tuple[int, int]  # before, after
    comes: tuple[ClusterState, ...]
    goes: tuple[Gone, ...]
    exempt: tuple[Exempt, ...]
    held_back: tuple[int, int]  # beyond the day's quota: before, after


def compare(
    before: Mapping[str, ClusterState], after: Mapping[str, ClusterState], *, since_us: int, finds_alike: bool
) -> Comparison:
    """Compare the stored clusters with what becomes of them.

    `since_us` is the start of the window, `finds_alike` says that the two thresholds find the same groups in it.
    """
    was, is_now = ({i for i, s in side.items() if is_waiting(s)} for side in (before, after))
    exempt = [
        Exempt(after[i], why)
        for i, state in before.items()
        if (why := _exemption(state, after[i], since_us, finds_alike)) is not None
    ]
    return Comparison(
        waiting=(len(was), len(is_now)),
        comes=tuple(sorted((after[i] for i in is_now - was), key=_first)),
        goes=tuple(sorted((Gone(before[i], _why(after[i])) for i in was - is_now), key=lambda g: _first(g.state))),
        exempt=tuple(sorted(exempt, key=lambda e: _first(e.state))),
        held_back=(_held_back(before), _held_back(after)),
    )


def is_waiting(state: ClusterState) -> bool:
    """Whether the case waits for a person: flagged, and not decided."""
    return state.disposition == "flagged" and state.status != "decided"


def held_targets(states: Mapping[str, ClusterState], totals: Mapping[int, int], threshold: int) -> set[int]:
    """Targets (keys) whose recommendation would be `hold`."""
    return {
        t
        for t, summary in summaries(states.values()).items()
        if summary.discount > 0 and is_held(totals.get(t, 0), summary, threshold)
    }


def _exemption(before: ClusterState, after: ClusterState, since_us: int, finds_alike: bool) -> Exemption | None:
    if before.disposition != "flagged" or after.disposition != "flagged":
        return None
    if before.verdict is not None and after.verdict is not None:
        return "decided" if after.status == "decided" else "reopened"
    return "older" if not finds_alike and before.reaches_before(since_us) else None


def _why(after: ClusterState) -> Why:
    if after.disposition in ("merged", "flagged"):
        return "merged"  # into another case, or with one that is decided
    if after.disposition == "reliable":
        return "reliable"
    return "below" if is_below_score(after) else "not_found"


def _held_back(states: Mapping[str, ClusterState]) -> int:
    return sum(s.disposition == "held_back" and s.verdict is None for s in states.values())


def _first(state: ClusterState) -> tuple[float, str]:
    return -coordination(state.evidence), state.id
