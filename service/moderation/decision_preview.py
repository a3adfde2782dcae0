"""The effect of a decision, shown before it is made. PURE.

Three states of the archive are compared: the present one, the one after the decisions, and the one without the decided
clusters. The complaints that a decision stops counting are the difference between the last two: "stops counting 138
complaints" is the whole effect of the verdict, even if the estimate had already discounted most of them. What the
decision changes is the difference between the first two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from service.moderation.assessment import NO_CLUSTERS, TargetSummary, independent_count
from service.moderation.case_events import is_held
from service.moderation.cluster_discounts import summaries
from service.moderation.cluster_state import ClusterState
from service.moderation.decisions import Case
from service.moderation.phrases import plural
from service.moderation.restorations import Moment, Received, Restoration, inflations, latest_removal, review


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts from the archive about the targets of the decided clusters."""

    totals: Mapping[int, int]  # standing complaints
    outcomes: Mapping[int, Sequence[Received]]
    restorations: Mapping[int, Restoration]  # as they stand
    stood_at_removal: Mapping[int, int]  # complaints that stood when the target was last removed
    threshold: int  # the tenant's removal threshold
    at: Moment


@dataclass(frozen=True, slots=True)
class Effect:
    """The effect of decisions on complaints, targets and restorations."""

    clusters: int
    targets: int  # of the clusters
    lifted: float  # complaints that are not counted after it because of these clusters
    lifted_targets: int
    lifted_before: float  # complaints not counted now, by estimate or an earlier decision
    held: int  # targets whose recommendation is `hold` after it
    held_before: int
    restorations: int  # open after it, on these targets
    restorations_before: int
    excluded: int  # reporters that it excludes from a group

    @property
    def counted_again(self) -> float:
        """Complaints that count again after it."""
        return max(0.0, self.lifted_before - self.lifted)


def decided_state(state: ClusterState, case: Case, key_by_reporter: Mapping[str, int]) -> ClusterState:
    """The cluster after the detect worker has applied the decision, as far as it affects counts.

    `case` is the case after the decision. A standing verdict applies to the whole cluster; only without one does it
    matter which complaints an earlier verdict was made about.
    """
    excluded = frozenset(key_by_reporter[name] for name in case.excluded if name in key_by_reporter)
    everybody = state.members | state.excluded
    after = replace(
        state,
        members=everybody - excluded,
        excluded=everybody & excluded,
        disposition=case.disposition,
        status=case.status,
        verdict=case.verdict,
        version=case.version,
        decided_reporters=case.decided_reporters,
        decided_targets=case.decided_targets,
    )
    if case.verdict is None:
        after = after.with_verdict(None)
    return after


def effects_of(
    states: Mapping[str, ClusterState], choices: Sequence[Mapping[str, ClusterState]], facts: Facts
) -> list[Effect]:
    """The effect of each choice: of replacing its clusters with their new states. The present is summed up only once.

    `states` holds the current state of every cluster on any target of the decided ones, including themselves. Raises
    KeyError for a decided cluster that is missing from it.
    """
    identities = {identity for decided in choices for identity in decided}
    befores = [states[identity] for identity in sorted(identities)]
    others = [state for identity, state in states.items() if identity not in identities]
    targets = {
        t
        for decided in (*choices, {s.id: s for s in befores})
        for state in decided.values()
        for t in state.discounted_targets
    }
    without, now = summaries(others, targets), summaries((*others, *befores), targets)
    return [
        _effect(
            decided,
            [states[one] for one in sorted(identities - decided.keys())],
            states,
            others,
            targets,
            without,
            now,
            facts,
        )
        for decided in choices
    ]


