"""A decision's preview says what the decision does: the preview is made, the case decided, and both compared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from conftest import RedisClients
from flow import LONG_AFTER, Newspaper, told, world_of
from sqlalchemy import Engine, func, select

from service.model import DecisionRequest
from service.moderation.assessment import NO_CLUSTERS, independent_count
from service.moderation.case_events import is_held
from service.moderation.cluster_discounts import summaries
from service.moderation.decision_preview import Effect, sentence
from service.settings import Settings
from service.storage.accounts.policy_overrides import change_overrides, policy_of
from service.storage.cases import clusters, restorations
from service.storage.cases.decision_preview import effect_of_decisions
from service.storage.complaints.archive_reader import totals_of
from service.storage.sql.engine import write
from service.storage.sql.schema import reporter_warnings
from workers import detect


@pytest.fixture
def paper(fake_redis: RedisClients, engine: Engine, settings: Settings) -> Iterator[Newspaper]:
    newspaper = Newspaper(fake_redis, engine, settings)
    with write(engine) as connection:
        change_overrides(connection, newspaper.id, put={"warn_unfounded": 6}, by="ann", now_us=1)
    newspaper.posts(told(world_of(5, 6_000)), batch=500, at_once=4)
    newspaper.sweeps()
    yield newspaper
    newspaper.forgets()


def previewed(paper: Newspaper, cluster: str, verdict: str, **fields: Any) -> Effect:
    request = DecisionRequest.model_validate({"verdict": verdict, "reason_code": "brigade", "version": 0, **fields})
    with paper.engine.connect() as connection:
        return effect_of_decisions(connection, paper.id, {cluster: request}, now=LONG_AFTER)


def figures(paper: Newspaper, cluster: str) -> tuple[float, int, int, int]:
    """Complaints not counted, targets on hold, open restorations (all on the case's targets), and warnings."""
    with paper.engine.connect() as connection:
        states = clusters.load(connection, paper.id)
        targets = set(states[cluster].author_by_target)
        totals, threshold = totals_of(connection, paper.id, targets), policy_of(connection, paper.id).default_threshold
        now = summaries(states.values(), targets)
        known = restorations.read_some(connection, paper.id, targets)
        warned = connection.scalar(select(func.count()).select_from(reporter_warnings))
    return (
        sum(n - independent_count(n, now.get(t, NO_CLUSTERS).discount) for t, n in totals.items()),
        sum(is_held(n, now.get(t, NO_CLUSTERS), threshold) for t, n in totals.items()),
        sum(r.state == "open" for r in known.values()),
        int(warned or 0),
    )


def test_what_was_previewed_is_what_the_decision_changes(paper: Newspaper) -> None:
    kinds = set()
    for cluster in sorted(i for i, s in paper.clusters().items() if s.disposition == "flagged"):
        last = None
        for verdict in ("coordinated", "not_coordinated", "coordinated"):
            found, before = previewed(paper, cluster, verdict), figures(paper, cluster)
            decision = paper.decides(cluster, verdict)
            detect.run(paper.name, paper.resources)
            after = figures(paper, cluster)
            assert (found.held_before, found.held) == (before[1], after[1])
            assert (found.restorations_before, found.restorations) == (before[2], after[2])
            assert found.lifted - found.lifted_before == pytest.approx(after[0] - before[0], abs=1e-6)
            assert found.warnings - found.warnings_before == after[3] - before[3]
            words = sentence(found)
            assert ("reviewing the removal" in words) == (before[2] != after[2]) and ("warning" in words) == (
                before[3] != after[3]
            )
            kinds |= {
                word
                for word in ("no longer suggests warning", "suggests warning", "reviewing the removal")
                if word in words
            }
            last = decision
        undo = previewed(paper, cluster, "coordinated", reverses=last)
        before = figures(paper, cluster)
        paper.decides(cluster, "coordinated", reverses=last)
        detect.run(paper.name, paper.resources)
        after = figures(paper, cluster)
        assert undo.warnings - undo.warnings_before == after[3] - before[3]
        assert (undo.held_before, undo.held, undo.restorations) == (before[1], after[1], after[2])
    assert kinds == {"no longer suggests warning", "suggests warning", "reviewing the removal"}
