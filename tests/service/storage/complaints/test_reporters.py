"""What is known of one reporter."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from case_world import START, at_us, put_cluster, put_complaint, put_outcome
from sqlalchemy import Engine

from service.errors import NotFound
from service.moderation.track_record import TrackRecord
from service.storage.accounts.tenants import create_tenant
from service.storage.complaints.reporters import CLUSTERS_SHOWN, ReporterRecord, read_reporter
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.sql.hashing import key_of

NOW = START + timedelta(days=1)


@pytest.fixture
def tenant(engine: Engine) -> int:
    return create_tenant(engine, "paper", 0)


def history(engine: Engine, tenant: int, reporter: str = "ann") -> ReporterRecord:
    with engine.connect() as connection:
        return read_reporter(connection, tenant, reporter, now=NOW)


def test_complaints_are_counted_by_what_became_of_them(engine: Engine, tenant: int) -> None:
    put_complaint(engine, tenant, 1, "ann", "t1", hours=5)
    put_complaint(engine, tenant, 2, "ann", "t1", hours=6, state=schema.REPEAT)
    put_complaint(engine, tenant, 3, "ann", "t2", hours=3, state=schema.WITHDRAWN)
    put_complaint(engine, tenant, 4, "bob", "t3", hours=1)
    seen = history(engine, tenant)
    assert (seen.complaints, seen.standing, seen.repeats, seen.withdrawn, seen.machine, seen.targets) == (
        3,
        1,
        1,
        1,
        0,
        2,
    )
    assert (seen.first_at, seen.last_at) == (START + timedelta(hours=3), START + timedelta(hours=6))
    assert (seen.judged, seen.clusters, seen.cluster_count) == (TrackRecord(0, 0), [], 0)


def test_judged_complaints_are_those_that_stand_and_were_filed_before(engine: Engine, tenant: int) -> None:
    for seq, target, hours, state in [
        (1, "good", 1, schema.STANDING),
        (2, "bad", 1, schema.STANDING),
        (3, "late", 9, schema.STANDING),
        (4, "gone", 1, schema.WITHDRAWN),
        (5, "machine", 1, schema.STANDING),
    ]:
        put_complaint(engine, tenant, seq, "ann", target, hours=hours, state=state)
    for seq, target in enumerate(["good", "late", "gone"], 10):
        put_outcome(engine, tenant, seq, target, "upheld", hours=5)
    put_outcome(engine, tenant, 20, "bad", "rejected", hours=5, decided_by="appeal")
    put_outcome(engine, tenant, 21, "machine", "upheld", hours=5, decided_by="automatic")
    put_outcome(engine, tenant, 22, "good", "rejected", hours=6, complaint_id="somebody-else's")
    assert history(engine, tenant).judged == TrackRecord(1, 1)
    put_outcome(engine, tenant, 23, "good", "rejected", hours=4, complaint_id="c1")
    assert history(engine, tenant).judged == TrackRecord(0, 2)
    put_outcome(engine, tenant, 24, "good", "upheld", hours=7, complaint_id="somebody-else's", retracts="o23")
    assert history(engine, tenant).judged == TrackRecord(1, 1), "whichever complaint the retraction names"


def test_the_reputation_is_shared_with_who_else_complained_and_fades_by_the_tenant_s_own_time(
    engine: Engine, tenant: int
) -> None:
    put_complaint(engine, tenant, 1, "ann", "t1", hours=1)
    assert history(engine, tenant).reputation is None
    put_outcome(engine, tenant, 2, "t1", "upheld", hours=5)
    with write(engine) as connection:
        connection.execute(sa.insert(schema.targets).values(tenant_id=tenant, target_key=key_of("t1"), complaints=4))
        connection.execute(
            sa.update(schema.ingest_state)
            .where(schema.ingest_state.c.tenant_id == tenant)
            .values(watermark_us=at_us(1 + 180 * 24))
        )
    earned = history(engine, tenant).reputation
    assert earned is not None
    assert (earned.weight, earned.upheld, earned.rejected) == (1 / 8, 1, 0)


def test_clusters_are_the_latest_first_without_those_that_exclude_the_reporter(engine: Engine, tenant: int) -> None:
    put_complaint(engine, tenant, 1, "ann", "t1")
    put_cluster(engine, tenant, "k1", reporters=["ann"], last=1, disposition="revoked")
    put_cluster(engine, tenant, "k2", reporters=["ann"], last=2, status="snoozed", snooze_until_us=0)
    put_cluster(engine, tenant, "k3", reporters=["ann"], excluded=["ann"], last=3)
    seen = history(engine, tenant)
    assert [(one.id, one.disposition, one.status) for one in seen.clusters] == [
        ("k2", "flagged", "open"),
        ("k1", "revoked", "open"),
    ]
    assert seen.cluster_count == 2


def test_the_number_of_clusters_shown_is_bounded_and_the_number_of_all_is_told(engine: Engine, tenant: int) -> None:
    put_complaint(engine, tenant, 1, "ann", "t1")
    for number in range(CLUSTERS_SHOWN + 2):
        put_cluster(engine, tenant, f"k{number:03}", reporters=["ann"], targets=[], last=number)
    seen = history(engine, tenant)
    assert (len(seen.clusters), seen.clusters[0].id, seen.cluster_count) == (CLUSTERS_SHOWN, "k101", CLUSTERS_SHOWN + 2)


def test_another_tenant_s_reporter_is_unknown(engine: Engine, tenant: int) -> None:
    other = create_tenant(engine, "other", 0)
    put_complaint(engine, other, 1, "ann", "t1")
    put_cluster(engine, other, "k1", reporters=["ann"])
    for reporter in ("ann", "nobody"):
        with pytest.raises(NotFound, match=r"^no such reporter$"):
            history(engine, tenant, reporter)
