"""The clusters of an audit as they stood on several days, and what further verdicts would make of them.

Beside detection.py and live_worker.py the only module of this package that knows the service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

from bench.remembered_sweeps import Sweeps
from bench.worlds.detection import DAY_MS, DAYS_APART, known_by, read
from bench.worlds.world import World
from service.moderation.cluster_scoring import rescore
from service.moderation.cluster_state import ClusterState
from service.moderation.outcomes import not_retracted
from service.moderation.reconciliation import Recomputation, reconcile
from service.moderation.usual import Usual
from service.policy import DEFAULT_POLICY
from service.storage.complaints.feed import FeedOutcome
from workers.audit import windows
from workers.audit.history import ComplaintHistory

GONE = ("merged", "revoked")
SHOWN = ("flagged", "held_back")


@dataclass(frozen=True, slots=True)
class Standing:
    """A cluster as it stood on one day, in the world's own terms."""

    day: float  # since the first complaint
    accounts: frozenset[str]
    targets: frozenset[str]
    disposition: str
    probability: float
    unfounded_probability: float
    settle_with: tuple[str, ...]
    judged: int  # targets with verdicts
    settled: Callable[[Mapping[str, bool]], Standing]  # after verdicts by target: whether the complaints are right

    @property
    def flagged(self) -> bool:
        """Whether moderators see it as a cluster to decide."""
        return self.disposition in SHOWN


class StandingClusters:
    """Audits one world with these outcomes or those and remembers the clusters of every `days_apart`-th day."""

    def __init__(self, days_apart: int = DAYS_APART) -> None:
        self._sweeps, self._days_apart = Sweeps(), days_apart

    def audit(self, world: World) -> list[Standing]:
        """The clusters with a complaint in the window that ends on each day; merged and revoked ones are left out.

        Raises ValueError when the service refuses a document of the world.
        """
        history, outcomes = read(world)
        seen: list[_Moment] = []
        number = 0

        def watching(
            states: Mapping[str, ClusterState], found: Recomputation, *more: Any, **named: Any
        ) -> dict[str, ClusterState]:
            nonlocal number
            changed = reconcile(states, found, *more, **named)
            if number % self._days_apart == 0:
                known = known_by(outcomes, found.now_us)
                present = [
                    state
                    for state in ({**states, **changed}).values()
                    if state.disposition not in GONE and state.last_us >= found.since_us
                ]
                seen.append(_Moment(history, found.now_us, known, found.usual, present))
            number += 1
            return changed

        with mock.patch.object(windows, "reconcile", watching):
            self._sweeps.audited(history, outcomes)
        return [moment.standing(state) for moment in seen for state in moment.states]


@dataclass(frozen=True, slots=True)
class _Moment:
    """The end of one window."""

    history: ComplaintHistory
    now_us: int
    known: Mapping[int, Sequence[FeedOutcome]]
    usual: Usual  # in the tenant, by the latest window
    states: Sequence[ClusterState]

    def standing(self, state: ClusterState) -> Standing:
        names = self.history.target_ids
        key_by_name = {names[target]: target for target in state.author_by_target}

        def settled(right: Mapping[str, bool]) -> Standing:
            return self._decided({key_by_name[name]: upheld for name, upheld in right.items()}).judged_again(state)

        return Standing(
            (self.now_us / 1000 - int(self.history.complaints.time_ms[0])) / DAY_MS,
            frozenset(self.history.reporter_ids[member] for member in state.members),
            frozenset(key_by_name),
            state.disposition,
            state.probability,
            state.unfounded_probability,
            tuple(names[target] for target in state.settle_with),
            sum(
                any(o.verdict is not None for o in not_retracted(self.known.get(t, ()))) for t in state.author_by_target
            ),
            settled,
        )

    def judged_again(self, state: ClusterState) -> Standing:
        """The cluster as the service scores it when outcomes arrive."""
        return self.standing(rescore(state, self.known, self.now_us, DEFAULT_POLICY, self.usual))

    def _decided(self, upheld_by_target: Mapping[int, bool]) -> _Moment:
        """A moment later, after a person has decided these targets."""
        now_us = self.now_us + 1
        known = dict(self.known)
        for target, upheld in upheld_by_target.items():
            verdict, action = ("upheld", "removed") if upheld else ("rejected", "kept")
            new = FeedOutcome(0, f"settling {target}", target, now_us, verdict, action, "person", 0)
            known[target] = [*known.get(target, ()), new]
        return replace(self, now_us=now_us, known=known)
