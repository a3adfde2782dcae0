"""The effect of a decision, shown before it is made. PURE.

The present state of the archive is compared with the one after the decisions: what stands already, by an estimate or by
an earlier decision, is not their effect. Complaints "not counted" are those that these clusters take off, the
difference to a state without them.
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
    changed_targets: int  # on which it changes how many are counted
    lifted_before: float  # complaints not counted now, by estimate or an earlier decision
    held: int  # targets whose recommendation is `hold` after it
    held_before: int
    restorations: int  # open after it, on these targets
    restorations_before: int
    excluded: int  # reporters that it excludes from a group
    warnings: int = 0  # of their members, suggested after it
    warnings_before: int = 0


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
    return after if case.verdict is not None else after.with_verdict(None)


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
    before = {t: _discount(now, t, facts) - _discount(without, t, facts) for t in targets}
    return Effect(
        clusters=len(decided),
        targets=len(targets),
        lifted=max(0.0, sum(lifted.values())),
        changed_targets=sum(abs(lifted[t] - before[t]) > 1e-6 for t in targets),
        lifted_before=max(0.0, sum(before.values())),
        held=sum(_held(after, t, facts) for t in targets),
        held_before=sum(_held(now, t, facts) for t in targets),
        restorations=_open(_reviewed(targets, world, states, facts)),
        restorations_before=_open({t: facts.restorations.get(t) for t in targets}),
        excluded=sum(len(after_one.excluded - states[identity].excluded) for identity, after_one in decided.items()),
    )


def sentence(effect: Effect) -> str:
    """What the decisions change, in one plain sentence: each figure with what it is before and after them."""
    before, after = round(effect.lifted_before), round(effect.lifted)
    where = plural(effect.changed_targets, "target")
    parts = ["changes no counts"]
    if after > before:
        noun = "complaint" if after - before == 1 else "complaints"
        parts = [f"stops counting {after - before:,} more {noun} on {where}{_steps(before, after)}"]
    elif after < before:
        steps = _steps(before, after, "not counted: ")
        parts = [f"counts {plural(before - after, 'complaint')} on {where} in full again{steps}"]
    for was, is_now, more, less in (
        (
            effect.restorations_before,
            effect.restorations,
            "suggests reviewing the removal of {}",
            "no longer suggests reviewing the removal of {}",
        ),
        (effect.held_before, effect.held, "holds {} at the removal threshold", "releases {} at the removal threshold"),
    ):
        if is_now != was:
            words = more if is_now > was else less
            parts.append(words.format(plural(abs(is_now - was), "target")) + _steps(was, is_now))
    if effect.warnings != effect.warnings_before:
        verb = "suggests" if effect.warnings > effect.warnings_before else "no longer suggests"
        who = plural(abs(effect.warnings - effect.warnings_before), "reporter")
        parts.append(f"{verb} warning {who}" + _steps(effect.warnings_before, effect.warnings))
    if effect.excluded:
        parts.append(f"excludes {plural(effect.excluded, 'account')} from the group")
    *first, last = parts
    text = f"{', '.join(first)} and {last}" if first else last
    return f"{text[:1].upper()}{text[1:]}."


def _steps(before: int, after: int, of: str = "") -> str:
    return f" ({of}{before:,} → {after:,})"


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
