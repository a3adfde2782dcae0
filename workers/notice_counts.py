"""How many notices by trusted flaggers each target has, as Redis holds it for the question before a removal.

Counted again from the archive wherever the number may have changed: a target that has such notices and is touched, one
whose new complaints may be one, and at a change of the registry all targets of its reporters. The end of a status
changes nothing afterwards, since the time of the complaint decides.
"""

from __future__ import annotations

from collections.abc import Collection

from redis import Redis
from sqlalchemy import Connection

from service.moderation.trusted_flaggers import Flaggers
from service.storage.accounts.flagger_registry import flaggers_of
from service.storage.complaints.trusted_notices import (
    count_on,
    count_on_all,
    targets_of_registered,
    targets_that_may_have,
)
from service.storage.redis_store import assessments
from workers.tenant_analyzer import TenantAnalyzer


def notices_after(
    connection: Connection,
    redis: Redis,
    analyzer: TenantAnalyzer,
    touched: Collection[int],
    *,
    after_seq: int,
    upto_seq: int,
    promoted: Collection[int] = (),
) -> dict[int, int]:
    """The counts that this part of the tenant's sequence may have changed, by target key.

    `touched`: targets whose total changed; `promoted`: those where an older complaint stands now.
    """
    likely = targets_that_may_have(connection, analyzer.number, after_seq, upto_seq) | set(promoted)
    likely |= assessments.targets_with_trusted_notices(redis, analyzer.tenant, touched)
    return count_on(connection, analyzer.number, likely, _flaggers(connection, analyzer)) if likely else {}


def notices_by_registry(
    connection: Connection, redis: Redis, analyzer: TenantAnalyzer, flaggers: Flaggers
) -> dict[int, int]:
    """The counts that a change of the registry may have changed."""
    likely = targets_of_registered(connection, analyzer.number, flaggers)
    likely |= assessments.targets_with_trusted_notices(redis, analyzer.tenant)
    return count_on(connection, analyzer.number, likely, flaggers)


def write_all_notices(connection: Connection, redis: Redis, tenant: str, number: int) -> None:
    """Count all of the tenant's, and write them."""
    counted = count_on_all(connection, number, flaggers_of(connection, number))
    assessments.write_trusted_notices(redis, tenant, counted, complete=True)


def _flaggers(connection: Connection, analyzer: TenantAnalyzer) -> Flaggers:
    exemptions = analyzer.clusters.exemptions
    return flaggers_of(connection, analyzer.number) if exemptions is None else exemptions.flaggers