def _effect(
    decided: Mapping[str, ClusterState],
    untouched: Sequence[ClusterState],
    states: Mapping[str, ClusterState],
    others: Sequence[ClusterState],
    targets: set[int],
    without: Mapping[int, TargetSummary],
    now: Mapping[int, TargetSummary],
    facts: Facts,
) -> Effect:
    world = [*others, *untouched, *decided.values()]
    after = summaries(world, targets)
    lifted = {t: _discount(after, t, facts) - _discount(without, t, facts) for t in targets}
    before = sum(_discount(now, t, facts) - _discount(without, t, facts) for t in targets)
    return Effect(
        clusters=len(decided),
        targets=len(targets),
        lifted=max(0.0, sum(lifted.values())),
        lifted_targets=sum(value > 1e-6 for value in lifted.values()),
        lifted_before=max(0.0, before),
        held=sum(_held(after, t, facts) for t in targets),
        held_before=sum(_held(now, t, facts) for t in targets),
        restorations=_open(_reviewed(targets, world, states, facts)),
        restorations_before=_open({t: facts.restorations.get(t) for t in targets}),
        excluded=sum(len(after_one.excluded - states[identity].excluded) for identity, after_one in decided.items()),
    )


def sentence(effect: Effect, verdict: str) -> str:
    """The effect of decisions with this verdict, in one plain sentence.

    A verdict about coordination is described by its whole effect, even if the estimate had already discounted most of
    the complaints. Escalating and snoozing give no verdict, and are described by what changes.
    """
    parts = []
    waits = verdict in ("escalated", "snoozed")
    if waits and abs(effect.lifted - effect.lifted_before) < 0.5:
        parts.append("changes no counts")
    elif effect.lifted >= 0.5:
        parts.append(f"stops counting {_complaints(effect.lifted)} on {plural(effect.lifted_targets, 'target')}")
    elif effect.counted_again >= 0.5:
        parts.append(f"counts {_complaints(effect.counted_again)} on {plural(effect.targets, 'target')} in full again")
    else:
        parts.append("changes no counts")
    new = effect.restorations - effect.restorations_before
    if effect.restorations and new >= 0 and (new or not waits):
        parts.append(
            f"suggests putting back {plural(effect.restorations, 'target')}"
            + (f" ({new:,} of them new)" if 0 < new < effect.restorations else "")
        )
    elif new < 0:
        parts.append(f"no longer suggests putting back {plural(-new, 'target')}")
    holds = effect.held - effect.held_before
    if holds:
        parts.append(f"{'holds' if holds > 0 else 'releases'} {plural(abs(holds), 'target')} at the removal threshold")
    if effect.excluded:
        parts.append(f"excludes {plural(effect.excluded, 'account')} from the group")
    *before, last = parts
    text = f"{', '.join(before)} and {last}" if before else last
    return f"{text[:1].upper()}{text[1:]}."


def _discount(known: Mapping[int, TargetSummary], target: int, facts: Facts) -> float:
    total = facts.totals.get(target, 0)
    return total - independent_count(total, known.get(target, NO_CLUSTERS).discount)


def _held(known: Mapping[int, TargetSummary], target: int, facts: Facts) -> bool:
    return is_held(facts.totals.get(target, 0), known.get(target, NO_CLUSTERS), facts.threshold)


def _reviewed(
    targets: set[int], world: Sequence[ClusterState], known: Mapping[str, ClusterState], facts: Facts
) -> dict[int, Restoration | None]:
    removals = {t: removal for t in targets if (removal := latest_removal(facts.outcomes.get(t, ()))) is not None}
    found = inflations(world, {t: r.decided_us for t, r in removals.items()}, facts.stood_at_removal)
    discounting = {s.id for s in known.values() if s.disposition in ("flagged", "held_back")}
    return {
        t: review(
            t,
            facts.restorations.get(t),
            facts.outcomes.get(t, ()),
            found.get(t),
            discounting,
            threshold=facts.threshold,
            at=facts.at,
        )
        for t in targets
    }


def _open(restorations: Mapping[int, Restoration | None]) -> int:
    return sum(r is not None and r.state == "open" for r in restorations.values())


def _complaints(count: float) -> str:
    return plural(round(count), "complaint")
