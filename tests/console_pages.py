"""A tenant with one of everything that the console's pages show, with hostile words in it."""

from __future__ import annotations

import json
import re

import sqlalchemy as sa
from case_world import at_us, put_cluster, put_complaint, put_decision, put_outcome
from conftest import Api

from service.moderation.assessment import ClusterShare, TargetSummary
from service.moderation.warnings import Suggestion
from service.storage.accounts.tenants import tenant_id
from service.storage.cases import warnings
from service.storage.cases.warnings import Warned
from service.storage.complaints import complaint_counts
from service.storage.redis_store import assessments, redis_keys
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.sql.hashing import key_of

BAD = "<script>alert(1)</script>\"'&"
WARNED = Suggestion(
    unfounded=12, judged=13, by_outcome=2, by_decision=10, period_seconds=90 * 86_400, clusters=("k-1",)
)


def furnish(api: Api, tenant: str = "default", mark: str = "") -> int:
    """A tenant with one of everything."""
    number = tenant_id(api.engine, tenant)
    put_cluster(
        api.engine,
        number,
        f"k-1{mark}",
        reporters=("r1", "r2", "r3"),
        targets=("t/1", "t2"),
        summary=f"3 accounts {BAD}",
        last=2,
    )
    for seq, reporter in enumerate(("r1", "r2", "r3"), 1):
        put_complaint(api.engine, number, seq, reporter, "t/1", hours=1 + seq / 10, cluster=f"k-1{mark}")
    put_complaint(api.engine, number, 4, "r4", "t/1", hours=1.5)
    put_outcome(api.engine, number, 5, "t/1", "rejected", hours=3)
    put_decision(api.engine, number, f"k-1{mark}", f"d-1{mark}", "coordinated", hours=2, note=BAD)
    with write(api.engine) as connection:
        connection.execute(
            sa.update(schema.ingest_state)
            .where(schema.ingest_state.c.tenant_id == number)
            .values(watermark_us=at_us(2), last_seq=5, archived_position=5)
        )
        connection.execute(sa.insert(schema.targets).values(tenant_id=number, target_key=key_of("t/1"), complaints=4))
        connection.execute(
            sa.insert(schema.restorations).values(
                tenant_id=number,
                target_key=key_of("t/1"),
                target_id="t/1",
                state="open",
                harm=1.5,
                complaints=9,
                independent=2.5,
                cluster_ids=json.dumps([f"k-1{mark}"]),
                threshold=8,
                removal_id="o9",
                removed_us=at_us(2),
                removed_by="automatic",
                opened_us=at_us(3),
                changed_us=at_us(3),
                opened_seq=5,
            )
        )
        complaint_counts.add(connection, number, [at_us(1.1), at_us(1.2), at_us(1.3), at_us(1.5)])
        warnings.save(
            connection, number, [Warned(key_of("r1"), "r1", WARNED)], (), watermark_us=at_us(2), now_us=at_us(3)
        )
        connection.execute(
            sa.insert(schema.dead_letters).values(
                tenant_id=number,
                position=3,
                received_us=0,
                dead_us=at_us(1),
                error=f"ValueError: {BAD}",
                line='c{"id":"x"}',
            )
        )
    redis = api.redis.blocking
    redis.set(redis_keys.position(tenant), 5)
    assessments.write_totals(redis, tenant, {key_of("t/1"): 12})
    assessments.write_memberships(
        redis,
        tenant,
        {
            key_of("t/1"): TargetSummary(
                (ClusterShare(f"k-1{mark}", 3, 0.9, 0.5, 0.45, True),), 6.5, {f"k-1{mark}": 0.0}
            )
        },
    )
    return number


def texts(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())
