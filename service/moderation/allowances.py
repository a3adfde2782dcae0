"""Complaints that are shown in clusters but never discounted, and the allow-list of reporters who file them. PURE.

A complaint is exempt either in its own right (it is a trusted flagger's, or a notice of illegal content) or because its
reporter is on the tenant's allow-list. Taking a trusted flagger off the list leaves their complaints exempt. Both the
list and the registry of trusted flaggers (trusted_flaggers.py) may change at any time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from service.moderation.assessment import NO_CLUSTERS, TargetSummary, independent_count
from service.moderation.case_events import is_held
from service.moderation.cluster_discounts import summaries
from service.moderation.cluster_state import ClusterState, Membership
from service.moderation.phrases import plural
from service.moderation.trusted_flaggers import NO_FLAGGERS, Flaggers


@dataclass(frozen=True, slots=True)
class Exemptions:
    """What makes a tenant's complaints exempt beside what they say themselves."""

    allowed: Collection[int] = frozenset()  # reporters on the allow-list, by key
    flaggers: Flaggers = NO_FLAGGERS

    def depends_on_registry(self, reporter: int) -> bool:
        """Whether the complaint itself and the registry have to be read to know if it is exempt."""
        return self.flaggers.knows(reporter) and reporter not in self.allowed


def to_be_asked(states: Iterable[ClusterState], exemptions: Exemptions) -> list[int]:
    """Seqs of complaints by reporters who are not on the list: of exempt ones, and of those in the registry.

    Whether such a complaint is exempt can only be read from the complaint itself.
    """
    return sorted(
        {
            m.seq
            for state in states
            for m in _filed(state).values()
            if m.reporter not in exemptions.allowed and (m.exempt or exemptions.flaggers.knows(m.reporter))
        }
    )


def with_exemptions(
    states: Iterable[ClusterState], allowed: Collection[int], exempt_by_itself: Mapping[int, bool]
) -> dict[str, ClusterState]:
    """The clusters in which a complaint becomes exempt or stops being exempt, in their new state.

    `exempt_by_itself` answers for the seqs of `to_be_asked`; a complaint missing from it stays as it is.
    """
    changed = {}
    for state in states:
        other = {
            m.seq: replace(m, exempt=exempt)
            for m in _filed(state).values()
            if (exempt := m.reporter in allowed or exempt_by_itself.get(m.seq, m.exempt)) != m.exempt
        }
        if other:
            memberships, listed = (
                {seq: other.get(seq, m) for seq, m in held.items()} for held in (state.memberships, state.listed)
            )
            changed[state.id] = replace(state, memberships=memberships, listed=listed)
    return changed


def _filed(state: ClusterState) -> dict[int, Membership]:
    return {**state.memberships, **state.listed}


@dataclass(frozen=True, slots=True)
class Allowance:
    """The effect of a change to the allow-list."""

    clusters: int  # in which a complaint becomes exempt or stops being exempt
    complaints: int  # by those reporters in these clusters
    counted: float  # how many more complaints count as independent; negative: fewer
    targets: int  # whose independent count changes
    released: int  # targets whose recommendation stops being `hold`
    held: int  # targets whose recommendation becomes `hold`


def allowance_of(
    states: Mapping[str, ClusterState], changed: Mapping[str, ClusterState], totals: Mapping[int, int], threshold: int
) -> Allowance:
    """The effect of replacing the clusters in `changed` with their new states.

    `states` holds the current state of every cluster on any of their targets, `totals` the number of standing
    complaints on each of those targets.
    """
    targets = {t for state in changed.values() for t in state.discounted_targets}
    now, then = summaries(states.values(), targets), summaries({**states, **changed}.values(), targets)
    gained = {t: _independent(then, totals, t) - _independent(now, totals, t) for t in targets}
    holds, held = (
        {t for t in targets if is_held(totals.get(t, 0), known.get(t, NO_CLUSTERS), threshold)} for known in (now, then)
    )
    return Allowance(
        clusters=len(changed),
        complaints=sum(
            m.exempt != _filed(states[i])[seq].exempt
            for i, state in changed.items()
            for seq, m in _filed(state).items()
        ),
        counted=sum(gained.values()),
        targets=sum(abs(g) > 1e-6 for g in gained.values()),
        released=len(holds - held),
        held=len(held - holds),
    )


def sentence(effect: Allowance) -> str:
    """The effect in plain words."""
    if not effect.clusters:
        return "Changes nothing now: none of their complaints is in a case. It applies to future complaints."
    parts = [f"Affects {plural(effect.complaints, 'complaint')} in {plural(effect.clusters, 'case')}"]
    if abs(effect.counted) >= 0.05:
        parts.append(
            f"{abs(effect.counted):,.1f}".removesuffix(".0")
            + f" {'more' if effect.counted > 0 else 'fewer'} count as independent,"
            f" on {plural(effect.targets, 'target')}"
        )
    else:
        parts.append("no independent count changes")
    if effect.released:
        parts.append(f"{plural(effect.released, 'target')} no longer held at the removal threshold")
    if effect.held:
        parts.append(f"{plural(effect.held, 'target')} held again at the removal threshold")
    return "; ".join(parts) + "."


def _independent(known: Mapping[int, TargetSummary], totals: Mapping[int, int], target: int) -> float:
    return independent_count(totals.get(target, 0), known.get(target, NO_CLUSTERS).discount)
