"""One tenant's clusters as they are resident, and how detected groups, outcomes and withdrawals change them.

The rules are pure (service/moderation/cluster_identity.py); this module keeps the state that they need: which groups
were reconciled already, the outcomes of targets that were read, what groups have in common.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from uuid import uuid4

from sqlalchemy import Connection

from service.moderation.allowances import Exemptions
from service.moderation.cluster_discounts import discounts_members
from service.moderation.cluster_scoring import rescore, rescore_all
from service.moderation.cluster_state import ClusterState
from service.moderation.listed_complaints import ListedByReporter
from service.moderation.reconciliation import Recomputation, reconcile
from service.moderation.usual import Usual
from service.policy import Policy
from service.storage.complaints.archive_reader import outcomes_of
from service.storage.complaints.feed import FeedBatch, FeedOutcome
from service.storage.complaints.listed_complaints import listed_of, reporters_of
from service.storage.complaints.trusted_notices import exempt_by_themselves
from workers.detection.groups import Group
from workers.detection.known_clusters import KnownCluster, KnownClusters
from workers.detection.window import Window
from workers.group_adapter import AdaptedGroup, GroupExemptions, found_group, seqs_by
from workers.record_evidence import RecordEvidence
from workers.shared_traits import SharedTraits
from workers.tenant_verdicts import TenantVerdicts

Changed = dict[str, ClusterState]  # by id, as they are now


class ClusterUpdates:
    """The clusters by id and by target, kept current."""

    def __init__(self, tenant_id: int, policy: Policy, stored: Mapping[str, ClusterState]) -> None:
        self._tenant_id, self._policy = tenant_id, policy
        self.by_id: Changed = {}
        self.by_target: dict[int, set[str]] = defaultdict(set)  # also clusters that have left the target since
        self.known = KnownClusters()
        self._last_us: dict[str, int] = {}
        # the allow-list and the registry of trusted flaggers as applied to the clusters; None: not applied yet
        self.exemptions: Exemptions | None = None
        self._adapted: dict[Group, AdaptedGroup] = {}  # groups as they were last reconciled
        self._outcomes: dict[int, list[FeedOutcome]] = {}  # of the targets that were looked at
        self._traits = SharedTraits(tenant_id)
        self._records = RecordEvidence(tenant_id, policy.flag_score)
        self._verdicts = TenantVerdicts(tenant_id)
        self._usual: Usual | None = None  # measured at each sweep, and at the start
        self._applied: Usual | None = None  # what all clusters were last scored with
        self.keep(stored)

    def keep(self, changed: Mapping[str, ClusterState]) -> None:
        """Take over clusters as they are now."""
        self.by_id.update(changed)
        for cluster in changed.values():
            for target in cluster.discounted_targets:
                self.by_target[target].add(cluster.id)
            self._last_us[cluster.id] = cluster.last_us
            if discounts_members(cluster):
                self.known.keep(cluster.id, KnownCluster(cluster.members, cluster.first_us // 1000))
            else:
                self.known.drop(cluster.id)

    def forget_groups(self) -> None:
        """Reconcile every group again at the next tick, unchanged ones too."""
        self._adapted.clear()

    def look_again(self, connection: Connection, listed: Collection[int]) -> None:
        """Reconcile again at the next tick the groups whose members filed these complaints, by seq: they are part of
        acts that the groups may have.
        """
        people = reporters_of(connection, self._tenant_id, listed)
        self._adapted = {g: adapted for g, adapted in self._adapted.items() if people.isdisjoint(g.reporters)}

    def begin_sweep(self, connection: Connection, window: Window) -> None:
        """Measure base rates and members' records afresh."""
        self.forget_groups()
        self._usual = None
        self._traits.refresh(connection, window)
        self._records.forget()

    def outcomes_of(self, connection: Connection, targets: Iterable[int]) -> Mapping[int, Sequence[FeedOutcome]]:
        """All outcomes that were read so far, those of the targets among them."""
        unknown = [t for t in targets if t not in self._outcomes]
        if unknown:
            self._outcomes.update({t: [] for t in unknown} | outcomes_of(connection, self._tenant_id, unknown))
        return self._outcomes

    def reconcile(
        self, connection: Connection, window: Window, groups: Sequence[Group], *, complete: bool, upto_seq: int
    ) -> Changed:
        """Match the groups with the clusters; returns the clusters that changed. `complete`: of a whole sweep.

        `upto_seq`: what is analysed with them.
        """
        watermark_us, since_us = _watermark_us(window), (window.since + window.origin) * 1000
        settled = frozenset(self._adapted[g] for g in groups if g in self._adapted)
        # Returned members of a known cluster keep its evidence.
        new_groups = [g for g in groups if g not in self._adapted and g.continues is None]
        with_traits = self._traits.aimed(connection, window, new_groups)
        usual = self._usual_now(connection)
        new = self._records.recorded(connection, with_traits, watermark_us, usual.upheld_of_all)
        people = {r for g in groups if g not in self._adapted for r in g.reporters}
        listed = listed_of(connection, self._tenant_id, people, since_us=since_us, upto_seq=upto_seq)
        exempt = self._exempt(connection, [g for g in groups if g not in self._adapted], listed)
        adapted = {g: self._adapted.get(g) or found_group(new.get(g, g), exempt, listed, self._policy) for g in groups}
        self._adapted = adapted
        fresh = [group for group in adapted.values() if group not in settled]
        if not fresh and not complete:
            return {}
        changed = reconcile(
            self.by_id,
            Recomputation(
                list(adapted.values()),
                self.outcomes_of(connection, self._targets_around(fresh)),
                since_us,
                watermark_us,
                complete,
                usual,
                settled,
                self._last_us,
            ),
            self._policy,
            lambda: f"k{uuid4().hex[:16]}",
        )
        self.keep(changed)
        return changed | self._rescored(connection, watermark_us) if complete else changed

    def _exempt(self, connection: Connection, groups: Sequence[Group], listed: ListedByReporter) -> GroupExemptions:
        """What makes complaints of these groups exempt beside what the feed says of them."""
        exemptions = self.exemptions or Exemptions()
        registered = frozenset(filter(exemptions.depends_on_registry, exemptions.flaggers.terms))
        seqs = {seq for group in groups for seq in seqs_by(group, registered)}
        seqs |= {one.filed.seq for reporter in registered for one in listed.get(reporter, ())}
        return GroupExemptions(
            exemptions.allowed, exempt_by_themselves(connection, self._tenant_id, sorted(seqs), exemptions.flaggers)
        )

    def _rescored(self, connection: Connection, watermark_us: int) -> Changed:
        """All clusters that change by what is usual after a sweep, unless that is what it was before."""
        before = self._usual
        usual = self._usual = self._verdicts.usual(connection, self.by_id.values(), self._policy)
        if usual == before == self._applied:
            return {}
        self._applied = usual
        targets = {t for c in self.by_id.values() if c.disposition != "merged" for t in c.author_by_target}
        outcomes = self.outcomes_of(connection, targets)
        rescored = rescore_all(self.by_id.values(), outcomes, watermark_us, self._policy, usual)
        changed = {i: after for i, after in rescored.items() if after is not self.by_id[i]}
        self.keep(changed)
        return changed

    def learn(self, connection: Connection, window: Window, batch: FeedBatch) -> Changed:
        """Outcomes and withdrawals re-score the clusters they touch, in the window or not."""
        self._add_outcomes(batch.outcomes)
        touched = {i for outcome in batch.outcomes for i in self.by_target.get(outcome.target, ())}
        removed = set(batch.removed)
        if removed:
            touched |= {
                c.id
                for c in self.by_id.values()
                if not (removed.isdisjoint(c.memberships) and removed.isdisjoint(c.listed))
            }
            # The group is the same object without them, and would bring them back when it absorbs a cluster.
            self._adapted = {
                g: adapted for g, adapted in self._adapted.items() if removed.isdisjoint(m.seq for m in adapted.listed)
            }
        alive = [self.by_id[i] for i in touched if self.by_id[i].disposition != "merged"]
        outcomes = self.outcomes_of(connection, {t for c in alive for t in c.author_by_target})
        changed: Changed = {}
        for cluster in sorted(alive, key=lambda c: c.id):
            after = rescore(
                cluster, outcomes, _watermark_us(window), self._policy, self._usual_now(connection), removed
            )
            if after is not cluster:
                changed[cluster.id] = after
        self.keep(changed)
        return changed

    def _usual_now(self, connection: Connection) -> Usual:
        if self._usual is None:
            self._usual = self._verdicts.usual(connection, self.by_id.values(), self._policy)
        return self._usual

    def _add_outcomes(self, outcomes: Iterable[FeedOutcome]) -> None:
        """Add outcomes to targets that were read; targets read later get them from SQL."""
        for outcome in outcomes:
            known = self._outcomes.get(outcome.target)
            if known is not None and all(o.id != outcome.id or o.complaint != outcome.complaint for o in known):
                self._outcomes[outcome.target] = [o for o in known if o.id != outcome.id] + [outcome]

    def _targets_around(self, fresh: Sequence[AdaptedGroup]) -> set[int]:
        """Targets of the groups, and of the clusters that share people with them."""
        people = frozenset().union(*(group.reporters for group in fresh))
        targets = {t for group in fresh for t in group.author_by_target}
        for cluster in self.by_id.values():
            if not people.isdisjoint(cluster.members):
                targets.update(cluster.author_by_target)
        return targets


def _watermark_us(window: Window) -> int:
    return (window.watermark + window.origin) * 1000
