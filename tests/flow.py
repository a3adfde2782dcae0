"""The whole way of the data in one process: stream, archive, ticks, sweeps; and the audit of the same items
beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from conftest import RedisClients
from pipeline_world import Paper
from sqlalchemy import Engine, func, select
from worlds import Row, document

from service.demo.documents import World
from service.demo.world import draw_world
from service.intake.items import COMPLAINT, OUTCOME, Noun, canonical, read_value, withdrawal
from service.model import Complaint, DecisionRequest, Frozen, Outcome
from service.moderation.assessment import assess
from service.moderation.cluster_state import ClusterState
from service.moderation.target_assessment import Assessment
from service.policy import DEFAULT_POLICY
from service.settings import Settings
from service.storage.cases import clusters
from service.storage.cases.case_decisions import record_decision
from service.storage.complaints.archive_reader import AnalysisState, analysis_state_of, ingest_state_of
from service.storage.redis_store import assessments
from service.storage.sql.engine import write
from service.storage.sql.schema import decisions
from workers import detect, ingest, sweep
from workers.audit.history import Collector, ComplaintHistory
from workers.audit.outcomes import outcomes_by_target
from workers.audit.windows import audit
from workers.resident_windows import ResidentWindows
from workers.tenant_analyzer import TenantAnalyzer

LONG_AFTER = datetime(2100, 1, 1, tzinfo=UTC)
STANDING = ("flagged", "held_back")


def item(document: dict[str, Any], noun: Noun) -> Frozen:
    """A document as the accepting side reads it."""
    read = read_value(document, noun, LONG_AFTER)
    assert isinstance(read, Frozen), read
    return read


def line(document: dict[str, Any]) -> bytes:
    """A document (complaint, outcome, or {"withdraws": id}) as its line in the stream."""
    if "withdraws" in document:
        return withdrawal(document["withdraws"])
    noun = OUTCOME if "target_id" in document else COMPLAINT
    return canonical(item(document, noun), noun)


def told(world: World, *, until: str = "9999", outcomes: bool = True) -> list[dict[str, Any]]:
    """The world's documents as they would arrive, up to a time."""
    both = [
        *((c["occurred_at"], c) for c in world.complaints),
        *((o["decided_at"], o) for o in world.outcomes if outcomes),
    ]
    return [document for at, document in sorted(both, key=lambda x: x[0]) if at < until]


class Newspaper(Paper):
    """A tenant whose pipeline is run by hand, as the clock would."""

    def posts(self, documents: Sequence[dict[str, Any]], *, batch: int = 500, at_once: int = 1) -> None:
        """Post in batches; after every `at_once` of them the workers have their turn."""
        for k, start in enumerate(range(0, len(documents), batch), 1):
            self.accepts(*map(line, documents[start : start + batch]))
            if k % at_once == 0:
                self.works()
        self.works()

    def works(self) -> None:
        """Archive and analyse all that waits; a sweep where the backlog asks for it."""
        while self.waiting():
            ingest.run(self.name, self.resources)
        while self.analysis().cursor_seq < self.archived_seq():
            before = self.analysis()
            detect.run(self.name, self.resources)
            if self.analysis() == before:
                self.sweeps()

    def sweeps(self) -> None:
        """One sweep, taken over."""
        sweep.run(self.name, self.resources)
        detect.run(self.name, self.resources)

    def analysis(self) -> AnalysisState:
        with self.engine.connect() as connection:
            return analysis_state_of(connection, self.id)

    def archived_seq(self) -> int:
        with self.engine.connect() as connection:
            return ingest_state_of(connection, self.id).last_seq

    def clusters(self) -> dict[str, ClusterState]:
        with self.engine.connect() as connection:
            return clusters.load(connection, self.id)

    def groups(self, *dispositions: str) -> set[frozenset[int]]:
        """Member sets of the clusters that stand."""
        return {c.members for c in self.clusters().values() if c.disposition in (dispositions or STANDING)}

    def asks(self, target: str, threshold: int = 8) -> Assessment:
        """The question before a removal, as the API asks it."""
        found = self.clients.run(assessments.read_targets(self.clients.asyncio, self.name, [target]))
        (standing,) = found.targets
        return assess(target, standing, found.freshness(), threshold=threshold)

    def independent(self, target: str) -> float:
        """How many people complained about it independently."""
        return self.asks(target).independent_complaints

    def decides(self, cluster: str, verdict: str, *, reason: str = "brigade", **fields: Any) -> str:
        """A moderator's decision on the cluster as it is now; its id."""
        with write(self.engine) as connection:
            version = clusters.load(connection, self.id, [cluster])[cluster].version
            request = DecisionRequest(verdict=verdict, reason_code=reason, version=version, **fields)  # type: ignore[arg-type]
            name = f"d{connection.execute(select(func.count()).select_from(decisions)).scalar_one() + 1}"
            record_decision(connection, self.id, cluster, request, decision_id=name, by="ann", now=LONG_AFTER)
        return name

    def resident(self) -> TenantAnalyzer | None:
        """What the detect worker holds of the tenant."""
        return self.resources.kept(ResidentWindows).get(self.name)

    def forgets(self) -> None:
        """What a SIGKILL of the detect worker leaves: nothing resident."""
        self.resources.kept(ResidentWindows).drop(self.name)


def audited(documents: Iterable[dict[str, Any]]) -> tuple[list[ClusterState], ComplaintHistory]:
    """The clusters of an audit of the same items."""
    collector, outcomes = Collector(DEFAULT_POLICY.text_min_words), list[Outcome]()
    withdrawn = {d["withdraws"] for d in documents if "withdraws" in d}
    for one in documents:
        if "target_id" in one:
            read = item(one, OUTCOME)
            assert isinstance(read, Outcome)
            outcomes.append(read)
            collector.judged_complaints.add(read.complaint_id or "")
    for one in documents:
        if "reporter" in one and one["id"] not in withdrawn:
            complaint = item(one, COMPLAINT)
            assert isinstance(complaint, Complaint)
            collector.add(complaint)
    history, rows = collector.history()
    return (
        audit(history, outcomes_by_target(outcomes, rows), DEFAULT_POLICY, 86_400, lambda done, total: None).clusters,
        history,
    )


def groups_of(states: Iterable[ClusterState], *dispositions: str) -> set[frozenset[int]]:
    """Member sets of an audit's clusters that stand."""
    return {s.members for s in states if s.disposition in (dispositions or STANDING)}


def jaccard(one: Iterable[frozenset[int]], other: Iterable[frozenset[int]]) -> float:
    """Agreement of the accounts in two sets of groups."""
    a, b = (frozenset().union(*groups) for groups in (one, other))
    return len(a & b) / max(len(a | b), 1)


def world_of(seed: int, complaints: int) -> World:
    """The demo's world; drawn once a session for each seed and size."""
    key = (seed, complaints)
    if key not in _worlds:
        _worlds[key] = draw_world(seed, complaints)
    return _worlds[key]


_worlds: dict[tuple[int, int], World] = {}


def copied(document: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The document with other values; nested ones are shared with nobody."""
    return {**json.loads(json.dumps(document)), **changes}


@contextmanager
def swept_town(clients: RedisClients, engine: Engine, settings: Settings, rows: Sequence[Row]) -> Iterator[Newspaper]:
    """A newspaper that has posted the complaints of a town and taken over a sweep of them."""
    newspaper = Newspaper(clients, engine, settings)
    newspaper.posts([document(row) for row in rows], batch=300)
    newspaper.sweeps()
    yield newspaper
    newspaper.forgets()
