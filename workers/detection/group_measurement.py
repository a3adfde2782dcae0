"""Measure groups, reusing the measurement of groups that have not changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from service.moderation.score import coordination
from service.moderation.signals import registry
from service.moderation.signals.signal import ContextSource, GroupFacts
from workers.detection import growth, surprise
from workers.detection.arrays import Events, Ints
from workers.detection.group_view import WindowView, complaints_of
from workers.detection.groups import Group, group_of
from workers.detection.growth import MemberSet
from workers.detection.seed_growth import BONDED, SeedGrowth
from workers.detection.surroundings import Surroundings

VERY_LARGE = 80  # members; half a dozen more complaints do not make such a group more or less of a surprise
FAR_BELOW = -3.0  # log-odds of being coordinated


class GroupMeasurement:
    """The measured groups of one window, by their members (the window's numbers)."""

    def __init__(self, seeds: SeedGrowth, counters: Counter[str]) -> None:
        self.seeds, self.counters = seeds, counters
        self.policy, self.window, self.pair_graph = seeds.policy, seeds.window, seeds.pair_graph
        self.contexts: ContextSource = "none"  # what shared reading is measured against
        self._measured: dict[MemberSet, Group | None] = {}
        self._surprises: dict[MemberSet, float] = {}

    def forget(self) -> None:
        """Measure everything again at the next update."""
        self._measured.clear()
        self._surprises.clear()

    def update(
        self, grown: Iterable[MemberSet], new: set[MemberSet], events: Events, surroundings: Surroundings
    ) -> list[Group]:
        """The groups of these members as they stand now.

        A group that was measured before and holds none of the `new` ones is only extended by the tick's `events`.
        """
        measured: dict[MemberSet, Group | None] = {}
        for members in grown:
            if members in self._measured and not any(members >= m for m in new):
                measured[members] = self._extended(members, events, surroundings)
            else:
                measured[members] = self._still_far_below(members) or self._measure(members, surroundings)
        self._measured = measured
        return [g for g in measured.values() if g is not None]

    def coordinated(self) -> MemberSet:
        """All members of groups measured as coordinated."""
        return frozenset().union(
            *(
                m
                for m, g in self._measured.items()
                if g is not None and coordination(g.evidence) > self.policy.flag_score
            )
        )

    def _still_far_below(self, members: MemberSet) -> Group | None:
        """A very large group that was far from being one, and of which a twentieth at most has changed.

        It stays a crowd of readers until the next sweep. None: to be measured.
        """
        if len(members) < VERY_LARGE:
            return None
        known = self._alike(members, (m for m, group in self._measured.items() if group is not None))
        group = None if known is None else self._measured[known]
        return group if group is not None and coordination(group.evidence) < FAR_BELOW else None

    def _lasting_surprise(self, members: MemberSet, who: Ints, targets: Ints) -> float:
        """The group's surprise.

        It is the most expensive signal: a very large group keeps it until the next sweep, while a twentieth at most has
        changed.
        """
        if len(members) < VERY_LARGE:
            return self.pair_graph.group_surprise(who, targets)
        known = self._alike(members, self._surprises)
        if known is None:
            known = members
            self._surprises[known] = self.pair_graph.group_surprise(who, targets)
        return self._surprises[known]

    def _alike(self, members: MemberSet, known: Iterable[MemberSet]) -> MemberSet | None:
        """The first of the known groups from which so few differ that it need not be grown again."""
        share = self.policy.regrow_share
        return next((m for m in known if len(m ^ members) <= share * min(len(m), len(members))), None)

    def _extended(self, members: MemberSet, events: Events, surroundings: Surroundings) -> Group | None:
        """A known group with the tick's complaints of its members on its targets.

        A coordinated one is measured again where a target has become the group's: it is protected from then on.
        """
        group = self._measured[members]
        if group is None or not len(events):
            return group
        window, who = self.window, np.array(sorted(members), np.int64)
        mine = events[np.isin(window.reporter[events], who)]
        known = np.array([k in group.targets for k in window.targets.keys[window.target[mine]].tolist()], bool)
        if not known.all() and coordination(group.evidence) > self.policy.flag_score:
            targets = growth.measured_targets(window, who, self.policy.target_share)
            if np.isin(window.target[mine[~known]], targets).any():
                return self._measure(members, surroundings)
        mine = mine[known]
        if not len(mine):
            return group
        return replace(
            group,
            seq=np.concatenate([group.seq, window.seq[mine]]),
            reporter=np.concatenate([group.reporter, window.reporters.keys[window.reporter[mine]]]),
            target=np.concatenate([group.target, window.targets.keys[window.target[mine]]]),
            time_ms=np.concatenate([group.time_ms, window.time[mine] + window.origin]),
            exempt=np.concatenate([group.exempt, window.exempt[mine]]),
        )

    def _measure(self, members: MemberSet, surroundings: Surroundings) -> Group | None:
        window, who, leads = self.window, np.array(sorted(members), np.int64), self.seeds.leads_of(members)
        targets = np.union1d(
            growth.measured_targets(window, who, self.policy.target_share), self.seeds.step_targets(leads)
        )
        if len(targets) < 2 or len(who) < self.policy.min_members:
            return None
        weighed = min(len(who), surprise.MEMBERS_WEIGHED)
        bond = max((lead.surprise for lead in leads if lead.tier in BONDED), default=0.0)  # -log10 p a member
        view = WindowView(
            window,
            who,
            targets,
            complaints_of(window, who, targets),
            self.policy,
            surroundings,
            pair_surprise=self.pair_graph.mean_surprise(members),
            member_surprise=float(np.clip(max(self._lasting_surprise(members, who, targets) / weighed, bond), -1, 4)),
        )
        self.counters["measured"] += 1
        facts = GroupFacts("repeat", len(who), len(targets), self.contexts)
        evidence = registry.evidence_of(registry.measured(view), facts, self.policy.weights)
        return group_of(window, "repeat", who, targets, view.events, evidence)
