"""What the overview says about a tenant's day."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from case_world import at_us, put_cluster, put_complaint, put_decision
from sqlalchemy import Engine

from service.moderation.events import Event
from service.storage.accounts.tenants import create_tenant
from service.storage.cases import overview
from service.storage.cases.overview import DAY_US, HOUR_US, Period, period_of
from service.storage.complaints import complaint_counts
from service.storage.complaints.complaint_counts import SLOT_US
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.webhooks import outbox

NOW = at_us(48)


@pytest.fixture
def tenant(engine: Engine) -> int:
    return create_tenant(engine, "paper", 0)


def test_a_period_ends_now_while_complaints_come_in_and_at_the_latest_one_of_a_history() -> None:
    assert period_of("day", NOW - HOUR_US, NOW) == Period(NOW + SLOT_US - DAY_US, NOW + SLOT_US, live=True)
    assert period_of("day", None, NOW).live
    old = period_of("week", NOW - 30 * DAY_US, NOW)
    assert (old.live, old.end_us) == (False, NOW - 30 * DAY_US + SLOT_US)
    with pytest.raises(KeyError):
        period_of("year", None, NOW)


def test_slots_tell_all_complaints_and_those_in_flagged_clusters_each_once(engine: Engine, tenant: int) -> None:
    for cluster, disposition in (("k-1", "flagged"), ("k-2", "flagged"), ("k-3", "revoked")):
        put_cluster(engine, tenant, cluster, last=47, disposition=disposition)
    for seq, (hours, cluster) in enumerate([(46.0, "k-1"), (46.05, "k-3"), (46.1, None), (47.0, "k-2")], 1):
        put_complaint(engine, tenant, seq, f"r{seq}", "t1", hours=hours, cluster=cluster)
    with write(engine) as connection:
        complaint_counts.add(connection, tenant, [at_us(46.0), at_us(46.05), at_us(46.1), at_us(47.0)])
        # the complaint of k-1 is in k-2 as well
        row = (
            connection.execute(
                sa.select(schema.cluster_complaints).where(schema.cluster_complaints.c.cluster_id == "k-1")
            )
            .mappings()
            .one()
        )
        connection.execute(sa.insert(schema.cluster_complaints).values({**row, "cluster_id": "k-2"}))
    with engine.connect() as connection:
        slots = overview.read_slots(connection, tenant, period_of("day", NOW, NOW))
    assert len(slots) == 144
    assert [(s.start_us, s.complaints, s.coordinated) for s in slots if s.complaints] == [
        (at_us(46), 3, 1),
        (at_us(47), 1, 1),
    ]


def test_cases_are_counted_by_age_state_and_verdict(engine: Engine, tenant: int) -> None:
    put_cluster(engine, tenant, "fresh", found_us=NOW - HOUR_US // 2)
    put_cluster(engine, tenant, "old", found_us=NOW - 30 * DAY_US, status="escalated")
    put_cluster(engine, tenant, "asleep", found_us=NOW, status="snoozed", snooze_until_us=NOW + 1)
    put_cluster(engine, tenant, "awake", found_us=NOW - 2 * HOUR_US, status="snoozed", snooze_until_us=NOW)
    put_cluster(engine, tenant, "held", disposition="held_back")
    put_cluster(engine, tenant, "right", status="decided", verdict="coordinated")
    put_cluster(engine, tenant, "wrong", status="decided", verdict="not_coordinated", disposition="revoked")
    put_cluster(engine, tenant, "gone", disposition="merged", verdict="coordinated")
    with engine.connect() as connection:
        cases = overview.read_cases(connection, tenant, end_us=NOW, now_us=NOW)
    assert [(group.open, group.escalated) for group in cases.ages] == [(1, 0), (1, 0), (0, 0), (0, 0), (0, 0), (0, 1)]
    assert (cases.waiting, cases.snoozed, cases.held_back, cases.coordinated, cases.decided) == (3, 1, 1, 1, 2)


def test_a_patrol_that_was_cleared_is_no_wrong_flag_until_that_is_undone(engine: Engine, tenant: int) -> None:
    cleared = {"status": "decided", "verdict": "not_coordinated", "disposition": "revoked"}
    for number, reason in enumerate(("outrage", "patrol", "patrol", "patrol")):
        put_cluster(engine, tenant, f"k-{number}", **cleared)
        put_decision(engine, tenant, f"k-{number}", f"d-{number}", "not_coordinated", reason_code=reason)
    put_cluster(engine, tenant, "k-4", status="decided", verdict="coordinated")
    put_decision(engine, tenant, "k-2", "d-5", "not_coordinated", reason_code="other", reverses="d-2")
    put_decision(engine, tenant, "k-2", "d-6", "not_coordinated", reason_code="outrage")
    put_decision(engine, tenant, "k-3", "d-7", "not_coordinated", reason_code="other", reverses="d-3")
    put_decision(engine, tenant, "k-3", "d-8", "not_coordinated", reason_code="other", reverses="d-7")
    with engine.connect() as connection:
        cases = overview.read_cases(connection, tenant, end_us=NOW, now_us=NOW)
    assert (cases.coordinated, cases.not_coordinated, cases.right_together, cases.decided) == (1, 2, 2, 3)


def test_time_to_decision_is_from_the_flag_as_told_to_the_first_verdict(engine: Engine, tenant: int) -> None:
    for cluster in ("k-1", "k-2", "k-3"):
        put_cluster(engine, tenant, cluster, found_us=at_us(40))
    put_decision(engine, tenant, "k-1", "d-1", "escalated", hours=40.5)
    put_decision(engine, tenant, "k-1", "d-2", "coordinated", hours=41)
    put_decision(engine, tenant, "k-1", "d-3", "not_coordinated", hours=47)
    put_decision(engine, tenant, "k-2", "d-4", "coordinated", hours=44)
    put_decision(engine, tenant, "k-3", "d-5", "coordinated", hours=-2000)
    put_decision(engine, tenant, "k-3", "d-6", "coordinated", hours=44)
    with write(engine) as connection:
        outbox.record(connection, tenant, [Event("cluster.flagged", "k-2/2", {})], at_us(42))
    with engine.connect() as connection:
        told = overview.read_time_to_decision(connection, tenant, now_us=NOW)
    assert told is not None
    assert (told.cases, told.median_seconds, told.slowest_tenth_seconds) == (2, 5_400.0, 7_200.0)
    with engine.connect() as connection:
        assert overview.read_time_to_decision(connection, create_tenant(engine, "other", 0), now_us=NOW) is None


def test_attacked_is_whom_most_members_of_flagged_clusters_complained_about(engine: Engine, tenant: int) -> None:
    put_cluster(engine, tenant, "k-1", targets=("t1", "t2"), last=47)
    put_cluster(engine, tenant, "k-2", targets=("t2",), last=47)
    for seq, (reporter, target, hours, cluster) in enumerate(
        [("a", "t1", 46, "k-1"), ("b", "t1", 47, "k-1"), ("a", "t2", 47, "k-2"), ("c", "t2", 1, "k-1")], 1
    ):
        put_complaint(engine, tenant, seq, reporter, target, hours=hours, cluster=cluster)
    with engine.connect() as connection:
        found = overview.read_attacked(connection, tenant, since_us=NOW - DAY_US, until_us=NOW)
    assert [(one.target_id, one.reporters, one.clusters, one.cluster_id) for one in found] == [
        ("t1", 2, 1, "k-1"),
        ("t2", 1, 1, "k-2"),
    ]
