"""Write to Redis what a step of analysis has committed to SQL: clusters' members, then counts and progress at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from redis import Redis

from service.moderation.assessment import TargetSummary
from service.storage.complaints.feed import FeedBatch
from service.storage.complaints.feed_reader import read_feed_before
from service.storage.redis_store import assessments
from workers.known_members import publish_all_known_members, publish_known_members
from workers.notice_counts import notices_after, write_all_notices
from workers.resources import Resources
from workers.tenant_analyzer import TenantAnalyzer

ITEMS_AGAIN = 20_000  # at least as many as a tick may take


def publish(
    redis: Redis,
    analyzer: TenantAnalyzer,
    summaries: Mapping[int, TargetSummary | None],
    totals: Mapping[int, int],
    notices: Mapping[int, int] | None = None,
) -> None:
    """Write what changed: the clusters' members; by target key summaries (None removes the target's), totals and
    notices by trusted flaggers.
    """
    publish_known_members(redis, analyzer)
    state = analyzer.state
    assessments.write_analysed(
        redis,
        analyzer.tenant,
        totals,
        summaries,
        notices=notices or {},
        position=state.analysed_position,
        as_of_us=state.as_of_us,
        taken=state.decision_cursor,
    )


def publish_again(analyzer: TenantAnalyzer, resources: Resources) -> None:
    """Write what a tick that ended between SQL and Redis did not: the totals and notices of the last tick, all
    memberships, and all known members.
    """
    redis, upto = resources.redis, analyzer.state.cursor_seq
    with resources.engine.connect() as connection:
        batches = read_feed_before(connection, analyzer.number, upto, ITEMS_AGAIN)
        totals = totals_in(batches)
        if assessments.are_notices_counted(redis, analyzer.tenant):
            after = max(0, upto - ITEMS_AGAIN)
            notices = notices_after(connection, redis, analyzer, totals, after_seq=after, upto_seq=upto)
        else:
            notices = {}
            write_all_notices(connection, redis, analyzer.tenant, analyzer.number)
    written = assessments.targets_with_memberships(redis, analyzer.tenant)
    publish_all_known_members(redis, analyzer)
    publish(redis, analyzer, {**dict.fromkeys(written), **analyzer.notifier.summaries}, totals, notices)


def totals_in(batches: Iterable[FeedBatch]) -> dict[int, int]:
    """Standing complaints of each target that the batches touch; the last batch counts."""
    return {
        target: count
        for batch in batches
        for target, count in zip(batch.totals["target"].tolist(), batch.totals["complaints"].tolist(), strict=True)
    }
