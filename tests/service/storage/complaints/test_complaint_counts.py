"""Complaints by ten minutes: counted once, as they are archived."""

from __future__ import annotations

import json
from typing import Any

from alembic import command
from pipeline_world import Paper
from sqlalchemy import Connection, Engine

from service.storage.complaints import complaint_counts
from service.storage.complaints.complaint_counts import SLOT_US, slot_of
from service.storage.sql.engine import migration_config, write
from workers import ingest


def complaint(identity: str, at: str, **more: Any) -> bytes:
    return (
        b"c"
        + json.dumps(
            {"id": identity, "occurred_at": at, "reporter": {"id": f"r-{identity}"}, "target": {"id": "t"}, **more}
        ).encode()
    )


def counted(engine: Engine, tenant_id: int) -> list[int]:
    with engine.connect() as connection:
        return list(complaint_counts.counts_between(connection, tenant_id, 0, 2**62).values())


def test_a_slot_begins_at_or_before_its_time_also_before_1970() -> None:
    assert [slot_of(at) for at in (0, SLOT_US - 1, SLOT_US, -1)] == [0, 0, SLOT_US, -SLOT_US]


def test_complaints_are_counted_once_when_they_are_archived_and_machines_are_not(
    clients: Any, engine: Engine, settings: Any
) -> None:
    paper = Paper(clients, engine, settings)
    paper.accepts(
        complaint("a", "2026-11-01T10:00:00Z"),
        complaint("b", "2026-11-01T10:09:59Z"),
        complaint("c", "2026-11-01T10:10:00Z"),
        complaint("m", "2026-11-01T10:11:00Z", machine=True),
    )
    ingest.run("paper", paper.resources)
    assert counted(engine, paper.id) == [2, 1]
    paper.accepts(complaint("a", "2026-11-01T10:00:00Z"), complaint("d", "2026-11-01T10:19:00Z"), b'w{"id":"b"}')
    ingest.run("paper", paper.resources)
    assert counted(engine, paper.id) == [2, 2]


def test_the_slots_of_a_period_are_those_that_begin_in_it_and_another_tenants_are_not(engine: Engine) -> None:
    with write(engine) as connection:
        complaint_counts.add(connection, 1, [0, SLOT_US, 2 * SLOT_US])
        complaint_counts.add(connection, 2, [SLOT_US])
    with engine.connect() as connection:
        assert complaint_counts.counts_between(connection, 1, SLOT_US, 2 * SLOT_US) == {SLOT_US: 1}


def test_the_migration_counts_what_was_archived_before_it_as_ingest_would_have(
    clients: Any, engine: Engine, settings: Any
) -> None:
    paper = Paper(clients, engine, settings)
    paper.accepts(
        complaint("old", "1969-12-31T23:59:59Z"),
        complaint("a", "2026-11-01T10:00:00Z"),
        complaint("b", "2026-11-01T10:09:59Z"),
        complaint("m", "2026-11-01T10:11:00Z", machine=True),
    )
    ingest.run("paper", paper.resources)

    def read(connection: Connection) -> dict[int, int]:
        return complaint_counts.counts_between(connection, paper.id, -(2**62), 2**62)

    with engine.connect() as connection:
        before = read(connection)
    config = migration_config()
    for step in (lambda: command.downgrade(config, "0002"), lambda: command.upgrade(config, "head")):
        with write(engine) as connection:
            config.attributes["connection"] = connection
            step()
    with engine.connect() as connection:
        assert read(connection) == before
        assert sorted(before.values()) == [1, 2]
