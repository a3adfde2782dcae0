"""Write to Redis what a step of analysis has committed to SQL: clusters' members, then counts and progress at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from redis import Redis

from service.moderation.assessment import TargetSummary
from service.storage.complaints.feed import FeedBatch
from service.storage.complaints.feed_reader import read_feed_before
from service.storage.redis_store import assessments
from workers.known_members import publish_all_known_members, publish_known_members
from workers.resources import Resources
from workers.tenant_analyzer import TenantAnalyzer

ITEMS_AGAIN = 20_000  # at least as many as a tick may take


def publish(
    redis: Redis, analyzer: TenantAnalyzer, summaries: Mapping[int, TargetSummary | None], totals: Mapping[int, int]
) -> None:
    """Write what changed: the clusters' members, summaries (None removes the target's) and totals by target key."""
    publish_known_members(redis, analyzer)
    state = analyzer.state
    assessments.write_analysed(
        redis,
        analyzer.tenant,
        totals,
        summaries,
        position=state.analysed_position,
        as_of_us=state.as_of_us,
        taken=state.decision_cursor,
    )


def publish_again(analyzer: TenantAnalyzer, resources: Resources) -> None:
    """Write what a tick that ended between SQL and Redis did not: the totals of the last tick, all memberships, and all
    known members.
    """
    redis = resources.redis
    with resources.engine.connect() as connection:
        batches = read_feed_before(connection, analyzer.number, analyzer.state.cursor_seq, ITEMS_AGAIN)
    written = assessments.targets_with_memberships(redis, analyzer.tenant)
    publish_all_known_members(redis, analyzer)
    publish(redis, analyzer, {**dict.fromkeys(written), **analyzer.notifier.summaries}, totals_in(batches))


def totals_in(batches: Iterable[FeedBatch]) -> dict[int, int]:
    """Standing complaints of each target that the batches touch; the last batch counts."""
    return {
        target: count
        for batch in batches
        for target, count in zip(batch.totals["target"].tolist(), batch.totals["complaints"].tolist(), strict=True)
    }
